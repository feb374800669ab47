"""`daybook serve` with a Prefect server of its own ends within 15 s, whatever the server does, and takes it along."""

import signal
import time

import pytest
from serve_process import ask, assert_nothing_left, cells, factory, family

from helpers import prefect_server

pytestmark = pytest.mark.slow
LIMIT_SECONDS = 15


@pytest.fixture
def make(write_nb, tmp_path):
    """Makes a `Serve`, which starts the home's own server."""
    return factory(write_nb, tmp_path)


def test_sigterm_while_idle_stops_the_server_that_serve_has_started(home, make):
    """Between two ticks serve ends at once, with its own Prefect server."""
    with make(cells(0), "--every", "1h") as serve:
        serve.wait_for_line("serving")
        processes = family(serve.process.pid)
        server = prefect_server.find()
        assert server.pid in [pid for pid, _ in processes]
        took = serve.end(signal.SIGTERM)
        print(f"idle, with its own server: {took:.1f} s")
        assert took < LIMIT_SECONDS
        assert serve.process.returncode == 0
        assert_nothing_left(home, processes, int(server.url.split(":")[2].split("/")[0]))


@pytest.mark.parametrize("mode", [[], ["--cold"]], ids=["warm", "cold"])
def test_sigterm_while_the_server_hangs(home, make, mode):
    """A server that answers nothing (SIGSTOP) delays no end; the next serve closes the flow run as its run ended."""
    with make(cells(100), "--every", "2s", *mode) as serve:
        run = serve.wait_for_run()
        server = prefect_server.find()
        processes = family(serve.process.pid)
        server.process.suspend()
        serve.wait_for_line("does not answer", 60)
        took = serve.end(signal.SIGTERM)
        print(f"server hangs: {took:.1f} s")
        assert took < LIMIT_SECONDS
        [facts] = [facts for facts in serve.runs() if facts["run"] == run["run"]]
        assert facts["state"] == "cancelled"
        assert_nothing_left(home, processes)
        if mode:
            return
        serve.start()
        serve.wait_for_line("serving", number=2)
        found = ask(prefect_server.find().url, "flow_runs/filter", flow_runs={"id": {"any_": [run["flow_run"]]}})
        assert [one["state_type"] for one in found] == ["CANCELLED"]
        serve.end(signal.SIGTERM)


@pytest.mark.parametrize("seconds", [0.7, 3.0])
def test_ctrl_c_while_the_server_is_being_started(home, make, seconds):
    """Ctrl-C does not wait for a server that comes up, and takes it along."""
    with make(cells(0), "--every", "1h") as serve:
        serve.wait_for_line("Starting the local Prefect server")
        time.sleep(seconds)
        processes = family(serve.process.pid)
        assert len(processes) > 1
        took = serve.end(signal.SIGINT)
        print(f"while starting: {took:.1f} s")
        assert took < 4  # a server takes longer than that to come up
        assert serve.process.returncode == 130
        assert "Traceback" not in serve.said()
        assert_nothing_left(home, processes)


def test_ctrl_c_twice_takes_the_server_along(home, make):
    """At once means all of it: the run, its kernel, and the server that serve has started."""
    with make(cells(100), "--every", "2s") as serve:
        serve.wait_for_run()
        processes = family(serve.process.pid)
        port = int(prefect_server.find().url.split(":")[2].split("/")[0])
        serve.process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        took = serve.end(signal.SIGINT)
        print(f"twice, with its own server: {took:.1f} s")
        assert took < 5
        assert_nothing_left(home, processes, port)
