"""Runs and their folders: `DAYBOOK_HOME/<time>-<notebook>-<id>/`, each with a `run.json` that says how it went.

While a run is going its folder has the suffix `.part` and is locked by the run's process; the lock dies with it. So a
folder with the suffix that nobody has locked is a run that crashed.
"""

import contextlib
import json
import os
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
CRASHED = "the run's process ended without finishing it"
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
        stem = re.sub(r"[^\w.-]+", "-", Path(notebook).stem)[:40]  # 160 bytes at most; a file system takes 255
        self.run = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{stem}-{uuid.uuid4().hex[:8]}"
        # Under another name until it is locked and described: it would be closed as a crashed run's otherwise.
        self.folder = home() / f".{self.run}"
        self.folder.mkdir()
        self._lock = _run_lock(self.folder)
        self._lock.acquire()
        self.facts: dict = dict.fromkeys(FIELDS) | {
            "run": self.run,
            "notebook": notebook,
            "state": "pending",
            "scheduled_at": scheduled_at,
            "parameters": parameters,
        }
        self.update()
        self.folder = self.folder.rename(home() / f"{self.run}{PART}")

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
        self.folder = _closed(self.folder, self._lock)
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
        if folder.name.endswith(PART) and _final(folder).exists():
            return read(_final(folder))  # it has finished since its folder was found
        facts |= {"state": "crashed", "error": f"run.json cannot be read ({type(error).__name__})"}
    facts["folder"] = str(folder)
    if folder.name.endswith(PART) and not _is_held(folder):
        facts |= {"state": "crashed", "error": CRASHED}
    return facts


def close_crashed() -> list[str]:
    """Give the folders of crashed runs their final state and name, and end what they left running.

    Returns
    -------
    list of str
        The runs that were closed.
    """
    closed = []
    for folder in _folders():
        lock = _free_lock(folder) if folder.name.endswith(PART) else None
        if lock is None:
            continue
        facts = read(folder) | {"state": "crashed", "error": CRASHED}
        facts.pop("folder")
        end_processes(facts["run"])
        write_whole(folder / "run.json", json.dumps(facts | {"finished_at": now()}, indent=1))
        _closed(folder, lock)
        closed.append(facts["run"])
    return closed


def end_processes(run: str) -> None:
    """Kill what the kernel of a run started and left: workers of its cluster, programs that its cells called.

    Whatever process group or parent they have by then, they have the run's name in their environment.
    """
    import psutil  # not needed to list runs

    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get("DAYBOOK_RUN") == run:
                process.kill()
                left.append(process)
    psutil.wait_procs(left, timeout=5)


def _folders() -> Iterator[Path]:
    """Run folders, newest first: their names begin with the time."""
    names = sorted((entry.name for entry in home().iterdir() if _NAME.fullmatch(entry.name)), reverse=True)
    return (home() / name for name in names)


def _final(folder: Path) -> Path:
    return folder.with_name(folder.name.removesuffix(PART))


def _run_lock(folder: Path) -> FileLock:
    return FileLock(folder / "run.lock")


def _free_lock(folder: Path) -> FileLock | None:
    """The lock of a run whose process is gone, now held by this one; None while the run is going, or has finished."""
    if not (folder / "run.lock").exists():
        return None
    lock = _run_lock(folder)
    with contextlib.suppress(Timeout, OSError):
        lock.acquire(timeout=0)
        if not _final(folder).exists():
            return lock
        # The run has finished in the meantime, and opening its lock has made the folder again.
        (folder / "run.lock").unlink(missing_ok=True)
        lock.release()
        folder.rmdir()
    return None


def _closed(folder: Path, lock: FileLock) -> Path:
    """The folder under its final name; the lock is held until then, so that nobody takes the run for a crashed one."""
    final = folder.rename(_final(folder))
    (final / "run.lock").unlink(missing_ok=True)
    lock.release()
    return final


def _is_held(folder: Path) -> bool:
    lock = _free_lock(folder)
    if lock is None:
        return True
    lock.release()
    return False
