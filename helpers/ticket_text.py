"""A typed event log as text, in the form in which the log is published, and as CSV."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

MISSING = "?"


def as_text(table: pa.Table) -> pa.Table:
    """Write a typed log as the published one is written.

    Parameters
    ----------
    table : pyarrow.Table
        Columns of dictionary-encoded text, times in UTC, counts and flags, as in `ticket_log.COLUMNS`.

    Returns
    -------
    pyarrow.Table
        The same columns as strings: `?` for a missing value, `true` and `false`, dates day first and unpadded such as
        `29/2/2016 01:16`, with seconds (`29/2/2016 01:16:30`) only where they are not 0.
    """
    return pa.table({name: _texts(table[name]) for name in table.column_names})


def as_csv(table: pa.Table, header: bool) -> pa.Buffer:
    """Write a typed log as CSV in the published form, in which values are quoted only if they need it.

    Parameters
    ----------
    table : pyarrow.Table
        A typed log or a part of one; see `as_text`.
    header : bool
        Whether to begin with the names of the columns.

    Returns
    -------
    pyarrow.Buffer
        UTF-8, one line an event.
    """
    text = as_text(table)
    try:
        return _csv(text, header, quoting="none")
    except pa.ArrowInvalid:  # a comma, a quote or a line break in a value; pyarrow then quotes every value
        return _csv(text, header, quoting="needed")


def _csv(text: pa.Table, header: bool, quoting: str) -> pa.Buffer:
    options = pyarrow.csv.WriteOptions(include_header=header, quoting_style=quoting, quoting_header="none")
    with pa.BufferOutputStream() as stream:
        pyarrow.csv.write_csv(text, stream, options)
        return stream.getvalue()


def _texts(values: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_timestamp(values.type):
        distinct = values.dictionary_encode().unify_dictionaries().combine_chunks()
        return _moments(distinct.dictionary).take(distinct.indices).fill_null(MISSING)
    return values.cast(pa.string()).fill_null(MISSING)


def _moments(times: pa.Array) -> pa.Array:
    """Each time as text."""
    times = times.cast(pa.timestamp("s"))  # without the zone, whose database not every machine has
    day, month, year = (part(times).cast(pa.string()) for part in (pc.day, pc.month, pc.year))
    clock = pc.if_else(
        pc.equal(pc.second(times), 0), pc.strftime(times, format="%H:%M"), pc.strftime(times, format="%H:%M:%S")
    )
    return pc.binary_join_element_wise(pc.binary_join_element_wise(day, month, year, "/"), clock, " ")
