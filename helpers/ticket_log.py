"""The event log in the UCI layout: its 36 columns, and how a zip, CSV or Parquet file becomes a typed Arrow table.

The layout is that of the "Incident management process enriched event log" (UCI Machine Learning Repository, data set
498): one row an event, `?` for a missing value, dates day first. Every error names file, column, row and value; rows
are counted from 1 below the header.
"""

import contextlib
import csv
import os
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from helpers import ticket_log_values
from helpers.exceptions import SourceError

TEXT = pa.dictionary(pa.int32(), pa.string())
COUNT = pa.int32()
FLAG = pa.bool_()
TIME = pa.timestamp("s", tz="UTC")  # the log names no zone; its wall-clock times are taken as UTC

COLUMNS = {
    "number": TEXT,
    "incident_state": TEXT,
    "active": FLAG,
    "reassignment_count": COUNT,
    "reopen_count": COUNT,
    "sys_mod_count": COUNT,
    "made_sla": FLAG,
    "caller_id": TEXT,
    "opened_by": TEXT,
    "opened_at": TIME,
    "sys_created_by": TEXT,
    "sys_created_at": TIME,
    "sys_updated_by": TEXT,
    "sys_updated_at": TIME,
    "contact_type": TEXT,
    "location": TEXT,
    "category": TEXT,
    "subcategory": TEXT,
    "u_symptom": TEXT,
    "cmdb_ci": TEXT,
    "impact": TEXT,
    "urgency": TEXT,
    "priority": TEXT,
    "assignment_group": TEXT,
    "assigned_to": TEXT,
    "knowledge": FLAG,
    "u_priority_confirmation": FLAG,
    "notify": TEXT,
    "problem_id": TEXT,
    "rfc": TEXT,
    "vendor": TEXT,
    "caused_by": TEXT,
    "closed_code": TEXT,
    "resolved_by": TEXT,
    "resolved_at": TIME,
    "closed_at": TIME,
}
# A 2 MB zip can expand to terabytes; the published one expands to 46 MB.
MAX_EXPANDED_BYTES = int(os.environ.get("DAYBOOK_MAX_EXPANDED_BYTES", 4 * 2**30))
PIECE_BYTES = 2 * 2**20  # parsed at once; larger ones keep fewer cores busy


def read_log(path: Path, name: str | None = None) -> pa.Table:
    """Read an event log file into a typed table.

    Parameters
    ----------
    path : Path
        A zip with one CSV inside, a CSV, or a Parquet file; told apart by their first bytes.
    name : str, optional
        What error messages call the file; by default its path.

    Returns
    -------
    pyarrow.Table of shape (n_events, 36)
        Columns as in `COLUMNS`, in that order: text dictionary-encoded, times in UTC to the second.

    Raises
    ------
    SourceError
        When the file is none of these, is damaged, is not in the layout, or has no event.
    """
    name = name or str(path)
    kind = file_kind(path, name)
    if kind == "zip":
        with open_zip(path, name) as (file, name_inside, _):
            table = _read_csv(file, name_inside)
    elif kind == "parquet":
        table = _read_parquet(path, name)
    else:
        with path.open("rb") as file:
            table = _read_csv(file, name)
    if not len(table):
        raise SourceError(f"{name}: there is no row below the header; give a log with events")
    check_values(table, name)
    return table


def file_kind(path: Path, name: str) -> str:
    """What a file is by its first bytes: `zip`, `parquet` or `csv`."""
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise SourceError(f"{name}: the file is empty; give a zip, CSV or Parquet file in the UCI layout")
    if start[:2] == b"PK":
        return "zip"
    if start == b"PAR1":
        return "parquet"
    if path.suffix.lower() == ".zip":
        raise SourceError(f"{name}: not a zip archive, though it is named one; download or zip it again")
    return "csv"


