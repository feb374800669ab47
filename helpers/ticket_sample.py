"""A generated event log with the columns, texts and distributions of UCI data set 498, for work without a network.

Each chunk of incidents depends on nothing but its place and the seed: a log of any size is made piece by piece, in any
order. Here are its events; their incidents are drawn in `helpers.ticket_sample_incidents`.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from helpers import ticket_text
from helpers.label_dictionaries import in_order_of_appearance
from helpers.ticket_sample_columns import date, label, numbers, take
from helpers.ticket_sample_incidents import Tickets, by_events, draw_tickets, spread
from helpers.ticket_sample_tables import (
    ACTIVE,
    CELLS,
    CHUNK,
    CLOSED,
    COLUMN_ORDER,
    CONTACTS,
    EARLY,
    LABELS,
    LEVELS,
    MOD_STEPS,
    NEW,
    NEW_FIRST,
    ODD,
    PRIORITIES,
    RESOLVED,
    SLA,
    STATES,
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
    return pa.concat_tables(ticket_text.as_text(chunk) for chunk in _chunks(n_incidents, seed, 0))


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
    return ticket_text.as_text(_draw_chunk(chunk, seed, CHUNK))


def make_typed_log(n_incidents: int = CHUNK, seed: int = 498, first_chunk: int = 0) -> pa.Table:
    """Generate the same log typed, without going over text.

    Parameters
    ----------
    n_incidents : int, default 5000
        Number of incidents, at least 1; all of them are held in memory, at about 1 kB each.
    seed : int, default 498
        Seed of the log.
    first_chunk : int, default 0
        Place of the chunk to begin with.

    Returns
    -------
    pyarrow.Table
        What `ticket_log.read_log` reads from the CSV of `make_log`, to the order of the dictionaries.
    """
    table = pa.concat_tables(_chunks(n_incidents, seed, first_chunk)).unify_dictionaries().combine_chunks()
    return in_order_of_appearance(table)


def _chunks(n_incidents: int, seed: int, first_chunk: int) -> list[pa.Table]:
    """These incidents typed, chunk by chunk."""
    whole, rest = divmod(n_incidents, CHUNK)
    chunks = [_draw_chunk(first_chunk + chunk, seed, CHUNK) for chunk in range(whole)]
    return [*chunks, _draw_chunk(first_chunk + whole, seed, rest)] if rest else chunks


def _draw_chunk(chunk: int, seed: int, n_incidents: int) -> pa.Table:
    """The first incidents of a chunk, typed; the dictionaries hold all labels, in the order of their shares."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(chunk,))))
    tickets = draw_tickets(rng)
    events = _events(tickets)
    columns = {
        "number": take(numbers(chunk), events.ticket),
        **_history(rng, tickets, events),
        **_dates(rng, tickets, events),
        **_people(rng, tickets, events),
        **_labels(rng, tickets, events),
    }
    table = pa.table({name: columns[name] for name in COLUMN_ORDER})
    return table.slice(0, int(tickets.n_events[:n_incidents].sum()))


@dataclass(frozen=True)
class _Events:
    """Where each event stands in its incident; arrays of shape (n_events,)."""

    ticket: np.ndarray  # place of the incident in the chunk
    position: np.ndarray  # 0 for the first event
    to_go: np.ndarray  # events after this one: 0 when it closes the ticket, 1 when it resolves it
    first: np.ndarray  # place of the incident's first event
    last: np.ndarray  # and of its last
    progress: np.ndarray  # 0 at the first event, 1 at the resolution, more when it closes


def _events(tickets: Tickets) -> _Events:
    """Lay the events of all tickets in a row."""
    n_events = tickets.n_events
    ticket = np.repeat(np.arange(CHUNK), n_events)
    position = np.arange(ticket.size) - np.repeat(np.cumsum(n_events) - n_events, n_events)
    to_go = n_events[ticket] - 1 - position
    progress = (position + (n_events[ticket] == 2)) / np.maximum(n_events[ticket] - 2, 1)
    place = np.arange(ticket.size)
    return _Events(ticket, position, to_go, place - position, place + to_go, progress)


def _states(rng: np.random.Generator, tickets: Tickets, events: _Events) -> tuple[np.ndarray, np.ndarray]:
    """Follow each ticket: New, Active once picked up, waiting for someone, Resolved, perhaps reopened, Closed."""
    new_first = spread(rng) < by_events(NEW_FIRST, tickets.n_events)
    picked_up = np.where(new_first, rng.random(CHUNK) ** 1.6, -1)[events.ticket]
    waits_from = rng.random(CHUNK)[events.ticket] ** 2
    wait, chance = tickets.wait[events.ticket], rng.random(events.ticket.size)
    waiting = (wait > 0) & (events.progress >= waits_from) & (chance > 0.07)
    state = np.select([events.progress <= picked_up, waiting, chance > 0.9999], [NEW, wait, ODD], ACTIVE)
    # A resolution that does not last: the ticket is touched once more before it closes, or it is reopened.
    hastiness = np.where(events.to_go == 2, 0.02, np.where(spread(rng) < 0.015, 0.35, 0.005)[events.ticket])
    later = events.position > 0
    state[(rng.random(later.size) < hastiness) & (events.progress > picked_up) & later] = RESOLVED
    state[events.to_go == 1] = RESOLVED
    state[events.to_go == 0] = CLOSED
    reopened = (np.roll(state, 1) == RESOLVED) & (state != RESOLVED) & (events.to_go > 1) & later
    state[reopened] = ACTIVE
    return state, reopened


