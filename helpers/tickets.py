"""Batches of closed tickets: drawn from a log, with what reproduces the draw, and the target computed from them."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from helpers.exceptions import ParameterError, SourceError
from helpers.ticket_log import COLUMNS
from helpers.ticket_sources import read_columns
from helpers.windows import Window, window

TARGET_COLUMNS = ("sys_updated_at", "closed_at")
CHOSEN_SEED = 1  # what seed 0 stands for in a run by hand


@dataclass(frozen=True)
class TicketBatch:
    """A batch of events of closed tickets, and where it comes from.

    Attributes
    ----------
    events : DataFrame of shape (n_events, n_columns)
        In the log's order, indexed by the event's row in the log, counted from 0.
    source, source_sha256 : str
        The source as it was asked for, and the digest of its bytes.
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
        What a model needs, read besides `sys_updated_at` and `closed_at`.
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
    (3, 3)
    """
    check_batch(batch_size, seed)
    closing = window(closed_from, closed_to, names=("closed_from", "closed_to"))
    columns = tuple(dict.fromkeys((*columns, *TARGET_COLUMNS)))
    unknown = [column for column in columns if column not in COLUMNS]
    if unknown:
        raise ParameterError(f"column {unknown[0]!r} is not in the log's layout; choose from {', '.join(COLUMNS)}")
    log, table = read_columns(source, list(columns))
    rows, num_closed = _available(log.source, table, closing)
    drawn, notes = _draw(rows, batch_size, seed, "window" if closing else "log")
    if closing:
        others = f"{num_closed - len(rows):,} events of tickets closed at other times were not available"
        notes.insert(0, f"only tickets closed {closing}: {others}")
    # Dictionary-encoded text becomes categories, whose labels are stored once.
    return TicketBatch(
        events=table.take(pa.array(drawn)).to_pandas().set_index(pd.Index(drawn, name="row")),
        source=log.source,
        source_sha256=log.sha256,
        seed=seed,
        num_available=len(rows),
        num_left_out=len(table) - num_closed,
        num_outside=num_closed - len(rows),
        notes=notes,
    )


def _available(source: str, table: pa.Table, closing: Window) -> tuple[np.ndarray, int]:
    """Rows of the events that can be drawn, and how many there were without the window."""
    closed = pc.and_(*(pc.is_valid(table[column]) for column in TARGET_COLUMNS))
    num_closed = pc.sum(closed).as_py() or 0
    if not num_closed:
        raise SourceError(f"{source}: none of its {len(table):,} events is of a closed ticket; nothing to evaluate")
    within = closed
    for bound, compare in ((closing.start, pc.greater_equal), (closing.end, pc.less)):
        if bound is not None:
            # An open ticket's time compares as null; Kleene's false and null is false.
            within = pc.and_kleene(within, compare(table["closed_at"], pa.scalar(bound, pa.timestamp("us", "UTC"))))
    rows = np.flatnonzero(within.to_numpy())
    if not len(rows):
        first, last = (time.as_py().isoformat() for time in pc.min_max(table["closed_at"].filter(closed)).values())
        span = f"from {first} to {last}"
        raise SourceError(f"{source}: no ticket was closed {closing}; give a window in its span, closed {span}")
    return rows, num_closed


def check_batch(batch_size: int, seed: int) -> None:
    """Refuse a batch size or a seed that is negative, and a seed of 0, which only `choose_seed` understands."""
    if batch_size < 0:
        raise ParameterError(f"batch_size is {batch_size}; give the number of events, or 0 for all of them")
    if seed < 1:
        raise ParameterError(f"seed is {seed}; give a whole number of at least 1")


def _draw(rows: np.ndarray, batch_size: int, seed: int, whole: str) -> tuple[np.ndarray, list[str]]:
    """Sorted rows of the batch, and a note when there are fewer than asked for in the whole."""
    if batch_size > len(rows):
        return rows, [f"batch_size {batch_size:,} is larger than the {whole}: all {len(rows):,} events were scored"]
    if batch_size in (0, len(rows)):
        return rows, []
    # Positions among the usable events, not the table's rows: the draw does not depend on how the log is stored.
    chosen = np.random.default_rng(seed).choice(len(rows), size=batch_size, replace=False, shuffle=False)
    return rows[np.sort(chosen)], []


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
