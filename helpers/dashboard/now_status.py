"""What goes on now, read at most once a second for however many browsers ask."""

import re
import shutil
import threading
import time
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import NamedTuple

from helpers import dashboard_links, schedule_status
from helpers.dashboard import prefect_health, run_rows
from helpers.home import home
from helpers.run_facts import moment, text
from helpers.run_index import RunIndex

FRESH_SECONDS = 1.0
NEXT = 3  # ticks that are shown
STATES = {"serving": "▶", "paused": "■", "waiting": "…", "stopped": "○", "died": "✗"}


class Going(NamedTuple):
    """A run that is going, and the dashboard of its cluster."""

    row: run_rows.Row
    cell: int | None
    dask: str | None


class Schedule(NamedTuple):
    """A schedule as texts; `last` is the run that was executed last, `page` its address on Prefect's page."""

    name: str
    notebook: str
    ticks: str
    state: str
    mark: str
    waits_for: str
    next: list[run_rows.Moment]
    last: run_rows.Row | None
    day: list[tuple[str, int]]
    page: str | None
    dask: str | None


class NowStatus:
    """The state of a home, kept for a moment.

    Parameters
    ----------
    index : RunIndex
    """

    def __init__(self, index: RunIndex):
        self._index = index
        self._lock = threading.Lock()
        self._seen: dict = {}
        self._seen_at = float("-inf")

    def read(self) -> dict:
        """What the page shows; not to be called on the server's thread, as it looks at files and ports.

        Returns
        -------
        dict
            `going` (list of `Going`), `schedules` (list of `Schedule`), `wrong` (sentences), `waiting` (trials that
            wait for their store), `free_bytes`, `total_bytes`, `health` (of the Prefect server) and `last` (the
            newest run that has ended, a `Row` or None).
        """
        with self._lock:
            if time.monotonic() - self._seen_at > FRESH_SECONDS:
                self._seen, self._seen_at = self._read(), time.monotonic()
            return self._seen

    def _read(self) -> dict:
        at, health, runs = datetime.now(UTC), prefect_health.shared().seen(), self._index.runs()
        found = schedule_status.status(runs, health.answers is not False)
        ended = next((facts for facts in runs if facts["state"] not in run_rows.GOING), None)
        return {
            "going": [_going(facts, at) for facts in found["running"]],
            "schedules": [_schedule(one, at) for one in found["schedules"]],
            "wrong": [text(sentence) for sentence in found["wrong"]],
            "waiting": found["waiting"],
            "free_bytes": found["free_bytes"],
            "total_bytes": shutil.disk_usage(home()).total,
            "health": health,
            "last": ended and run_rows.row(ended, at),
        }


@cache
def status_of(index: RunIndex) -> NowStatus:
    """The one of an index of runs."""
    return NowStatus(index)


def _going(facts: dict, at: datetime) -> Going:
    done, cells = facts["cells_done"], facts["cells"]
    cell = min((done or 0) + 1, cells) if cells else None
    return Going(run_rows.row(facts, at), cell, dashboard_links.of_run(Path(facts["folder"])))


def _schedule(one: dict, at: datetime) -> Schedule:
    is_due = one["state"] in ("serving", "waiting")
    ticks = [run_rows.moment_of(tick, at) for tick in sorted(one["next"], key=moment)[:NEXT]] if is_due else []
    page = text(one["page"])
    return Schedule(
        name=text(one["name"]),
        notebook=Path(text(one["notebook"]) or "").name,
        ticks=text(one["schedule"]) or "",
        state=one["state"],
        mark=STATES.get(one["state"], "?"),
        waits_for=text(one["waits_for"]) or "",
        next=ticks,
        last=one["last"] and run_rows.row(one["last"], at),
        day=sorted(one["day"].items()),
        page=page if page and re.match(r"https?://[^@\s]+$", page) else None,
        dask=dashboard_links.as_reached(one["cluster"]) if one["cluster"] and one["state"] == "serving" else None,
    )
