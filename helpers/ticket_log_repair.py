"""The slower reading of an event log, for files not quite as published: saved again by a spreadsheet, or wrong.

It accepts what is unambiguous, and for the first value that is not, raises one line with file, column, row and value.
"""

import io

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


def parse_text(content: pa.Buffer, header: list[str], delimiter: str, columns: dict, name: str) -> pa.Table:
    """Parse CSV text column by column, accepting a spreadsheet's dates and booleans.

    Parameters
    ----------
    content : pyarrow.Buffer
        The CSV with its header line.
    header : list of str
        The header's column names.
    delimiter : str
        One character.
    columns : dict of str to pyarrow.DataType
        The columns to return, which the header must have, and their types.
    name : str
        What error messages call the file.

    Returns
    -------
    pyarrow.Table of shape (n_events, len(columns))

    Raises
    ------
    SourceError
        At the first row with too few or too many fields, or value that is not of its column's type.
    """
    broken = []
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(content),
            read_options=pyarrow.csv.ReadOptions(column_names=header, skip_rows=1, use_threads=False),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                invalid_row_handler=lambda row: broken.append(row) or "skip",
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), include_columns=list(columns)
            ),
        )
    except pa.ArrowInvalid as error:
        raise SourceError(f"{name}: not readable as CSV ({str(error).splitlines()[0]}); save it as UTF-8") from None
    if broken:
        # pyarrow counts the header as row 1.
        row = f"row {broken[0].number - 1}" if broken[0].number else "a row"
        fields = f"{broken[0].actual_columns} fields instead of {broken[0].expected_columns}"
        raise SourceError(f"{name}: {row} has {fields}: {broken[0].text[:60]!r}; the file may be truncated")
    return convert_columns(table, columns, name)


def convert_columns(table: pa.Table, columns: dict, name: str) -> pa.Table:
    """The table's columns as the given types, text converted, typed values cast; see `parse_text`."""
    converted = {}
    for column, kind in columns.items():
        values = table[column]
        if pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        if pa.types.is_null(values.type):
            values = values.cast(pa.string())
        if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
            converted[column] = _from_text(values.cast(pa.string()), kind, f"{name}: column {column!r}")
        else:
            converted[column] = _from_typed(values, kind, f"{name}: column {column!r}")
    return pa.table(converted)


def _from_typed(values: pa.ChunkedArray, kind: pa.DataType, where: str) -> pa.ChunkedArray:
    """Values that a Parquet file holds typed, cast without loss; times without a zone are UTC."""
    alike = (pa.types.is_timestamp, pa.types.is_integer, pa.types.is_boolean)
    try:
        if any(is_kind(kind) and is_kind(values.type) for is_kind in alike):
            return values.cast(kind, safe=not pa.types.is_timestamp(kind))
        if pa.types.is_integer(kind) and pa.types.is_floating(values.type):
            return values.cast(kind)  # pandas turns counts with a missing value into floats
    except pa.ArrowInvalid as error:
        raise SourceError(f"{where}: {str(error).splitlines()[0]}; write it as {kind}") from None
    raise SourceError(f"{where} holds {values.type} where {kind} is expected; write it in the UCI layout")


def _from_text(values: pa.ChunkedArray, kind: pa.DataType, where: str) -> pa.ChunkedArray:
    missing = pc.is_in(values, value_set=pa.array(MISSING))
    values = pc.if_else(missing, pa.scalar(None, pa.string()), values)
    if pa.types.is_timestamp(kind):
        return _times(values, kind, where)
    if pa.types.is_boolean(kind):
        # A spreadsheet turns true into TRUE, in its own language where it has one: those are refused by value.
        return _by_lookup(pc.utf8_lower(values), values, {"true": True, "false": False}, "true or false", where)
    if pa.types.is_integer(kind):
        unique = pc.unique(values).drop_null().to_pylist()
        lookup = {text: int(text) for text in unique if text.removeprefix("-").isascii() and _is_whole(text)}
        return _by_lookup(values, values, lookup, "a whole number", where).cast(kind)
    return values.dictionary_encode()


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdigit() and abs(int(text)) < 2**31


def _by_lookup(keys, values, lookup: dict, expected: str, where: str) -> pa.ChunkedArray:
    position = pc.index_in(keys, value_set=pa.array(list(lookup), pa.string()))
    _refuse_first(pc.and_(pc.is_null(position), pc.is_valid(values)), values, expected, where)
    return pc.take(pa.array(list(lookup.values())), position)


def _times(values: pa.ChunkedArray, kind: pa.DataType, where: str) -> pa.ChunkedArray:
    """Each distinct text under the first format that fits it; the formats cannot disagree on a text."""
    texts = pd.Series(pc.unique(values).drop_null().to_pylist(), dtype=object)
    moments = pd.Series(pd.NaT, index=texts.index, dtype="datetime64[s]")
    for date_format in DATE_FORMATS:
        left = moments.isna()
        if not left.any():
            break
        moments[left] = pd.to_datetime(texts[left].str.strip(), format=date_format, errors="coerce").astype(
            "datetime64[s]"
        )
    known = moments.notna() & (moments >= pd.Timestamp(1970, 1, 1))
    lookup = dict(zip(texts[known], moments[known].astype("int64"), strict=True))
    return (
        _by_lookup(values, values, lookup, FORMATS_IN_WORDS, where).cast(pa.int64()).cast(pa.timestamp("s", tz=kind.tz))
    )


def _refuse_first(bad: pa.ChunkedArray, values: pa.ChunkedArray, expected: str, where: str) -> None:
    row = pc.index(bad, True).as_py()
    if row >= 0:
        raise SourceError(f"{where}, row {row + 1}: {values[row].as_py()[:60]!r} is not {expected}; mend the value")
