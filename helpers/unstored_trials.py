"""Trials on their way to a store: each has a copy in `DAYBOOK_HOME/unstored/` until the store has it.

A store that is down, locked or full, or a process that dies on the way, leaves the copy: `replay` stores it later.
"""

import contextlib
import hashlib
import json
import logging
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from helpers.exceptions import StoreError
from helpers.home import home, subfolder, write_whole
from helpers.masking import MASK, mask, reveal
from helpers.trial_facts import refuse_unfit
from helpers.trials import TrialStore

FOLDER = "unstored"
MOMENT = 2.0  # seconds that a run gives to the trials of others
LOCK_MOMENT = 1.0  # seconds that each of them waits for a lock or a connection
LITTER_SECONDS = 3600.0  # after which a partial copy has no writer any more

_logger = logging.getLogger("daybook")


@dataclass(frozen=True)
class Replayed:
    """What became of a waiting trial.

    Attributes
    ----------
    trial : str
        Its id; the file's name when that cannot be read.
    store : str or None
        The store that it is for, masked; empty for the home's own.
    stored : bool
        Whether the store has it now.
    why : str
        One line: how it was stored, or why it still waits.
    """

    trial: str
    store: str | None
    stored: bool
    why: str


@dataclass(frozen=True)
class _Copy:
    path: Path
    store: str
    trial: dict


def address(store: str = "") -> str:
    """The store as any later process finds it: a file's absolute path, a masked URL, or nothing for the home's own."""
    given = store or os.environ.get("DAYBOOK_STORE") or ""
    target = TrialStore(given)
    if target.dialect != "sqlite":
        return given if reveal(given) != given else mask(given)
    path = os.path.realpath(target.url.database)
    return "" if path == os.path.realpath(home() / "trials.sqlite") else path


@contextlib.contextmanager
def copied(trial: dict, store: str = "") -> Iterator[None]:
    """Keep a copy of a trial while it is being stored; the copy stays when that fails.

    Raises
    ------
    StoreError
        The one of the store, with what happens to the trial.
    """
    path = None
    try:
        path = subfolder(FOLDER) / _file_name(trial["id"])
        write_whole(path, json.dumps({"store": address(store), "trial": trial}, allow_nan=False))
    except OSError as error:  # the store may be on another disk, which takes the trial
        path = None
        _logger.warning("daybook: no copy of trial %s: %s", trial["id"], error.strerror or error)
    try:
        yield
    except StoreError as error:
        if path is None:
            raise StoreError(f"{error}; there was no room for a copy either") from None
        raise StoreError(f"{error}; the trial waits, `daybook replay` stores it when the store is back") from None
    if path:
        path.unlink(missing_ok=True)


def replay(store: str = "") -> list[Replayed]:
    """Store the trials of this home that wait, each in the store that it is for; those that fail go on waiting.

    Many may do so at once: a trial is stored once.

    Parameters
    ----------
    store : str, default ""
        The address of a store with its password, for the trials that know it as `***`.

    Returns
    -------
    list of Replayed
        One for each trial that waited.

    Raises
    ------
    StoreError
        When `store` is the address of none.
    """
    if store:
        TrialStore(store)
    told, slow = [], {}
    for path in _files():
        try:
            copy = _read(path)
        except FileNotFoundError:
            continue  # another process has stored it
        except (OSError, StoreError) as error:
            told.append(Replayed(path.name, None, False, f"{path}: {error}"))
            continue
        began = time.monotonic()
        try:
            if copy.store in slow:
                raise StoreError(slow[copy.store])
            new = _open(copy.store, store).write(copy.trial)
            copy.path.unlink(missing_ok=True)
            told.append(Replayed(copy.trial["id"], copy.store, True, "stored" if new else "was in the store already"))
        except (OSError, StoreError) as error:
            if time.monotonic() - began > LOCK_MOMENT:
                slow[copy.store] = str(error)  # the next would wait as long for the same store
            told.append(Replayed(copy.trial["id"], copy.store, False, str(error)))
    return told


def replay_some(store: str = "") -> None:
    """Store what waits for a store that has just taken a trial, as far as a moment allows; never fail."""
    end = time.monotonic() + MOMENT
    error = None
    try:
        files = _files()
        own = files and address(store)
        for path in files:
            if time.monotonic() > end:
                break
            try:
                copy = _read(path)
            except (OSError, StoreError):
                continue  # stored by another process, or broken, which `replay` says
            if copy.store != own:
                continue
            try:
                TrialStore(store, LOCK_MOMENT).write(copy.trial)
                path.unlink(missing_ok=True)
            except StoreError as failure:
                error = failure
    except Exception as failure:
        error = failure
    if error:
        _logger.warning("daybook: a waiting trial was not stored: %s", error)


def _files() -> list[Path]:
    folder = home() / FOLDER
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
    for name in names:
        if name.endswith(".part"):
            _remove_litter(folder / name)
    return [folder / name for name in names if name.endswith(".json")]


def _remove_litter(partial: Path) -> None:
    """A copy whose writer was killed: its run's failure is told, and half a document is of no use."""
    with contextlib.suppress(OSError):
        if time.time() - partial.stat().st_mtime > LITTER_SECONDS:
            partial.unlink()


def _read(path: Path) -> _Copy:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        copy = _Copy(path, content["store"], content["trial"])
        refuse_unfit(copy.trial)
        if not isinstance(copy.store, str) or not isinstance(copy.trial["id"], str):
            raise TypeError
    except (ValueError, TypeError, KeyError):
        raise StoreError("is not a whole trial; delete it, or mend it from its run's trial.json") from None
    return copy


def _open(recorded: str, given: str) -> TrialStore:
    """The store of this address, its password taken from what the person gave or the environment holds."""
    if given and _is_same(given, recorded):
        return TrialStore(given)
    if MASK not in recorded or reveal(recorded) != recorded:
        return TrialStore(recorded or str(home() / "trials.sqlite"))
    default = os.environ.get("DAYBOOK_STORE")
    if default and _is_same(default, recorded):
        return TrialStore(default)
    raise StoreError(f"store {recorded}: its password is not known here; give the whole URL with --store")


def _is_same(store: str, recorded: str) -> bool:
    """Whether two addresses are equal but for what is masked."""

    def plain(masked: str) -> str:
        return re.sub(r"\*{3}\d+", MASK, masked)

    return plain(address(store)) == plain(recorded)


def _file_name(trial_id: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,99}", trial_id):
        trial_id = hashlib.sha256(trial_id.encode(errors="surrogatepass")).hexdigest()
    return f"{trial_id}.json"
