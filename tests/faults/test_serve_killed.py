"""`kill -9` of a run's process and of `daybook serve`: closed as crashed, nothing left, schedules as they were."""

import os
import signal
import time
from datetime import datetime

import pytest
from serve_process import LEAVES_A_PROGRAM, alive, ask, cells, factory, family, of_run

pytestmark = pytest.mark.slow

A_DASK_WORKER = """
from distributed import LocalCluster
cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0")
cluster.get_client().submit(int).result()
note("cluster")
"""


@pytest.fixture
def make(write_nb, tmp_path, prefect):
    """Makes a `Serve`."""
    return factory(write_nb, tmp_path, prefect)


def processes_of(run: dict) -> list:
    """All processes of a run: recorded ones with what is below them, and those that carry its name."""
    return [one for pid, _ in run["processes"] for one in family(pid)] + [
        [process.pid, process.create_time()] for process in of_run(run["run"])
    ]


@pytest.mark.parametrize("mode", [[], ["--cold"]], ids=["warm", "cold"])
def test_a_killed_run_is_closed_as_crashed_and_the_next_tick_runs(make, mode):
    """`kill -9` of the run's process: the run is crashed at once, its processes are gone before the next one begins."""
    with make(cells(6, LEAVES_A_PROGRAM, A_DASK_WORKER), "--every", "2s", *mode) as serve:
        run = serve.wait_for_run()
        serve.wait(lambda: serve.noted("cluster"))
        processes = processes_of(run)
        assert len({pid for pid, _ in processes}) >= 4  # the run, its kernel, the program and a Dask worker
        began = time.monotonic()
        os.kill(run["processes"][0][0], signal.SIGKILL)
        [crashed] = serve.wait_for_state("crashed")
        took = time.monotonic() - began
        assert crashed["run"] == run["run"]
        assert crashed["error"] == "the run's process ended without finishing it"
        assert alive(processes) == []
        assert of_run(run["run"]) == []
        assert took < 30
        print(f"closed after {took:.1f} s")
        serve.wait_for_run()
        states = {one["id"]: one["state_type"] for one in serve.flow_runs()}
        assert states[crashed["flow_run"]] == "CRASHED"


@pytest.mark.parametrize("mode", [[], ["--cold"]], ids=["warm", "cold"])
def test_serve_is_killed_in_the_middle_of_a_run_and_started_again(make, mode):
    """The old run is crashed within 30 s of the restart, gone before the next; the one deployment is as it was."""
    with make(cells(20, LEAVES_A_PROGRAM, A_DASK_WORKER), "--every", "2s", *mode) as serve:
        run = serve.wait_for_run()
        serve.wait(lambda: serve.noted("cluster"))
        processes = processes_of(run)
        before = serve.deployment()
        serve.kill()
        time.sleep(0.5)
        serve.start()
        began = time.monotonic()
        [crashed] = serve.wait_for_state("crashed")
        serve.wait(lambda: [one for one in serve.flow_runs() if one["state_type"] == "CRASHED"])
        took = time.monotonic() - began
        assert took < 30
        print(f"closed {took:.1f} s after the restart")
        assert crashed["run"] == run["run"]
        assert alive(processes) == []
        again = serve.wait_for_run()
        # The next run began when nothing of the old one was there any more, and there was never a second beside it.
        assert datetime.fromisoformat(again["started_at"]) > datetime.fromisoformat(crashed["finished_at"])
        assert [one["state_type"] for one in serve.flow_runs() if one["id"] == run["flow_run"]] == ["CRASHED"]
        after = serve.deployment()
        assert (after["id"], after["paused"]) == (before["id"], False)
        assert [one["active"] for one in after["schedules"]] == [True]
        assert len(after["schedules"]) == 1
        # The retry, if there was one, is none: no policy asked for it.
        assert len([facts for facts in serve.runs() if facts["scheduled_at"] == run["scheduled_at"]]) == 1


def test_a_paused_schedule_stays_paused_over_a_kill(make):
    """What was paused on Prefect's page is paused after `kill -9` and a restart; resumed there, it runs again."""
    with make(cells(0), "--every", "1s") as serve:
        serve.wait_for_state("completed")
        before = serve.deployment()
        ask(serve.url, f"deployments/{before['id']}/schedules/{before['schedules'][0]['id']}", "PATCH", active=False)
        serve.wait_for_line("paused on Prefect's page", 30)
        serve.kill()
        serve.start()
        serve.wait_for_line(f"serving {serve.name}", number=2)
        time.sleep(1)  # a run that had begun before the pause may still end
        ended = len(serve.runs())
        time.sleep(6)
        assert len(serve.runs()) == ended
        after = serve.deployment()
        assert after["id"] == before["id"]
        assert [one["active"] for one in after["schedules"]] == [False]
        ask(serve.url, f"deployments/{after['id']}/schedules/{after['schedules'][0]['id']}", "PATCH", active=True)
        serve.wait(lambda: len(serve.runs()) > ended, 60)
        # And none of the ticks of the pause was taken for missed.
        assert serve.states()["missed"] == 0


def test_a_run_that_was_killed_with_serve_is_tried_again(make):
    """With retries a run that was killed together with `serve` is tried again by the next one."""
    options = ["--every", "1h", "--retries", "1", "--retry-delay", "1s"]
    with make(cells(30), *options) as serve:
        serve.wait_for_line("serving")
        create = f"deployments/{serve.deployment()['id']}/create_flow_run"
        by_hand = ask(serve.url, create, state={"type": "SCHEDULED"})
        run = serve.wait_for_run()
        assert run["flow_run"] == by_hand["id"]
        serve.kill()
        serve.start()
        serve.wait(lambda: len(serve.noted("begin")) == 2)
        first, second = serve.runs()
        assert [first["state"], second["state"]] == ["crashed", "running"]
        assert [first["attempt"], second["attempt"]] == [1, 2]
        assert first["scheduled_at"] == second["scheduled_at"]
        assert first["flow_run"] == second["flow_run"]
