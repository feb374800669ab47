"""Values of an event log from text: accepted if unambiguous, as a spreadsheet saves them, else refused by name.

What is refused raises one line with file, column, row and value; rows are counted from 1 below the header.
"""

import csv

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from helpers.exceptions import SourceError

MISSING = ("?", "")
# Day first, as the log; hour, day and month may be unpadded. A spreadsheet writes one of these when it saves the log
# again. Month first is not among them: 1/2/2016 is the first of February, always.
DATE_FORMATS = (
    *(f"%d{s}%m{s}%Y {time}" for s in "/-." for time in ("%H:%M", "%H:%M:%S")),
    *(f"%d{s}%m{s}%y {time}" for s in "/." for time in ("%H:%M", "%H:%M:%S")),  # with "-" the year may stand first
    *(f"%d/%m/{year} {time}" for year in ("%Y", "%y") for time in ("%I:%M %p", "%I:%M:%S %p")),
    *(f"%Y-%m-%d{sep}{time}" for sep in " T" for time in ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f")),
    *(f"%Y-%m-%d{sep}%H:%M:%S{zone}" for sep in " T" for zone in ("Z", "+00:00")),
)
FORMATS_IN_WORDS = "31/12/2016 23:59[:59] (day first; also 31-12-2016, 31.12.2016, 31/12/16, AM/PM), 2016-12-31 23:59"
# pandas also takes "now" for a time, and 12:0, which a truncated file leaves of 12:07; a fraction may be 0 alone.
DATE_SHAPE = r"^\d[\d/.-]*[ T]\d{1,2}(:\d\d){1,2}(\.0+)?( ?[AaPp][Mm]|Z|\+00:00)?$"
LARGEST = 2**31 - 1


def parse_text(rows: pa.Buffer, header: list[str], delimiter: str, columns: list[str], name: str) -> pa.Table:
    """Parse CSV rows that the fast way could not: with line breaks inside quotes, or wrong.

    Parameters
    ----------
    rows : pyarrow.Buffer
        The CSV without its header line.
    header : list of str
        The header's column names.
    delimiter : str
        One character.
    columns : list of str
        The columns to return, which the header must have.
    name : str
        What error messages call the file.

    Returns
    -------
    pyarrow.Table of shape (n_events, len(columns))
        All of it text.

    Raises
    ------
    SourceError
        At the first row that is not UTF-8 or has too few or too many fields.
    """
    _check_encoding(rows.to_pybytes(), header, delimiter, name)
    broken = []
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(rows),
            read_options=pyarrow.csv.ReadOptions(column_names=header, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                invalid_row_handler=lambda row: broken.append(row) or "skip",
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), include_columns=columns
            ),
        )
    except pa.ArrowInvalid as error:
        raise SourceError(f"{name}: not readable as CSV ({str(error).splitlines()[0]}); save it again") from None
    if broken:
        row = f"row {broken[0].number}" if broken[0].number else "a row"
        fields = f"{broken[0].actual_columns} fields instead of {broken[0].expected_columns}"
        raise SourceError(f"{name}: {row} has {fields}: {broken[0].text[:60]!r}; the file may be truncated")
    return table


def _check_encoding(rows: bytes, header: list[str], delimiter: str, name: str) -> None:
    try:
        rows.decode()
    except UnicodeDecodeError as error:
        lines = rows[: error.start].decode().split("\n")
        before = next(csv.reader([lines[-1][:100_000]], delimiter=delimiter), [""])
        column = header[min(len(before), len(header)) - 1]
        value = before[-1] + rows[error.start : error.start + 20].split(delimiter.encode())[0].decode("latin-1")
        where = f"{name}: column {column!r}, row {len(lines)}"
        raise SourceError(f"{where}: {value[-60:]!r} is not in UTF-8; save the file as UTF-8") from None


def convert_columns(table: pa.Table, columns: dict[str, pa.DataType], name: str) -> pa.Table:
    """Convert the columns to the given types.

    Parameters
    ----------
    table : pyarrow.Table of shape (n_events, n_columns)
        Has these columns, as text or typed already.
    columns : dict of str to pyarrow.DataType
        The columns to return and their types.
    name : str
        What error messages call the file.

    Returns
    -------
    pyarrow.Table of shape (n_events, len(columns))

    Raises
    ------
    SourceError
        At the first value that is not of its column's type.
    """
    return pa.table({c: _convert(table[c], kind, f"{name}: column {c!r}") for c, kind in columns.items()})


def _convert(values: pa.ChunkedArray, kind: pa.DataType, where: str) -> pa.ChunkedArray:
    held = values.type.value_type if pa.types.is_dictionary(values.type) else values.type
    if pa.types.is_null(held) or pa.types.is_large_string(held) or pa.types.is_string_view(held):
        values, held = values.cast(pa.string()), pa.string()
    if pa.types.is_string(held):
        return _from_text(values, kind, where)
    alike = (pa.types.is_timestamp, pa.types.is_integer, pa.types.is_boolean)
    # pandas turns counts with a missing value into floats.
    counts = pa.types.is_integer(kind) and pa.types.is_floating(held)
    if not counts and not any(is_kind(kind) and is_kind(held) for is_kind in alike):
        expected = "text" if pa.types.is_dictionary(kind) else kind
        raise SourceError(f"{where} holds {held} where {expected} is expected; write it in the UCI layout")
    return _from_typed(values.cast(held), kind, where)


