"""The run folders of a home, kept up to date: each finished one is read once, those that are going at each refresh."""

import os
import re
import sys
import time
from itertools import islice
from pathlib import Path

from helpers import runs
from helpers.home import home
from helpers.run_facts import plain, searched

AT_ONCE = 1000  # folders that are read before those read so far can be seen
AGAIN = 100  # of the finished folders without a readable run.json, so many of the newest are tried again
LARGEST_BYTES = 2**23
SETTLED_NS = 10**9  # a file system's clock may tick so coarsely that two changes have the same time
_NAME = re.compile(r"\d{8}T\d{6}Z-.+-[0-9a-f]{8}(\.part)?")
_REPEATED = ("notebook", "path", "state", "schedule")


class RunIndex:
    """The facts of all runs of this home.

    Attributes
    ----------
    problem : str or None
        Why the home cannot be read, in a sentence; what was read before stays.
    is_loading : bool
        Whether older runs are still to be read.
    """

    def __init__(self):
        self.problem: str | None = None
        self.is_loading = True
        self._runs: list[dict] = []
        self._by_run: dict[str, dict] = {}
        self._facts: dict[str, dict] = {}  # by the folder's name
        self._unread: set[str] = set()
        self._names: list[str] = []
        self._mtime: int | None = None

    def refresh(self) -> bool:
        """Read what has changed.

        Returns
        -------
        bool
            Whether anything did.
        """
        before, self.problem, names = self.problem, None, self._names
        try:
            names = self._scanned()
        except OSError as error:
            self.problem = f"the runs cannot be read: {error.strerror}: {error.filename}"
        changed = self.problem != before or self.is_loading
        if names is not self._names:
            self._names = names
            self._forget()
            changed = True
        for place, name in enumerate([] if self.problem else self._to_read(), 1):
            changed |= self._read(name)
            if self.is_loading and place % AT_ONCE == 0:
                self._publish()
        self.is_loading = False
        if changed:
            self._publish()
        return changed

    def runs(self) -> list[dict]:
        """All runs, newest first: `run_facts.plain`, and `searched`, what a search looks at. Not to be changed."""
        return self._runs

    def get(self, run: str) -> dict | None:
        """One run by its id."""
        return self._by_run.get(run)

    def _scanned(self) -> list[str]:
        """The names of the folders, newest first; the same list while there are no others."""
        folder = home()
        mtime = folder.stat().st_mtime_ns
        if mtime == self._mtime:
            return self._names
        is_settled = time.time_ns() - mtime > SETTLED_NS
        with os.scandir(folder) as entries:
            found = {entry.name for entry in entries if _NAME.fullmatch(entry.name) and entry.is_dir()}
        self._mtime = mtime if is_settled else None
        # A run that is just finishing may be seen under both of its names.
        found -= {name for name in found if name.endswith(runs.PART) and name.removesuffix(runs.PART) in found}
        names = sorted(found, reverse=True)
        return self._names if names == self._names else names

    def _to_read(self) -> list[str]:
        again = set(islice((name for name in self._names if name in self._unread), AGAIN)) if self._unread else set()
        return [name for name in self._names if name not in self._facts or name.endswith(runs.PART) or name in again]

    def _forget(self) -> None:
        """Drop the runs whose folders are gone."""
        gone = self._facts.keys() - set(self._names)
        for name in gone:
            del self._facts[name]
        self._unread -= gone

    def _read(self, name: str) -> bool:
        """Read one run; whether it is another than before."""
        facts = plain(read(home() / name)) | {"run": name.removesuffix(runs.PART).encode(errors="replace").decode()}
        # A record that can be read names its notebook.
        (self._unread.add if facts["notebook"] is None else self._unread.discard)(name)
        for repeated in _REPEATED:
            facts[repeated] = facts[repeated] and sys.intern(facts[repeated])
        facts["searched"] = searched(facts)
        is_other = facts != self._facts.get(name)
        self._facts[name] = facts
        return is_other

    def _publish(self) -> None:
        """Show what is read so far; in one step, as other threads look at it."""
        self._runs = [self._facts[name] for name in self._names if name in self._facts]
        self._by_run = {facts["run"]: facts for facts in self._runs}


def read(folder: Path) -> dict:
    """What `runs.read` says; of a record that no run has written, why it is not read."""
    why = f"run.json is larger than {LARGEST_BYTES / 2**20:.0f} MB"
    try:
        if (folder / "run.json").stat().st_size <= LARGEST_BYTES:
            return runs.read(folder)
    except RecursionError:
        why = "run.json is nested too deeply"
    except OSError:
        return runs.read(folder)
    return {"state": "crashed", "error": f"{why}; it is no record of a run", "folder": str(folder)}