@contextlib.contextmanager
def open_zip(path: Path, name: str) -> Iterator[tuple[BinaryIO, str, int]]:
    """Open the one CSV member of a zip; what goes wrong while it is unzipped is a `SourceError`, too.

    Yields
    ------
    file : file object
        Unzips as it is read.
    name : str
        What error messages call the member.
    size : int
        Its bytes, unzipped.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            member = _csv_member(archive, name)
            with archive.open(member) as file:
                yield file, f"{name}: {member.filename}", member.file_size
    except (RuntimeError, NotImplementedError) as error:
        raise SourceError(f"{name}: the zip cannot be read ({error}); zip it again, without a password") from None
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError) as error:
        # ValueError: a name that is not the UTF-8 that its flag promises, or an offset outside the file.
        reason = str(error) or "it ends too early"
        raise SourceError(f"{name}: damaged or truncated zip ({reason}); download or copy it again") from None


def _csv_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The only CSV of the archive; its member paths must be harmless even to those who unpack it elsewhere."""
    files = [m for m in archive.infolist() if not m.is_dir()]
    for member in files:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        plain = path.parts and not path.is_absolute() and ".." not in path.parts and ":" not in path.parts[0]
        if not plain or not member.filename.isprintable():
            raise SourceError(f"{name}: member {member.filename!r} has an unsafe path; zip the CSV by its plain name")
    # macOS adds a resource fork beside each file.
    csvs = [m for m in files if m.filename.lower().endswith(".csv") and not m.filename.startswith("__MACOSX/")]
    if len(csvs) != 1:
        found = ", ".join(m.filename for m in csvs[:5]) if csvs else "no CSV"
        raise SourceError(f"{name}: one CSV was expected in the zip, {len(csvs)} found ({found}); zip just the log")
    if csvs[0].compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        # bzip2 and LZMA are expanded without a limit, 4 kB at once to 4 MB and more.
        raise NotImplementedError("it is not compressed by deflate")
    if csvs[0].file_size > MAX_EXPANDED_BYTES:
        what = f"{csvs[0].filename} expands to more than {MAX_EXPANDED_BYTES:,} bytes"
        raise SourceError(f"{name}: {what}; set DAYBOOK_MAX_EXPANDED_BYTES to allow it")
    return csvs[0]


def _read_csv(file: BinaryIO, name: str) -> pa.Table:
    """Parse CSV text: first at full speed, then, on any surprise, by the slower way that explains itself."""
    header, delimiter, rest = split_header(pa.py_buffer(file.read(PIECE_BYTES)), name)
    options = parse_options(header, delimiter)
    try:
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            parsed = [
                pool.submit(pyarrow.csv.read_csv, pa.BufferReader(piece), **options)
                for piece in pieces(file, rest.to_pybytes())
            ]
        table = pa.concat_tables(piece.result() for piece in parsed)
    except pa.ArrowInvalid:
        file.seek(0)
        content = pa.py_buffer(b"".join(iter(lambda: file.read(PIECE_BYTES), b"")))
        rows = split_header(content, name)[2]
        table = ticket_log_values.parse_text(rows, header, delimiter, list(COLUMNS), name)
    return with_schema(ticket_log_values.convert_columns(table, COLUMNS, name))


def parse_options(header: list[str], delimiter: str) -> dict:
    """How pyarrow reads whole lines of the log at full speed: all columns as text, with the missing values found."""
    # Each distinct text is then converted once: pyarrow itself would read 31/4/2016 as 1/5/2016, and 0x10 as 16.
    return {
        "read_options": pyarrow.csv.ReadOptions(column_names=header, use_threads=False, block_size=2**30),
        "parse_options": pyarrow.csv.ParseOptions(delimiter=delimiter),
        "convert_options": pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(COLUMNS, TEXT),
            include_columns=list(COLUMNS),
            null_values=list(ticket_log_values.MISSING),
            strings_can_be_null=True,
        ),
    }


def pieces(file: BinaryIO, rest: bytes) -> Iterator[bytes]:
    """Some whole lines at a time, the first of them in `rest`: while one is parsed the next is unzipped."""
    # With a number zipfile expands no more than the header says; without, up to 2 GB. If it lies, the CRC does not fit.
    while more := file.read(PIECE_BYTES):
        end = more.rfind(b"\n") + 1
        if end:
            yield rest + more[:end]
        rest = more[end:] if end else rest + more
    if rest:
        yield rest


