"""Which events of a log can be drawn, and seeded draws among them that do not depend on the log's partitions.

Nothing here is more than a worker has: what can be drawn is counted, and what was drawn is taken, where the events are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from helpers.exceptions import SourceError
from helpers.log_partitions import Partition, read_pieces
from helpers.ticket_log import COLUMNS, TEXT
from helpers.windows import Window

TARGET_COLUMNS = ("sys_updated_at", "closed_at")


@dataclass(frozen=True)
class Availability:
    """How many events of a log, or of a part of it, can be drawn; those of parts add up with `+`.

    Attributes
    ----------
    num_events : int
        All events.
    num_closed : int
        Those with both `sys_updated_at` and `closed_at`.
    num_available : int
        Of these, those of tickets closed in the window.
    closed : tuple of datetime
        The first and the last close of the events with both, in UTC; empty without any.
    """

    num_events: int = 0
    num_closed: int = 0
    num_available: int = 0
    closed: tuple[datetime, ...] = ()

    def __add__(self, other: "Availability") -> "Availability":
        both = self.closed + other.closed
        return Availability(
            self.num_events + other.num_events,
            self.num_closed + other.num_closed,
            self.num_available + other.num_available,
            (min(both), max(both)) if both else (),
        )


def available(table: pa.Table, closing: Window) -> np.ndarray:
    """Mark the events that can be drawn: those of tickets that are closed, in the window when there is one.

    Parameters
    ----------
    table : pyarrow.Table of shape (n_events, n_columns)
        Needs `sys_updated_at` and `closed_at`.
    closing : Window

    Returns
    -------
    array of bool, of shape (n_events,)
    """
    marks = pc.and_(*(pc.is_valid(table[column]) for column in TARGET_COLUMNS))
    for bound, compare in ((closing.start, pc.greater_equal), (closing.end, pc.less)):
        if bound is not None:
            # An open ticket's time compares as null; Kleene's false and null is false.
            within = compare(table["closed_at"], pa.scalar(bound, pa.timestamp("us", "UTC")))
            marks = pc.and_kleene(marks, within)
    return marks.to_numpy()


def availability(table: pa.Table, closing: Window) -> Availability:
    """Count the events of a table that can be drawn; takes what `available` takes."""
    closed = available(table, Window())
    num_closed = int(np.count_nonzero(closed))
    num_available = int(np.count_nonzero(available(table, closing))) if closing else num_closed
    times = table["closed_at"]
    if table["sys_updated_at"].null_count:
        times = times.filter(pa.array(closed))
    span = tuple(pc.min_max(times).as_py().values()) if num_closed else ()
    return Availability(len(table), num_closed, num_available, span)


def count_available(partition: Partition, closing: Window) -> Availability:
    """Count the events of a partition that can be drawn, reading `sys_updated_at` and `closed_at` alone."""
    pieces = read_pieces(partition, list(TARGET_COLUMNS))
    return sum((availability(piece, closing) for piece in pieces), Availability())


def check_available(total: Availability, source: str, closing: Window) -> None:
    """Refuse a log, of which this is the sum, that has nothing to draw.

    Raises
    ------
    SourceError
        When no event in it is of a ticket closed in the window.
    """
    if not total.num_closed:
        raise SourceError(
            f"{source}: none of its {total.num_events:,} events is of a closed ticket; nothing to evaluate"
        )
    if not total.num_available:
        span = "from {} to {}".format(*(time.isoformat() for time in total.closed))
        raise SourceError(f"{source}: no ticket was closed {closing}; give a window in its span, closed {span}")


def draw_positions(num_available: list[int], batch_size: int, seed: int) -> list[np.ndarray]:
    """Draw a batch from a log in partitions: the same events, whatever the partitions.

    Parameters
    ----------
    num_available : list of int
        The events of each partition that can be drawn.
    batch_size : int
        Number of events; all of them when it is 0, or larger than there are.
    seed : int
        Of the draw.

    Returns
    -------
    list of array of int, each of shape (n_drawn,)
        For each partition the places of the drawn events among those that can be drawn, counted from 0, sorted.
    """
    ends = np.cumsum(num_available)
    total = int(ends[-1])
    if batch_size == 0 or batch_size >= total:
        return [np.arange(number) for number in num_available]
    # Positions among the usable events, not the table's rows: the draw does not depend on how the log is stored.
    chosen = np.random.default_rng(seed).choice(total, size=batch_size, replace=False, shuffle=False)
    chosen.sort()
    parts = np.split(chosen, np.searchsorted(chosen, ends[:-1]))
    return [part - (end - number) for part, end, number in zip(parts, ends, num_available, strict=True)]


def take_drawn(pieces: Iterable[pa.Table], drawn: np.ndarray, closing: Window) -> tuple[np.ndarray, pa.Table]:
    """Take the drawn events of a partition.

    Parameters
    ----------
    pieces : iterable of pyarrow.Table
        The partition's events in order, as `read_pieces` gives them, with `sys_updated_at` and `closed_at`.
    drawn : array of int, of shape (n_drawn,)
        The partition's places of `draw_positions`; at least one.
    closing : Window

    Returns
    -------
    array of int, of shape (n_drawn,)
        The events' rows in the partition, counted from 0, sorted.
    pyarrow.Table of shape (n_drawn, n_columns)
    """
    rows, tables, num_before, first_row = [], [], 0, 0
    for piece in pieces:
        usable = np.flatnonzero(available(piece, closing))
        first, last = np.searchsorted(drawn, (num_before, num_before + len(usable)))
        if first < last:
            taken = usable[drawn[first:last] - num_before]
            rows.append(first_row + taken)
            # Without the labels that are not used: those of a whole log may be more than its batch.
            tables.append(with_used_labels(piece.take(pa.array(taken)) if len(taken) < len(piece) else piece))
        num_before, first_row = num_before + len(usable), first_row + len(piece)
    return np.concatenate(rows), pa.concat_tables(tables)


def with_used_labels(table: pa.Table) -> pa.Table:
    """The table with the labels that its events use, in order of appearance, and with one chunk a text column."""
    columns = {}
    for column in table.column_names:
        values = table[column]
        if COLUMNS[column] == TEXT:
            encoded = values.unify_dictionaries().combine_chunks()
            used = encoded.indices.drop_null().unique()
            codes = pc.index_in(encoded.indices, value_set=used)
            values = pa.DictionaryArray.from_arrays(codes, encoded.dictionary.take(used))
        columns[column] = values
    return pa.table(columns)


def draw_notes(total: Availability, batch_size: int, closing: Window) -> list[str]:
    """What a reader of a trial must know of the draw: its window, and that there were fewer events than asked for."""
    notes = []
    if closing:
        others = (
            f"{total.num_closed - total.num_available:,} events of tickets closed at other times were not available"
        )
        notes.append(f"only tickets closed {closing}: {others}")
    if batch_size > total.num_available:
        whole = "window" if closing else "log"
        scored = f"all {total.num_available:,} events were scored"
        notes.append(f"batch_size {batch_size:,} is larger than the {whole}: {scored}")
    return notes
