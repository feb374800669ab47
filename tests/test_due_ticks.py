"""What the policies make of ticks that are due."""

from datetime import UTC, datetime, timedelta

import pytest

from helpers.deployments import Tick
from helpers.due_ticks import GRACE_SECONDS, MAX_WAITING, Situation, decide
from helpers.policies import Policies

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def tick(age: float, **facts) -> Tick:
    """A tick that was due so many seconds ago."""
    at = NOW - timedelta(seconds=age)
    return Tick(**({"scheduled_at": at, "due_at": at, "flow_run": f"{age}"} | facts))


def situation(**facts) -> Situation:
    """Of a schedule of one tick a minute, served for an hour."""
    return Situation(**({"now": NOW, "there_since": NOW - timedelta(hours=1), "gap": 60.0} | facts))


def actions(due: list[Tick], policies: Policies | None = None, **facts) -> list[tuple[str, str]]:
    """What becomes of each, oldest first."""
    decisions = decide(due, situation(**facts), policies or Policies())
    assert sorted(d.tick.flow_run for d in decisions) == sorted(t.flow_run for t in due)  # each once
    assert sum(d.action == "run" for d in decisions) <= 1
    assert all((d.reason is None) == (d.action in ("run", "wait")) for d in decisions)
    return [(d.tick.flow_run, d.action) for d in sorted(decisions, key=lambda d: d.tick.due_at)]


def test_a_tick_on_time_runs():
    """One tick, nothing going: it runs; with none there is nothing to decide."""
    assert actions([tick(0.1)]) == [("0.1", "run")]
    assert actions([]) == []


@pytest.mark.parametrize(("overlap", "action"), [("skip", "skipped"), ("queue", "wait")])
def test_overlap(overlap, action):
    """While a run is going, or others wait, a tick is skipped or waits; of two at once one runs."""
    policies = Policies(overlap=overlap)
    assert actions([tick(0)], policies, going_since=NOW) == [("0", action)]
    assert actions([tick(0)], policies, n_waiting=1) == [("0", action)]
    assert actions([tick(2), tick(1)], policies) == [("2", "run"), ("1", action)]


def test_a_skipped_tick_says_since_when_the_other_run_goes():
    """The reason names the run's beginning and the policy."""
    [decision] = decide([tick(0)], situation(going_since=NOW - timedelta(seconds=70)), Policies())
    assert decision.reason == (
        "another run of the schedule, begun at 11:58:50 UTC, was still going; the policy for overlaps is skip"
    )


@pytest.mark.parametrize(
    ("missed", "became"),
    [
        ("latest", ["missed", "missed", "missed", "missed", "run"]),
        ("skip", ["missed"] * 5),
        ("all", ["run", "wait", "wait", "wait", "wait"]),
    ],
)
def test_missed(missed, became):
    """Of five ticks that nobody was there for the newest runs, none, or all one after the other."""
    due = [tick(60.0 * n + 30) for n in range(5)]
    assert [action for _, action in actions(due, Policies(missed=missed))] == became


@pytest.mark.parametrize(("missed", "became"), [("latest", "missed"), ("skip", "missed"), ("all", "run")])
def test_a_newer_tick_on_time_stands_for_those_that_were_missed(missed, became):
    """`latest` is the one that is on time, when there is one."""
    on_time = "skipped" if missed == "all" else "run"
    assert actions([tick(61), tick(1)], Policies(missed=missed)) == [("61", became), ("1", on_time)]


def test_a_missed_tick_says_how_late_it_was_found():
    """The reason has the seconds and the policy."""
    [decision] = decide([tick(90)], situation(), Policies(missed="skip"))
    assert decision.reason == ("nobody was there to run it; found 90 s late, and the policy for missed ticks is skip")


@pytest.mark.parametrize(
    ("age", "gap", "away", "is_late"),
    [
        (GRACE_SECONDS, 60, False, False),  # on time to the last
        (GRACE_SECONDS + 0.1, 60, False, True),  # the process was suspended, or blocked
        (9, 60, True, False),  # a restart within the grace
        (4, 3, True, True),  # the next tick has come since, and nobody was there for this one
        (2, 3, True, False),
        (4, 3, False, False),  # somebody was there: it is an overlap that delayed it
    ],
)
def test_when_a_tick_is_late(age, gap, away, is_late):
    """A tick is on time within the grace; one from before somebody was there, until the next one."""
    there_since = NOW if away else NOW - timedelta(hours=1)
    assert situation(gap=gap, there_since=there_since).is_late(tick(age)) == is_late


def test_missed_ticks_never_flood_a_queue():
    """An outage behind a run that is going leaves one tick waiting, not sixty."""
    due = [tick(60.0 * n + 30) for n in range(60)]
    became = [action for _, action in actions(due, Policies(overlap="queue"), going_since=NOW)]
    assert became == ["missed"] * 59 + ["wait"]


def test_no_more_wait_than_the_limit():
    """What a queue has no room for is skipped, and says so; a retry always has room."""
    due = [tick(60.0 * n + 30) for n in range(MAX_WAITING + 5)]
    became = actions(due, Policies(missed="all"))
    assert [action for _, action in became] == ["run"] + ["wait"] * MAX_WAITING + ["skipped"] * 4
    full = decide([tick(1)], situation(n_waiting=MAX_WAITING), Policies(overlap="queue"))
    assert full[0].reason == f"{MAX_WAITING} ticks wait already"
    assert actions([tick(1, attempt=2)], n_waiting=MAX_WAITING) == [("1", "wait")]


@pytest.mark.parametrize("missed", ["latest", "skip", "all"])
def test_a_retry_and_a_run_by_hand_are_never_missed(missed):
    """They run however late they are found; a retry waits for its turn even where ticks are skipped."""
    policies = Policies(missed=missed, retries=3)
    assert actions([tick(999, attempt=2)], policies) == [("999", "run")]
    assert actions([tick(999, by_schedule=False)], policies) == [("999", "run")]
    assert actions([tick(5, attempt=2)], policies, going_since=NOW) == [("5", "wait")]


def test_a_run_by_hand_obeys_the_overlap():
    """Triggered while a run is going it is skipped, or waits where ticks do."""
    due = [tick(1, by_schedule=False)]
    assert actions(due, going_since=NOW) == [("1", "skipped")]
    assert actions(due, Policies(overlap="queue"), going_since=NOW) == [("1", "wait")]


def test_a_late_tick_that_is_run_makes_the_one_on_time_wait_its_turn():
    """With `all` and `skip` the late ones go first, and the newest is an overlap."""
    became = actions([tick(121), tick(61), tick(1)], Policies(missed="all"))
    assert became == [("121", "run"), ("61", "wait"), ("1", "skipped")]
