"""Run folders and their records, also when several processes look at them at once."""

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from helpers import runs

HOLD = "import sys; from helpers import runs; r = runs.RunRecord('n.ipynb', {}); print(r.run, flush=True); input()"


@pytest.fixture
def held(home):
    """A run of another process: its id, and the process, which holds it until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield process.stdout.readline().strip(), process
    process.kill()
    process.communicate()


def test_a_record_says_how_its_run_went(home):
    """A run is pending, then running, then what it is finished with; its folder has its final name only then."""
    record = runs.RunRecord("my notebook.ipynb", {"n": 1}, "2016-02-29T01:16:00.000+00:00")
    assert record.folder == home / f"{record.run}.part"
    [facts] = runs.listing()
    assert (facts["state"], facts["parameters"]) == ("pending", {"n": 1})
    record.update(state="running", started_at="2026-01-01T00:00:00+00:00")
    (record.folder / "dask-dashboard.json").write_text("{}")  # of a cluster that a failing cell did not close
    assert runs.listing()[0]["state"] == "running"
    folder = record.finish("failed", "one line")
    assert folder == home / record.run
    [facts] = runs.listing()
    assert (facts["state"], facts["error"], facts["folder"]) == ("failed", "one line", str(folder))
    assert facts["seconds"] > 0
    assert set(runs.FIELDS) < set(facts)
    assert sorted(path.name for path in folder.iterdir()) == ["run.json"]


def test_a_notebook_s_path_is_as_short_as_it_can_be(tmp_path, monkeypatch):
    """Below the repository, else below the current folder, a path is relative; elsewhere it is absolute."""
    monkeypatch.chdir(tmp_path)
    own = runs.REPOSITORY / "notebooks" / "evaluate_ticket_model.ipynb"
    assert runs.recorded_path(own) == "notebooks/evaluate_ticket_model.ipynb"
    assert runs.recorded_path(tmp_path / "a" / "n.ipynb") == "a/n.ipynb"
    assert runs.recorded_path(Path("b/../n.ipynb")) == "n.ipynb"
    assert runs.recorded_path(tmp_path.parent / "n.ipynb") == str(tmp_path.parent.resolve() / "n.ipynb")


def test_lists_newest_first_and_only_as_many_as_asked(home):
    """Runs are listed newest first, at most so many, of one notebook if asked; other folders are not runs."""
    for number in range(5):
        name = f"2026010{number + 1}T000000Z-n-0000000{number}"
        (home / name).mkdir(parents=True)
        facts = {"run": name, "notebook": f"{number % 2}.ipynb", "state": "completed"}
        (home / name / "run.json").write_text(json.dumps(facts))
    (home / "cache").mkdir()
    (home / ".20260109T000000Z-n-00000009").mkdir()
    assert [facts["run"][6:8] for facts in runs.listing()] == ["05", "04", "03", "02", "01"]
    assert [facts["run"][6:8] for facts in runs.listing(last=2)] == ["05", "04"]
    assert [facts["run"][6:8] for facts in runs.listing(notebook="1.ipynb")] == ["04", "02"]


def test_a_run_whose_process_lives_is_not_crashed(held):
    """A run that another process holds is listed as it is, and is not closed."""
    run, _ = held
    assert runs.listing()[0]["state"] == "pending"
    assert runs.close_crashed() == []
    assert runs.listing()[0]["run"] == run


@pytest.mark.slow
def test_a_run_whose_process_was_killed_is_crashed(held, home):
    """kill -9 leaves a run that is listed as crashed at once, and that is closed once, with what it left running."""
    run, process = held
    left = subprocess.Popen(["sleep", "300"], env=os.environ | {"DAYBOOK_RUN": run})
    other = subprocess.Popen(["sleep", "300"], env=os.environ | {"DAYBOOK_RUN": f"{run}0"})
    try:
        process.kill()
        process.wait()
        assert runs.listing()[0]["state"] == "crashed"
        assert runs.close_crashed() == [run]
        assert runs.close_crashed() == []
        assert not psutil.pid_exists(left.pid)
        assert other.poll() is None
    finally:
        for child in (left, other):
            child.kill()
            child.wait()
    [facts] = runs.listing()
    assert (facts["state"], facts["folder"]) == ("crashed", str(home / run))
    assert facts["finished_at"]
    assert "folder" not in json.loads((home / run / "run.json").read_text())


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", None])
def test_a_broken_record_is_listed_and_closed(home, text):
    """A run.json that is empty, cut short, not a mapping or absent is said to be so, not raised."""
    folder = home / "20260101T000000Z-n-00000001.part"
    folder.mkdir(parents=True)
    (folder / "run.lock").touch()
    if text is not None:
        (folder / "run.json").write_text(text)
    assert runs.listing()[0]["state"] == "crashed"
    assert runs.close_crashed() == ["20260101T000000Z-n-00000001"]
    assert runs.listing()[0]["state"] == "crashed"


def test_reading_does_not_bring_back_a_folder_that_got_its_final_name(home):
    """Looking at a folder that is renamed meanwhile does not make it again."""
    record = runs.RunRecord("n.ipynb", {})
    part = record.folder
    record.finish("completed")
    runs.read(part)
    assert not part.exists()


def test_a_long_name_of_another_script_fits(home):
    """A notebook's name of 80 characters of four bytes each still makes a folder that a file system takes."""
    record = runs.RunRecord("𒀀" * 60 + ".ipynb", {})
    assert record.finish("completed").is_dir()


def _churn(n: int) -> None:
    for _ in range(n):
        record = runs.RunRecord("n.ipynb", {})
        record.update(state="running")
        record.finish("completed")


def _close(stop) -> None:
    while not stop.is_set():
        runs.close_crashed()
        runs.listing(last=5)


@pytest.mark.slow
def test_nobody_takes_a_beginning_or_ending_run_for_a_crashed_one(home):
    """While runs begin and end, others that close crashed runs leave them alone."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    closers = [context.Process(target=_close, args=(stop,)) for _ in range(2)]
    for closer in closers:
        closer.start()
    _churn(300)
    stop.set()
    for closer in closers:
        closer.join(20)
    assert [closer.exitcode for closer in closers] == [0, 0]
    assert {facts["state"] for facts in runs.listing()} == {"completed"}
    assert len(list(home.iterdir())) == 300


@pytest.mark.slow
def test_only_what_serve_started_is_ended_for_it():
    """A served run of the schedule is killed and closed; a cron job's run of the same name, and others, go on."""
    code = "import sys, time; from helpers import runs; r = runs.RunRecord('n.ipynb', {}, schedule=sys.argv[1], "
    code += "served=sys.argv[2] == 'True'); print(r.run, flush=True); time.sleep(300)"
    going = {}
    for asked in (("often", True), ("often", False), ("other", True)):
        child = subprocess.Popen([sys.executable, "-c", code, *map(str, asked)], stdout=subprocess.PIPE, text=True)
        going[asked] = (child, child.stdout.readline().strip())
    try:
        assert runs.end_going({"often"}) == [going["often", True][1]]
        # psutil has waited for the child that was killed, so that subprocess does not know its return code.
        assert [psutil.pid_exists(child.pid) for child, _ in going.values()] == [False, True, True]
        states = {facts["run"]: facts["state"] for facts in runs.listing()}
        assert [states[run] for _, run in going.values()] == ["crashed", "pending", "pending"]
    finally:
        for child, _ in going.values():
            child.kill()
            child.communicate()
