"""What the dashboard's pages share."""

import threading

import pytest

from helpers.dashboard import state as states
from helpers.dashboard.state import DashboardState
from helpers.exceptions import StoreError
from helpers.trials import TrialStore


class History:
    """A history whose store does what a test says: a store that is slow or broken at will is not to be had."""

    def __init__(self, refresh):
        self.refresh, self.problem = refresh, None


@pytest.fixture
def state(monkeypatch):
    """A state that refreshes as often as it can, stopped at the end."""
    monkeypatch.setattr(states, "REFRESH_SECONDS", 0.01)
    monkeypatch.setattr(states, "FIRST_SECONDS", 0.05)
    made = DashboardState(TrialStore())
    yield made
    made.stop()


def fails(error: Exception):
    """A refresh that raises."""

    def refresh():
        raise error

    return refresh


def test_listeners_hear_of_new_trials_on_the_servers_thread(state):
    """One that raises keeps the others from nothing; one that has ended hears no more."""
    heard, calls, is_told = [], [], threading.Event()
    news = iter([["a"], ["b"]])
    state.history = History(lambda: next(news, []))
    state.listen(fails(ValueError("of a page")))
    forget = state.listen(heard.append)

    def tell(call) -> None:
        calls.append(call)
        if len(calls) == 2:
            is_told.set()

    state.watch(tell)
    assert is_told.wait(5)
    calls[0]()
    forget()
    forget()
    calls[1]()
    assert heard == [["a"]]


def test_a_store_that_does_not_answer_delays_nothing_else(state):
    """The pages say what is still being read, and the runs come."""
    is_answering = threading.Event()
    state.history = History(lambda: is_answering.wait(20) and [])
    state.watch(lambda call: call())
    assert state.problem == "The trials are still being read."
    is_answering.set()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (StoreError("store x: has schema 9"), "store x: has schema 9"),
        (ValueError("no JSON at postgresql://me:c4nary@host/db"), "no JSON at postgresql://me:***@host/db"),
    ],
)
def test_what_cannot_be_read_is_said_until_it_can(state, error, said):
    """In a line, without a password; what was read before stays."""
    state.history = History(fails(error))
    assert state.refresh_trials() == []
    assert state.problem.endswith(said)
    state.history.refresh = lambda: ["a"]
    assert state.refresh_trials() == ["a"]
    assert state.problem is None