def split_header(content: pa.Buffer, name: str) -> tuple[list[str], str, pa.Buffer]:
    """Column names, the delimiter (a comma, or a spreadsheet's semicolon or tab), and the rows below."""
    start = content.slice(0, min(len(content), 65536)).to_pybytes()
    end = re.search(rb"\r\n|\n|\r|$", start)
    try:
        # UTF-8 with a byte order mark is what spreadsheets call "CSV UTF-8".
        line = start[: end.start()].decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"{name}: not a text file in UTF-8; give a zip, CSV or Parquet file in the layout") from None
    delimiter = max(",;\t", key=line.count)
    columns = [column.strip() for column in next(csv.reader([line], delimiter=delimiter), [])]
    check_columns(columns, name)
    rows = content.slice(end.end())
    if not rows.slice(0, min(len(rows), 65536)).to_pybytes().strip():
        raise SourceError(f"{name}: there is no row below the header; give a log with events")
    return columns, delimiter, rows


def check_columns(columns: list[str], name: str) -> None:
    """Refuse a header that lacks a column of the layout, or has one twice; further columns are not read."""
    missing = [column for column in COLUMNS if column not in columns]
    if missing:
        found = f"{len(COLUMNS) - len(missing)} of the {len(COLUMNS)} are there"
        raise SourceError(f"{name}: column {missing[0]!r} is missing ({found}); the log must be in the UCI layout")
    doubled = [column for column in COLUMNS if columns.count(column) > 1]
    if doubled:
        raise SourceError(f"{name}: column {doubled[0]!r} is there {columns.count(doubled[0])} times; keep one")


def _read_parquet(path: Path, name: str) -> pa.Table:
    """Read a Parquet log, whose columns may be typed already or hold the CSV's text."""
    with open_parquet(path, name) as file:
        table = plain(file.read(columns=list(COLUMNS)))
    return with_schema(ticket_log_values.convert_columns(table, COLUMNS, name))


@contextlib.contextmanager
def open_parquet(path: Path, name: str, **options) -> Iterator[pyarrow.parquet.ParquetFile]:
    """Open a Parquet log; what goes wrong while it is read is a `SourceError`, too."""
    try:
        with pyarrow.parquet.ParquetFile(path, page_checksum_verification=True, **options) as file:
            check_columns(file.schema_arrow.names, name)
            yield file
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{name}: damaged or truncated Parquet file ({reason}); write or copy it again") from None


def plain(table: pa.Table) -> pa.Table:
    """The table, if it is sound, without its dictionaries.

    Categories come in the writer's order; encoded anew they come in the log's, as from a CSV.
    """
    table.validate(full=True)
    fields = [field.with_type(getattr(field.type, "value_type", field.type)) for field in table.schema]
    return table.cast(pa.schema(fields))


def with_schema(table: pa.Table) -> pa.Table:
    """The table's columns in the layout's order and types, each in one chunk with one dictionary."""
    return table.select(list(COLUMNS)).cast(pa.schema(COLUMNS)).unify_dictionaries().combine_chunks()


def check_values(table: pa.Table, name: str) -> None:
    """Refuse what parses but cannot be: negative counts, and tickets closed before they were last updated."""
    for column, kind in COLUMNS.items():
        if kind == COUNT and (pc.min(table[column]).as_py() or 0) < 0:
            row = pc.index(pc.less(table[column], 0), True).as_py()
            raise SourceError(f"{name}: column {column!r}, row {row + 1}: {table[column][row]} is negative; mend it")
    backwards = pc.less(table["closed_at"], table["sys_updated_at"])
    if pc.any(backwards).as_py():
        row = pc.index(backwards, True).as_py()
        closed, updated = (table[column][row].as_py().isoformat() for column in ("closed_at", "sys_updated_at"))
        raise SourceError(
            f"{name}: column 'closed_at', row {row + 1}: {closed} is before sys_updated_at {updated}; mend it"
        )
