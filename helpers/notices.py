"""Notices: who is to know hears that a schedule began to fail, works again or skips ticks; once, not every minute."""

import json
import os
import shlex
import sys
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from helpers.masking import mask
from helpers.notice_delivery import Delivery

REMINDER = timedelta(hours=1)
MOST_AN_HOUR = 6  # notices of failures, however many different errors, and however often it fails and recovers
LAST_LINES = 20
LAST_CHARACTERS = 4000
MOST_OF_A_LINE = 2000
TAIL_BYTES = 65_536
SAME_WORDS = 6


@dataclass
class _Failures:
    """Runs in a row that failed."""

    since: datetime
    number: int = 0
    errors: set[str] = field(default_factory=set)  # that were told
    told_at: datetime | None = None


class Notices:
    """What a schedule's runs have to tell, from the first one on.

    Parameters
    ----------
    urls : tuple of str
        Apprise URLs; without any, nothing is told.
    last : list of dict, default ()
        The `run.json` of the schedule's last runs, told already, in any order: after a restart of `daybook serve` they
        say whether the next completed run is a recovery, and what is known.
    notebook : Path, optional
        For the command that runs it again; by default the name in `run.json`.
    retries : int, default 0
        Attempts at a tick after the first one: a failure that is tried again is not told.
    """

    def __init__(
        self, urls: tuple[str, ...], last: list[dict] | tuple = (), notebook: Path | None = None, retries: int = 0
    ):
        self.notebook = notebook
        self.retries = retries
        self._delivery = Delivery(urls) if urls else None
        self._failures: _Failures | None = None
        self._n_passed_over = 0
        self._passed_over_told: datetime | None = None
        self._told: deque[datetime] = deque()
        if urls:
            for facts in sorted(last, key=_time):
                self._decide(facts, self._is_final(facts))

    def note(self, facts: dict, log: Path | None = None, is_final: bool | None = None) -> None:
        """Tell of a finished run what is new in it; never fails, never waits.

        Parameters
        ----------
        facts : dict
            Its `run.json`, with its `folder` if it has one.
        log : Path, optional
            Its log, whose last lines are told.
        is_final : bool, optional
            Whether its tick is not tried again if it failed; by default what `retries` says of its `attempt`.
        """
        if self._delivery is None:
            return
        try:
            told = self._decide(facts, self._is_final(facts) if is_final is None else is_final)
            if told:
                kind, title, more = told
                # What comes from a run is data: its control characters are shown, not sent.
                named = _printable(mask(f"{facts.get('schedule') or facts['notebook']}"))
                self._delivery.send(f"{named} {title}", self._body(facts, more, log), kind)
        except Exception as error:
            print(f"daybook: no notice of {facts.get('run')}: {type(error).__name__}: {error}", file=sys.stderr)

    def close(self, timeout: float = 10.0) -> None:
        """Wait so many seconds at most for what is being sent."""
        if self._delivery:
            self._delivery.close(timeout)

    def _is_final(self, facts: dict) -> bool:
        return (facts.get("attempt") or 1) > self.retries

    def _decide(self, facts: dict, is_final: bool) -> tuple[str, str, str] | None:
        """Kind, end of the title, and first line of the body, or None; the times are the runs', not the clock's."""
        state, at = facts["state"], _time(facts)
        if state in ("failed", "crashed"):
            return self._failed(facts, at) if is_final else None
        if state == "completed":
            return self._recovered()
        if state in ("skipped", "missed"):
            return self._passed_over(state, at)
        return None  # who cancels a run knows

    def _failed(self, facts: dict, at: datetime) -> tuple[str, str, str] | None:
        row = self._failures = self._failures or _Failures(at)
        row.number += 1
        words = _first_words(facts.get("error") or facts["state"])
        if row.told_at is None:
            title = facts["state"]
        elif words not in row.errors:
            title = f"{facts['state']} with another error"
        elif _is_past(row.told_at, at):
            title = "still fails"
        else:
            return None
        while self._told and _is_past(self._told[0], at):
            self._told.popleft()
        if len(self._told) >= MOST_AN_HOUR:
            return None  # and not told: it is new the next time too
        self._told.append(at)
        row.told_at = at
        row.errors.add(words)
        return "failure", title, _in_a_row(row) if row.number > 1 else ""

    def _recovered(self) -> tuple[str, str, str] | None:
        row, self._failures = self._failures, None
        return ("success", "works again", f"after {_in_a_row(row)}") if row and row.told_at else None

    def _passed_over(self, state: str, at: datetime) -> tuple[str, str, str] | None:
        self._n_passed_over += 1
        if self._passed_over_told and not _is_past(self._passed_over_told, at):
            return None
        number, self._n_passed_over, self._passed_over_told = self._n_passed_over, 0, at
        title = f"{state} a tick" if number == 1 else f"did not run at {number} ticks"
        return "warning", title, "more of them are told in an hour at the earliest; `daybook runs` shows all"

    def _body(self, facts: dict, more: str, log: Path | None) -> str:
        named = {
            "notebook": facts["notebook"],
            "scheduled": facts.get("scheduled_at"),
            "state": facts["state"],
            "error": facts.get("error"),
            "folder": facts.get("folder"),
            "run again": None if facts["state"] == "completed" else self._command(facts),
        }
        lines = [more] if more else []
        lines += [f"{name}: {value}" for name, value in named.items() if value]
        lines = [_shortened(_printable(mask(line))) for line in lines]
        if facts["state"] != "completed" and (last := _last_lines(log)):
            lines += ["", "the log's last lines:", *last]
        return "\n".join(lines)

    def _command(self, facts: dict) -> str:
        words = ["daybook", "run", str(self.notebook or facts["notebook"])]
        for name, value in (facts.get("parameters") or {}).items():
            words += ["-p", name, value if isinstance(value, str) else json.dumps(value)]
        if facts.get("scheduled_at"):
            words += ["--scheduled-at", facts["scheduled_at"]]
        return shlex.join(words)


def _time(facts: dict) -> datetime:
    at = facts.get("finished_at") or facts.get("started_at") or facts.get("scheduled_at")
    try:
        return datetime.fromisoformat(at).astimezone(UTC)
    except (TypeError, ValueError):
        return datetime.now(UTC)


def _is_past(told: datetime, at: datetime) -> bool:
    """Whether what was told then may be told again; a clock that was set back must not silence it for long."""
    return not timedelta(0) <= at - told < REMINDER


def _first_words(error: str) -> str:
    """What tells one error from another: not the numbers and the ids in it."""
    words = error.split()[:SAME_WORDS]
    return " ".join("#" if any(character.isdigit() for character in word) else word for word in words)


def _in_a_row(row: _Failures) -> str:
    runs = "1 failed run" if row.number == 1 else f"{row.number} failed runs in a row"
    return f"{runs}, since {row.since.isoformat(timespec='seconds')}"


def _last_lines(log: Path | None) -> list[str]:
    """The log's last lines, masked one by one, and so many characters of them at most."""
    try:
        with open(log or os.devnull, "rb") as file:
            # Far more than is told, so that what is told was masked with all that stands before it.
            file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return []
    kept: list[str] = []
    room = LAST_CHARACTERS
    for line in reversed(lines[-LAST_LINES:]):
        line = _printable(mask(line))
        kept.append(line if len(line) <= room else f"…{line[len(line) - room + 1 :]}")
        room -= len(line) + 1
        if room <= 1:
            break
    return kept[::-1]


def _shortened(line: str) -> str:
    return line if len(line) <= MOST_OF_A_LINE else f"{line[: MOST_OF_A_LINE - 1]}…"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
