"""How `daybook serve` starts runs, warm and cold: real processes, real zygotes."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from helpers import masking, prefect_server, runs, starters
from helpers.starters import ColdStarter, Ended, Request, WarmStarter

pytestmark = pytest.mark.slow
TICK = "2026-01-01T00:00:00.000+00:00"


@pytest.fixture
def connected(prefect, monkeypatch):
    """The Prefect server's settings, in this process's environment as in that of `daybook serve`."""
    for name, value in prefect_server.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=[WarmStarter, ColdStarter], ids=["warm", "cold"])
def starter(request, home, connected):
    """A starter of each kind."""
    made = request.param()
    yield made
    made.close()


@pytest.fixture
def warm(home, connected):
    """A warm starter."""
    made = WarmStarter()
    yield made
    made.close()


def ended(starter, seconds: float = 90.0) -> dict[str, Ended]:
    """Wait until a run has ended; how."""
    ends = time.monotonic() + seconds
    while not (found := starter.ended()):
        assert time.monotonic() < ends
        time.sleep(0.05)
    return found


def run(starter, notebook: Path, **facts) -> Ended:
    """A run from its beginning to its end."""
    key, _ = starter.start(Request(notebook, facts.pop("given", {}), TICK, "often", **facts))
    return ended(starter)[key]


def values(end: Ended) -> list:
    """What the code cells of a run put out, evaluated."""
    assert end.code == 0, end
    [path] = Path(end.outcome["folder"]).glob("*.ipynb")
    outputs = [o for cell in nbformat.read(path, as_version=4).cells for o in cell.get("outputs", [])]
    return [eval(o.data["text/plain"]) for o in outputs if o.output_type == "execute_result"]


def settle(starter: WarmStarter) -> None:
    """Wait until no successor is on its way."""
    ends = time.monotonic() + 90
    while starter.ended() or starter._successor:
        assert time.monotonic() < ends
        time.sleep(0.05)


def test_a_run_is_told_all_of_its_tick(starter, write_nb):
    """Both kinds hand on the tick, its schedule, attempt and limit, the environment, and parameters with secrets."""
    names = ["DAYBOOK_SCHEDULED_AT", "DAYBOOK_SCHEDULE", "DAYBOOK_ATTEMPT", "PREFECT__FLOW_RUN_ID", "X"]
    code = f"import os; [os.environ[name] for name in {names}]"
    reveals = "from helpers.masking import reveal; reveal(store), os.getsid(0) == os.getpid()"
    notebook = write_nb([code, reveals], "n: int = 1\nstore: str = ''")
    url = "postgresql://u:s3cret@h/d"
    end = run(
        starter,
        notebook,
        flow_run="an-id",
        attempt=2,
        timeout=60.0,
        environment={"X": "1"},
        given={"store": url, "n": 2},
    )
    assert values(end) == [[TICK, "often", "2", "an-id", "1"], (url, True)]
    facts = runs.read(Path(end.outcome["folder"]))
    assert (facts["schedule"], facts["attempt"], facts["flow_run"], facts["scheduled_at"]) == (
        "often",
        2,
        "an-id",
        TICK,
    )
    assert facts["parameters"] == {"store": "postgresql://u:***@h/d", "n": 2}


def test_a_run_of_no_flow_run_has_no_variable_of_it(starter, write_nb):
    """What a run was not given is not in its environment, not even empty."""
    end = run(
        starter, write_nb(["import os; [n for n in ('PREFECT__FLOW_RUN_ID', 'DAYBOOK_SECRETS') if n in os.environ]"])
    )
    assert values(end) == [[]]


def test_how_a_run_ends_is_told(starter, write_nb):
    """A failed, a refused and a killed run, and one past its limit, are told alike."""
    end = run(starter, write_nb(["raise ValueError('no')"]))
    assert (end.code, end.outcome["state"], end.outcome["error"]) == (1, "failed", "ValueError: no (in cell [1])")
    end = run(starter, write_nb(["1"], "number: int = 1"), given={"numbr": 1})
    assert (end.code, end.outcome) == (2, None)
    assert "did you mean 'number'" in end.refused
    sleeps = write_nb(["import time; time.sleep(300)"], name="sleeps.ipynb")
    end = run(starter, sleeps, timeout=3.0)
    assert end.outcome["error"] == "the run took longer than its limit of 3 s and was ended"
    key, pid = starter.start(Request(sleeps, {}, TICK, "often"))
    time.sleep(3)
    os.kill(pid, signal.SIGKILL)
    assert ended(starter) == {key: Ended(-signal.SIGKILL)}
    assert len(runs.end_going({"often"})) == 1


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("import sys; sys.exit(0)", "cell [2] ended the notebook with SystemExit(0)"),
        ("quit()", "cell [2] ended the notebook with quit() or exit()"),
        ("import os; os._exit(0)", "the kernel died before the last cell was done; out of memory, or killed?"),
        (
            "import os; os.kill(os.getpid(), 9)",
            "the kernel died before the last cell was done; out of memory, or killed?",
        ),
    ],
)
def test_a_forked_kernel_that_ends_says_the_same(warm, write_nb, cell, said):
    """A cell that ends a forked kernel, in whatever way, fails the run with the words of any other."""
    began = time.monotonic()
    end = run(warm, write_nb(["1", cell, "3"]))
    assert (end.outcome["state"], end.outcome["error"]) == ("failed", said)
    assert time.monotonic() - began < 30


def test_what_a_kernel_has_imported_is_imported_beforehand(warm, write_nb):
    """The first run imports for itself, a later one finds it done; the notebook's own modules stay its own."""
    notebook = write_nb(["import sys; 'turtledemo' in sys.modules", "import turtledemo, helpers.windows"])
    assert values(run(warm, notebook)) == [False]
    settle(warm)
    assert values(run(warm, notebook)) == [True]


