"""Values of a piece of a log: brought to the layout's types, at no cost if they have them, and refused by name."""

import re

import pyarrow as pa
import pyarrow.compute as pc

from helpers import ticket_log_values
from helpers.exceptions import SourceError
from helpers.ticket_log import COLUMNS, COUNT, TEXT, TIME

LAST_TIME = 253_402_214_400  # 9999-12-31, in seconds since 1970
MISSING = pa.array(ticket_log_values.MISSING)


def checked(table: pa.Table, name: str, row: int) -> pa.Table:
    """Bring the columns of a piece to the layout's types.

    Parameters
    ----------
    table : pyarrow.Table of shape (n_events, n_columns)
        Some columns of the layout, typed or text.
    name : str
        What error messages call the file.
    row : int
        The file's events before this piece.

    Returns
    -------
    pyarrow.Table of shape (n_events, n_columns)
        Typed as `ticket_log.COLUMNS` says.

    Raises
    ------
    SourceError
        At the first value that is not of its column's type, a count below 0, or a ticket closed before it was updated.
    """
    try:
        typed = pa.table({column: _typed(table[column], column, name) for column in table.column_names})
        _refuse_impossible(typed, name)
    except SourceError as error:
        # Rows were counted from 1 in the piece.
        said = re.sub(r"\A(: column '\w+', row )(\d+)", lambda m: f"{m[1]}{row + int(m[2])}", str(error)[len(name) :])
        raise SourceError(f"{name}{said}") from None
    return typed


def _typed(values: pa.ChunkedArray, column: str, name: str) -> pa.ChunkedArray:
    kind = COLUMNS[column]
    if kind == TIME and pa.types.is_timestamp(values.type):
        seconds = _seconds(values)
        if seconds is not None:
            return seconds
    elif values.type == kind and not (kind == TEXT and _holds_missing(values)):
        return values
    return ticket_log_values.convert_columns(pa.table({column: values}), {column: kind}, name)[column]


def _holds_missing(texts: pa.ChunkedArray) -> bool:
    return any(pc.any(pc.is_in(chunk.dictionary, value_set=MISSING)).as_py() for chunk in texts.chunks)


def _seconds(times: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Times in UTC to the second, or None if some are not whole seconds or out of range."""
    try:
        seconds = times.cast(TIME)
    except pa.ArrowInvalid:
        return None
    first, last = (bound.value for bound in pc.min_max(seconds).values())
    return seconds if first is None or (first >= 0 and last <= LAST_TIME) else None


def _refuse_impossible(table: pa.Table, name: str) -> None:
    """Refuse negative counts, and tickets closed before they were last updated, in the columns that are there."""
    for column in table.column_names:
        if COLUMNS[column] == COUNT and (pc.min(table[column]).as_py() or 0) < 0:
            row = pc.index(pc.less(table[column], 0), True).as_py()
            raise SourceError(f"{name}: column {column!r}, row {row + 1}: {table[column][row]} is negative; mend it")
    if not {"closed_at", "sys_updated_at"} <= set(table.column_names):
        return
    backwards = pc.less(table["closed_at"], table["sys_updated_at"])
    if pc.any(backwards).as_py():
        row = pc.index(backwards, True).as_py()
        closed, updated = (table[column][row].as_py().isoformat() for column in ("closed_at", "sys_updated_at"))
        raise SourceError(
            f"{name}: column 'closed_at', row {row + 1}: {closed} is before sys_updated_at {updated}; mend it"
        )
