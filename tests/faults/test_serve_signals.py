"""SIGTERM and Ctrl-C in the middle of a run end `daybook serve` within 15 s in a recorded state; nothing is left."""

import os
import signal
import time

import pytest
from serve_process import LEAVES_A_PROGRAM, assert_nothing_left, cells, factory, family, of_run

from helpers import prefect_server, runs

pytestmark = pytest.mark.slow
LIMIT_SECONDS = 15
# A cell that hears neither the interrupt nor anything else.
DEAF = "import signal; [signal.signal(n, signal.SIG_IGN) for n in (signal.SIGINT, signal.SIGTERM)]"


@pytest.fixture
def make(write_nb, tmp_path, prefect):
    """Makes a `Serve`, on a server that was up before."""
    return factory(write_nb, tmp_path, prefect)


@pytest.mark.parametrize(
    ("number", "mode"),
    [(signal.SIGTERM, []), (signal.SIGINT, []), (signal.SIGHUP, []), (signal.SIGTERM, ["--cold"])],
)
def test_a_signal_in_the_middle_of_a_run(home, make, prefect, mode, number):
    """The run is cancelled in its folder and on Prefect's page; a server that was up before stays."""
    with make(cells(100, LEAVES_A_PROGRAM), "--every", "2s", *mode) as serve:
        run = serve.wait_for_run()
        processes = family(serve.process.pid)
        processes += [runs.identity(process.pid) for process in of_run(run["run"])]
        took = serve.end(number)
        print(f"{signal.Signals(number).name} {mode}: {took:.1f} s")
        assert took < LIMIT_SECONDS
        assert serve.process.returncode == (130 if number == signal.SIGINT else 0)
        [facts] = [facts for facts in serve.runs() if facts["run"] == run["run"]]
        assert (facts["state"], facts["error"]) == ("cancelled", "cancelled by SIGTERM")
        assert [one["state_type"] for one in serve.flow_runs() if one["id"] == run["flow_run"]] == ["CANCELLED"]
        assert_nothing_left(home, processes)
        assert prefect_server.is_healthy(prefect)


def test_ctrl_c_on_a_terminal(home, make):
    """A terminal sends SIGINT to the whole foreground group: serve alone hears it, and passes the end on."""
    with make(cells(100), "--every", "2s") as serve:
        run = serve.wait_for_run()
        processes = family(serve.process.pid)
        began = time.monotonic()
        os.killpg(serve.process.pid, signal.SIGINT)
        serve.process.wait(60)
        assert time.monotonic() - began < LIMIT_SECONDS
        assert serve.process.returncode == 130
        assert "Traceback" not in serve.said()
        [facts] = [facts for facts in serve.runs() if facts["run"] == run["run"]]
        assert facts["state"] == "cancelled"
        assert_nothing_left(home, processes)


@pytest.mark.parametrize("mode", [[], ["--cold"]], ids=["warm", "cold"])
def test_a_run_that_does_not_listen_is_killed(home, make, mode):
    """A kernel that ignores every signal does not keep serve from ending in time."""
    with make(cells(100, DEAF, LEAVES_A_PROGRAM), "--every", "2s", *mode) as serve:
        run = serve.wait_for_run()
        time.sleep(1)
        processes = family(serve.process.pid)
        processes += [runs.identity(process.pid) for process in of_run(run["run"])]
        took = serve.end(signal.SIGTERM)
        print(f"deaf {mode}: {took:.1f} s")
        assert took < LIMIT_SECONDS
        [facts] = [facts for facts in serve.runs() if facts["run"] == run["run"]]
        assert facts["state"] in ("cancelled", "crashed")
        assert_nothing_left(home, processes)


@pytest.mark.parametrize("mode", [[], ["--cold"]], ids=["warm", "cold"])
def test_ctrl_c_twice(home, make, mode):
    """The second Ctrl-C ends everything at once; the run is recorded as crashed."""
    with make(cells(100, DEAF, LEAVES_A_PROGRAM), "--every", "2s", *mode) as serve:
        run = serve.wait_for_run()
        time.sleep(1)
        processes = family(serve.process.pid)
        processes += [runs.identity(process.pid) for process in of_run(run["run"])]
        serve.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        took = serve.end(signal.SIGINT)
        print(f"twice {mode}: {took:.1f} s")
        assert took < 3
        assert serve.process.returncode == 130
        [facts] = [facts for facts in serve.runs() if facts["run"] == run["run"]]
        assert facts["state"] in ("cancelled", "crashed")
        assert_nothing_left(home, processes)
