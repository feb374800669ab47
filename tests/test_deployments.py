"""Schedules on a real Prefect server: deployments, their flow runs, and who takes them."""

import time
import uuid
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from helpers import notebook_flows, prefect_server
from helpers.deployments import PAGE, Deployments, Tick
from helpers.exceptions import RefusedError, ServerError
from helpers.policies import Policies
from helpers.schedules import parse
from helpers.served_notebooks import from_options

SOON = timedelta(seconds=30)


def test_the_flow_s_name_is_read_from_the_notebook(write_nb):
    """The first `@flow` names the deployment's flow, by keyword or by function; a notebook without one has its own."""

    def name(*code: str) -> str:
        return notebook_flows.flow_name(write_nb(list(code)))

    assert name("@flow(name='Evaluate it')\ndef main():\n    pass") == "Evaluate it"
    assert name("import prefect\n@prefect.flow\ndef evaluate_model():\n    pass") == "evaluate-model"
    assert name("@task\ndef one(): pass", "%matplotlib inline", "@flow()\nasync def two_three(): pass") == "two-three"
    assert name("1 + 1") == "tiny"
    assert name("@flow(name=f'{x}')\ndef computed(): pass") == "computed"


def test_the_parameters_are_a_json_schema(write_nb):
    """Types, defaults and what must be given become the form of Prefect's page."""
    notebook = write_nb(
        ["1"], "n: int = 2\nsource: str = 'uci'  # where from\nrate = 0.5\nmore: dict = {}\nwho: str = None"
    )
    schema = notebook_flows.parameter_schema(notebook)
    kinds = {name: facts.get("type") for name, facts in schema["properties"].items()}
    assert kinds["n"] == "integer"
    assert kinds["source"] == "string"
    assert kinds["rate"] == "number"
    assert kinds["more"] == "object"
    assert schema["properties"]["n"]["default"] == 2
    assert [facts["position"] for facts in schema["properties"].values()] == [0, 1, 2, 3, 4]
    assert all(name in schema["properties"] for name in schema["required"])


@pytest.fixture
def deployments(prefect, monkeypatch):
    """A client of the tests' server."""
    for name, value in prefect_server.environment().items():
        monkeypatch.setenv(name, value)
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: prefect}):
        client = Deployments()
        yield client
        client.close()


@pytest.fixture
def served(write_nb, deployments, prefect):
    """A notebook served under a name of its own, every hour; its deployment is deleted at the end."""
    name = f"n{uuid.uuid4().hex[:8]}"
    notebook = write_nb(["1"], "n: int = 2\nsource: str = 'sample'", f"{name}.ipynb")
    yield from_options(notebook, {}, parse(every="1h"), Policies(), None)
    found = httpx.post(f"{prefect}/deployments/filter", json={"deployments": {"name": {"any_": [name]}}}, timeout=60)
    for deployment in found.json():
        httpx.delete(f"{prefect}/deployments/{deployment['id']}", timeout=60)


def due(deployments, deployment: str) -> list[Tick]:
    """What is due in the next seconds."""
    return deployments.scheduled([deployment], datetime.now(UTC) + SOON)[deployment]


def by_hand(prefect: str, deployment: str, state: dict | None = None, **body) -> str:
    """Trigger a run, as the page does; its id."""
    body |= {"state": state or {"type": "SCHEDULED"}}
    answer = httpx.post(f"{prefect}/deployments/{deployment}/create_flow_run", json=body, timeout=60)
    answer.raise_for_status()
    return answer.json()["id"]


def flow_run(prefect: str, id: str) -> dict:
    """A flow run as the server has it."""
    return httpx.get(f"{prefect}/flow_runs/{id}", timeout=60).json()


