"""Batches of closed tickets: drawn from a log, with what reproduces the draw, and the target computed from them."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa

from helpers.exceptions import ParameterError
from helpers.log_partitions import PartitionedLog, read_pieces
from helpers.ticket_draws import (
    TARGET_COLUMNS,
    Availability,
    availability,
    check_available,
    count_available,
    draw_notes,
    draw_positions,
    take_drawn,
    with_used_labels,
)
from helpers.ticket_log import COLUMNS, TIME
from helpers.ticket_sources import with_partitions
from helpers.windows import Window, window

CHOSEN_SEED = 1  # what seed 0 stands for in a run by hand
GROUP_COLUMNS = ("priority", "incident_state")  # by which a trial's summary groups the errors
READERS = 4  # partitions read at a time where there are several


@dataclass(frozen=True)
class TicketBatch:
    """A batch of events of closed tickets, and where it comes from.

    Attributes
    ----------
    events : DataFrame of shape (n_events, n_columns)
        In the log's order, indexed by the event's row in the log, counted from 0.
    source, source_sha256 : str
        The source as it was asked for, and the digest of its bytes; of a log in parts its fingerprint.
    seed : int
        Reproduces the draw from the same bytes.
    num_available : int
        Events in the log that could have been drawn: those with both `sys_updated_at` and `closed_at`, of tickets
        closed in the window when there is one.
    num_left_out : int
        Events in the log that could not, with any window: the ticket is still open.
    num_outside : int
        Events of tickets closed outside the window; with the two above it makes the whole log.
    notes : list of str
        What a reader of the trial must know, such as the window, or a batch smaller than asked for.
    """

    events: pd.DataFrame
    source: str
    source_sha256: str
    seed: int
    num_available: int
    num_left_out: int
    num_outside: int = 0
    notes: list[str] = field(default_factory=list)


def draw_batch(
    source: str,
    batch_size: int,
    seed: int,
    columns: tuple[str, ...] = ("priority",),
    closed_from: str = "",
    closed_to: str = "",
) -> TicketBatch:
    """Draw a seeded random sample of events without replacement.

    Parameters
    ----------
    source : str
        See `ticket_sources`.
    batch_size : int
        Number of events; 0 takes every event. When there are fewer, all are taken and a note says so.
    seed : int
        At least 1. The same seed, log and window give the same batch.
    columns : tuple of str, default ("priority",)
        What a model needs, read besides `sys_updated_at` and `closed_at` and those by which errors are grouped.
    closed_from, closed_to : str, default ""
        Only events of tickets with `closed_from <= closed_at < closed_to` are available: ISO 8601 dates or times, UTC
        where they have no offset; empty for no limit.

    Returns
    -------
    TicketBatch

    Raises
    ------
    ParameterError
        When `batch_size` is negative, `seed` is below 1, a column is not one of the layout's, or the window is none.
    SourceError
        When the source cannot be read, or no event in it is of a ticket closed in the window.

    Examples
    --------
    >>> draw_batch("sample", batch_size=3, seed=1).events.shape
    (3, 4)
    """
    check_batch(batch_size, seed)
    closing = window(closed_from, closed_to, names=("closed_from", "closed_to"))
    columns = tuple(dict.fromkeys((*columns, *GROUP_COLUMNS, *TARGET_COLUMNS)))
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        raise ParameterError(f"column {unknown[0]!r} is not in the log's layout; choose from {', '.join(COLUMNS)}")
    return with_partitions(source, lambda log: _drawn_from(log, batch_size, seed, columns, closing))


def _drawn_from(
    log: PartitionedLog, batch_size: int, seed: int, columns: tuple[str, ...], closing: Window
) -> TicketBatch:
    """The batch: one pass counts what can be drawn, another one reads the partitions that hold what is drawn."""
    kept = None
    if len(log.partitions) == 1:
        kept = list(read_pieces(log.partitions[0], list(columns)))  # small enough to be held for the other pass
        found = [sum((availability(piece, closing) for piece in kept), Availability())]
    else:
        # What is remote is waited for; more threads would hold more row groups in memory.
        with ThreadPoolExecutor(READERS) as pool:
            found = list(pool.map(lambda partition: count_available(partition, closing), log.partitions))
    total = sum(found, Availability())
    check_available(total, log.source, closing)
    positions = draw_positions([part.num_available for part in found], batch_size, seed)
    rows, tables, first_row = [], [], 0
    for partition, part, drawn in zip(log.partitions, found, positions, strict=True):
        if len(drawn):
            pieces = kept or read_pieces(partition, list(columns))
            rows_within, table = take_drawn(pieces, drawn, closing)
            rows.append(first_row + rows_within)
            tables.append(table)
        first_row += part.num_events
    # Dictionary-encoded text becomes categories, whose labels are stored once.
    events = with_used_labels(pa.concat_tables(tables)).to_pandas()
    times = [column for column in columns if COLUMNS[column] == TIME]
    return TicketBatch(
        events=events.astype(dict.fromkeys(times, "datetime64[ms, UTC]")).set_index(  # as Parquet has them
            pd.Index(np.concatenate(rows), name="row")
        ),
        source=log.source,
        source_sha256=log.sha256,
        seed=seed,
        num_available=total.num_available,
        num_left_out=total.num_events - total.num_closed,
        num_outside=total.num_closed - total.num_available,
        notes=draw_notes(total, batch_size, closing),
    )


def check_batch(batch_size: int, seed: int) -> None:
    """Refuse a batch size or a seed that is negative, and a seed of 0, which only `choose_seed` understands."""
    if batch_size < 0:
        raise ParameterError(f"batch_size is {batch_size}; give the number of events, or 0 for all of them")
    if seed < 1:
        raise ParameterError(f"seed is {seed}; give a whole number of at least 1")


def choose_seed(seed: int, scheduled_at: str | None = None) -> int:
    """The seed of a trial: as given, or for 0 a fixed one by hand and one of its own for each scheduled time.

    Parameters
    ----------
    seed : int
        The parameter; 0 leaves the choice to this function.
    scheduled_at : str, optional
        The tick's time, ISO 8601. A retry of the tick draws the same batch again.

    Returns
    -------
    int
        At least 1, below 2**32.
    """
    if seed < 0 or seed >= 2**32:
        raise ParameterError(f"seed is {seed}; give 0 to have one chosen, or a whole number from 1 to {2**32 - 1}")
    if seed or not scheduled_at:
        return seed or CHOSEN_SEED
    microseconds = pd.Timestamp(scheduled_at).value // 1000
    # SeedSequence spreads neighbouring times over all seeds.
    return int(np.random.SeedSequence(microseconds).generate_state(1)[0]) or CHOSEN_SEED


def time_to_close(events: pd.DataFrame) -> pd.Series:
    """Time from an event to the close of its ticket: what the model predicts.

    Parameters
    ----------
    events : DataFrame of shape (n_events, n_columns)
        Needs `closed_at` and `sys_updated_at`.

    Returns
    -------
    Series of float, seconds, of shape (n_events,)
        Never negative.
    """
    return (events["closed_at"] - events["sys_updated_at"]).dt.total_seconds().rename("time_to_close")
