"""Parquet files of a log: their footers, and their row groups read one at a time, local or remote."""

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet

from helpers.partition_values import checked
from helpers.partitions import DamagedFileError, Partition

MAX_PIECE_ROWS = 1_000_000  # a row group with more is decoded in pieces of PIECE_ROWS
PIECE_ROWS = 131_072


def read_footer(files, path: str, name: str, size: int, tail: bytes) -> pyarrow.parquet.FileMetaData:
    """The metadata of a Parquet file of which the end has been read."""
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if tail[-4:] != b"PAR1" or length > size:
        reason = "it has no Parquet footer at its end"
        raise DamagedFileError(f"{name}: damaged or truncated Parquet file ({reason}); write or copy it again")
    if length > len(tail):
        tail = files.read(path, size - length, size)
    try:
        return pyarrow.parquet.read_metadata(pa.BufferReader(tail[-length:]))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise _damaged(name, error) from None


def row_counts(metadata) -> list[int]:
    """The events of each row group."""
    return [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]


def cut(counts: list[int], max_rows: int) -> list[tuple[int, int, int, int]]:
    """Ranges of row groups with these events, each of at most `max_rows` together if it has more than one.

    Returns
    -------
    list of (start, stop, first_row, num_rows)
        Row groups, the file's events before them, and theirs; empty ranges are left out.
    """
    ranges, start, first_row, num_rows = [], 0, 0, 0
    for group, more in enumerate(counts):
        if num_rows and num_rows + more > max_rows:
            ranges.append((start, group, first_row, num_rows))
            start, first_row, num_rows = group, first_row + num_rows, 0
        num_rows += more
    return [*ranges, (start, len(counts), first_row, num_rows)] if num_rows else ranges


def _damaged(name: str, error: Exception) -> DamagedFileError:
    reason = str(error).splitlines()[0]
    return DamagedFileError(f"{name}: damaged or truncated Parquet file ({reason}); write or copy it again")


def read_pieces(partition: Partition, files, metadata, columns: list[str]) -> Iterator[pa.Table]:
    """Columns of a range of row groups, a row group at a time."""
    row = partition.first_row
    try:
        with _open_parquet(partition, files, metadata, columns) as file:
            for group in range(partition.start, partition.stop):
                for table in _decoded(file, group, columns):
                    table.validate(full=True)
                    yield checked(table.select(columns), partition.name, row)
                    row += len(table)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise _damaged(partition.name, error) from None


def _open_parquet(partition: Partition, files, metadata, columns: list[str]) -> pyarrow.parquet.ParquetFile:
    """The file with its footer known; of a remote one the needed column chunks are fetched at once."""
    text = [f.name for f in metadata.schema.to_arrow_schema() if f.name in columns and pa.types.is_string(f.type)]
    source = partition.path
    if files.is_remote:
        source = _Fetched(files, partition, _column_chunks(metadata, partition, columns))
    # Text is decoded once for each distinct value, also in files whose writer did not ask for it.
    return pyarrow.parquet.ParquetFile(
        source, metadata=metadata, read_dictionary=text, page_checksum_verification=True, pre_buffer=False
    )


def _decoded(file: pyarrow.parquet.ParquetFile, group: int, columns: list[str]) -> Iterator[pa.Table]:
    if file.metadata.row_group(group).num_rows <= MAX_PIECE_ROWS:
        yield file.read_row_group(group, columns=columns, use_threads=False)
        return
    for batch in file.iter_batches(PIECE_ROWS, row_groups=[group], columns=columns, use_threads=False):
        yield pa.Table.from_batches([batch])


def _column_chunks(metadata, partition: Partition, columns: list[str]) -> list[tuple[int, int]]:
    """The byte ranges that hold these columns of the partition's row groups."""
    ranges = []
    for group in range(partition.start, partition.stop):
        row_group = metadata.row_group(group)
        for place in range(row_group.num_columns):
            chunk = row_group.column(place)
            if chunk.path_in_schema in columns:
                start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)))
                ranges.append((start, start + chunk.total_compressed_size))
    return ranges


class _Fetched(io.RawIOBase):
    """A remote file for pyarrow, which reads a column chunk at a time, one after the other; these are there already."""

    def __init__(self, files, partition: Partition, ranges: list[tuple[int, int]]):
        self.files, self.path, self.size, self.place = files, partition.path, partition.size, 0
        self.chunks = files.read_ranges(partition.path, ranges) if ranges else {}

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.place

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = offset + (0, self.place, self.size)[whence]
        return self.place

    def read(self, size: int = -1) -> bytes:
        stop = self.size if size < 0 else min(self.size, self.place + size)
        start, self.place = self.place, stop
        # A few old writers say a wrong size, and pyarrow reads on.
        chunk = self.chunks.get(start, b"")[: stop - start]
        return chunk if len(chunk) == stop - start else self.files.read(self.path, start, stop)
