"""Back-fill: which windows are run, which are there already, and what is left when it is cut short."""

import csv
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from datetime import datetime
from pathlib import Path

import psutil
import pytest
from sklearn.metrics import mean_absolute_error

from helpers import runs, trials
from helpers.backfill import Backfill, WindowRun, report
from helpers.exceptions import ParameterError
from helpers.masking import mask
from helpers.trials import TrialStore

REPOSITORY = Path(__file__).resolve().parents[1]
EVALUATION = REPOSITORY / "notebooks" / "evaluate_ticket_model.ipynb"
DAYBOOK = [sys.executable, "-m", "helpers.command_line"]
SPAN = ("2016-03-01", "2016-06-01", "1month")
PARAMETERS = """\
closed_from: str = ""  # from
closed_to: str = ""  # to
model: str = "priority"  # model
seed: int = 0  # seed
store: str = ""  # store
cluster: str = "none"  # no parameter of the flow
seconds: float = 0.0  # to take
bad: str = ""  # the window that fails
"""
# A trial as the evaluation notebook's flow makes it, without its 7 s of imports.
KEEP = """\
import time
from helpers import run_context, trials
context = run_context.current()
parameters = {"closed_from": closed_from, "closed_to": closed_to, "model": model, "seed": seed, "store": store}
time.sleep(seconds)
assert not bad or closed_from != bad, f"{bad} is bad"
made = {"run": context.run, "flow_run": None, "notebook": context.notebook, "parameters": parameters}
made |= {"scheduled_at": context.scheduled_at, "schedule": context.schedule, "started_at": run_context.now()}
facts = {"source": "s", "source_sha256": "0", "model": model, "model_version": "1", "finished_at": run_context.now()}
data = {"num_obs": 1, "num_available": 1, "metrics": {"MAE": 3600.0, "MedAE": 3600.0, "R2": None}, "notes": []}
trials.keep({"id": trials.trial_id(made), "data": data} | made | facts, store)
"""
MONTHS = ["2016-03-01T00:00:00+00:00", "2016-04-01T00:00:00+00:00", "2016-05-01T00:00:00+00:00"]


@pytest.fixture
def notebook(write_nb) -> Path:
    """A notebook that stores a trial for its window."""
    return write_nb([KEEP], parameters=PARAMETERS)


def trial_of(start: str, end: str, **facts) -> dict:
    """The document that a back-fill's run of the tiny notebook stores for a window."""
    parameters = {"closed_from": start, "closed_to": end, "model": "priority", "seed": 0, "store": "elsewhere"}
    parameters |= facts.pop("parameters", {})
    tick = datetime.fromisoformat(end).isoformat(timespec="milliseconds")
    made = {"run": None, "notebook": "tiny.ipynb", "parameters": parameters, "scheduled_at": tick}
    made |= {"schedule": "backfill", "started_at": tick} | facts
    described = {"source": "s", "source_sha256": "0", "model": "priority", "model_version": "1", "finished_at": tick}
    data = {"num_obs": 1, "metrics": {"MAE": 7200.0}}
    return {"id": trials.trial_id(made), "data": data} | made | described


def command(notebook: Path, *options: str) -> list[str]:
    """The command line of a back-fill over three months."""
    start, end, every = SPAN
    return [*DAYBOOK, "backfill", str(notebook), "--from", start, "--to", end, "--every", every, *options]


def stored_windows() -> Counter:
    """How many trials of each window the store holds, by the window's start."""
    return Counter(trial["parameters"]["closed_from"] for trial in TrialStore().documents())


def wait_for(what, seconds: float = 60):
    """What `what` returns, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return found


def processes_of(home: Path) -> list[psutil.Process]:
    """The processes that work for this home, but for this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("DAYBOOK_HOME") == str(home):
                found.append(process)
        except psutil.Error:
            pass
    return found


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"start": "2016-06-01"},
            "--from is '2016-06-01', which is not before --to, '2016-06-01'; give an",
        ),
        ({"start": "March"}, "--from is 'March', no date or time; give 2016-03-01 or 2016-03-01T06:00:00+01:00"),
        ({"every": "1 fortnight"}, "--every is '1 fortnight', no duration; give a whole number and s, m, h, d, w, mon"),
        ({"every": "1m"}, "--every 1m makes more than 10,000 windows; give a longer duration"),
        ({"timezone": "Europe/Berln"}, "time zone 'Europe/Berln' is unknown; did you mean 'Europe/Berlin'?"),
        (
            {"given": {"closed_from": "2016-03-01"}},
            "parameter 'closed_from' is what a backfill sets, to each window",
        ),
        ({"given": {"sed": "1"}}, "tiny.ipynb has no parameter 'sed'; did you mean 'seed'?"),
        ({"given": {"seed": "many"}}, "parameter 'seed' is 'many', but a whole number is expected"),
        (
            {"given": {"model": "{asof}.skops"}},
            "parameter 'model' has '{asof}', no reference to the tick; write",
        ),
        ({"notebook": Path("absent.ipynb")}, "absent.ipynb: no such notebook; give the path of an .ipynb file"),
    ],
)
def test_what_cannot_be_filled_is_refused(notebook, home, changes, message):
    """A wrong span, duration, zone, parameter or notebook is refused in one line, before a run or a server starts."""
    start, end, every = SPAN
    asked = {"notebook": notebook, "given": {}, "start": start, "end": end, "every": every} | changes
    with pytest.raises(ParameterError) as caught:
        Backfill(**asked)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert not home.exists()


