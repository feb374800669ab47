"""Where events come from, and the typed cache in front of it: each log is fetched and parsed once.

A source is `sample` (generated, offline), `uci` (the published zip, downloaded once), or a path or http(s) URL of a
zip, CSV or Parquet file in the UCI layout. A directory, a glob or another remote URL is read where it lies
(`log_partitions`), without the cache.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from helpers import downloads, log_partitions, ticket_log
from helpers.exceptions import SourceError
from helpers.home import subfolder
from helpers.log_partitions import DamagedFileError, PartitionedLog
from helpers.masking import mask, reveal

UCI_URL = "https://archive.ics.uci.edu/ml/machine-learning-databases/00498/incident_event_log.zip"
UCI_SHA256 = "6294e29a311647306bfdfc85783f7df66517c197b9cd49aa5ee36ba9c525d1d6"

CACHE_VERSION = 2  # to be raised when the same log would be parsed to another table, or written to another file
ROW_GROUP_ROWS = 131_072  # so that a large log splits into partitions, each read in bounded memory
SAMPLE_VERSION = 1  # to be raised when the generator makes another log

Result = TypeVar("Result")


@dataclass(frozen=True)
class CachedLog:
    """A log in the typed cache.

    Attributes
    ----------
    source : str
        The source as it was asked for, without credentials.
    sha256 : str
        Of the source's bytes (of the zip, not of the CSV inside), 64 hexadecimal digits.
    path : Path
        The typed Parquet file.
    """

    source: str
    sha256: str
    path: Path


def cached_log(source: str) -> CachedLog:
    """Find a source in the typed cache, after fetching and parsing it if it is not there yet.

    Parameters
    ----------
    source : str
        `sample`, `uci`, a path, or an http(s) URL.

    Returns
    -------
    CachedLog
        Its Parquet file has the columns of `ticket_log.COLUMNS` and all events in the log's order; its times are in
        milliseconds, the coarsest unit of Parquet.

    Raises
    ------
    SourceError
        When the source cannot be fetched or is not an event log in the layout; nothing is cached then.
    """
    path = source_file(reveal(source))
    source = mask(source)
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        raise SourceError(f"{path}: {reason}; source is 'sample', 'uci', a path or a URL") from None
    cached = subfolder("cache") / f"{sha256}-v{CACHE_VERSION}.parquet"
    if not cached.exists():
        # Imported here: a worker may lack it.
        from filelock import FileLock

        # The lock spares a second run the parse; it does not guard the file, which appears whole.
        with FileLock(f"{cached}.lock"):
            if not cached.exists():
                write_table(ticket_log.read_log(path, name=source if "://" in source else str(path)), cached)
    return CachedLog(source, sha256, cached)


def read_columns(source: str, columns: list[str]) -> tuple[CachedLog, pa.Table]:
    """Read columns of a source from the typed cache, after parsing it again if the cached file is damaged.

    Parameters
    ----------
    source : str
        See `cached_log`, which raises the same errors.
    columns : list of str
        Of `ticket_log.COLUMNS`; no others are read.

    Returns
    -------
    CachedLog
    pyarrow.Table of shape (n_events, len(columns))
    """
    log = cached_log(source)
    try:
        return log, _read_table(log.path, columns)
    except (pa.ArrowException, OSError, ValueError):
        log.path.unlink(missing_ok=True)
    log = cached_log(source)
    return log, _read_table(log.path, columns)


def _read_table(path: Path, columns: list[str]) -> pa.Table:
    return pyarrow.parquet.read_table(path, columns=columns, partitioning=None, page_checksum_verification=True)


def partitioned(source: str) -> PartitionedLog:
    """Open a source, whatever it is, as partitions: a directory, a glob or a remote log where it lies, else its cache.

    Parameters
    ----------
    source : str
        See `cached_log` and `log_partitions.open_log`, which raise the same errors.

    Returns
    -------
    PartitionedLog
        The partitions of a cached log are of a file of this machine.
    """
    return with_partitions(source, lambda log: log)


def with_partitions(source: str, read: Callable[[PartitionedLog], Result]) -> Result:
    """Read a source as partitions, once more after parsing it again if the cached file is damaged.

    Parameters
    ----------
    source : str
        See `partitioned`.
    read : callable
        Takes the log; called again when it raises a `DamagedFileError` of the cached file.

    Returns
    -------
    Whatever `read` returns.
    """
    if log_partitions.is_partitioned(source):
        return read(log_partitions.open_log(source))
    log = cached_log(source)
    try:
        return read(log_partitions.of_file(log.path, log.source, log.sha256))
    except DamagedFileError:
        log.path.unlink(missing_ok=True)
    log = cached_log(source)
    return read(log_partitions.of_file(log.path, log.source, log.sha256))


def source_file(source: str) -> Path:
    """The source as a local file: generated, downloaded, or where it is."""
    if source == "sample":
        return _sample_file()
    if source == "uci":
        return downloads.fetch(UCI_URL, subfolder("cache"), sha256=UCI_SHA256)
    if "://" in source:  # of whatever scheme: the refusal, too, leaves the credentials out
        return downloads.fetch(source, subfolder("cache"))
    if not source.strip():
        raise SourceError("source is empty; give 'sample', 'uci', a path or a URL")
    return Path(os.path.expanduser(source))  # Path's own raises for the home of an unknown user


def _sample_file() -> Path:
    """The embedded sample as a CSV, exactly as one would be published; made at the first call."""
    path = subfolder("cache") / f"sample-v{SAMPLE_VERSION}.csv"
    if not path.exists():
        # Imported where it is needed: a run with the sample cached does not generate it.
        from helpers import ticket_sample

        table = ticket_sample.make_log()
        options = pyarrow.csv.WriteOptions(quoting_style="none", quoting_header="none")
        _write_whole(path, lambda temporary: pyarrow.csv.write_csv(table, temporary, options))
    return path


def write_table(table: pa.Table, path: Path) -> None:
    """Write a typed log as Parquet, whole or not at all."""
    text = [column for column, kind in ticket_log.COLUMNS.items() if kind == ticket_log.TEXT]
    # Statistics and dictionaries of times cost a third of the writing and are never read.
    options = {"use_dictionary": text, "write_statistics": False, "write_page_checksum": True}
    options["row_group_size"] = ROW_GROUP_ROWS
    _write_whole(path, lambda temporary: pyarrow.parquet.write_table(table, temporary, **options))


def _write_whole(path: Path, write) -> None:
    """Write to a name of this process's own, then rename: readers see the whole file or none."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        write(temporary)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise SourceError(f"{path}: cannot be written ({error.strerror or error}); free space or mend rights") from None
    finally:
        temporary.unlink(missing_ok=True)
