"""`kill -9` of the Prefect server: `daybook serve` waits, says so and goes on by itself, and nothing runs twice."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import free_port
from serve_process import START_SECONDS, Serve, cells
from tiny_trial import STORE, TRIAL, serve_of

from helpers import prefect_server
from helpers.trials import TrialStore

pytestmark = pytest.mark.slow
EVERY = 5.0
AWAY_SECONDS = float(os.environ.get("DAYBOOK_TEST_AWAY_SECONDS", 15))


def a_server(home: Path, port: int) -> subprocess.Popen:
    """A Prefect server of the test's own, with its data in a folder."""
    settings = prefect_server.SETTINGS | {"PREFECT_HOME": str(home)}
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            stdout=log,
            stderr=log,
            env=os.environ | settings,
            start_new_session=True,
        )
    ends = time.monotonic() + START_SECONDS
    while not prefect_server.is_healthy(f"http://127.0.0.1:{port}/api"):
        assert process.poll() is None, (home / "server.log").read_text()
        assert time.monotonic() < ends, (home / "server.log").read_text()
        time.sleep(0.2)
    return process


def kill(pid: int) -> None:
    """`kill -9` of a server and what it has started."""
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)


def assert_nothing_twice(serve: Serve) -> None:
    """Each tick has one record, no run began before another had ended, and each completed run has its own trial."""
    serve.assert_one_record_a_tick(EVERY)
    serve.assert_never_two()
    completed = [facts["scheduled_at"] for facts in serve.runs() if facts["state"] == "completed"]
    trials = [trial["scheduled_at"] for trial in TrialStore().documents()]
    assert sorted(trials) == sorted(completed)
    assert len(set(trials)) == len(trials)
    began = [tick for _, _, _, tick, *_ in serve.noted("begin")]
    assert len(set(began)) == len(began)


def test_a_server_that_is_away_is_waited_for(write_nb, tmp_path):
    """A run goes on while the server is dead; ticks wait, and are recorded as missed but for the latest."""
    (data := tmp_path / "server").mkdir()
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    server = a_server(data, port)
    try:
        with serve_of(write_nb, [TRIAL, *cells(2), STORE], "--every", f"{EVERY:g}s", url=url) as serve:
            serve.wait_for_state("completed", 2)
            run = serve.wait_for_run()
            kill(server.pid)
            server.wait()
            serve.wait_for_line("does not answer", 30)
            serve.wait_for_line("; ticks wait until it does", 1)
            [_, _, during] = serve.wait_for_state("completed", 3)
            assert during["run"] == run["run"]
            time.sleep(AWAY_SECONDS)
            n_before = len(serve.noted("begin"))
            server = a_server(data, port)
            serve.wait_for_line("the Prefect server is back after", 30)
            serve.wait(lambda: len(serve.noted("begin")) >= n_before + 3)
            serve.end(signal.SIGTERM)
            assert serve.said().count("does not answer") == 1
            states = serve.states()
            print(states, [line for line in serve.said().splitlines() if "server" in line])
            assert states["missed"] >= AWAY_SECONDS / EVERY - 2
            assert not set(states) - {"completed", "missed", "skipped", "cancelled"}
            assert_nothing_twice(serve)
            # Prefect's page knows of the run that ended while it was away.
            [seen] = [one for one in serve.flow_runs() if one["id"] == run["flow_run"]]
            assert seen["state_type"] == "COMPLETED"
    finally:
        kill(server.pid)
        server.wait()


def test_the_homes_own_server_is_started_again(write_nb):
    """The local server that serve itself started is started again by it, within a minute."""
    with serve_of(write_nb, [TRIAL, *cells(2), STORE], "--every", f"{EVERY:g}s", url=None) as serve:
        try:
            serve.wait_for_state("completed", 2)
            serve.wait_for_run()
            first = prefect_server.find()
            kill(first.pid)
            serve.wait_for_line("; ticks wait until it does", 30)
            serve.wait_for_line("the Prefect server is back after", 60)
            n_before = len(serve.noted("begin"))
            serve.wait(lambda: len(serve.noted("begin")) >= n_before + 2)
            second = prefect_server.find()
            assert second.url == first.url
            assert second.pid != first.pid
            serve.end(signal.SIGTERM)
            print(serve.states(), [line for line in serve.said().splitlines() if "back after" in line])
            assert not set(serve.states()) - {"completed", "missed", "skipped", "cancelled"}
            assert_nothing_twice(serve)
        finally:
            prefect_server.stop()
