"""Events of a partition: read in bounded memory and one thread, with nothing but pandas, pyarrow and fsspec.

Every error names the file; rows are counted from 1 in the file, or in a range of a CSV file from its first byte.
"""

import hashlib
from collections.abc import Iterator

import pyarrow as pa

from helpers import csv_ranges, parquet_row_groups, remote_files
from helpers.exceptions import SourceError
from helpers.partitions import Partition
from helpers.ticket_log import COLUMNS

TAIL_BYTES = 65_536  # of a file's end: there a Parquet file has its footer


def read_partition(partition: Partition, columns: list[str]) -> pa.Table:
    """Read columns of a partition.

    Parameters
    ----------
    partition : Partition
    columns : list of str
        Of `ticket_log.COLUMNS`; of a Parquet file no others are read.

    Returns
    -------
    pyarrow.Table of shape (n_events, len(columns))
        Typed as `ticket_log.COLUMNS` says, in the order of `columns`, with a chunk for each piece.

    Raises
    ------
    SourceError
        When the file is gone, was replaced since the log was opened, or holds a value that cannot be.
    DamagedFileError
        A `SourceError`, when a Parquet file cannot be decoded.
    """
    empty = pa.schema([(column, COLUMNS[column]) for column in columns]).empty_table()
    return pa.concat_tables([empty, *read_pieces(partition, columns)]).unify_dictionaries()


def read_pieces(partition: Partition, columns: list[str]) -> Iterator[pa.Table]:
    """Read columns of a partition piece by piece: a row group, or 4 MB of CSV, at a time.

    Takes and raises what `read_partition` does, whose table these pieces make.
    """
    # Of a local file the source may be what only the driver knows, such as `sample`.
    files = remote_files.connect(partition.url or partition.source if partition.is_remote else "")[0]
    tail = read_tail(files, partition.path, partition.size)
    if stamp(tail) != partition.stamp:
        raise SourceError(f"{partition.name}: it has changed since the log was opened; keep it as it is, and run again")
    if partition.kind == "csv":
        return csv_ranges.read_pieces(partition, files, columns)
    metadata = parquet_row_groups.read_footer(files, partition.path, partition.name, partition.size, tail)
    return parquet_row_groups.read_pieces(partition, files, metadata, columns)


def read_tail(files, path: str, size: int) -> bytes:
    """The last 64 kB of a file of this size, or all of it."""
    # A local file that has grown shows in the byte more; a store answers with what there is.
    return files.read(path, max(0, size - TAIL_BYTES), size + (not files.is_remote))


def stamp(tail: bytes) -> str:
    """Digest of a file's end, 32 hexadecimal digits."""
    return hashlib.sha256(tail).hexdigest()[:32]
