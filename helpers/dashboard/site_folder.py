"""The folder of an exported site: written beside, and put in its place once it is whole."""

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil

from helpers.dashboard import DashboardError

MARKER = ".daybook-export"
_PART = re.compile(r"\.daybook-export-(\d+)(\.old)?")


@contextlib.contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new folder to be filled, which takes the place of another one when the block ends without an error.

    Parameters
    ----------
    folder : Path
        That is made or replaced. Another folder is replaced only if it is empty or an earlier export.

    Yields
    ------
    Path
        Beside it, so that it can be renamed; removed when the block fails.

    Raises
    ------
    DashboardError
        When there is something else in the place.
    """
    folder = folder.expanduser().resolve()
    refuse_foreign(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_interrupted(folder.parent)
    new = folder.parent / f"{MARKER}-{os.getpid()}"
    old = new.with_name(f"{new.name}.old")
    try:
        new.mkdir()
        (new / MARKER).write_text("A site that `daybook dashboard --export` wrote; the next export replaces it.\n")
        yield new
        refuse_foreign(folder)
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)


def refuse_foreign(folder: Path) -> None:
    """Refuse what an export would destroy.

    Raises
    ------
    DashboardError
        When it is no folder, or one with other files in it than an export's.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or folder == folder.parent:
        raise DashboardError(f"{folder} cannot be replaced by an export; give a folder of its own")
    if any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise DashboardError(f"{folder} holds files that no export wrote; give an empty or a new folder")


def _remove_interrupted(parent: Path) -> None:
    """Remove what exports left that were killed."""
    for left in parent.glob(f"{MARKER}-*"):
        match = _PART.fullmatch(left.name)
        if match and not psutil.pid_exists(int(match[1])):
            shutil.rmtree(left, ignore_errors=True)
