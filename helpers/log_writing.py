"""A partitioned log on disk: a folder of Parquet or CSV parts in order, which appears whole or not at all."""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from helpers import ticket_text
from helpers.exceptions import ParameterError, SourceError

FORMATS = ("parquet", "csv")
GROUP_EVENTS = 131_072  # in a row group: what a worker holds at once
PART_EVENTS = 8 * GROUP_EVENTS
MAX_PARTS = 100_000  # the five digits of their names keep them in order
# Measured on the generated log; the free space is checked against it.
EVENT_BYTES = {"parquet": 18, "csv": 327}
PART_NAME = re.compile(r"part-\d{5}\.(parquet|csv)")

# Called with the number of events written and the share of the work that is done, 0 to 1.
Report = Callable[[int, float], None]


@dataclass(frozen=True)
class WrittenLog:
    """A partitioned log that has been written.

    Attributes
    ----------
    folder : Path
        Where it is, absolute.
    files, events, bytes : int
        How many files it has, and what they hold together.
    seconds : float
        How long the writing took.
    """

    folder: Path
    files: int
    events: int
    bytes: int
    seconds: float


class PartWriter:
    """Writes one part, a row group at a time; to be used in a `with`, which ends with the part safe on the disk.

    Parameters
    ----------
    folder : Path
        The log's folder.
    part : int
        Place of the part in the log, from 0.
    format : str
        `parquet` or `csv`.
    """

    def __init__(self, folder: Path, part: int, format: str):
        self._path = folder / f"part-{part:05d}.{format}"
        self._is_csv = format == "csv"
        self._parquet: pyarrow.parquet.ParquetWriter | None = None

    def __enter__(self) -> "PartWriter":
        self._file = self._path.open("xb")
        return self

    def write(self, table: pa.Table) -> None:
        """Write a typed table as one row group, or as lines."""
        if self._is_csv:
            self._file.write(ticket_text.as_csv(table, header=not self._file.tell()))
            return
        self._parquet = self._parquet or _parquet_writer(self._file, table.schema)
        self._parquet.write_table(table, row_group_size=len(table))

    def __exit__(self, kind, *_) -> None:
        with self._file:
            if kind is None:
                if self._parquet:
                    self._parquet.close()
                self._file.flush()
                os.fsync(self._file.fileno())
            elif self._parquet:
                self._parquet.is_open = False  # or it writes a footer when it is collected, to a file that is closed


def _parquet_writer(file, schema: pa.Schema) -> pyarrow.parquet.ParquetWriter:
    """Open a Parquet file for a typed log: small, checked page by page, to be skipped through by `closed_at` alone."""
    text = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    numbers = [f.name for f in schema if pa.types.is_timestamp(f.type) or pa.types.is_integer(f.type)]
    return pyarrow.parquet.ParquetWriter(
        file,
        schema,
        use_dictionary=text,
        # Against plain values: a quarter faster to read, for the same bytes once compressed.
        column_encoding=dict.fromkeys(numbers, "DELTA_BINARY_PACKED"),
        compression="zstd",
        write_statistics=["closed_at"],
        write_page_checksum=True,
    )


def check_format(format: str) -> None:
    """Refuse a format that is none of `FORMATS`."""
    if format not in FORMATS:
        raise ParameterError(f"--format is {format!r}; give parquet or csv")


def written(folder: Path, events: int, began: float) -> WrittenLog:
    """Count what a log's folder holds; `began` is the time on the monotonic clock at which the writing began."""
    sizes = [entry.stat().st_size for entry in os.scandir(folder)]
    return WrittenLog(folder, len(sizes), events, sum(sizes), time.monotonic() - began)


@contextlib.contextmanager
def whole_folder(out: str | Path, expected_bytes: int) -> Iterator[Path]:
    """Make a folder under the name `OUT.part`, and rename it to `OUT` when the block ends well, else remove it.

    Parameters
    ----------
    out : str or Path
        The folder to be made; it may be there if it is empty, and so may what a killed process has left of `OUT.part`.
    expected_bytes : int
        What will be written, about; nothing is begun where there is less free space.

    Yields
    ------
    Path
        The folder to write to.

    Raises
    ------
    SourceError
        When `out` has files already, is being written by another process, or cannot be written.
    """
    out = _destination(out)
    part = out.with_name(f"{out.name}.part")
    made = [parent for parent in part.parents if not parent.exists()]
    try:
        part.mkdir(parents=True, exist_ok=True)
        with _locked(part) as lock:
            _empty(part)
            try:
                _check_space(out, expected_bytes)
                yield part
                os.fsync(lock)
                os.rename(part, out)
            except BaseException:
                shutil.rmtree(part, ignore_errors=True)
                raise
    except OSError as error:
        hint = "free space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "free space or mend rights"
        raise SourceError(f"{out}: cannot be written ({error.strerror or error}); {hint}") from None
    finally:
        for parent in made:  # those that are not empty stay
            with contextlib.suppress(OSError):
                parent.rmdir()


def _destination(out: str | Path) -> Path:
    if "://" in str(out):
        raise ParameterError(f"--out is {str(out)!r}; give a folder of this machine, and copy it from there")
    if not str(out).strip() or "\0" in str(out):
        raise ParameterError("--out is no folder's name; give one")
    folder = Path(os.path.expanduser(out)).resolve()
    if folder.exists() and not folder.is_dir():
        raise SourceError(f"{folder}: is a file; give a new folder")
    if folder.is_dir() and any(folder.iterdir()):
        raise SourceError(f"{folder}: the folder is not empty; remove it or give a new one")
    return folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold the folder; a process that is killed lets go of it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Meanwhile whoever held it may have given it its name.
            is_held = os.path.samestat(os.fstat(descriptor), os.stat(folder))
        except (BlockingIOError, FileNotFoundError):
            is_held = False
        if not is_held:
            raise SourceError(f"{folder}: another process is writing there; wait for it or give another folder")
        yield descriptor
    finally:
        os.close(descriptor)


def _empty(folder: Path) -> None:
    """Remove the parts that a killed process has left; whatever else is there is somebody's."""
    entries = list(folder.iterdir())
    if strange := [entry.name for entry in entries if not PART_NAME.fullmatch(entry.name)]:
        raise SourceError(f"{folder}: the folder is needed to write to, but holds {strange[0]!r}; move it away")
    for entry in entries:
        entry.unlink()


def _check_space(out: Path, expected_bytes: int) -> None:
    free = shutil.disk_usage(out.parent).free
    if free < expected_bytes:
        need = f"about {expected_bytes / 1e6:,.0f} MB are needed and {free / 1e6:,.0f} MB are free"
        raise SourceError(f"{out}: {need}; free space or give a folder on another disk")