@pytest.mark.parametrize("lacking", ["closed_from", "closed_to"])
def test_notebook_without_a_window_is_refused(write_nb, lacking):
    """A notebook that does not declare both of a window's ends cannot be back-filled."""
    declared = [name for name in ("closed_from", "closed_to") if name != lacking]
    notebook = write_nb(["1"], parameters=f'{declared[0]}: str = ""')
    what = "a backfill sets closed_from and closed_to, so its notebook has both"
    with pytest.raises(ParameterError, match=f"tiny.ipynb has no parameter '{lacking}'; {what}"):
        Backfill(notebook, {}, *SPAN)


def test_refusal_on_the_command_line(notebook):
    """The command says the line on stderr and ends with code 2."""
    done = subprocess.run(command(notebook, "-p", "closed_to", "x"), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("daybook: parameter 'closed_to' is what a backfill sets")
    assert done.stderr.count("\n") == 1


# What is there already


def test_stored_windows_are_found(notebook):
    """A window whose trial is stored is there already, whatever other windows, and with its metric."""
    TrialStore().write(trial_of(*MONTHS[1:]))
    (there,) = Backfill(notebook, {}, *SPAN).stored()
    assert (there.window.label(), there.state, there.MAE) == ("2016-04", "already there", 7200.0)
    assert there.trial == TrialStore().documents()[0]["id"]
    assert str(there) == "already there  MAE 2.0 h"


def test_nothing_is_there_without_a_store(notebook):
    """A store that does not exist yet holds no window, and looking does not make it."""
    assert Backfill(notebook, {}, *SPAN).stored() == []
    assert not Path(TrialStore().url.database).exists()


@pytest.mark.parametrize(
    ("given", "is_there"),
    [
        ({"model": "priority", "seed": "0"}, True),  # the defaults, spelt out
        ({"cluster": "local"}, True),  # no parameter of the flow: the same trial, made elsewhere
        ({"model": "other.skops"}, False),
        ({"seed": "1"}, False),
    ],
)
def test_trial_with_other_parameters_is_another(notebook, given, is_there):
    """Only a trial of the same parameters is the window's, as its id has it."""
    TrialStore().write(trial_of(*MONTHS[:2]))
    assert bool(Backfill(notebook, given, *SPAN).stored()) == is_there


@pytest.mark.parametrize(
    "facts",
    [
        {"notebook": "another.ipynb"},
        {"schedule": "every minute"},
        {"schedule": None},
        {"parameters": {"closed_from": "2016-02-01T00:00:00+00:00"}},
        {"scheduled_at": "2016-04-01T00:00:01.000+00:00"},
    ],
)
def test_trial_of_something_else_is_not_the_windows(notebook, facts):
    """A trial of another notebook, schedule, tick or window with the same end leaves the window to be run."""
    TrialStore().write(trial_of(*MONTHS[:2], **facts))
    assert Backfill(notebook, {}, *SPAN).stored() == []


def test_given_store_is_searched(notebook, tmp_path):
    """Windows are looked for in the store that the parameter names, not in the home's own."""
    elsewhere = str(tmp_path / "elsewhere.sqlite")
    TrialStore(elsewhere).write(trial_of(*MONTHS[:2]))
    assert Backfill(notebook, {}, *SPAN).stored() == []
    assert len(Backfill(notebook, {"store": elsewhere}, *SPAN).stored()) == 1


def test_parameters_that_refer_to_the_tick_or_hide_a_secret(notebook):
    """References stand for each window's end, and what a trial masks is compared masked."""
    url = "https://user:s3cret@example.com/{as_of}.skops"
    for start, end in itertools.pairwise(MONTHS):
        tick = datetime.fromisoformat(end).isoformat(timespec="milliseconds")
        TrialStore().write(trial_of(start, end, parameters={"model": mask(url.replace("{as_of}", tick))}))
    assert "s3cret" not in json.dumps(TrialStore().documents())
    assert [there.window.label() for there in Backfill(notebook, {"model": url}, *SPAN).stored()] == [
        "2016-03",
        "2016-04",
    ]


def test_windows_begin_in_the_zone(notebook):
    """In a zone months begin at its midnight, and the bounds that a run is given are in UTC."""
    first = Backfill(notebook, {}, *SPAN, timezone="Europe/Berlin").windows[0]
    described = WindowRun(first, "not started").described()
    assert described["closed_from"] == "2016-02-29T23:00:00+00:00"
    assert (described["closed_to"], described["scheduled_at"]) == (
        "2016-03-31T22:00:00+00:00",
        "2016-03-31T22:00:00.000+00:00",
    )


def test_outcomes_in_words(notebook):
    """A line says the state, then the metric and the time or the error; the last line counts."""
    one, two, three = Backfill(notebook, {}, *SPAN).windows
    completed = WindowRun(one, "completed", MAE=659_430.0, seconds=9.26)
    failed = WindowRun(two, "failed", seconds=1.0, error="it broke")
    assert [str(completed), str(failed)] == ["completed  MAE 183.2 h  in 9.3 s", "failed: it broke"]
    there = WindowRun(three, "already there")
    assert report([completed, failed, there]) == "3 windows: 1 completed, 1 failed, 1 already there"
    assert [done.exit_code for done in (completed, failed, there, WindowRun(one, "cancelled"))] == [0, 1, 0, 130]


# Runs


@pytest.mark.slow
def test_windows_run_side_by_side_and_once(notebook, home, prefect):
    """Windows run two at a time and no more, one that fails stops none, and only that one runs again."""
    options = ["-p", "seconds", "4", "--parallel", "2", "--json"]
    done = subprocess.run(
        command(notebook, *options, "-p", "bad", MONTHS[1]), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stderr[-2000:]
    states = {window["closed_from"]: window["state"] for window in json.loads(done.stdout)}
    assert states == {MONTHS[0]: "completed", MONTHS[1]: "failed", MONTHS[2]: "completed"}
    assert "is bad" in json.loads(done.stdout)[1]["error"]
    assert stored_windows() == {MONTHS[0]: 1, MONTHS[2]: 1}
    times = [(facts["started_at"], 1) for facts in runs.listing()] + [
        (facts["finished_at"], -1) for facts in runs.listing()
    ]
    going = [sum(change for _, change in sorted(times)[: place + 1]) for place in range(len(times))]
    assert max(going) == 2

    again = subprocess.run(command(notebook, *options), capture_output=True, text=True, check=False)
    assert again.returncode == 0, again.stderr[-2000:]
    states = [window["state"] for window in json.loads(again.stdout)]
    assert states == ["already there", "completed", "already there"]
    assert stored_windows() == dict.fromkeys(MONTHS, 1)
    assert Counter(facts["schedule"] for facts in runs.listing()) == {"backfill": 4}
    assert {facts["scheduled_at"] for facts in runs.listing()} == {
        f"2016-0{month}-01T00:00:00.000+00:00" for month in (4, 5, 6)
    }
    assert all(trial["scheduled_at"] > trial["parameters"]["closed_from"] for trial in TrialStore().documents())
    assert not processes_of(home)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_backfill_ends_its_runs_and_is_resumed(notebook, home, prefect, number):
    """After Ctrl-C or SIGTERM no run goes on and each is recorded; the next back-fill makes what is missing."""
    slow = command(notebook, "-p", "seconds", "6", "--parallel", "2")
    child = subprocess.Popen(slow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: Counter(facts["state"] for facts in runs.listing())["running"] == 2)
    time.sleep(2)  # into the cell
    began = time.monotonic()
    child.send_signal(number)
    output, errors = child.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert child.returncode == 130, errors[-2000:]
    assert output.splitlines()[-1] == "3 windows: 2 cancelled, 1 not started"
    assert [facts["state"] for facts in runs.listing()] == ["cancelled"] * 2
    assert not processes_of(home)
    assert not stored_windows()
    resumed = subprocess.run(command(notebook, "-p", "seconds", "0"), capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    assert stored_windows() == dict.fromkeys(MONTHS, 1)


@pytest.mark.slow
@pytest.mark.parametrize(("signals", "seconds"), [(1, 15), (2, 5)])
def test_run_that_does_not_end_is_killed(notebook, home, prefect, signals, seconds):
    """A run that does not answer is killed after a while, or at once at the second Ctrl-C, and closed as crashed."""
    child = subprocess.Popen(command(notebook, "-p", "seconds", "120"), stdout=subprocess.PIPE, text=True)
    wait_for(lambda: Counter(facts["state"] for facts in runs.listing())["running"] == 2)
    for run in psutil.Process(child.pid).children():
        run.suspend()
    began = time.monotonic()
    for _ in range(signals):
        child.send_signal(signal.SIGINT)
        time.sleep(0.2)
    output, _ = child.communicate(timeout=60)
    assert time.monotonic() - began < seconds
    assert child.returncode == 130
    ended = [line.partition("  ")[2] for line in output.splitlines()]
    assert Counter(ended)["cancelled: the run's process was ended by SIGKILL"] == 2
    assert [facts["state"] for facts in runs.listing()] == ["crashed"] * 2
    assert all(facts["finished_at"] for facts in runs.listing())  # closed, not only found to be dead
    assert not processes_of(home)


@pytest.mark.slow
def test_killed_backfill_is_resumed_with_each_trial_once(notebook, home, prefect):
    """`kill -9` leaves the runs that are going; a back-fill beside them waits for them, and no trial is there twice."""
    child = subprocess.Popen(command(notebook, "-p", "seconds", "5", "--parallel", "2"), stdout=subprocess.DEVNULL)
    wait_for(lambda: Counter(facts["state"] for facts in runs.listing())["running"] == 2)
    child.kill()
    child.wait()
    # Another parameter of the run, the same trials: the flow does not have it.
    resumed = subprocess.run(command(notebook, "-p", "seconds", "0.5"), capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    wait_for(lambda: not processes_of(home))
    assert stored_windows() == dict.fromkeys(MONTHS, 1)
    assert Counter(facts["state"] for facts in runs.listing()).keys() == {"completed"}


@pytest.mark.slow
def test_live_run_is_not_kept_from_running(notebook, home, prefect):
    """While windows run, a run of the same notebook by hand or by a schedule is not skipped."""
    child = subprocess.Popen(command(notebook, "-p", "seconds", "12", "--parallel", "1"), stdout=subprocess.DEVNULL)
    wait_for(lambda: Counter(facts["state"] for facts in runs.listing())["running"] == 1)
    live = [*DAYBOOK, "run", str(notebook), "--json", "--scheduled-at", "now"]
    done = subprocess.run(live, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout.splitlines()[-1])["state"] == "completed", done.stderr[-2000:]
    assert child.poll() is None
    child.terminate()
    assert child.wait(timeout=30) == 130


@pytest.mark.slow
def test_windows_of_the_real_log(real_log, prefect):
    """Each window is one trial of the evaluation notebook, with scikit-learn's error over the zip's rows in it."""
    fill = Backfill(EVALUATION, {"source": str(real_log), "batch_size": "0"}, "2016-12-01", "2017-02-18", "1month")
    lines = []
    outcomes = fill.run(2, lambda done: lines.append(str(done)))
    assert [done.state for done in outcomes] == ["completed"] * 3, lines

    hours = {"1 - Critical": 6, "2 - High": 24, "3 - Moderate": 120, "4 - Low": 240}
    with zipfile.ZipFile(real_log).open("incident_event_log.csv") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))
    for row in rows:
        row["closed"], row["updated"] = (
            datetime.strptime(row[name], "%d/%m/%Y %H:%M") for name in ("closed_at", "sys_updated_at")
        )
    bounds = [datetime(2016, 12, 1), datetime(2017, 1, 1), datetime(2017, 2, 1), datetime(2017, 2, 18)]
    trial = {document["id"]: document for document in TrialStore().documents()}
    assert len(trial) == 3
    for done, (start, end) in zip(outcomes, itertools.pairwise(bounds), strict=True):
        inside = [row for row in rows if start <= row["closed"] < end]
        actual = [(row["closed"] - row["updated"]).total_seconds() for row in inside]
        expected = mean_absolute_error(actual, [hours[row["priority"]] * 3600.0 for row in inside])
        data = trial[done.trial]["data"]
        assert (data["num_obs"], data["num_available"], data["num_left_out"]) == (len(inside), len(inside), 0)
        assert data["metrics"]["MAE"] == done.MAE == pytest.approx(expected, rel=1e-12)
    assert [str(done) for done in fill.run(2)] == [f"already there  MAE {done.MAE / 3600:,.1f} h" for done in outcomes]
    assert len(runs.listing()) == 3
