"""The event log in the UCI layout: its 36 columns, and how a zip, CSV or Parquet file becomes a typed Arrow table.

The layout is that of the "Incident management process enriched event log" (UCI Machine Learning Repository, data set
498): one row an event, `?` for a missing value, dates day first. Every error names file, column, row and value; rows
are counted from 1 below the header.
"""

import io
import os
import zipfile
from pathlib import Path, PurePosixPath

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from helpers import ticket_log_repair
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
DATE_FORMAT = "%d/%m/%Y %H:%M"  # the published log's
MISSING = "?"

# A 2 MB zip can expand to terabytes; the published one expands to 46 MB.
MAX_EXPANDED_BYTES = int(os.environ.get("DAYBOOK_MAX_EXPANDED_BYTES", 4 * 2**30))


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
        When the file is none of these, is damaged, or is not in the layout.
    """
    name = name or str(path)
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise SourceError(f"{name}: the file is empty; give a zip, CSV or Parquet file in the UCI layout")
    if start[:2] == b"PK":
        csv, member = _unzip(path, name)
        table = _read_csv(csv, f"{name}: {member}")
    elif start == b"PAR1":
        table = _read_parquet(path, name)
    elif path.suffix.lower() == ".zip":
        raise SourceError(f"{name}: not a zip archive, though it is named one; download or zip it again")
    else:
        table = _read_csv(pa.memory_map(str(path)).read_buffer(), name)
    _check_values(table, name)
    return table


def _unzip(path: Path, name: str) -> tuple[pa.Buffer, str]:
    """The one CSV member of a zip, read into memory within the limit, and its name."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = _csv_member(archive, name)
            with archive.open(member) as file:
                # The size in the header may lie: what counts is what comes out.
                content = file.read(MAX_EXPANDED_BYTES + 1)
    except zipfile.BadZipFile as error:
        raise SourceError(f"{name}: damaged or truncated zip ({error}); download or copy it again") from None
    except (RuntimeError, NotImplementedError, EOFError, OSError) as error:
        raise SourceError(f"{name}: the zip cannot be read ({error}); zip it again, without a password") from None
    except Exception as error:
        if type(error).__name__ not in {"error", "LZMAError"}:  # zlib's and lzma's own for damaged data
            raise
        raise SourceError(f"{name}: damaged zip ({error}); download or copy it again") from None
    if len(content) > MAX_EXPANDED_BYTES:
        raise _too_large(name, member.filename)
    return pa.py_buffer(content), member.filename


def _csv_member(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """The only CSV of the archive; its member paths must be harmless even to those who unpack it elsewhere."""
    files = [m for m in archive.infolist() if not m.is_dir()]
    for member in files:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise SourceError(f"{name}: member {member.filename!r} has an unsafe path; zip the CSV by its plain name")
    # macOS adds a resource fork beside each file.
    csvs = [m for m in files if m.filename.lower().endswith(".csv") and not m.filename.startswith("__MACOSX/")]
    if len(csvs) != 1:
        found = ", ".join(m.filename for m in csvs[:5]) if csvs else "no CSV"
        raise SourceError(f"{name}: one CSV was expected in the zip, {len(csvs)} found ({found}); zip just the log")
    if csvs[0].file_size > MAX_EXPANDED_BYTES:
        raise _too_large(name, csvs[0].filename)
    return csvs[0]


def _too_large(name: str, member: str) -> SourceError:
    limit = f"{MAX_EXPANDED_BYTES:,} bytes"
    return SourceError(f"{name}: {member} expands to more than {limit}; set DAYBOOK_MAX_EXPANDED_BYTES to allow it")


def _read_csv(content: pa.Buffer, name: str) -> pa.Table:
    """Parse CSV text: first as the log was published, then, on any surprise, by the slower way that explains itself."""
    header, delimiter = _header(content, name)
    naive = {column: pa.timestamp("s") if kind == TIME else kind for column, kind in COLUMNS.items()}
    as_published = pyarrow.csv.ConvertOptions(
        column_types=naive,
        include_columns=list(COLUMNS),
        timestamp_parsers=[DATE_FORMAT],
        null_values=[MISSING],
        true_values=["true"],
        false_values=["false"],
        strings_can_be_null=True,
    )
    try:
        # UTF-8 with a byte order mark is what spreadsheets call "CSV UTF-8"; pyarrow skips the mark.
        options = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=False)
        read = pyarrow.csv.ReadOptions(column_names=header, skip_rows=1)
        table = pyarrow.csv.read_csv(
            io.BytesIO(content), read_options=read, parse_options=options, convert_options=as_published
        )
        table = _with_schema(table)
        if _years_are_plausible(table):
            return table
    except pa.ArrowInvalid:
        pass
    return _with_schema(ticket_log_repair.parse_text(content, header, delimiter, COLUMNS, name))


def _header(content: pa.Buffer, name: str) -> tuple[list[str], str]:
    """Column names and the delimiter: a comma, or the semicolon or tab of spreadsheets in other languages."""
    first = content.slice(0, min(len(content), 65536)).to_pybytes().split(b"\n", 1)[0]
    try:
        line = first.decode("utf-8-sig").rstrip("\r")
    except UnicodeDecodeError:
        raise SourceError(f"{name}: not a text file in UTF-8; give a zip, CSV or Parquet file in the layout") from None
    delimiter = max(",;\t", key=line.count)
    columns = [column.strip().strip('"') for column in line.split(delimiter)]
    check_columns(columns, name)
    return columns, delimiter


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
    try:
        file = pyarrow.parquet.ParquetFile(path)
        check_columns(file.schema_arrow.names, name)
        table = file.read(columns=list(COLUMNS)).select(list(COLUMNS))
    except (pa.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{name}: damaged or truncated Parquet file ({reason}); write or copy it again") from None
    return _with_schema(ticket_log_repair.convert_columns(table, COLUMNS, name))


def _with_schema(table: pa.Table) -> pa.Table:
    """The table's columns in the layout's order and types, each in one chunk with one dictionary."""
    return table.select(list(COLUMNS)).cast(pa.schema(COLUMNS)).unify_dictionaries().combine_chunks()


def _years_are_plausible(table: pa.Table) -> bool:
    """Whether no date lies before 1970: pyarrow reads the two-digit year of `29/2/16` as the year 16."""
    earliest = (pc.min(table[column]) for column, kind in COLUMNS.items() if kind == TIME)
    return all(moment.value is None or moment.value >= 0 for moment in earliest)


def _check_values(table: pa.Table, name: str) -> None:
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
