"""A generated event log with the columns, texts and distributions of UCI data set 498, for work without a network.

The tables of shares and quantiles below were measured on the published log, the weights in the functions fitted to it;
no row of it is copied. Inside, times are whole minutes since `START`, and a "spread" is the evenly spaced quantiles
of a chunk in random order: a share drawn from it is right to within one ticket, so that 5,000 tickets are enough.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

CHUNK = 5_000  # incidents drawn together; another value makes another log
FIRST_NUMBER = 45
START = np.datetime64("2016-02-29", "m")
DAY = 24 * 60
N_DAYS, LAST_CLOSED = 354, 355 * DAY + 15 * 60  # days with arrivals, to 2017-02-16; 2017-02-18 15:00

# Arrivals: shares of the months from February 2016, of the weekdays, and of the hours (per thousand).
MONTHS = (0.0083, 0.361, 0.3184, 0.3013, 0.0002, 0.0006, 0.0006, 0.0005, 0.0006, 0.001, 0.0015, 0.0038, 0.0022)
WEEKDAYS = (0.239, 0.199, 0.196, 0.165, 0.154, 0.025, 0.022)
HOURS = (11, 9, 6, 5, 5, 5, 13, 23, 102, 121, 116, 99, 54, 66, 91, 86, 75, 43, 19, 12, 9, 14, 10, 6)
EARLY = 12 * DAY  # only tickets of the first days are marked as knowledge; they also took more work

# The hourly job closes what was resolved five days ago; from 11 to 24 March 2016 it stood still.
CLOSED_AFTER, JOB_MINUTE, STOPPED, RESUMED = 5 * DAY, 7, 11 * DAY, 24 * DAY + 18 * 60 + 40
BY_HAND, KEPT_OPEN, KEPT_OPEN_FOR = 0.009, 0.006, 27 * DAY  # shares of tickets that escape the job, and a mean time
SLA = 9 * DAY + 12 * 60  # a ticket open for longer is marked as late when it closes

# Quantiles of an incident: (cumulative shares, values).
# fmt: off
EVENTS = (
    (0, 0.0725, 0.3302, 0.4965, 0.6175, 0.7064, 0.7791, 0.8326, 0.8768, 0.9075, 0.9314, 0.9491, 0.9608, 0.9697,
     0.9767, 0.9816, 0.9858, 0.9888, 0.9915, 0.9931, 0.9974, 0.9990, 0.9997, 1),
    (*range(1, 21), 25, 31, 38, 58),
)
# fmt: on
HOURS_TO_RESOLVE = (
    (0, 0.06, 0.12, 0.2, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1),
    (0, 0, 0.07, 0.17, 0.43, 0.83, 1.9, 4.5, 15, 42, 95, 141, 185, 361, 674, 1589, 2760, 4093, 5980, 8070),
)
MINUTES_TO_CREATE = ((0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1), (0, 1, 3, 5, 11, 20, 65, 600))
MOD_STEPS = ((0.84, 0.93, 0.962, 0.974, 0.981, 0.987, 0.992, 0.996, 0.999, 1), (1, 2, 3, 4, 5, 7, 10, 15, 28, 50))

WAITS = ("Awaiting User Info", "Awaiting Vendor", "Awaiting Problem", "Awaiting Evidence")
STATES = ("New", "Active", *WAITS, "-100", "Resolved", "Closed")
NEW, ACTIVE, USER, VENDOR, ODD, RESOLVED, CLOSED = 0, 1, 2, 3, 6, 7, 8
WAIT_SHARES = (0.925, 0.97, 0.998, 1)  # cumulative
# By number of events, the last entry standing for all larger ones.
NEW_FIRST = np.array((0, 0, 0, 0.483, 0.688, 0.80, 0.83))
NO_CREATOR = np.array((0, 0, 0.85, 0.735, 0.42, 0.30, 0.28, 0.265))
EVER_WAITS = np.array((0, 0, 0, 0.01, 0.086, 0.193, 0.287, 0.432, 0.505, 0.576, 0.635, 0.66))

LEVELS = ("1 - High", "2 - Medium", "3 - Low")
PRIORITIES = ("1 - Critical", "2 - High", "3 - Moderate", "4 - Low")
# Impact and urgency (places in LEVELS), priority (place in PRIORITIES); CELL_SHARES are those of first events.
CELLS = np.array(((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2), (2, 0, 2), (1, 2, 3), (2, 1, 3), (2, 2, 3)))
CELL_SHARES = (0.0074, 0.0041, 0.0084, 0.9502, 0.0002, 0.0006, 0.0026, 0.0265)
ESCALATED = 0.0054  # share of tickets that become critical underway, and as many high

# Text of a label, number of labels, share of the commonest, Zipf exponent of the others, share of events without one.
LABELS = {
    "caller_id": ("Caller {}", 5245, 0.018, 0.6, 0.0002),
    "opened_by": ("Opened by  {}", 207, 0.298, 1.2, 0.0341),
    "sys_created_by": ("Created by {}", 185, 0.253, 1.1, 0),
    "sys_updated_by": ("Updated by {}", 845, 0.04, 0.8, 0),
    "location": ("Location {}", 224, 0.223, 1.5, 0.0005),
    "category": ("Category {}", 58, 0.143, 1.2, 0.0006),
    "subcategory": ("Subcategory {}", 254, 0.262, 1.1, 0.0008),
    "u_symptom": ("Symptom {}", 525, 0.485, 1.0, 0.2326),
    "cmdb_ci": ("cmdb_ci {}", 50, 0.056, 0.4, 0.9961),
    "assignment_group": ("Group {}", 78, 0.415, 0.9, 0),
    "assigned_to": ("Resolver {}", 234, 0.123, 0.7, 0),
    "problem_id": ("Problem ID  {}", 252, 0.084, 0.7, 0.9800),
    "rfc": ("CHG{:07d}", 181, 0.011, 0.3, 0.9913),
    "vendor": ("Vendor {}", 4, 0.6, 1.0, 0.9978),
    "caused_by": ("CHG{:07d}", 3, 0.4, 0.5, 0.9998),
    "closed_code": ("code {}", 17, 0.6, 1.9, 0.0050),
    "resolved_by": ("Resolved by {}", 216, 0.123, 0.7, 0.0016),
}
CONTACTS = (("Phone", "Self service", "Email", "IVR", "Direct opening"), (0.9912, 0.9979, 0.9996, 0.9998, 1))

COLUMN_ORDER = (
    *("number", "incident_state", "active", "reassignment_count", "reopen_count", "sys_mod_count", "made_sla"),
    *("caller_id", "opened_by", "opened_at", "sys_created_by", "sys_created_at", "sys_updated_by", "sys_updated_at"),
    *("contact_type", "location", "category", "subcategory", "u_symptom", "cmdb_ci", "impact", "urgency", "priority"),
    *("assignment_group", "assigned_to", "knowledge", "u_priority_confirmation", "notify", "problem_id", "rfc"),
    *("vendor", "caused_by", "closed_code", "resolved_by", "resolved_at", "closed_at"),
)


def make_log(n_incidents: int = CHUNK, seed: int = 498) -> pa.Table:
    """Generate the event log of the first `n_incidents` incidents of a seed.

    Parameters
    ----------
    n_incidents : int, default 5000
        Number of incidents, at least 1, with 5.69 events each on average. Every whole `CHUNK` spans the year; what is
        cut from one begins it, so that 100 incidents are those of the first two days.
    seed : int, default 498
        The same seed gives the same rows, whatever `n_incidents`.

    Returns
    -------
    pyarrow.Table
        One event a row, 36 columns of strings as in the published CSV: `?` for a missing value, `true` and `false`,
        day-first dates such as `29/2/2016 01:16`. An incident's events stand together, in order of time.

    Examples
    --------
    >>> make_log(100)["number"][0].as_py()
    'INC0000045'
    """
    whole, rest = divmod(n_incidents, CHUNK)
    chunks = [make_chunk(chunk, seed) for chunk in range(whole)]
    if rest:
        last = make_chunk(whole, seed)
        beyond = f"INC{FIRST_NUMBER + n_incidents:07d}"
        chunks.append(last.slice(0, pc.sum(pc.less(last["number"], beyond)).as_py()))
    return pa.concat_tables(chunks)


def make_chunk(chunk: int, seed: int = 498) -> pa.Table:
    """Generate one chunk of `CHUNK` incidents, which depends on nothing but its place and the seed.

    Parameters
    ----------
    chunk : int
        Place of the chunk, from 0. Every chunk spans the whole period; `opened_at` is in order within it.
    seed : int, default 498
        Seed of the log.

    Returns
    -------
    pyarrow.Table
        The rows of incidents `chunk * CHUNK` and following, as `make_log` returns them.
    """
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(chunk,))))
    tickets = _tickets(rng)
    events = _events(tickets)
    columns = {
        "number": _take([f"INC{FIRST_NUMBER + chunk * CHUNK + i:07d}" for i in range(CHUNK)], events.ticket),
        **_history(rng, tickets, events),
        **_dates(rng, tickets, events),
        **_people(rng, tickets, events),
        **_labels(rng, tickets, events),
    }
    return pa.table({name: columns[name] for name in COLUMN_ORDER})


@dataclass(frozen=True)
class _Tickets:
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


@dataclass(frozen=True)
class _Events:
    """Where each event stands in its incident; arrays of shape (n_events,)."""

    ticket: np.ndarray  # place of the incident in the chunk
    position: np.ndarray  # 0 for the first event
    to_go: np.ndarray  # events after this one: 0 when it closes the ticket, 1 when it resolves it
    first: np.ndarray  # place of the incident's first event
    last: np.ndarray  # and of its last
    progress: np.ndarray  # 0 at the first event, 1 at the resolution, more when it closes


def _tickets(rng: np.random.Generator) -> _Tickets:
    """Draw arrivals, then the work that each ticket takes, then the time that this work takes."""
    opened = _arrivals(rng)
    cells = _cells(rng)
    team, category = _spread(rng), _spread(rng)
    pace = 3.6 * _lean("assignment_group", team) + 3.6 * _lean("category", category)
    urgent = np.array((0.75, 0.45, 0, -0.15))[CELLS[cells[1], 2]]
    effort = rng.standard_normal(CHUNK) + 0.5 * (opened < EARLY) + urgent
    n_events = np.ceil(np.interp(_rank(effort), *EVENTS)).astype(np.int64)
    waits = _spread(rng) < _by_events(EVER_WAITS, n_events)
    wait = np.where(waits, USER + np.searchsorted(WAIT_SHARES, _spread(rng)), -1)
    waiting = 0.2 * (wait >= USER) + 1.5 * (wait >= VENDOR)
    slowness = 1.2 * np.minimum(effort, 1.6) + pace + waiting - 0.8 * urgent + 0.4 * rng.standard_normal(CHUNK)
    resolved = opened + (60 * np.interp(_rank(slowness), *HOURS_TO_RESOLVE)).astype(np.int64)
    resolved = np.minimum(resolved, LAST_CLOSED)
    by_opener = _spread(rng) < _by_events(NO_CREATOR, n_events)
    delay = np.interp(_spread(rng), *MINUTES_TO_CREATE).astype(np.int64)
    created = np.where(by_opener, opened, np.minimum(opened + delay, resolved))
    closed = _closures(rng, resolved)
    return _Tickets(opened, created, by_opener, resolved, closed, n_events, wait, cells, team, category)


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
    first = np.searchsorted(shares, _spread(rng) * shares[-1])
    escalation = _spread(rng)
    return np.array((first, np.select([escalation < ESCALATED, escalation < 2 * ESCALATED], [0, 2], first)))


def _closures(rng: np.random.Generator, resolved: np.ndarray) -> np.ndarray:
    """Let the hourly job close what is due, but for its standstill and for the tickets that escape it."""
    due = resolved + CLOSED_AFTER
    closed = due + (JOB_MINUTE - due) % 60
    late, how, when = rng.random(CHUNK), _spread(rng), rng.random(CHUNK)
    closed = np.where((due >= STOPPED) & (due < RESUMED), RESUMED + (20 * late).astype(np.int64), closed)
    by_hand = resolved + (CLOSED_AFTER * np.clip(1.5 * when - 0.25, 0, 1)).astype(np.int64)
    kept_open = closed + (-KEPT_OPEN_FOR * np.log1p(-when)).astype(np.int64)
    closed = np.select([how < BY_HAND, how < BY_HAND + KEPT_OPEN], [by_hand, kept_open], closed)
    return np.minimum(closed, LAST_CLOSED)


def _events(tickets: _Tickets) -> _Events:
    """Lay the events of all tickets in a row."""
    n_events = tickets.n_events
    ticket = np.repeat(np.arange(CHUNK), n_events)
    position = np.arange(ticket.size) - np.repeat(np.cumsum(n_events) - n_events, n_events)
    to_go = n_events[ticket] - 1 - position
    progress = (position + (n_events[ticket] == 2)) / np.maximum(n_events[ticket] - 2, 1)
    place = np.arange(ticket.size)
    return _Events(ticket, position, to_go, place - position, place + to_go, progress)


def _states(rng: np.random.Generator, tickets: _Tickets, events: _Events) -> tuple[np.ndarray, np.ndarray]:
    """Follow each ticket: New, Active once picked up, waiting for someone, Resolved, perhaps reopened, Closed."""
    new_first = _spread(rng) < _by_events(NEW_FIRST, tickets.n_events)
    picked_up = np.where(new_first, rng.random(CHUNK) ** 1.6, -1)[events.ticket]
    waits_from = rng.random(CHUNK)[events.ticket] ** 2
    wait, chance = tickets.wait[events.ticket], rng.random(events.ticket.size)
    waiting = (wait > 0) & (events.progress >= waits_from) & (chance > 0.07)
    state = np.select([events.progress <= picked_up, waiting, chance > 0.9999], [NEW, wait, ODD], ACTIVE)
    # A resolution that does not last: the ticket is touched once more before it closes, or it is reopened.
    hastiness = np.where(events.to_go == 2, 0.02, np.where(_spread(rng) < 0.015, 0.35, 0.005)[events.ticket])
    later = events.position > 0
    state[(rng.random(later.size) < hastiness) & (events.progress > picked_up) & later] = RESOLVED
    state[events.to_go == 1] = RESOLVED
    state[events.to_go == 0] = CLOSED
    reopened = (np.roll(state, 1) == RESOLVED) & (state != RESOLVED) & (events.to_go > 1) & later
    state[reopened] = ACTIVE
    return state, reopened


def _history(rng: np.random.Generator, tickets: _Tickets, events: _Events) -> dict[str, pa.Array]:
    """Write what changes from event to event: states, counts, priority and flags."""
    state, reopened = _states(rng, tickets, events)
    ticket, closed = events.ticket, state == CLOSED
    steps = np.take(MOD_STEPS[1], np.searchsorted(MOD_STEPS[0], rng.random(ticket.size)))
    steps = np.where(closed | (tickets.n_events[ticket] == 2), 1, steps) * (events.position > 0)
    escalated = (events.position > 0) & (events.progress >= rng.random(CHUNK)[ticket])
    impact, urgency, priority = CELLS[tickets.cells[escalated.astype(np.int64), ticket]].T
    confirmed_from = np.where(_spread(rng) < 0.11, rng.random(CHUNK), 1)[ticket]  # most not before the resolution
    confirmed = (_spread(rng) < 0.768)[ticket] & (events.progress >= confirmed_from)
    return {
        "incident_state": _take(STATES, state),
        "active": _take(("true", "false"), closed),
        "reopen_count": _so_far(events, reopened),
        "sys_mod_count": _so_far(events, steps),
        "made_sla": _take(("true", "false"), closed & (tickets.closed - tickets.opened > SLA)[ticket]),
        "impact": _take(LEVELS, impact),
        "urgency": _take(LEVELS, urgency),
        "priority": _take(PRIORITIES, priority),
        "u_priority_confirmation": _take(("false", "true"), confirmed),
    }


def _dates(rng: np.random.Generator, tickets: _Tickets, events: _Events) -> dict[str, pa.Array]:
    """Place the events in time: most work is done soon after the creation or just before the resolution."""
    ticket = events.ticket
    ahead = np.maximum(1 - events.progress, 0)
    gap = np.exp(2 * rng.standard_normal(ticket.size)) * (0.02 + events.progress**1.5 * ahead**0.4)
    gap[(events.position == 0) | (events.to_go == 0)] = 0
    passed = np.cumsum(gap)
    passed -= passed[events.first]
    share = passed / np.maximum(passed[events.last], 1e-12)
    updated = tickets.created[ticket] + (share * (tickets.resolved - tickets.created)[ticket]).astype(np.int64)
    ends = [events.to_go == 0, events.to_go == 1]
    updated = np.select(ends, [tickets.closed[ticket], tickets.resolved[ticket]], updated)
    unresolved = (tickets.n_events == 2) & (_spread(rng) < 0.865)
    return {
        "opened_at": _date(tickets.opened).take(ticket),
        "sys_created_at": _date(tickets.created, tickets.created_by_opener).take(ticket),
        "sys_updated_at": _date(updated),
        "resolved_at": _date(tickets.resolved, unresolved).take(ticket),
        "closed_at": _date(tickets.closed).take(ticket),
    }


def _people(rng: np.random.Generator, tickets: _Tickets, events: _Events) -> dict[str, pa.Array]:
    """Pass tickets from team to team, and from hand to hand within a team, to the one who resolves it."""
    ticket, at_end = events.ticket, events.to_go <= 1
    chance, team, person, nobody, no_team, updater = rng.random((6, ticket.size))
    passed_on = (chance < 0.05 + 0.51 * (1 - events.progress)) & (events.position > 0) & (events.to_go > 0)
    stage = _latest(passed_on | (events.position == 0))
    team = np.where(stage == stage[events.last], tickets.team[ticket], team[stage])
    turn = _latest(passed_on | (events.position == 0) | (chance > 0.75) | at_end)
    person = np.where(at_end | (person[turn] < 0.7), team, person[turn])
    unnamed = no_team[stage] < np.where(stage == events.first, 0.036, 0.155)
    by_system = np.select([events.to_go == 0, events.position == 0], [0.987, 0.17], 0.09)
    return {
        "reassignment_count": _so_far(events, passed_on),
        "assignment_group": _label("assignment_group", team, unnamed),
        "assigned_to": _label("assigned_to", person, nobody[turn] < np.where(at_end, 0.029, 0.287)),
        # The commonest updater is the system; everyone else is below.
        "sys_updated_by": _label("sys_updated_by", updater * (chance >= by_system)),
    }


def _labels(rng: np.random.Generator, tickets: _Tickets, events: _Events) -> dict[str, pa.Array]:
    """Say who called from where about what. Columns drawn from one spread depend on each other as in the real log."""
    caller, opener = _spread(rng), _spread(rng)
    half = rng.random(CHUNK) < 0.5
    spreads = {
        "caller_id": caller,
        "location": caller,
        "opened_by": opener,
        "category": tickets.category,
        "subcategory": np.where(half, tickets.category, _spread(rng)),
        "u_symptom": np.where(half, tickets.category, _spread(rng)),
        "closed_code": _spread(rng),
        "resolved_by": tickets.team,
    }
    whole = {column: _label(column, spread, _spread(rng) < LABELS[column][-1]) for column, spread in spreads.items()}
    whole["sys_created_by"] = _label("sys_created_by", np.where(half, opener, _spread(rng)), tickets.created_by_opener)
    whole["contact_type"] = _take(CONTACTS[0], np.searchsorted(CONTACTS[1], _spread(rng)))
    whole["notify"] = _take(("Do Not Notify", "Send Email"), _spread(rng) < 0.0008)
    whole["knowledge"] = _take(("false", "true"), tickets.opened < EARLY)
    columns = {column: text.take(events.ticket) for column, text in whole.items()}
    for column in ("cmdb_ci", "problem_id", "rfc", "vendor", "caused_by"):  # half of these are filled in underway
        missing = (_spread(rng) < LABELS[column][-1])[events.ticket]
        missing |= events.progress < (2 * rng.random(CHUNK) - 1)[events.ticket]
        columns[column] = _label(column, _spread(rng)[events.ticket], missing)
    return columns


def _spread(rng: np.random.Generator) -> np.ndarray:
    """Evenly spaced quantiles in random order, of shape (CHUNK,)."""
    return _rank(rng.random(CHUNK))


def _rank(values: np.ndarray) -> np.ndarray:
    """The quantile of each value among all."""
    rank = np.empty(values.size)
    rank[np.argsort(values, kind="stable")] = np.arange(values.size)
    return (rank + 0.5) / values.size


def _by_events(table: np.ndarray, n_events: np.ndarray) -> np.ndarray:
    """Look up a table by number of events, where the last entry stands for all larger ones."""
    return table[np.minimum(n_events, table.size - 1)]


def _latest(begins: np.ndarray) -> np.ndarray:
    """The place of the latest event, this one included, at which something began."""
    return np.maximum.accumulate(np.where(begins, np.arange(begins.size), 0))


def _so_far(events: _Events, steps: np.ndarray) -> pa.Array:
    """Count within each incident, as text."""
    total = np.cumsum(steps)
    return pa.array(total - (total - steps)[events.first]).cast(pa.string())


def _take(texts: list[str] | tuple[str, ...], places: np.ndarray) -> pa.Array:
    """The texts at these places."""
    return pa.array(texts, pa.string()).take(pa.array(places.astype(np.int32)))


@cache
def _vocabulary(column: str) -> tuple[np.ndarray, pa.Array]:
    """Cumulative shares of a column's labels, and `?` before the labels, which are numbered out of order."""
    text, size, commonest, exponent, _ = LABELS[column]
    others = np.arange(2, size + 1) ** -exponent
    shares = np.append(commonest, (1 - commonest) * others / others.sum())
    return np.cumsum(shares)[:-1], pa.array(["?", *(text.format(1 + 7919 * k % size) for k in range(1, size + 1))])