def _from_typed(values: pa.ChunkedArray, kind: pa.DataType, where: str) -> pa.ChunkedArray:
    """Values that a Parquet file holds typed, cast if nothing is lost; times without a zone are UTC."""
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    converted = values.cast(kind, safe=False)
    wrong = pc.not_equal(converted.cast(values.type, safe=False), values)
    expected = f"a whole number to {LARGEST}"
    if pa.types.is_timestamp(kind):
        first, last = (pa.scalar(pd.Timestamp(text, tz="UTC"), kind) for text in ("1970-01-01", "9999-12-31"))
        wrong = pc.or_(wrong, pc.or_(pc.less(converted, first), pc.greater(converted, last)))
        expected = "a time from 1970 on in whole seconds"
    _refuse_first(wrong, values, expected, where)
    return converted


def _from_text(values: pa.ChunkedArray, kind: pa.DataType, where: str) -> pa.ChunkedArray:
    """Texts under their column's type, each distinct one converted once."""
    encoded = values.dictionary_encode().unify_dictionaries().combine_chunks()
    texts = encoded.dictionary
    missing = pc.is_in(texts, value_set=pa.array(MISSING))
    if pa.types.is_dictionary(kind) and not pc.any(missing).as_py():
        return encoded
    texts = pc.if_else(missing, pa.scalar(None, texts.type), texts)
    if pa.types.is_timestamp(kind):
        converted, expected = _times(texts).cast(kind), FORMATS_IN_WORDS
    elif pa.types.is_boolean(kind):
        # A spreadsheet turns true into TRUE, in its own language where it has one: those are refused by value.
        flags = {"true": True, "false": False, None: None}
        converted = pa.array([flags.get(text and text.strip().lower()) for text in texts.to_pylist()], kind)
        expected = "true or false"
    elif pa.types.is_integer(kind):
        converted = pa.array([_whole_number(text) for text in texts.to_pylist()], kind)
        expected = f"a whole number to {LARGEST}"
    else:
        return texts.take(encoded.indices).dictionary_encode()
    wrong = pc.and_(pc.is_valid(texts), pc.is_null(converted))
    _refuse_first(wrong.take(encoded.indices), values, expected, where)
    return converted.take(encoded.indices)


def _whole_number(text: str | None) -> int | None:
    digits = (text or "").strip().removeprefix("-")
    # Longer ones are too large, and Python refuses to read the longest.
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10 and int(digits) <= LARGEST):
        return None
    return int(text)


def _times(texts: pa.Array) -> pa.Array:
    """Each text under the first format that fits it, null if none does; the formats cannot disagree on a text."""
    published = _published_times(texts)
    left = pc.and_(pc.is_null(published), pc.is_valid(texts))
    return (
        pc.replace_with_mask(published, left, _other_times(texts.filter(left))) if pc.any(left).as_py() else published
    )


def _published_times(texts: pa.Array) -> pa.Array:
    """Times under the published log's own format, null for every other text; ten times as fast as pandas."""
    parts = pc.extract_regex(texts, r"^(?P<day>\d{1,2})/\d{1,2}/(?:19[7-9]\d|[2-9]\d{3}) \d{1,2}:\d\d$")
    times = pc.strptime(texts, format="%d/%m/%Y %H:%M", unit="s", error_is_null=True)
    # strptime reads 31/4/2016 as 1/5/2016: the day that comes out must be the one that went in.
    same_day = pc.equal(pc.struct_field(parts, "day").cast(pa.int64()), pc.day(times))
    return pc.if_else(pc.fill_null(same_day, False), times, pa.scalar(None, times.type))


def _other_times(texts: pa.Array) -> pa.Array:
    stripped = pc.utf8_trim_whitespace(texts)
    shaped = pc.if_else(pc.match_substring_regex(stripped, DATE_SHAPE), stripped, pa.scalar(None, texts.type))
    left = pd.Series(shaped.to_pylist(), dtype=object).dropna()
    moments = pd.Series(pd.NaT, index=range(len(texts)), dtype="datetime64[s]")
    for date_format in DATE_FORMATS:
        if left.empty:
            break
        found = pd.to_datetime(left, format=date_format, errors="coerce").dropna()
        moments[found.index] = found.astype("datetime64[s]")
        left = left.drop(found.index)
    # A year of four digits with leading zeros is a slip, and the log of no help desk.
    return pa.array(moments.where(moments >= pd.Timestamp(1970, 1, 1)), pa.timestamp("s"), from_pandas=True)


def _refuse_first(wrong: pa.Array | pa.ChunkedArray, values: pa.ChunkedArray, expected: str, where: str) -> None:
    row = pc.index(wrong, True).as_py()
    if row >= 0:
        # As pyarrow writes it: Python has no date after the year 9999, nor one to the nanosecond.
        value = values.slice(row, 1).cast(pa.string())[0].as_py()[:60]
        raise SourceError(f"{where}, row {row + 1}: {value!r} is not {expected}; mend the value")
