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

@flow
def inner(n):
    return str(flow_run.parent_flow_run_id)

@flow(name="doubled")
def doubled(n, times=1, model="priority"):
    flow_runs.publish_links()
    data = {"num_obs": 10, "num_available": 20, "standard_errors": {"MAE": 720.0, "R2": None},
            "metrics": {"MAE": 7200.0, "MedAE": 3600.0, "MSE": 4.0, "R2": None}}
    if "scheduled" not in sys.argv:
        data = {"metrics": {"<b>rows</b>": 3}}  # of another notebook
    flow_runs.publish_metrics({"id": "t1", "data": data})
    return double(n) * times, str(flow_run.id), dict(flow_run.parameters), flow_runs.run(inner, n)

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
tasks = client.read_task_runs()
print(json.dumps({"asked": asked, "first": first, "second": second, "state": run.state_type.value,
                  "deployment": bool(run.deployment_id), "artifacts": artifacts, "tags": run.tags,
                  "task_tags": [tag for one in tasks if str(one.flow_run_id) == first[1] for tag in one.tags]}))
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
    told = called("scheduled", DAYBOOK_RUN_FOLDER=str(folder), DAYBOOK_NOTEBOOK="n.ipynb")
    result, flow_run, parameters, parent = told["first"]
    assert (result, flow_run) == (12, told["asked"])
    assert parameters == {"n": 3, "times": 2, "model": "priority"}
    assert parent == flow_run
    assert (told["state"], told["deployment"]) == ("COMPLETED", True)
    assert told["second"][0] == 2
    assert told["second"][1] != flow_run
    # 7200 s are 2 h; an undefined R2 stays empty; the folder is named as it will be in the end.
    rows = {row["metric"]: row for row in json.loads(told["artifacts"]["metrics"])}
    assert (rows["MAE"]["value"], rows["MAE"]["hours"], rows["MSE"]["unit"]) == (7200.0, 2.0, "s²")
    assert (rows["MAE"]["±"], rows["MAE"]["± hours"], rows["MedAE"]["±"]) == (720.0, 0.2, None)
    assert (rows["R2"]["value"], rows["R2"]["hours"], rows["R2"]["±"]) == (None, None, None)
    assert str(folder.with_suffix("")) in told["artifacts"]["where-to-look"]
    assert str(folder.with_suffix("") / "n.html") in told["artifacts"]["where-to-look"]
    assert ".part" not in told["artifacts"]["where-to-look"]


@pytest.mark.slow
@pytest.mark.usefixtures("prefect")
def test_by_hand_a_flow_is_a_flow_run_of_its_own():
    """Without a scheduled flow run a call makes one, with tags that its tasks, which would wait for them, have not."""
    told = called(DAYBOOK_NOTEBOOK="n.ipynb", DAYBOOK_SCHEDULE="hourly")
    assert told["asked"] is None
    assert told["first"][0] == 12
    assert (told["state"], told["deployment"]) == ("COMPLETED", False)
    assert set(told["tags"]) == {"daybook", "notebook:n", "model:priority", "schedule:hourly"}
    assert told["task_tags"] == []
    assert told["first"][3] == told["first"][1]  # a flow that a flow calls is a part of it
    [row] = json.loads(told["artifacts"]["metrics"])
    assert (row["metric"], row["value"], row["unit"], row["hours"]) == ("<b>rows</b>", 3, "", None)
