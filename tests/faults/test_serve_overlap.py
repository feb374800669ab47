"""A notebook that takes longer than its ticks are apart, and a one-shot beside it."""

import json
import os
import signal
import subprocess

import pytest
from serve_process import DAYBOOK, ask, cells, factory

pytestmark = pytest.mark.slow


@pytest.fixture
def make(write_nb, tmp_path, prefect):
    """Makes a `Serve`."""
    return factory(write_nb, tmp_path, prefect)


def test_a_run_that_takes_seven_ticks_and_a_one_shot_beside_it(make):
    """Never two at once; every tick has one record: it ran, or was skipped with the reason."""
    # The 70 s and 10 s, ten times faster.
    with make(cells(7), "--every", "1s") as serve:
        serve.wait_for_state("completed", 2)
        environment = os.environ | {"PREFECT_API_URL": serve.url}
        one_shot = subprocess.run(
            [*DAYBOOK, "run", str(serve.notebook), "--overlap", "queue", "--json"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert json.loads(one_shot.stdout.splitlines()[-1])["error"] is None
        serve.wait_for_state("completed", 3)
        serve.end(signal.SIGTERM)
        serve.assert_never_two()
        ticks = serve.assert_one_record_a_tick(1)
        assert len(ticks) > 20
        assert set(serve.states()) <= {"completed", "skipped", "cancelled"}
        skipped = [facts for facts in serve.runs() if facts["state"] == "skipped"]
        assert len(skipped) >= 18
        reasons = {facts["error"].split(",")[0] for facts in skipped}
        assert reasons == {
            "another run of the schedule",  # its own
            f"another run of {serve.notebook.name} was going",  # the one-shot, which holds the notebook's lock
        }
        # On Prefect's page a skipped tick is a cancelled flow run that is named so, and none waits any more.
        names = {one["id"]: one["state_name"] for one in serve.flow_runs()}
        assert {names.get(facts["flow_run"]) for facts in skipped} == {"Skipped"}


def test_queue_runs_every_tick_one_after_the_other(make):
    """With `--overlap queue` ticks wait for their turn, and run in their order."""
    with make(cells(2), "--every", "3s", "--overlap", "queue") as serve:
        serve.wait_for_run()
        for _ in range(2):
            ask(serve.url, f"deployments/{serve.deployment()['id']}/create_flow_run", state={"type": "SCHEDULED"})
        serve.wait_for_state("completed", 7)
        serve.end(signal.SIGTERM)
        serve.assert_never_two()
        assert serve.states()["skipped"] == 0
        begun = [tick for _, _, _, tick, *_ in serve.noted("begin")]
        assert len(set(begun)) == len(begun)


def test_twenty_ticks_of_a_second(make):
    """Each of twenty ticks of 1 s has its record, and each that did not run its reason."""
    with make(cells(0), "--every", "1s") as serve:
        serve.wait(lambda: len(serve.runs()) >= 20)
        serve.end(signal.SIGTERM)
        assert len(serve.assert_one_record_a_tick(1)) >= 20
        assert all(facts["error"] for facts in serve.runs() if facts["state"] != "completed")
        assert serve.states()["missed"] == 0