@pytest.mark.slow
def test_a_deployment_is_made_once_and_keeps_its_pause(deployments, served, prefect):
    """Applied again it is the same deployment with the same one schedule; what was paused on the page stays so."""
    made = deployments.apply(served)
    assert deployments.is_paused(made) is False
    [schedule] = httpx.get(f"{prefect}/deployments/{made}", timeout=60).json()["schedules"]
    httpx.patch(f"{prefect}/deployments/{made}/schedules/{schedule['id']}", json={"active": False}, timeout=60)
    assert deployments.is_paused(made) is True
    assert deployments.apply(served) == made
    assert deployments.is_paused(made) is True
    found = httpx.get(f"{prefect}/deployments/{made}", timeout=60).json()
    assert len(found["schedules"]) == 1
    assert found["parameters"] == {} or found["parameters"] == {"n": 2}
    assert found["enforce_parameter_schema"] is True
    httpx.delete(f"{prefect}/deployments/{made}", timeout=60)
    assert deployments.is_paused(made) is None


@pytest.mark.slow
def test_a_deployment_paused_as_a_whole_stays_paused(deployments, served, prefect):
    """`pause_deployment` of the API, and `prefect deployment schedule pause`, are kept alike."""
    made = deployments.apply(served)
    httpx.post(f"{prefect}/deployments/{made}/pause_deployment", timeout=60).raise_for_status()
    assert deployments.is_paused(made) is True
    deployments.apply(served)
    assert deployments.is_paused(made) is True


@pytest.mark.slow
def test_first_ticks_are_there_at_once(deployments, prefect, served):
    """A short interval's ticks do not wait for the server's own scheduler, are the schedule's, and have its tags."""
    often = from_options(served.notebook, {}, parse(every="2s"), Policies(), served.name)
    began = datetime.now(UTC)
    made = deployments.apply(often)
    found = due(deployments, made)
    assert 13 <= len(found) <= 17
    assert [tick.scheduled_at for tick in found] == often.schedule.ticks(
        found[0].scheduled_at - timedelta(seconds=1), found[-1].scheduled_at
    )
    assert found[0].scheduled_at - began < timedelta(seconds=5)
    assert all(tick.by_schedule and tick.attempt == 1 and tick.due_at == tick.scheduled_at for tick in found)
    tags = {"daybook", f"notebook:{served.name}", "source:sample", f"schedule:{served.name}"}
    assert tags < set(flow_run(prefect, found[0].flow_run)["tags"])


@pytest.mark.slow
def test_a_flow_run_is_taken_once(deployments, served, prefect):
    """Of two processes one gets it; asked again, the one who has it hears so: an answer may have been lost."""
    made = deployments.apply(served)
    id = by_hand(prefect, made)
    [tick] = due(deployments, made)
    assert (tick.flow_run, tick.by_schedule) == (id, False)
    other = Deployments()
    assert deployments.claim(id) is True
    assert other.claim(id) is False
    assert deployments.claim(id) is True
    assert due(deployments, made) == []
    assert [one.flow_run for one in deployments.unfinished(made)] == [id]
    other.close()


@pytest.mark.slow
def test_what_is_cancelled_or_gone_is_not_taken(deployments, served, prefect):
    """A flow run that was cancelled or deleted on the page is nobody's any more."""
    made = deployments.apply(served)
    id = by_hand(prefect, made)
    httpx.post(f"{prefect}/flow_runs/{id}/set_state", json={"state": {"type": "CANCELLED"}}, timeout=60)
    assert deployments.claim(id) is False
    assert deployments.claim(str(uuid.uuid4())) is False
    assert deployments.state(str(uuid.uuid4())) is None
    deployments.close_flow_run(str(uuid.uuid4()), "failed", "gone")  # and no error


