"""Runs and their folders: `DAYBOOK_HOME/<time>-<notebook>-<id>/`, each with a `run.json` that says how it went.

While a run is going its folder has the suffix `.part` and is locked by the run's process; the lock dies with it. So a
folder with the suffix that nobody has locked is a run that crashed.
"""

import contextlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from helpers import dashboard_links
from helpers.home import REPOSITORY, home, write_whole
from helpers.run_context import now

STATES = ("pending", "running", "completed", "failed", "crashed", "cancelled", "skipped", "missed")
FIELDS = (
    "run",
    "notebook",
    "path",
    "state",
    "schedule",
    "served",
    "scheduled_at",
    "attempt",
    "started_at",
    "finished_at",
    "seconds",
    "trial",
    "error",
    "cells_done",
    "cells",
    "progress",
    "parameters",
    "source_sha256",
    "flow_run",
    "processes",
    "versions",
)
PART = ".part"
END_SECONDS = 5.0
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
    **facts
        Others of `FIELDS`, such as the `schedule` of the tick.
    """

    def __init__(self, notebook: str, parameters: dict, scheduled_at: str | None = None, **facts):
        stem = re.sub(r"[^\w.-]+", "-", Path(notebook).stem)[:40]  # 160 bytes at most; a file system takes 255
        self.run = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{stem}-{uuid.uuid4().hex[:8]}"
        # Under another name until it is locked and described: it would be closed as a crashed run's otherwise.
        self.folder = home() / f".{self.run}"
        self.folder.mkdir()
        self._lock = _run_lock(self.folder)
        self.facts: dict = dict.fromkeys(FIELDS) | {
            "run": self.run,
            "notebook": notebook,
            "state": "pending",
            "scheduled_at": scheduled_at,
            "attempt": 1,
            "parameters": parameters,
            "processes": [identity(os.getpid())],
        }
        try:
            self._lock.acquire()
            self.update(**facts)
            self.folder = self.folder.rename(home() / f"{self.run}{PART}")
        except OSError:  # on a full disk a run that has not begun leaves nothing
            self._lock.release()
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def update(self, **facts) -> None:
        """Change facts in `run.json`."""
        self.facts |= facts
        write_whole(self.folder / "run.json", json.dumps(self.facts, indent=1))

    def add_process(self, pid: int) -> None:
        """Record a process that leads a session of its own, so that whoever closes the run can end all of it."""
        self.update(processes=[*self.facts["processes"], identity(pid)])

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
        self.update(state=state, error=error, finished_at=finished, seconds=seconds, progress=None)
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
    parts = [folder for folder in _folders() if folder.name.endswith(PART)]
    return [_close(folder, lock) for folder in parts if (lock := _free_lock(folder))]


def end_going(schedules: set[str]) -> list[str]:
    """Kill the runs that `daybook serve` has started for these schedules, and close them as crashed.

    Those of a cron job whose schedule has the same name are not among them.

    Returns
    -------
    list of str
        The runs that were closed.
    """
    closed = []
    for folder in _folders():
        facts = read(folder) if folder.name.endswith(PART) else {"schedule": None}
        if facts["schedule"] in schedules and facts["served"] and facts["state"] != "crashed":
            end_processes(facts["run"], facts["processes"] or [])
            # A process that is killed may keep its lock for a moment.
            if lock := _free_lock(folder, END_SECONDS):
                closed.append(_close(folder, lock))
    return closed + close_crashed()


def recorded_path(notebook: Path) -> str:
    """A notebook's path as runs record it: as short as it can be named from the repository or the current folder."""
    for folder in (REPOSITORY, Path.cwd()):
        with contextlib.suppress(ValueError):
            return notebook.resolve().relative_to(folder.resolve()).as_posix()
    return str(notebook.resolve())


def is_served() -> bool:
    """Whether `daybook serve` has started this process."""
    return bool(os.environ.get("DAYBOOK_SERVED"))


def are_going() -> bool:
    """Whether a run of this home is going."""
    return any(folder.name.endswith(PART) and _is_held(folder) for folder in _folders())


def identity(pid: int) -> list:
    """A process id with the time at which the process started, seconds since 1970: ids alone are used again."""
    import psutil  # not needed to list runs

    return [pid, psutil.Process(pid).create_time()]


def end_processes(run: str, recorded: list = ()) -> None:
    """Kill what a run started and left: its kernel, workers of its cluster, programs that its cells called.

    Parameters
    ----------
    run : str
        Whatever process group or parent they have by then, programs have the run's name in their environment.
    recorded : list of list
        As `identity` makes them: these processes, and all of the sessions that they lead. A forked kernel has the
        environment of what it was forked from.
    """
    import psutil

    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and _belongs(process, run, recorded):
                process.kill()
                left.append(process)
    psutil.wait_procs(left, timeout=END_SECONDS)


def _belongs(process, run: str, recorded: list) -> bool:
    for pid, created in recorded:
        # A session cannot be older than the process that leads it.
        if process.pid == pid and abs(process.create_time() - created) < 1:
            return True
        if os.getsid(process.pid) == pid and process.create_time() >= created - 1:
            return True
    return process.environ().get("DAYBOOK_RUN") == run


def _folders() -> Iterator[Path]:
    """Run folders, newest first: their names begin with the time."""
    names = sorted((entry.name for entry in home().iterdir() if _NAME.fullmatch(entry.name)), reverse=True)
    return (home() / name for name in names)


def _final(folder: Path) -> Path:
    return folder.with_name(folder.name.removesuffix(PART))


def _run_lock(folder: Path) -> FileLock:
    return FileLock(folder / "run.lock")


def _close(folder: Path, lock: FileLock) -> str:
    """Close a crashed run, whose lock is held; its id."""
    facts = read(folder) | {"state": "crashed", "error": CRASHED, "progress": None}
    facts.pop("folder")
    end_processes(facts["run"], facts["processes"] or [])
    write_whole(folder / "run.json", json.dumps(facts | {"finished_at": now()}, indent=1))
    _closed(folder, lock)
    return facts["run"]


def _free_lock(folder: Path, seconds: float = 0) -> FileLock | None:
    """The lock of a run whose process is gone, now held by this one; None while the run is going, or has finished."""
    if not (folder / "run.lock").exists():
        return None
    lock = _run_lock(folder)
    with contextlib.suppress(Timeout, OSError):
        lock.acquire(timeout=seconds)
        if not _final(folder).exists():
            return lock
        # The run has finished in the meantime, and opening its lock has made the folder again.
        (folder / "run.lock").unlink(missing_ok=True)
        lock.release()
        folder.rmdir()
    return None


def _closed(folder: Path, lock: FileLock) -> Path:
    """The folder under its final name; the lock is held until then, so that nobody takes the run for a crashed one."""
    dashboard_links.withdraw(folder)  # a cell that failed has closed no cluster
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
