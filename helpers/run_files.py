"""The files of a run that may be shown: those that are known by name, and none that a link leads to elsewhere."""

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from helpers.exceptions import DaybookError
from helpers.home import home

DASK_REPORT = "dask-report.html"
_NAMED = {"run.log": "log", "trial.json": "trial", "run.json": "facts", DASK_REPORT: "dask"}
_ENDINGS = {".html": "report", ".ipynb": "notebook"}
_ORDER = ("report", "dask", "log", "notebook", "trial", "facts")
_RUN = re.compile(r"\d{8}T\d{6}Z-[\w.-]+-[0-9a-f]{8}")


class RunFileError(DaybookError):
    """Raised when a run of this home has no file of a name that may be shown."""


@dataclass(frozen=True)
class RunFile:
    """A file of a run.

    Attributes
    ----------
    name : str
        Without a folder.
    kind : str
        "notebook", "report", "dask", "log", "trial" or "facts".
    bytes : int
    """

    name: str
    kind: str
    bytes: int

    def address(self, run: str) -> str:
        """Where the dashboard serves it, relative to its pages."""
        return f"files/{quote(run)}/{quote(self.name)}"


def files_of(folder: Path) -> list[RunFile]:
    """The files of a run folder that may be shown, the report first; none of a folder that is gone.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    list of RunFile
        Regular files alone: a link may lead out of the folder. A notebook and a report are those at the top.
    """
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                kind = _kind(entry.name)
                if kind and entry.is_file(follow_symlinks=False):
                    found.append(RunFile(entry.name, kind, entry.stat(follow_symlinks=False).st_size))
    except OSError:  # it has been renamed or removed meanwhile
        return []
    return sorted(found, key=lambda file: (_ORDER.index(file.kind), file.name))


def path_of(run: str, name: str) -> Path:
    """Where a run's file is.

    Parameters
    ----------
    run : str
        A run's id, as it came from outside.
    name : str
        One of the names that `files_of` gives, as it came from outside.

    Returns
    -------
    Path
        Of a regular file in a run folder of this home.

    Raises
    ------
    RunFileError
        When it is anything else.
    """
    if _RUN.fullmatch(run) and _kind(name):
        # Under one name while the run is going, under the other afterwards.
        for folder in (home() / run, home() / f"{run}.part"):
            path = folder / name
            try:
                if stat.S_ISDIR(folder.lstat().st_mode) and stat.S_ISREG(path.lstat().st_mode):
                    return path
            except OSError:
                continue
    raise RunFileError(f"run {run!r} has no file {name!r} to be shown; its page lists those that it has")


def _kind(name: str) -> str | None:
    """What a file of this name is; None for one that is not shown."""
    # A name that is hidden, leads elsewhere, or is no text that an address could hold.
    if name.startswith(".") or set("/\\\0") & set(name) or not name.isprintable():
        return None
    return _NAMED.get(name) or _ENDINGS.get(os.path.splitext(name)[1])
