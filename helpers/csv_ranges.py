"""CSV files of a log: cut into ranges of bytes at line ends, and the ranges read some whole lines at a time."""

import itertools
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.csv

from helpers import ticket_log, ticket_log_values
from helpers.exceptions import SourceError
from helpers.partition_values import checked
from helpers.partitions import Partition

RANGE_BYTES = 64 * 2**20
PIECE_BYTES = 4 * 2**20  # parsed at once; larger ones are slower
BLOCK_BYTES = 65_536


def cut(files, path: str, start: int, size: int) -> list[tuple[int, int]]:
    """Ranges of about 64 MB of a file's bytes from `start` on, each of whole lines."""
    n_ranges = max(1, round((size - start) / RANGE_BYTES))
    wanted = [start + (size - start) * place // n_ranges for place in range(1, n_ranges)]
    bounds = sorted({start, *(_line_end(files, path, place, size) for place in wanted), size})
    return list(itertools.pairwise(bounds))


def _line_end(files, path: str, place: int, size: int) -> int:
    """Where the line ends that a byte is in."""
    while place < size:
        block = files.read(path, place, min(place + BLOCK_BYTES, size))
        if b"\n" in block:
            return place + block.index(b"\n") + 1
        if not block:
            break
        place += len(block)
    return size


def read_header(line: str, name: str) -> tuple[list[str], str]:
    """Column names and the delimiter of a header line, which must have the layout's columns."""
    # A header alone would be refused as a log without events; a part may be empty.
    return ticket_log.split_header(pa.py_buffer(f"{line}\n?".encode()), name)[:2]


def read_pieces(partition: Partition, files, columns: list[str]) -> Iterator[pa.Table]:
    """Columns of a range, some 4 MB of its bytes at a time."""
    header, delimiter = read_header(partition.header, partition.name)
    options = ticket_log.parse_options(header, delimiter)
    options["convert_options"].include_columns = columns
    row, name = 0, partition.name
    if partition.first_row is None:
        name = f"{name}, from byte {partition.start:,} on"
    for piece in _lines(partition, files):
        try:
            table = pyarrow.csv.read_csv(pa.BufferReader(piece), **options)
        except pa.ArrowInvalid:
            # A line break inside quotes, or an error: the slower way takes the one and explains the other.
            rows = files.read(partition.path, partition.start, partition.stop)
            yield checked(_explained(rows, header, delimiter, columns, name, partition).slice(row), name, row)
            return
        yield checked(table, name, row)
        row += len(table)


def _lines(partition: Partition, files) -> Iterator[bytes]:
    """The bytes of a range, some whole lines at a time."""
    rest = b""
    for start in range(partition.start, partition.stop, PIECE_BYTES):
        stop = min(start + PIECE_BYTES, partition.stop)
        content = rest + files.read(partition.path, start, stop)
        end = len(content) if stop == partition.stop else content.rfind(b"\n") + 1
        if content[:end].strip():
            yield content[:end]
        rest = content[end:]


def _explained(rows: bytes, header, delimiter: str, columns: list[str], name: str, partition: Partition) -> pa.Table:
    """The range's events as text, however long it takes; refused with the reason if it is not CSV."""
    try:
        return ticket_log_values.parse_text(pa.py_buffer(rows), header, delimiter, columns, name)
    except SourceError as error:
        is_cut = partition.first_row is None or partition.stop < partition.size
        if not is_cut or b'"' not in rows:
            raise
        hint = "if it is a line break inside quotes, `daybook tickets convert` the log, which reads it whole"
        raise SourceError(f"{error}; {hint}") from None
