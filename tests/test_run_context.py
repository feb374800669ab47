"""What a process knows of the run that it belongs to, and what a trial records of it."""

import json
from datetime import UTC, datetime, timedelta
from importlib.metadata import version

import pytest

from helpers import run_context
from helpers.run_context import RunContext


@pytest.mark.parametrize("of_tick", [{}, {"schedule": "often", "attempt": 3, "flow_run": "an-id"}])
@pytest.mark.parametrize("scheduled_at", [None, "2026-01-01T00:00:00+00:00"])
def test_a_child_process_knows_its_run(tmp_path, monkeypatch, scheduled_at, of_tick):
    """What a run puts into the environment makes the same context again in a child."""
    context = RunContext("run-1", tmp_path / "a folder", "tiny ü.ipynb", scheduled_at, **of_tick)
    for name, value in context.environment().items():
        assert isinstance(value, str)
        monkeypatch.setenv(name, value)
    assert run_context.current() == context


def test_by_hand_there_is_no_run(monkeypatch):
    """By hand there is no run, folder or schedule, and no notebook that anyone named."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert run_context.current() == RunContext(None, None, None, None)


def test_by_hand_jupyter_names_the_notebook(monkeypatch):
    """In a kernel of JupyterLab's the notebook's name is known, without its folder, and that is all."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/me/notebooks/tiny.ipynb")
    assert run_context.current() == RunContext(notebook="tiny.ipynb")


def test_a_run_started_from_jupyter_is_its_own(monkeypatch):
    """A run's own notebook goes before the one of the kernel that started it."""
    monkeypatch.setenv("JPY_SESSION_NAME", "notebooks/other.ipynb")
    for name, value in RunContext("run-1", None, "tiny.ipynb").environment().items():
        monkeypatch.setenv(name, value)
    assert run_context.current() == RunContext("run-1", None, "tiny.ipynb")


def test_a_context_that_is_empty_clears_the_parents(monkeypatch):
    """An environment without a run takes away the one that a parent process had."""
    monkeypatch.setenv("DAYBOOK_RUN", "parent")
    for name, value in RunContext().environment().items():
        monkeypatch.setenv(name, value)
    assert run_context.current().run is None


def test_now_is_utc_to_the_millisecond():
    """The time is ISO 8601 in UTC with three decimals, so that times sort as texts."""
    found = datetime.fromisoformat(run_context.now())
    assert found.utcoffset() == timedelta(0)
    assert abs(datetime.now(UTC) - found) < timedelta(seconds=5)
    assert len(run_context.now()) == len("2026-01-01T00:00:00.000+00:00")


def test_provenance_of_a_run(tmp_path, monkeypatch):
    """A trial records the run, its time, the parameters without their secrets, and the versions; as JSON."""
    context = RunContext("run-1", tmp_path, "tiny.ipynb", "2026-01-01T00:00:00+00:00", "often")
    for name, value in context.environment().items():
        if value:  # an empty one is taken away from a run's kernel
            monkeypatch.setenv(name, value)
    # As Prefect would give them inside a flow.
    parameters = {"store": "postgresql://me:s3cret@host/db", "seed": 1}
    monkeypatch.setattr("prefect.runtime.flow_run.parameters", parameters, raising=False)
    found = run_context.provenance()
    assert found.pop("started_at") <= run_context.now()
    assert found.pop("versions") == {name: version(name) for name in run_context.RECORDED_PACKAGES}
    assert found == {
        "run": "run-1",
        "flow_run": None,
        "notebook": "tiny.ipynb",
        "parameters": {"store": "postgresql://me:***@host/db", "seed": 1},
        "scheduled_at": "2026-01-01T00:00:00+00:00",
        "schedule": "often",
    }
    json.dumps(found)


def test_provenance_by_hand(monkeypatch):
    """By hand a trial has no run, no notebook and no schedule."""
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    found = run_context.provenance()
    assert [found[name] for name in ("run", "flow_run", "notebook", "scheduled_at", "schedule")] == [None] * 5
