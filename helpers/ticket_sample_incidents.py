"""The incidents of the generated log: when each is opened, resolved and closed, and how much work it takes.

A "spread" is the evenly spaced quantiles of a chunk in random order: a share drawn from it is right to within one
ticket, so that 5,000 tickets are enough.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from helpers.ticket_sample_tables import (
    BY_HAND,
    CELL_SHARES,
    CELLS,
    CHUNK,
    CLOSED_AFTER,
    EARLY,
    ESCALATED,
    EVENTS,
    EVER_WAITS,
    HOURS,
    HOURS_TO_RESOLVE,
    JOB_MINUTE,
    KEPT_OPEN,
    KEPT_OPEN_FOR,
    LABELS,
    LAST_CLOSED,
    MINUTES_TO_CREATE,
    MONTHS,
    N_DAYS,
    NO_CREATOR,
    RESUMED,
    START,
    STOPPED,
    USER,
    VENDOR,
    WAIT_SHARES,
    WEEKDAYS,
)


@dataclass(frozen=True)
class Tickets:
    """What is settled once for an incident; arrays of shape (CHUNK,), times in minutes since `START`."""

    opened: np.ndarray
    created: np.ndarray
    created_by_opener: np.ndarray  # opening and creation are one step, which leaves no creator in the log
    resolved: np.ndarray
    closed: np.ndarray
    n_events: np.ndarray
    wait: np.ndarray  # state in which the ticket waits, -1 if it never does
    cells: np.ndarray  # rows of CELLS at first and in the end, of shape (2, CHUNK)
    team: np.ndarray  # spread of who resolves the ticket
    category: np.ndarray  # spread of what it is about


def draw_tickets(rng: np.random.Generator) -> Tickets:
    """Draw arrivals, then the work that each ticket takes, then the time that this work takes."""
    opened = _arrivals(rng)
    cells = _cells(rng)
    team, category = spread(rng), spread(rng)
    pace = 3.6 * _lean("assignment_group", team) + 3.6 * _lean("category", category)
    urgent = np.array((0.75, 0.45, 0, -0.15))[CELLS[cells[1], 2]]
    effort = rng.standard_normal(CHUNK) + 0.5 * (opened < EARLY) + urgent
    n_events = np.ceil(np.interp(_rank(effort), *EVENTS)).astype(np.int64)
    waits = spread(rng) < by_events(EVER_WAITS, n_events)
    wait = np.where(waits, USER + np.searchsorted(WAIT_SHARES, spread(rng)), -1)
    waiting = 0.2 * (wait >= USER) + 1.5 * (wait >= VENDOR)
    slowness = 1.2 * np.minimum(effort, 1.6) + pace + waiting - 0.8 * urgent + 0.4 * rng.standard_normal(CHUNK)
    resolved = opened + (60 * np.interp(_rank(slowness), *HOURS_TO_RESOLVE)).astype(np.int64)
    resolved = np.minimum(resolved, LAST_CLOSED)
    by_opener = spread(rng) < by_events(NO_CREATOR, n_events)
    delay = np.interp(spread(rng), *MINUTES_TO_CREATE).astype(np.int64)
    created = np.where(by_opener, opened, np.minimum(opened + delay, resolved))
    closed = _closures(rng, resolved)
    return Tickets(opened, created, by_opener, resolved, closed, n_events, wait, cells, team, category)


def _arrivals(rng: np.random.Generator) -> np.ndarray:
    """Draw the minutes at which tickets are opened, in order, over the whole period."""
    days = START + np.arange(N_DAYS) * np.timedelta64(1, "D")
    month = (days.astype("M8[M]") - START.astype("M8[M]")).astype(np.int64)
    of_day = np.resize(WEEKDAYS, N_DAYS)  # START is a Monday
    of_day = of_day / np.bincount(month, of_day)[month] * np.array(MONTHS)[month]
    of_hour = np.cumsum(np.outer(of_day, HOURS))
    even = (np.arange(CHUNK) + rng.random(CHUNK)) / CHUNK
    hours = np.interp(even, np.append(0, of_hour / of_hour[-1]), np.arange(of_hour.size + 1))
    return (60 * hours).astype(np.int64)


def _cells(rng: np.random.Generator) -> np.ndarray:
    """Draw impact, urgency and priority at first, and those of the tickets that escalate underway."""
    shares = np.cumsum(CELL_SHARES)  # not Python's sum, which since 3.12 ends in another last bit
    first = np.searchsorted(shares, spread(rng) * shares[-1])
    escalation = spread(rng)
    return np.array((first, np.select([escalation < ESCALATED, escalation < 2 * ESCALATED], [0, 2], first)))


def _closures(rng: np.random.Generator, resolved: np.ndarray) -> np.ndarray:
    """Let the hourly job close what is due, but for its standstill and for the tickets that escape it."""
    due = resolved + CLOSED_AFTER
    closed = due + (JOB_MINUTE - due) % 60
    late, how, when = rng.random(CHUNK), spread(rng), rng.random(CHUNK)
    closed = np.where((due >= STOPPED) & (due < RESUMED), RESUMED + (20 * late).astype(np.int64), closed)
    by_hand = resolved + (CLOSED_AFTER * np.clip(1.5 * when - 0.25, 0, 1)).astype(np.int64)
    kept_open = closed + (-KEPT_OPEN_FOR * np.log1p(-when)).astype(np.int64)
    closed = np.select([how < BY_HAND, how < BY_HAND + KEPT_OPEN], [by_hand, kept_open], closed)
    return np.minimum(closed, LAST_CLOSED)


def spread(rng: np.random.Generator) -> np.ndarray:
    """Evenly spaced quantiles in random order, of shape (CHUNK,)."""
    return _rank(rng.random(CHUNK))


def _rank(values: np.ndarray) -> np.ndarray:
    """The quantile of each value among all."""
    order = np.argsort(values)
    in_order = values[order]
    if (in_order[1:] == in_order[:-1]).any():
        order = np.argsort(values, kind="stable")  # six times as slow, and the same unless two values are
    rank = np.empty(values.size)
    rank[order] = np.arange(values.size)
    return (rank + 0.5) / values.size


def by_events(table: np.ndarray, n_events: np.ndarray) -> np.ndarray:
    """Look up a table by number of events, where the last entry stands for all larger ones."""
    return table[np.minimum(n_events, table.size - 1)]


@cache
def vocabulary(column: str) -> tuple[np.ndarray, pa.Array]:
    """Cumulative shares of a column's labels, and the labels, which are numbered out of order."""
    text, size, commonest, exponent, _ = LABELS[column]
    others = np.arange(2, size + 1) ** -exponent
    shares = np.append(commonest, (1 - commonest) * others / others.sum())
    return np.cumsum(shares)[:-1], pa.array([text.format(1 + 7919 * k % size) for k in range(1, size + 1)])


def _lean(column: str, quantiles: np.ndarray) -> np.ndarray:
    """A fixed offset in 0..1 for each label, near 1 for a few; the commonest label is the fastest."""
    return (0.414214 * np.searchsorted(vocabulary(column)[0], quantiles) % 1) ** 4
