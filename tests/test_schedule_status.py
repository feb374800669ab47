"""The one screen that says what is scheduled, running, last, next and wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from helpers import runs, schedule_status, served_state
from helpers.command_line import app


def at(seconds: float) -> str:
    """A time so many seconds from now."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def add_run(state: str, scheduled_at: str, error: str | None = None) -> str:
    """A run of the schedule `nightly` that ended so."""
    record = runs.RunRecord("n.ipynb", {}, scheduled_at, schedule="nightly")
    record.update(started_at=scheduled_at)
    record.finish(state, error)
    return record.run


def facts(**changed) -> dict:
    """A schedule as `daybook serve` would describe it."""
    return {
        "name": "nightly",
        "schedule": "every 60 s",
        "next": [at(30)],
        "stopped_at": None,
        "waits_for": None,
    } | changed


@pytest.fixture
def served():
    """The lock of a process that serves the schedule."""
    with served_state.lock("schedule-nightly"):
        yield


def only(found: dict) -> dict:
    """The one schedule."""
    [one] = found["schedules"]
    return one


def test_nothing_scheduled_says_what_to_do():
    """An empty home is not wrong: it says how to schedule a notebook."""
    shown = CliRunner().invoke(app, ["status"])
    assert shown.exit_code == 0
    assert "daybook serve NOTEBOOK" in shown.output
    assert "nothing runs now" in shown.output


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("changed", "state", "wrong"),
    [
        ({}, "serving", []),
        ({"next": []}, "paused", []),
        ({"waits_for": "the Prefect server"}, "waiting", ["nightly: waits for the Prefect server"]),
        ({"next": [at(-90)]}, "serving", ["nightly: the tick of"]),
    ],
)
def test_state_of_a_schedule_that_is_served(changed, state, wrong, monkeypatch):
    """A schedule with a process is served, paused or waiting; a tick that is a minute late is wrong."""
    monkeypatch.setattr(schedule_status, "_server_answers", lambda: True)
    served_state.write("nightly", facts(**changed))
    found = schedule_status.status()
    assert only(found)["state"] == state
    assert [sentence[: len(start)] for sentence, start in zip(found["wrong"], wrong, strict=True)] == wrong


def test_state_of_a_schedule_without_a_process():
    """A process that ended by itself has stopped; one that left no word has died, and that is wrong."""
    served_state.write("nightly", facts(stopped_at=at(-5)))
    found = schedule_status.status()
    assert (only(found)["state"], found["wrong"]) == ("stopped", [])
    served_state.write("nightly", facts())
    found = schedule_status.status()
    assert only(found)["state"] == "died"
    assert "start daybook serve again" in found["wrong"][0]


def test_last_run_and_the_last_day():
    """The last run is the newest that was executed; the day's count has skipped ticks too, and nothing older."""
    served_state.write("nightly", facts(stopped_at=at(-5)))
    add_run("completed", at(-90_000))
    failed = add_run("failed", at(-100), "no such column")
    add_run("skipped", at(-50), "another run was going")
    found = schedule_status.status()
    assert only(found)["last"]["run"] == failed
    assert only(found)["day"] == {"failed": 1, "skipped": 1}
    assert "no such column" in found["wrong"][0]
    assert CliRunner().invoke(app, ["status"]).exit_code == 1


def test_a_run_that_is_going_is_shown():
    """What runs now is shown with its start and how far it is."""
    record = runs.RunRecord("n.ipynb", {}, at(-10), schedule="nightly")
    record.update(state="running", started_at="2026-01-01T00:00:00.000+00:00", cells_done=2, cells=9)
    shown = CliRunner().invoke(app, ["status"]).output
    assert record.run in shown
    assert "2026-01-01T00:00:00  2/9" in shown
    record.finish("completed")
    assert "nothing runs now" in CliRunner().invoke(app, ["status"]).output


def test_trials_that_wait_are_wrong(home):
    """Trials whose store was down are counted, with the command that stores them."""
    (home / "unstored").mkdir(parents=True)
    (home / "unstored" / "t.json").write_text("{}")
    assert schedule_status.status()["wrong"] == ["1 trials wait for their store; store them with: daybook replay"]


@pytest.mark.usefixtures("served")
def test_a_server_that_is_down_is_wrong():
    """A schedule that is served without a Prefect server is told."""
    served_state.write("nightly", facts())
    assert any("Prefect server does not answer" in sentence for sentence in schedule_status.status()["wrong"])


def test_a_state_that_cannot_be_read_is_no_traceback(home):
    """A file that was cut short shows as a schedule that nothing is known of."""
    served_state.write("nightly", facts())
    served_state.path("nightly").write_text('{"name": "nig')
    assert only(schedule_status.status())["state"] == "died"
    assert CliRunner().invoke(app, ["status"]).exit_code == 1


@pytest.mark.usefixtures("served")
def test_who_has_read_the_runs_and_asked_the_server_is_not_kept_waiting(monkeypatch):
    """A page that is shown every two seconds gives what it knows: no folder is read, and no server asked."""
    served_state.write("nightly", facts())
    add_run("failed", at(-60), "cell [7] ValueError: no\nTraceback")
    past = runs.listing()
    monkeypatch.setattr(runs, "listing", None)  # it would raise
    monkeypatch.setattr(schedule_status, "_server_answers", None)
    found = schedule_status.status(past, server_answers=True)
    assert only(found)["last"]["state"] == "failed"
    assert ["(cell [7] ValueError: no); see" in sentence for sentence in found["wrong"]] == [True]
    assert "the Prefect server does not answer" in schedule_status.status(past, server_answers=False)["wrong"][1]


@pytest.mark.usefixtures("served")
def test_odd_facts_of_runs_and_schedules_are_no_reason_to_fail(monkeypatch):
    """Times that are numbers and states that are lists say nothing; ticks that are no times are left out."""
    monkeypatch.setattr(schedule_status, "_server_answers", lambda: True)
    served_state.write("nightly", facts(next=["soon", 5]))
    record = runs.RunRecord("n.ipynb", {}, schedule="nightly")
    record.update(started_at=12, scheduled_at=[1], state="failed", error=5, schedule="nightly")
    record.folder.rename(record.folder.with_suffix(""))
    found = schedule_status.status()
    assert (only(found)["state"], only(found)["day"]) == ("paused", {})