@pytest.mark.slow
@pytest.mark.parametrize(
    ("state", "kind", "name"),
    [
        ("completed", "COMPLETED", "Completed"),
        ("failed", "FAILED", "Failed"),
        ("crashed", "CRASHED", "Crashed"),
        ("cancelled", "CANCELLED", "Cancelled"),
        ("skipped", "CANCELLED", "Skipped"),
        ("missed", "CANCELLED", "Missed"),
    ],
)
def test_a_flow_run_is_closed_as_its_run_ended(deployments, served, prefect, state, kind, name):
    """Each state of a run has one on Prefect's page, with the reason, its passwords masked."""
    made = deployments.apply(served)
    id = by_hand(prefect, made)
    deployments.claim(id)
    deployments.close_flow_run(id, state, "at postgresql://me:s3cret@host/db")
    found = flow_run(prefect, id)
    assert (found["state"]["type"], found["state"]["name"]) == (kind, name)
    assert found["state"]["message"] == "at postgresql://me:***@host/db"
    deployments.close_flow_run(id, state, "again")
    assert flow_run(prefect, id)["state"]["id"] == found["state"]["id"]
    assert deployments.unfinished(made) == []


@pytest.mark.slow
def test_a_retry_keeps_the_tick_s_time(deployments, served, prefect):
    """A failed flow run waits for its retry as the same flow run: later due, scheduled for the same moment."""
    made = deployments.apply(served)
    id = by_hand(prefect, made)
    [tick] = due(deployments, made)
    deployments.claim(id)
    at = datetime.now(UTC) + timedelta(seconds=20)
    deployments.retry(id, at, "no such host")
    found = flow_run(prefect, id)
    assert (found["state"]["type"], found["state"]["name"]) == ("SCHEDULED", "AwaitingRetry")
    [again] = due(deployments, made)
    assert again.flow_run == id
    assert again.scheduled_at == tick.scheduled_at
    assert abs(again.due_at - at) < timedelta(milliseconds=1)


@pytest.mark.slow
def test_more_late_runs_than_the_server_tells_of_at_once(deployments, served, prefect):
    """The server tells of the oldest 200: the others, and those of other deployments, are asked for besides."""
    made = deployments.apply(served)
    start = datetime.now(UTC) - timedelta(hours=1)
    with httpx.Client(timeout=60) as client:
        for n in range(PAGE + 7):
            at = (start + timedelta(seconds=n)).isoformat()
            state = {"type": "SCHEDULED", "state_details": {"scheduled_time": at}}
            # Its SQLite is busy now and then: 503.
            while client.post(f"{prefect}/deployments/{made}/create_flow_run", json={"state": state}).is_server_error:
                time.sleep(0.5)
    found = due(deployments, made)
    assert len(found) == PAGE + 7
    assert len({tick.flow_run for tick in found}) == PAGE + 7
    assert found == sorted(found, key=lambda tick: tick.due_at)


@pytest.mark.slow
def test_a_tick_that_the_server_did_not_make_is_made_once(deployments, served, prefect):
    """Asked twice for the flow run of one tick, the server has one; it is scheduled for the tick's time."""
    made = deployments.apply(served)
    tick = Tick(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
    id = deployments.create(made, tick)
    assert deployments.create(made, tick) == id
    [found] = due(deployments, made)
    assert (found.flow_run, found.scheduled_at) == (id, tick.scheduled_at)


@pytest.mark.slow
def test_a_server_that_is_away_is_one_error_at_once(prefect, monkeypatch, deployments):
    """Nothing is tried again for a minute; at the end a second question is not even asked."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings({PREFECT_API_URL: "http://127.0.0.1:9/api"}):
        away = Deployments()
        began = datetime.now(UTC)
        with pytest.raises(ServerError, match="does not answer"):
            away.state(str(uuid.uuid4()))
        assert datetime.now(UTC) - began < timedelta(seconds=3)
        away.be_brisk(is_ending=True)
        with pytest.raises(ServerError):
            away.state(str(uuid.uuid4()))
        with pytest.raises(ServerError, match="is not asked again"):
            away.state(str(uuid.uuid4()))
        away.close()


@pytest.mark.slow
def test_a_refusal_is_told_from_an_absence(deployments, served):
    """What the server answers and will not do has an error of its own, with its words."""
    with pytest.raises(RefusedError, match="the Prefect server answered 4"):
        deployments.scheduled(["00000000-0000-0000-0000-000000000000"] * 3, "no time")
