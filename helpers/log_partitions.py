"""A log as partitions: a directory, a glob or a file of Parquet or CSV parts, local or remote, opened and checked.

Opening reads each part's end, once and many at a time; no events are read.
"""

import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from helpers import csv_ranges, parquet_row_groups, remote_files, ticket_log
from helpers.exceptions import SourceError
from helpers.masking import mask, reveal
from helpers.partition_reading import read_partition, read_pieces, read_tail, stamp
from helpers.partitions import DamagedFileError, Partition, PartitionedLog
from helpers.ticket_log import COLUMNS, COUNT, FLAG, TIME

__all__ = [
    "DamagedFileError",
    "Partition",
    "PartitionedLog",
    "is_partitioned",
    "of_file",
    "open_log",
    "read_partition",
    "read_pieces",
]

MIN_ROWS, MAX_ROWS = 131_072, 1_048_576  # of a partition, if the row groups are not larger
SHARES = 4  # a small log is cut into at least so many, for several workers
MAX_OPENED = 32  # parts at a time


@dataclass(frozen=True)
class _Part:
    """One file of a log: where it is and what it holds; of CSV the ranges (start, stop, first_row, num_rows)."""

    name: str
    path: str
    relative: str
    kind: str
    size: int
    stamp: str
    types: dict[str, tuple[str, str]]  # what a column holds in a word that types of one meaning share, and its type
    row_counts: list[int] = field(default_factory=list)  # of a Parquet file's row groups
    ranges: list[tuple[int, int, int | None, int | None]] = field(default_factory=list)
    header: str = ""


def is_partitioned(source: str) -> bool:
    """Whether a source is a directory, a glob pattern, or a remote URL other than http(s)."""
    plain = reveal(source).strip()
    if "://" in plain:
        return remote_files.is_remote(plain)
    path = os.path.expanduser(plain)
    return bool(plain) and (os.path.isdir(path) or remote_files.LocalFiles().is_glob(path))


def open_log(source: str) -> PartitionedLog:
    """Open a log of many files, or a remote one, as partitions.

    Parameters
    ----------
    source : str
        A directory or a glob of `.parquet` or of `.csv` files, or one such file: a path, or a URL for fsspec, masked
        or not. Files whose names begin with `.` or `_` are not of the log; the others are, in the order of their names.

    Returns
    -------
    PartitionedLog
        Its `sha256` is a fingerprint, not a digest of all bytes: of each part's name within the log, its size and its
        last 64 kB. It is the same wherever the log lies and whenever it was written.

    Raises
    ------
    SourceError
        When there is no part, a part cannot be read or is not in the layout, the parts are not alike, or none has an
        event.
    """
    shown, plain = mask(source.strip()), reveal(source).strip()
    files, path = remote_files.connect(plain)
    found = _found(files, path, shown)
    with ThreadPoolExecutor(min(MAX_OPENED, len(found))) as pool:
        parts = list(pool.map(lambda part: _open_part(files, *part), found))
    _check_alike(parts)
    # The environment is told by the run; whoever opens a log by hand has told nobody else.
    url = plain if files.is_remote and reveal(shown) != plain else ""
    log = PartitionedLog(shown, _fingerprint(parts), _partitions(parts, shown, files.is_remote, url))
    if not log.partitions:
        raise SourceError(f"{shown}: there is no event in its {len(parts):,} files; give a log with events")
    return log


def of_file(path: Path, source: str, sha256: str) -> PartitionedLog:
    """A local Parquet file as partitions of row groups.

    Parameters
    ----------
    path : Path
        Such as a typed file of the cache.
    source, sha256 : str
        What the log is to be called, and its digest.

    Returns
    -------
    PartitionedLog

    Raises
    ------
    SourceError
        When the file is not there or cannot be decoded.
    """
    files = remote_files.LocalFiles()
    name = os.path.abspath(path)
    (size,) = files.listed(name).values()
    part = _open_part(files, name, path.name, size)
    return PartitionedLog(source, sha256, _partitions([part], source, is_remote=False, url=""))


def _found(files, path: str, shown: str) -> list[tuple[str, str, int]]:
    """Path, name within the log, and size of each part, in the order of the names."""
    sizes = files.listed(path)
    base = re.split(r"[*?\[]", path)[0].rpartition("/")[0] if files.is_glob(path) else path.rstrip("/")
    if list(sizes) == [path]:
        base = path.rpartition("/")[0]
    found = sorted((file.removeprefix(base).lstrip("/"), file, size) for file, size in sizes.items())
    found = [part for part in found if not part[0].rpartition("/")[2].startswith((".", "_"))]
    if not found:
        raise SourceError(f"{shown}: no .parquet or .csv file is there; give a directory or a glob that holds a log")
    suffixes = {}
    for _, file, _ in found:
        suffixes.setdefault(os.path.splitext(file)[1].lower(), file)
    for suffix, file in suffixes.items():
        if suffix not in (".parquet", ".csv"):
            raise SourceError(f"{files.name(file)}: neither .parquet nor .csv; move it out of the log, or give a glob")
    if len(suffixes) > 1:
        both = " and ".join(files.name(file) for file in suffixes.values())
        raise SourceError(f"{shown}: it holds Parquet and CSV ({both}); give a glob of one of them")
    return [(file, relative, size) for relative, file, size in found]


