"""Retries, limits, runs by hand and wrong notebooks under `daybook serve`: each tick ends in a recorded state."""

import itertools
import os
import signal
import subprocess
import sys
import time

import pytest
from serve_process import SLEEPS, ask, cells, factory

from helpers.serving import POLL_SECONDS

pytestmark = pytest.mark.slow
FAILS = "raise ValueError('no such host')"
SLACK_SECONDS = 15.0  # of a machine where others work too


@pytest.fixture
def make(write_nb, tmp_path, prefect):
    """Makes a `Serve`."""
    return factory(write_nb, tmp_path, prefect)


def trigger(serve, *options: str) -> subprocess.CompletedProcess:
    """`prefect deployment run`, as a person calls it."""
    command = [sys.executable, "-m", "prefect", "deployment", "run", f"{serve.name}/{serve.name}", *options]
    environment = os.environ | {"PREFECT_API_URL": serve.url, "COLUMNS": "300"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_retries_back_off_up_to_the_cap(make):
    """A tick that fails is tried again after 2, 3 and 3 s, as one flow run that waits in between; then it is failed."""
    options = ["--every", "1h", "--retries", "3", "--retry-delay", "2s", "--retry-cap", "3s"]
    with make([SLEEPS, FAILS], *options) as serve:
        serve.wait_for_line("serving")
        assert trigger(serve).returncode == 0
        seen = set()

        def has_ended() -> bool:
            seen.update(one["state_name"] for one in serve.flow_runs())
            return serve.states()["failed"] == 4 and "Failed" in seen

        serve.wait(has_ended)
        found = serve.runs()
        assert [facts["attempt"] for facts in found] == [1, 2, 3, 4]
        assert len({facts["scheduled_at"] for facts in found}) == 1
        assert len({facts["flow_run"] for facts in found}) == 1
        assert [attempt for *_, attempt, _ in serve.noted("begin")] == ["1", "2", "3", "4"]
        assert {tick for _, _, _, tick, *_ in serve.noted("begin")} == {found[0]["scheduled_at"]}
        began = [float(at) for _, _, at, *_ in serve.noted("begin")]
        gaps = [b - a for a, b in itertools.pairwise(began)]
        assert all(gap >= least for gap, least in zip(gaps, (2, 3, 3), strict=True)), gaps
        assert len(serve.flow_runs()) == 1
        assert "AwaitingRetry" in seen
        time.sleep(POLL_SECONDS + 2)
        assert len(serve.runs()) == 4


def test_a_retry_that_works_ends_the_tick_as_completed(make, tmp_path):
    """The second attempt completes: the flow run is completed, and no third is made."""
    fails_once = f"import os\nif os.environ['DAYBOOK_ATTEMPT'] == '1': {FAILS}"
    with make([SLEEPS, fails_once], "--every", "1h", "--retries", "2", "--retry-delay", "0s") as serve:
        serve.wait_for_line("serving")
        trigger(serve)
        serve.wait_for_state("completed")
        serve.wait(lambda: [one["state_name"] for one in serve.flow_runs()] == ["Completed"])
        assert [facts["state"] for facts in serve.runs()] == ["failed", "completed"]


def test_a_run_by_hand_with_other_parameters_and_with_wrong_ones(make, write_nb, tmp_path):
    """`prefect deployment run` is found within a poll, with its parameters; a wrong one is a failed run of one line."""
    with make(cells(0, "print('n is', n)"), "--every", "1h") as serve:
        serve.notebook.write_text(serve.notebook.read_text().replace("journal: str", "n: int = 1\\njournal: str"))
        serve.kill()
        serve.start()
        serve.wait_for_line("serving")
        began = time.monotonic()
        assert trigger(serve, "--param", "n=42").returncode == 0
        [run] = serve.wait_for_state("completed")
        assert time.monotonic() - began < POLL_SECONDS + SLACK_SECONDS
        assert run["parameters"]["n"] == 42
        wrong = {"state": {"type": "SCHEDULED"}, "parameters": {"n": "many"}, "enforce_parameter_schema": False}
        ask(serve.url, f"deployments/{serve.deployment()['id']}/create_flow_run", **wrong)
        [failed] = serve.wait_for_state("failed")
        assert "'n'" in failed["error"]
        assert "\n" not in failed["error"]
        serve.wait(lambda: sorted(one["state_name"] for one in serve.flow_runs()) == ["Completed", "Failed"])


def test_a_run_is_cancelled_on_prefect_s_page(make):
    """The page's Cancel ends the run within seconds, as cancelled in its folder too; the next tick runs."""
    with make(cells(60), "--every", "2s") as serve:
        run = serve.wait_for_run()
        began = time.monotonic()
        ask(serve.url, f"flow_runs/{run['flow_run']}/set_state", state={"type": "CANCELLING"}, force=True)
        [cancelled] = serve.wait_for_state("cancelled")
        assert time.monotonic() - began < POLL_SECONDS + SLACK_SECONDS
        assert cancelled["run"] == run["run"]
        serve.wait(lambda: "CANCELLED" in [one["state_type"] for one in serve.flow_runs()])
        assert serve.wait_for_run()["run"] != run["run"]


def test_a_limit_on_the_whole_run(make):
    """A run that takes longer is failed, and its flow run too."""
    with make(cells(60), "--every", "2s", "--timeout", "3s") as serve:
        [failed, *_] = serve.wait_for_state("failed")
        assert failed["error"] == "the run took longer than its limit of 3 s and was ended"
        serve.wait(lambda: "FAILED" in [one["state_type"] for one in serve.flow_runs()])


@pytest.mark.parametrize("mode", [[], ["--cold"]], ids=["warm", "cold"])
def test_a_notebook_that_is_deleted_or_broken_while_it_is_served(make, mode):
    """Its ticks are failed runs with the reason; when it is back they run again."""
    with make(cells(0), "--every", "2s", *mode) as serve:
        serve.wait_for_state("completed")
        text = serve.notebook.read_text()
        serve.notebook.unlink()
        [failed, *_] = serve.wait_for_state("failed")
        assert "no such notebook" in failed["error"]
        n_failed = serve.states()["failed"]
        serve.notebook.write_text(text[: len(text) // 2])
        serve.wait(lambda: serve.states()["failed"] > n_failed + 1)
        assert "\n" not in serve.runs()[-1]["error"]
        n_completed = serve.states()["completed"]
        serve.notebook.write_text(text)
        serve.wait(lambda: serve.states()["completed"] > n_completed)
        serve.end(signal.SIGTERM)
        assert "Traceback" not in serve.said()


def test_a_deployment_that_is_deleted_on_the_page_is_made_again(make):
    """A schedule does not end unseen: it says so, and goes on."""
    with make(cells(0), "--every", "2s") as serve:
        serve.wait_for_state("completed")
        ask(serve.url, f"deployments/{serve.deployment()['id']}", "DELETE")
        serve.wait_for_line("is made again", 90)
        n_completed = serve.states()["completed"]
        serve.wait(lambda: serve.states()["completed"] > n_completed)