def _lean(column: str, spread: np.ndarray) -> np.ndarray:
    """A fixed offset in 0..1 for each label, near 1 for a few; the commonest label is the fastest."""
    return (0.414214 * np.searchsorted(_vocabulary(column)[0], spread) % 1) ** 4


def _label(column: str, spread: np.ndarray, missing: np.ndarray | bool = False) -> pa.Array:
    """The labels at these quantiles, or `?`."""
    shares, labels = _vocabulary(column)
    return _take(labels, np.where(missing, 0, 1 + np.searchsorted(shares, spread, side="right")))


@cache
def _calendar() -> tuple[pa.Array, pa.Array]:
    """The texts of all days and of all minutes of a day."""
    days = (START + np.arange(LAST_CLOSED // DAY + 1) * np.timedelta64(1, "D")).tolist()
    minutes = [f"{minute // 60:02d}:{minute % 60:02d}" for minute in range(DAY)]
    return pa.array([f"{day.day}/{day.month}/{day.year}" for day in days]), pa.array(minutes)


def _date(minutes: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Write times as `29/2/2016 01:16`, or `?`."""
    days, times = _calendar()
    text = pc.binary_join_element_wise(days.take(pa.array(minutes // DAY)), times.take(pa.array(minutes % DAY)), " ")
    return text if missing is None else pc.if_else(pa.array(missing), "?", text)
