"""What `daybook serve` tells other processes of its schedules: a file for each in `DAYBOOK_HOME/schedules/`."""

import json
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.home import subfolder, write_whole

FACTS = (
    "name",
    "notebook",
    "schedule",
    "shortest_gap",
    "policies",
    "process",
    "since",
    "stopped_at",
    "waits_for",
    "paused",
    "next",
    "page",
    "starter",
    "cluster",
    "seen_until",
)


def path(name: str) -> Path:
    """Where the facts of the schedule of this name are."""
    return subfolder("schedules") / f"{name}.json"


def write(name: str, facts: dict) -> None:
    """Replace the facts of a schedule; see `FACTS`."""
    write_whole(path(name), json.dumps(dict.fromkeys(FACTS) | facts, indent=1))


def read(name: str) -> dict:
    """The facts of a schedule, each None where nothing is known."""
    try:
        return dict.fromkeys(FACTS) | json.loads(path(name).read_text())
    except (OSError, ValueError, TypeError):
        return dict.fromkeys(FACTS)


def names() -> list[str]:
    """Schedules that were ever served from this home."""
    return sorted(file.stem for file in subfolder("schedules").glob("*.json"))


def lock(name: str) -> FileLock:
    """The lock that the process serving a schedule, or a notebook, holds; it dies with its holder."""
    return FileLock(subfolder("locks") / f"serve-{name}.lock", timeout=0)


def is_served(name: str) -> bool:
    """Whether a process serves the schedule now."""
    held = lock(name)
    try:
        with held:
            return False
    except Timeout:
        return True
