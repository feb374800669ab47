"""Retention: a schedule's old run folders go; its trials stay in the store, and a waiting trial has a copy elsewhere.

A folder is first given a hidden name, at once and for good, and then deleted: whoever looks sees it whole or not at
all, and what an interrupted deletion leaves goes with the next.
"""

import json
import os
import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from helpers.home import home

EXECUTED = ("completed", "failed", "crashed", "cancelled")
GONE = ".gone-"
_FINISHED = re.compile(r"(\d{8}T\d{6}Z)-.+-[0-9a-f]{8}")

# What a finished run's record says does not change any more: a schedule that stays up reads each record once.
_known: dict[str, tuple[str | None, str, str]] = {}


def prune(
    keep: int | None,
    keep_days: float | None,
    schedule: str | None = None,
    notebook: str | None = None,
    at: datetime | None = None,
) -> list[str]:
    """Remove the folders of old runs. Those that are going, and the newest completed one, always stay.

    Parameters
    ----------
    keep : int or None
        So many executed runs stay (completed, failed, crashed or cancelled), with the records of skipped and missed
        ticks among them; what is older goes.
    keep_days : float or None
        What began longer ago goes.
    schedule : str or None, default None
        Only folders of runs of this schedule; None for those of none.
    notebook : str or None, default None
        Only of this notebook, named without its folder; None for any.
    at : datetime, optional
        Now, with a time zone.

    Returns
    -------
    list of str
        The names of the folders that were removed, newest first.
    """
    if keep is None and keep_days is None:
        return []
    names, interrupted = _folders()
    for name in interrupted:
        _delete(home() / name)
    removed = []
    for name in _beyond(_records(names, schedule, notebook), keep, keep_days, at or datetime.now(UTC)):
        try:
            (home() / name).rename(home() / f"{GONE}{name}")
        except FileNotFoundError:
            continue  # another process was first
        except OSError as error:
            print(f"daybook: {home() / name} could not be removed: {error.strerror}", file=sys.stderr)
            break
        _known.pop(str(home() / name), None)
        _delete(home() / f"{GONE}{name}")
        removed.append(name)
    return removed


def _beyond(records: list[tuple[str, str]], keep: int | None, keep_days: float | None, at: datetime) -> list[str]:
    """Of (name, state), newest first, the names that are beyond either limit."""
    oldest = "" if keep_days is None else f"{at.astimezone(UTC) - timedelta(days=keep_days):%Y%m%dT%H%M%SZ}"
    executed, has_completed, beyond = 0, False, []
    for name, state in records:
        is_newest_completed = state == "completed" and not has_completed
        has_completed |= is_newest_completed
        if not is_newest_completed and ((keep is not None and executed >= keep) or name < oldest):
            beyond.append(name)
        executed += state in EXECUTED
    return beyond


def _folders() -> tuple[list[str], list[str]]:
    """The names of finished runs, newest first as they begin with the time, and of interrupted deletions."""
    finished, interrupted = [], []
    with os.scandir(home()) as entries:
        for entry in entries:
            kind = interrupted if entry.name.startswith(GONE) else finished
            if (kind is interrupted or _FINISHED.fullmatch(entry.name)) and entry.is_dir(follow_symlinks=False):
                kind.append(entry.name)
    return sorted(finished, reverse=True), interrupted


def _records(names: list[str], schedule: str | None, notebook: str | None) -> list[tuple[str, str]]:
    """Name and state of those that are runs of a schedule."""
    folder = str(home())
    for path in _known.keys() - {f"{folder}/{name}" for name in names}:
        del _known[path]
    records = []
    for name in names:
        facts = _facts(f"{folder}/{name}")
        if facts and facts[0] == schedule and notebook in (None, facts[1]):
            records.append((name, facts[2]))
    return records


def _facts(folder: str) -> tuple[str | None, str, str] | None:
    """The schedule, notebook and state of a run; None when its record cannot be read: nobody knows whose it is."""
    if folder not in _known:
        try:
            with open(f"{folder}/run.json", encoding="utf-8") as file:
                facts = json.load(file)
            named = (facts.get("schedule"), facts["notebook"], facts["state"])
            _known[folder] = tuple(word and sys.intern(word) for word in named)  # the same few words, many times
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return None
    return _known[folder]


def _delete(folder: Path) -> None:
    """Delete a hidden folder; what cannot be deleted is tried again the next time."""
    shutil.rmtree(folder, ignore_errors=True)
