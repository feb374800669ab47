"""Runs and their folders: `DAYBOOK_HOME/<time>-<notebook>-<id>/`, each with a `run.json` that says how it went.

While a run is going its folder has the suffix `.part` and is locked by the run's process; the lock dies with it. So a
folder with the suffix that nobody has locked is a run that crashed.
"""

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from helpers.home import home, write_whole
from helpers.run_context import now

STATES = ("pending", "running", "completed", "failed", "crashed", "cancelled", "skipped", "missed")
FIELDS = (
    "run",
    "notebook",
    "state",
    "scheduled_at",
    "started_at",
    "finished_at",
    "seconds",
    "trial",
    "error",
    "cells_done",
    "cells",
    "parameters",
    "source_sha256",
    "flow_run",
    "versions",
)
PART = ".part"
_NAME = re.compile(r"\d{8}T\d{6}Z-.+-[0-9a-f]{8}(\.part)?")


class RunRecord:
    """A run as it goes: its folder, its lock and its `run.json`, which is rewritten whole at each change.

    Parameters
    ----------
    notebook : str
        The notebook's name, without its folder.
    parameters : dict
        As given, masked.
    scheduled_at : str, optional
        The tick that asked for the run, ISO 8601 in UTC.
    """

    def __init__(self, notebook: str, parameters: dict, scheduled_at: str | None = None):
        stem = re.sub(r"[^\w.-]+", "-", Path(notebook).stem)[:80]
        self.run = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{stem}-{uuid.uuid4().hex[:8]}"
        self.folder = home() / f"{self.run}{PART}"
        self.folder.mkdir()
        self._lock = _run_lock(self.folder)
        self._lock.acquire(timeout=10)  # a reader may be trying it for a moment
        self.facts: dict = dict.fromkeys(FIELDS) | {
            "run": self.run,
            "notebook": notebook,
            "state": "pending",
            "scheduled_at": scheduled_at,
            "parameters": parameters,
        }
        self.update()

    def update(self, **facts) -> None:
        """Change facts in `run.json`."""
        self.facts |= facts
        write_whole(self.folder / "run.json", json.dumps(self.facts, indent=1))

    def finish(self, state: str, error: str | None = None) -> Path:
        """Record the final state, and give the folder its final name.

        Returns
        -------
        Path
            The folder.
        """
        finished = now()
        started = self.facts["started_at"]
        took = datetime.fromisoformat(finished) - datetime.fromisoformat(started) if started else None
        seconds = round(took.total_seconds(), 3) if took else None
        self.update(state=state, error=error, finished_at=finished, seconds=seconds)
        self._lock.release()
        (self.folder / "run.lock").unlink(missing_ok=True)
        self.folder = self.folder.rename(self.folder.with_name(self.run))
        return self.folder


def listing(last: int | None = None, notebook: str | None = None) -> list[dict]:
    """The runs of this home, newest first.

    Parameters
    ----------
    last : int, optional
        At most so many; only their folders are read.
    notebook : str, optional
        Of this notebook alone.

    Returns
    -------
    list of dict
        Each `run.json` with `folder` added; a run whose process is gone without finishing is `crashed`.
    """
    found = []
    for folder in _folders():
        if last is not None and len(found) >= last:
            break
        facts = read(folder)
        if notebook in (None, facts["notebook"]):
            found.append(facts)
    return found


def read(folder: Path) -> dict:
    """One run's facts, with its `folder`; what cannot be read is said in `error`."""
    facts = dict.fromkeys(FIELDS) | {"run": folder.name.removesuffix(PART)}
    try:
        facts |= json.loads((folder / "run.json").read_text())
    except (OSError, ValueError, TypeError) as error:
        facts |= {"state": "crashed", "error": f"run.json cannot be read ({type(error).__name__})"}
    facts["folder"] = str(folder)
    if folder.name.endswith(PART) and not _is_held(folder):
        facts |= {"state": "crashed", "error": "the run's process ended without finishing it"}
    return facts


def close_crashed() -> list[str]:
    """Give the folders of crashed runs their final state and name; the runs that were closed."""
    closed = []
    for folder in _folders():
        if not folder.name.endswith(PART):
            continue
        lock = _run_lock(folder)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        facts = read(folder) | {"state": "crashed", "error": "the run's process ended without finishing it"}
        facts.pop("folder")
        write_whole(folder / "run.json", json.dumps(facts | {"finished_at": now()}, indent=1))
        lock.release()
        (folder / "run.lock").unlink(missing_ok=True)
        folder.rename(folder.with_name(facts["run"]))
        closed.append(facts["run"])
    return closed


def _folders() -> Iterator[Path]:
    """Run folders, newest first: their names begin with the time."""
    names = sorted((entry.name for entry in home().iterdir() if _NAME.fullmatch(entry.name)), reverse=True)
    return (home() / name for name in names)


def _run_lock(folder: Path) -> FileLock:
    return FileLock(folder / "run.lock")


def _is_held(folder: Path) -> bool:
    lock = _run_lock(folder)
    try:
        lock.acquire(timeout=0)
    except (Timeout, OSError):
        return folder.exists()  # renamed in the meantime: it has finished
    lock.release()
    return False
