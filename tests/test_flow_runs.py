"""A notebook's flow as the flow run that Prefect scheduled, on a real server."""

import json
import os
import subprocess
import sys

import pytest

FLOW = """
import json, os, sys
from helpers import prefect_server
prefect_server.connect()
from prefect import flow, task
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run
from helpers import flow_runs

@task
def double(n):
    return 2 * n

@flow(name="doubled")
def doubled(n, times=1):
    flow_runs.publish_links()
    flow_runs.publish_metrics({"id": "t1", "data": {"num_obs": 10, "num_available": 20,
                       "metrics": {"MAE": 7200.0, "MedAE": 3600.0, "MSE": 4.0, "R2": None}}})
    return double(n) * times, str(flow_run.id), dict(flow_run.parameters)

client = get_client(sync_client=True)
if "scheduled" in sys.argv:
    from prefect.states import Pending
    deployment = client.create_deployment(client.create_flow_from_name("doubled"), "d")
    os.environ["PREFECT__FLOW_RUN_ID"] = str(client.create_flow_run_from_deployment(deployment, state=Pending()).id)
asked = os.environ.get("PREFECT__FLOW_RUN_ID")
first = flow_runs.run(doubled, 3, times=2)
second = flow_runs.run(doubled, n=1)
run = client.read_flow_run(first[1])
artifacts = {a.key: a.data for a in client.read_artifacts() if str(a.flow_run_id) == first[1]}
print(json.dumps({"asked": asked, "first": first, "second": second, "state": run.state_type.value,
                  "deployment": bool(run.deployment_id), "artifacts": artifacts}))
"""


def called(*arguments: str, **environment: str) -> dict:
    """What the flow's process prints."""
    done = subprocess.run(
        [sys.executable, "-c", FLOW, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.usefixtures("prefect")
def test_a_flow_becomes_the_flow_run_that_was_scheduled(tmp_path):
    """The first call is the scheduled flow run, with the call's parameters; a second call is a flow run of its own."""
    folder = tmp_path / "20260101T000000Z-n-01234567.part"
    told = called("scheduled", DAYBOOK_RUN_FOLDER=str(folder))
    result, flow_run, parameters = told["first"]
    assert (result, flow_run) == (12, told["asked"])
    assert parameters == {"n": 3, "times": 2}
    assert (told["state"], told["deployment"]) == ("COMPLETED", True)
    assert told["second"][0] == 2
    assert told["second"][1] != flow_run
    # 7200 s are 2 h; an undefined R2 stays empty; the folder is named as it will be in the end.
    rows = {row["metric"]: row for row in json.loads(told["artifacts"]["metrics"])}
    assert (rows["MAE"]["value"], rows["MAE"]["hours"], rows["MSE"]["unit"]) == (7200.0, 2.0, "s²")
    assert (rows["R2"]["value"], rows["R2"]["hours"]) == (None, None)
    assert str(folder.with_suffix("")) in told["artifacts"]["where-to-look"]
    assert ".part" not in told["artifacts"]["where-to-look"]


@pytest.mark.slow
@pytest.mark.usefixtures("prefect")
def test_by_hand_a_flow_is_a_flow_run_of_its_own():
    """Without a scheduled flow run a call is what it always is."""
    told = called()
    assert told["asked"] is None
    assert told["first"][0] == 12
    assert (told["state"], told["deployment"]) == ("COMPLETED", False)
