"""An event log file of any size, read as typed tables of a row group each, with the checks of `ticket_log.read_log`."""

import contextlib
import os
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.csv

from helpers import ticket_log, ticket_log_values
from helpers.exceptions import SourceError
from helpers.label_dictionaries import in_order_of_appearance
from helpers.ticket_log import COLUMNS, PIECE_BYTES

LONGEST_LINE = 16 * 2**20  # bytes of a line, or of a quoted value's lines; the published log's have 350
# Of a message after the file's name.
ROW = re.compile(r"^(: (?:column .*?, )?row )(\d+)")


def read_groups(path: Path, name: str, group_events: int) -> Iterator[tuple[pa.Table, float]]:
    """Read an event log file group by group, in bounded memory.

    Parameters
    ----------
    path : Path
        A zip with one CSV inside, a CSV, or a Parquet file; told apart by their first bytes.
    name : str
        What error messages call the file.
    group_events : int
        Number of events in each table but the last.

    Yields
    ------
    table : pyarrow.Table of shape (group_events, 36)
        Columns as in `ticket_log.COLUMNS`, with dictionaries of the group's own.
    share : float
        How much of the file is read, 0 to 1.

    Raises
    ------
    SourceError
        As `ticket_log.read_log` does, for the first row group with an error; rows are counted in the whole file.
    """
    before = 0
    with _opened(path, name) as (tables, name_inside), contextlib.closing(tables):
        for table, share in _regrouped(tables, group_events):
            with _rows_counted_from(before, name_inside):
                typed = ticket_log.with_schema(ticket_log_values.convert_columns(table, COLUMNS, name_inside))
            with _rows_counted_from(before, name):
                ticket_log.check_values(typed, name)
            before += len(typed)
            yield in_order_of_appearance(typed), share
    if not before:
        raise SourceError(f"{name}: there is no row below the header; give a log with events")


def csv_size(path: Path, name: str, event_bytes: int) -> int:
    """Bytes of the log as CSV, about: of the file, of the zip's member, or so many an event of a Parquet file."""
    kind = ticket_log.file_kind(path, name)
    if kind == "zip":
        with ticket_log.open_zip(path, name) as (_, _, size):
            return size
    if kind == "parquet":
        with ticket_log.open_parquet(path, name) as file:
            return file.metadata.num_rows * event_bytes
    return path.stat().st_size


@contextlib.contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[Iterator[tuple[pa.Table, float]], str]]:
    """The file's rows, not converted yet, in tables of any size with the share that is read; and what to call it."""
    kind = ticket_log.file_kind(path, name)
    if kind == "zip":
        with ticket_log.open_zip(path, name) as (file, name_inside, size):
            yield _of_csv(file, name_inside, size), name_inside
    elif kind == "parquet":
        yield _of_parquet(path, name), name
    else:
        with path.open("rb") as file:
            yield _of_csv(file, name, path.stat().st_size), name


def _of_parquet(path: Path, name: str) -> Iterator[tuple[pa.Table, float]]:
    done = 0
    # Otherwise all columns of a row group, which can be the whole file, are held compressed.
    with ticket_log.open_parquet(path, name, pre_buffer=False, buffer_size=2**20) as file:
        for batch in file.iter_batches(batch_size=65_536, columns=list(COLUMNS), use_threads=False):
            done += len(batch)
            yield ticket_log.plain(pa.table(batch)).select(list(COLUMNS)), done / file.metadata.num_rows


def _of_csv(file: BinaryIO, name: str, size: int) -> Iterator[tuple[pa.Table, float]]:
    """Parse pieces ahead, at full speed; the one that fails is parsed again by the way that explains itself."""
    header, delimiter, rest = ticket_log.split_header(pa.py_buffer(file.read(PIECE_BYTES)), name)
    options = ticket_log.parse_options(header, delimiter)
    before, ahead = 0, deque()

    def parsed(piece: bytes, parsing: Future) -> pa.Table:
        try:
            return parsing.result()
        except pa.ArrowInvalid:
            with _rows_counted_from(before, name):
                rows = pa.py_buffer(piece)
                table = ticket_log_values.parse_text(rows, header, delimiter, list(COLUMNS), name)
            return table.cast(pa.schema(dict.fromkeys(COLUMNS, ticket_log.TEXT)))

    n_threads = os.cpu_count() or 1
    with ThreadPoolExecutor(n_threads) as pool:
        for piece in _whole_rows(file, rest.to_pybytes(), name):
            ahead.append((piece, pool.submit(pyarrow.csv.read_csv, pa.BufferReader(piece), **options)))
            if len(ahead) > n_threads:
                table = parsed(*ahead.popleft())
                before += len(table)
                yield table, file.tell() / size
        for piece, parsing in ahead:
            table = parsed(piece, parsing)
            before += len(table)
            yield table, 1.0


def _whole_rows(file: BinaryIO, rest: bytes, name: str) -> Iterator[bytes]:
    """Some whole rows at a time, the first of them in `rest`: while one piece is parsed the next is unzipped."""
    newline = b"\n" if b"\n" in rest or b"\r" not in rest else b"\r"
    while more := file.read(PIECE_BYTES):
        rest += more
        end = _end_of_row(rest, newline)
        if not end and len(rest) > LONGEST_LINE:
            end = rest.rfind(newline) + 1  # a quote that is none, as in 24" monitor, lets all that follows seem quoted
            if not end:
                raise SourceError(f"{name}: a line is longer than {LONGEST_LINE:,} bytes; the file may be damaged")
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def _end_of_row(rows: bytes, newline: bytes) -> int:
    """Where the last whole row ends: at the last line break that is not in quotes; 0 if there is none."""
    end = rows.rfind(newline) + 1
    quotes = rows.count(b'"', 0, end)
    while quotes % 2:
        earlier = rows.rfind(newline, 0, rows.rfind(b'"', 0, end)) + 1
        quotes -= rows.count(b'"', earlier, end)
        end = earlier
    return end


def _regrouped(tables: Iterator[tuple[pa.Table, float]], group_events: int) -> Iterator[tuple[pa.Table, float]]:
    """The same rows in tables of so many each, but for the last."""
    held, n_held, share = [], 0, 0.0
    for table, share in tables:
        held.append(table)
        n_held += len(table)
        while n_held >= group_events:
            all_held = pa.concat_tables(held)
            yield all_held.slice(0, group_events), share
            held, n_held = [all_held.slice(group_events)], n_held - group_events
    if n_held:
        yield pa.concat_tables(held), share


@contextlib.contextmanager
def _rows_counted_from(before: int, name: str) -> Iterator[None]:
    """Let an error that names a row of a table name the row of the file."""
    try:
        yield
    except SourceError as error:
        told = str(error).removeprefix(name)
        raise SourceError(name + ROW.sub(lambda m: f"{m[1]}{int(m[2]) + before}", told)) from None