def test_a_changed_helper_is_there_at_the_next_tick(warm, write_nb, tmp_path, monkeypatch):
    """A helper that changes makes a new zygote at the next start; a run of the old one goes on to its end."""
    monkeypatch.setattr(starters, "HELPERS", tmp_path)
    warm._sources = starters._fingerprint()
    slow = write_nb(["import time; time.sleep(4)"], name="slow.ipynb")
    key, _ = warm.start(Request(slow, {}, TICK, "often"))
    old = warm._zygote.pid
    (tmp_path / "new_helper.py").touch()
    other, _ = warm.start(Request(write_nb(["1"]), {}, TICK, "often"))
    assert warm._zygote.pid != old
    found: dict[str, Ended] = {}
    while len(found) < 2:
        found |= ended(warm)
    assert {found[key].code, found[other].code} == {0}
    warm.ended()
    assert not psutil.pid_exists(old)
    assert warm._retired == []


def test_a_killed_zygote_loses_its_runs_and_no_later_tick(warm, write_nb):
    """After kill -9 of the zygote its run is told as killed, and the next tick runs."""
    key, pid = warm.start(Request(write_nb(["import time; time.sleep(300)"], name="slow.ipynb"), {}, TICK, "often"))
    time.sleep(2)
    os.kill(warm._zygote.pid, signal.SIGKILL)
    assert ended(warm) == {key: Ended(-signal.SIGKILL)}
    assert len(runs.end_going({"often"})) == 1
    assert not psutil.pid_exists(pid)
    assert run(warm, write_nb(["1"])).code == 0
    os.kill(warm._zygote.pid, signal.SIGKILL)
    time.sleep(0.1)
    assert run(warm, write_nb(["1"])).code == 0  # nobody had looked since


def test_a_module_that_starts_a_thread_is_left_to_each_run(warm, write_nb):
    """An installed module whose import starts a thread is imported by each run itself; the others beforehand."""
    module = Path(sys.modules["pytest"].__file__).parents[1] / f"daybook_thread_{os.getpid()}.py"
    module.write_text("import threading, time\nthreading.Thread(target=time.sleep, args=[60], daemon=True).start()\n")
    try:
        name = module.stem
        notebook = write_nb(
            [f"import sys; [n in sys.modules for n in ('{name}', 'turtledemo')]", f"import {name}, turtledemo"]
        )
        assert values(run(warm, notebook)) == [[False, False]]
        settle(warm)
        assert warm._refused == {name}
        assert psutil.Process(warm._zygote.pid).is_running()
        assert values(run(warm, notebook)) == [[False, True]]
    finally:
        module.unlink()


def test_flows_in_forks_after_each_other_and_at_once(warm, write_nb, prefect):
    """Flows run in forked kernels, one after another and two at once, and their logs arrive at the server."""
    import httpx

    code = """
from prefect import flow, task, get_run_logger
@task
def double(n):
    get_run_logger().info("doubling %s for %s", n, mark)
    return 2 * n
@flow
def doubles():
    return [f.result() for f in double.map(range(3))]
doubles()"""
    notebooks = [write_nb([code], f"mark: str = 'mark-{n}-{os.getpid()}'", f"flow-{n}.ipynb") for n in range(2)]
    for notebook in notebooks:
        assert values(run(warm, notebook)) == [[0, 2, 4]]
    settle(warm)
    keys = {warm.start(Request(notebook, {}, TICK, "often"))[0] for notebook in notebooks}
    found: dict[str, Ended] = {}
    while found.keys() != keys:
        found |= ended(warm)
    assert [values(end) for end in found.values()] == [[[0, 2, 4]]] * 2
    logs = httpx.post(f"{prefect}/logs/filter", json={"limit": 200, "sort": "TIMESTAMP_DESC"}).json()
    messages = [log["message"] for log in logs]
    for n in range(2):
        assert sum(message.endswith(f"mark-{n}-{os.getpid()}") for message in messages) == 2 * 3


def test_the_secrets_of_all_schedules_stay_with_serve(connected, write_nb, monkeypatch):
    """What `daybook serve` itself can reveal is in the environment of no zygote and no run."""
    monkeypatch.setenv(masking.VARIABLE, json.dumps({"x://u:***@h": "x://u:s3cret@h"}))
    for kind in (WarmStarter, ColdStarter):
        starter = kind()
        end = run(starter, write_nb(["import os; 's3cret' in str(os.environ)"]))
        assert values(end) == [False]
        starter.close()


def test_runs_are_cold_where_forks_are_not_safe(monkeypatch, home, connected):
    """On macOS runs start as fresh interpreters, and the person is told; elsewhere as they were asked for."""
    said: list[str] = []
    assert isinstance(starters.choose(True, said.append), ColdStarter)
    assert said == []
    monkeypatch.setattr(sys, "platform", "darwin")
    assert isinstance(starters.choose(False, said.append), ColdStarter)
    [line] = said
    assert "as with --cold" in line
    assert isinstance(starters.choose(True, said.append), ColdStarter)
    assert len(said) == 1
