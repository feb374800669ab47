"""What is scheduled, what runs now and since when, what was last, what is next, and what is wrong; read from files."""

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta

from helpers import prefect_server, runs, served_state
from helpers.home import home
from helpers.run_facts import moment, plain

EXECUTED = ("completed", "failed", "crashed", "cancelled")
LOOKED_AT = 2000  # runs, the newest
OVERDUE = timedelta(seconds=60)
FULL_BYTES = 2**28
LONGEST = 200  # characters of an error


def status(past: list[dict] | None = None, server_answers: bool | None = None) -> dict:
    """The state of this home's schedules and runs.

    Parameters
    ----------
    past : list of dict, optional
        The runs, newest first, by whoever has read them already: `RunIndex.runs()`.
    server_answers : bool, optional
        Whether the Prefect server does, by whoever has asked it already; it is given a few seconds otherwise.

    Returns
    -------
    dict
        `schedules` (a list: the facts of `served_state` with `state`, one of serving, paused, waiting, stopped and
        died; `last`, the last run that was executed; and `day`, how the ticks of the last 24 hours ended, by state),
        `running` (the facts of the runs that are going), `waiting` (trials that wait for their store), `free_bytes`
        and `wrong` (sentences, each with what to do).
    """
    past = [facts | plain(facts) for facts in runs.listing(LOOKED_AT)] if past is None else past[:LOOKED_AT]
    running = [facts for facts in past if facts["state"] in ("pending", "running")]
    schedules = [_schedule(name, past) for name in served_state.names()]
    waiting = len(list((home() / "unstored").glob("*.json")))
    free = shutil.disk_usage(home()).free
    wrong = [sentence for one in schedules for sentence in _wrong(one, past)]
    if waiting:
        wrong.append(f"{waiting} trials wait for their store; store them with: daybook replay")
    if free < FULL_BYTES:
        wrong.append(f"less than {FULL_BYTES / 2**20:.0f} MB are free at {home()}; serve with --keep, or free space")
    is_serving = any(one["state"] == "serving" for one in schedules)
    if is_serving and not (_server_answers() if server_answers is None else server_answers):
        wrong.append("the Prefect server does not answer; see: daybook server status")
    return {"schedules": schedules, "running": running, "waiting": waiting, "free_bytes": free, "wrong": wrong}


def _schedule(name: str, past: list[dict]) -> dict:
    facts = served_state.read(name) | {"name": name}
    facts["next"] = [tick for tick in facts["next"] or [] if moment(tick)] if isinstance(facts["next"], list) else []
    mine = [run for run in past if run["schedule"] == name]
    day_ago = datetime.now(UTC) - timedelta(days=1)
    day = Counter(run["state"] or "unknown" for run in mine if (moment(run["scheduled_at"]) or day_ago) > day_ago)
    last = max((run for run in mine if run["state"] in EXECUTED), key=lambda run: run["started_at"] or "", default=None)
    return facts | {"state": _state(name, facts), "last": last, "day": dict(day)}


def _state(name: str, facts: dict) -> str:
    if not served_state.is_served(f"schedule-{name}"):
        return "stopped" if facts["stopped_at"] else "died"
    if facts["waits_for"]:
        return "waiting"
    return "serving" if facts["next"] else "paused"


def _wrong(one: dict, past: list[dict]) -> list[str]:
    """What is wrong with a schedule."""
    name, last, wrong = one["name"], one["last"], []
    if one["state"] == "died":
        wrong.append(f"{name}: the process that served it is gone; start daybook serve again")
    if one["state"] == "waiting":
        wrong.append(f"{name}: waits for {one['waits_for']}; look at: daybook server status")
    if last and last["state"] in ("failed", "crashed"):
        why = _first_line(last["error"])
        wrong.append(f"{name}: the last run {last['state']} ({why}); see {last['folder']}/run.log")
    overdue = one["state"] == "serving" and moment(one["next"][0]) < datetime.now(UTC) - OVERDUE
    if overdue and not any(run["schedule"] == name and run["state"] == "running" for run in past):
        wrong.append(f"{name}: the tick of {one['next'][0][:19]} is overdue; look at what daybook serve says")
    return wrong


def _first_line(error: str | None) -> str:
    line = (error or "no error is recorded").strip().split("\n")[0]
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _server_answers() -> bool:
    import os

    named = os.environ.get("PREFECT_API_URL")
    return prefect_server.is_healthy(named) if named else prefect_server.find() is not None