def _open_part(files, path: str, relative: str, size: int) -> _Part:
    name = files.name(path)
    tail = read_tail(files, path, size)
    if path.lower().endswith(".csv"):
        return _open_csv(files, path, relative, size, stamp(tail))
    metadata = parquet_row_groups.read_footer(files, path, name, size, tail)
    schema = metadata.schema.to_arrow_schema()
    ticket_log.check_columns(schema.names, name)
    types = {field.name: (_family(field, name), str(field.type)) for field in schema}
    counts = parquet_row_groups.row_counts(metadata)
    return _Part(name, path, relative, "parquet", size, stamp(tail), types, row_counts=counts)


def _open_csv(files, path: str, relative: str, size: int, end: str) -> _Part:
    name = files.name(path)
    start = files.read(path, 0, csv_ranges.BLOCK_BYTES) if size else b""
    if not start:
        raise SourceError(f"{name}: the file is empty; write or copy it again")
    if start.startswith((b"PAR1", b"PK")):
        raise SourceError(f"{name}: not a CSV file, though it is named one; name it for what it is, or write it again")
    line = re.match(rb"[^\r\n]*(\r\n|\n|\r|$)", start)
    try:
        header = line[0].decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise SourceError(f"{name}: not a text file in UTF-8; save it as UTF-8") from None
    columns, _ = csv_ranges.read_header(header, name)
    begins = line.end()
    bounds = csv_ranges.cut(files, path, begins, size) if begins < size else []
    ranges = [(first, stop, 0 if first == begins else None, None) for first, stop in bounds]
    return _Part(name, path, relative, "csv", size, end, dict.fromkeys(columns, ("text", "text")), [], ranges, header)


def _family(field: pa.Field, name: str) -> str:
    """What a Parquet column holds, in one word for types that mean the same."""
    held = getattr(field.type, "value_type", field.type) if pa.types.is_dictionary(field.type) else field.type
    if pa.types.is_string(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held):
        return "text"
    if field.name not in COLUMNS:
        return str(held)
    alike = {
        TIME: ("time", pa.types.is_timestamp(held)),
        COUNT: ("number", pa.types.is_integer(held) or pa.types.is_floating(held)),
        FLAG: ("flag", pa.types.is_boolean(held)),
    }
    family, fits = alike.get(COLUMNS[field.name], ("text", False))
    if pa.types.is_null(held):
        return "nothing"
    if not fits:
        where = f"{name}: column {field.name!r} holds {field.type} where {family} is expected"
        raise SourceError(f"{where}; write it in the UCI layout")
    return family


def _check_alike(parts: list[_Part]) -> None:
    """Refuse parts with other columns, or columns of another type, than the first one's."""
    first = parts[0]
    for part in parts[1:]:
        odd = sorted(set(part.types) ^ set(first.types))
        if odd:
            has, lacks = (part, first) if odd[0] in part.types else (first, part)
            where = f"{part.name}: its columns are not the first part's: {odd[0]!r} is in {has.name}"
            raise SourceError(f"{where} and not in {lacks.name}; write the parts alike")
        for column, (family, held) in part.types.items():
            expected, held_first = first.types[column]
            if family != expected and "nothing" not in (family, expected):
                where = f"{part.name}: column {column!r} holds {held} where {first.name} holds {held_first}"
                raise SourceError(f"{where}; write the parts alike")


def _fingerprint(parts: list[_Part]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{part.relative}\0{part.size}\0{part.stamp}\n".encode())
    return digest.hexdigest()


def _partitions(parts: list[_Part], source: str, is_remote: bool, url: str) -> tuple[Partition, ...]:
    share = sum(sum(part.row_counts) for part in parts) // SHARES
    most = max(MIN_ROWS, min(share, MAX_ROWS))
    return tuple(
        Partition(
            source=source,
            name=part.name,
            path=part.path,
            kind=part.kind,
            size=part.size,
            stamp=part.stamp,
            start=start,
            stop=stop,
            first_row=first_row,
            num_rows=num_rows,
            header=part.header,
            is_remote=is_remote,
            url=url,
        )
        for part in parts
        for start, stop, first_row, num_rows in part.ranges or parquet_row_groups.cut(part.row_counts, most)
    )
