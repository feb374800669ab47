"""The progress of a run on its flow run's page, on a real server, on none, and on one that is slow."""

import socket
import time

import httpx
import pytest

from helpers import flow_run_progress
from helpers.flow_run_progress import FlowRunProgress


@pytest.fixture
def flow_run(prefect) -> str:
    """A flow run, as Prefect schedules it."""
    flow = httpx.post(f"{prefect}/flows/", json={"name": "progress"}, timeout=60).json()["id"]
    return httpx.post(f"{prefect}/flow_runs/", json={"flow_id": flow}, timeout=60).json()["id"]


def artifacts(prefect: str, flow_run: str) -> list[tuple]:
    """What the page has of the flow run."""
    asked = {"artifacts": {"flow_run_id": {"any_": [flow_run]}}}
    found = httpx.post(f"{prefect}/artifacts/filter", json=asked, timeout=60).json()
    return [(one["type"], one["data"], one["description"]) for one in found]


def wait_for(condition) -> None:
    """Wait until something is so."""
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.02)


@pytest.mark.slow
def test_the_page_has_one_artifact_that_follows_the_run(prefect, flow_run, monkeypatch):
    """Nothing at once; then one artifact, with what the cell says as code; at the end the last of it."""
    monkeypatch.setattr(flow_run_progress, "FIRST_SECONDS", 0.3)
    monkeypatch.setattr(flow_run_progress, "SECONDS_BETWEEN", 0.05)
    progress = FlowRunProgress(prefect, flow_run)
    progress.show(1, 8)
    assert artifacts(prefect, flow_run) == []
    progress.show(2, 8, "`<img src=x>`\n12 of 40")
    said = "2 of 8 cells done; the next one says `'<img src=x>' 12 of 40`"
    wait_for(lambda: artifacts(prefect, flow_run) == [("progress", 25.0, said)])
    progress.show(8, 8)
    progress.close()
    assert artifacts(prefect, flow_run) == [("progress", 100.0, "8 of 8 cells done")]
    assert progress.problem is None


@pytest.mark.slow
def test_a_short_run_asks_nothing_of_the_server(prefect, flow_run):
    """A run that ends within the first seconds, as a tick's usually does, makes no artifact."""
    progress = FlowRunProgress(prefect, flow_run)
    for done in range(5):
        progress.show(done, 4)
    progress.close()
    assert artifacts(prefect, flow_run) == []


def test_a_server_that_is_away_costs_a_run_nothing(monkeypatch):
    """A refused connection, an address that is none and a server that never answers are a line for the log."""
    monkeypatch.setattr(flow_run_progress, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(flow_run_progress, "REQUEST_SECONDS", 0.2)
    monkeypatch.setattr(flow_run_progress, "LAST_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        for address in (
            f"http://127.0.0.1:{silent.getsockname()[1]}/api",
            f"http://127.0.0.1:{closed.getsockname()[1]}/api",
            "no address",
        ):
            progress = FlowRunProgress(address, "00000000-0000-0000-0000-000000000000")
            progress.show(1, 2)
            wait_for(lambda told=progress: told.problem is not None)
            assert len(progress.problem.splitlines()) == 1
            began = time.monotonic()
            progress.close()
            assert time.monotonic() - began < 0.5