def _history(rng: np.random.Generator, tickets: Tickets, events: _Events) -> dict[str, pa.Array]:
    """Write what changes from event to event: states, counts, priority and flags."""
    state, reopened = _states(rng, tickets, events)
    ticket, closed = events.ticket, state == CLOSED
    steps = np.take(MOD_STEPS[1], np.searchsorted(MOD_STEPS[0], rng.random(ticket.size)))
    steps = np.where(closed | (tickets.n_events[ticket] == 2), 1, steps) * (events.position > 0)
    escalated = (events.position > 0) & (events.progress >= rng.random(CHUNK)[ticket])
    impact, urgency, priority = CELLS[tickets.cells[escalated.astype(np.int64), ticket]].T
    confirmed_from = np.where(spread(rng) < 0.11, rng.random(CHUNK), 1)[ticket]  # most not before the resolution
    confirmed = (spread(rng) < 0.768)[ticket] & (events.progress >= confirmed_from)
    return {
        "incident_state": take(STATES, state),
        "active": pa.array(~closed),
        "reopen_count": _so_far(events, reopened),
        "sys_mod_count": _so_far(events, steps),
        "made_sla": pa.array(~(closed & (tickets.closed - tickets.opened > SLA)[ticket])),
        "impact": take(LEVELS, impact),
        "urgency": take(LEVELS, urgency),
        "priority": take(PRIORITIES, priority),
        "u_priority_confirmation": pa.array(confirmed),
    }


def _dates(rng: np.random.Generator, tickets: Tickets, events: _Events) -> dict[str, pa.Array]:
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
    unresolved = (tickets.n_events == 2) & (spread(rng) < 0.865)
    return {
        "opened_at": date(tickets.opened).take(ticket),
        "sys_created_at": date(tickets.created, tickets.created_by_opener).take(ticket),
        "sys_updated_at": date(updated),
        "resolved_at": date(tickets.resolved, unresolved).take(ticket),
        "closed_at": date(tickets.closed).take(ticket),
    }


def _people(rng: np.random.Generator, tickets: Tickets, events: _Events) -> dict[str, pa.Array]:
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
        "assignment_group": label("assignment_group", team, unnamed),
        "assigned_to": label("assigned_to", person, nobody[turn] < np.where(at_end, 0.029, 0.287)),
        # The commonest updater is the system; everyone else is below.
        "sys_updated_by": label("sys_updated_by", updater * (chance >= by_system)),
    }


def _labels(rng: np.random.Generator, tickets: Tickets, events: _Events) -> dict[str, pa.Array]:
    """Say who called from where about what. Columns drawn from one spread depend on each other as in the real log."""
    caller, opener = spread(rng), spread(rng)
    half = rng.random(CHUNK) < 0.5
    spreads = {
        "caller_id": caller,
        "location": caller,
        "opened_by": opener,
        "category": tickets.category,
        "subcategory": np.where(half, tickets.category, spread(rng)),
        "u_symptom": np.where(half, tickets.category, spread(rng)),
        "closed_code": spread(rng),
        "resolved_by": tickets.team,
    }
    whole = {column: label(column, drawn, spread(rng) < LABELS[column][-1]) for column, drawn in spreads.items()}
    whole["sys_created_by"] = label("sys_created_by", np.where(half, opener, spread(rng)), tickets.created_by_opener)
    whole["contact_type"] = take(CONTACTS[0], np.searchsorted(CONTACTS[1], spread(rng)))
    whole["notify"] = take(("Do Not Notify", "Send Email"), spread(rng) < 0.0008)
    whole["knowledge"] = pa.array(tickets.opened < EARLY)
    places = pa.array(events.ticket)
    columns = {column: values.take(places) for column, values in whole.items()}
    for column in ("cmdb_ci", "problem_id", "rfc", "vendor", "caused_by"):  # half of these are filled in underway
        missing = (spread(rng) < LABELS[column][-1])[events.ticket]
        missing |= events.progress < (2 * rng.random(CHUNK) - 1)[events.ticket]
        columns[column] = label(column, spread(rng)[events.ticket], missing)
    return columns


def _latest(begins: np.ndarray) -> np.ndarray:
    """The place of the latest event, this one included, at which something began."""
    return np.maximum.accumulate(np.where(begins, np.arange(begins.size), 0))


def _so_far(events: _Events, steps: np.ndarray) -> pa.Array:
    """Count within each incident."""
    total = np.cumsum(steps)
    return pa.array((total - (total - steps)[events.first]).astype(np.int32))
