"""Runs in a terminal."""

import json

import pytest

from helpers import runs
from helpers.exceptions import ParameterError
from helpers.run_listing import NOTEBOOKS, RunListing, trend_lines
from helpers.terminal import text_width


def add_run(state: str, error: object = None, notebook: str = "n.ipynb", number: int = 1, **facts) -> str:
    """A run of this home that ended so, in a given minute."""
    record = runs.RunRecord(notebook, {})
    record.update(state="running", started_at="2026-01-01T00:00:00.000+00:00")
    folder = record.finish(state, error)
    told = json.loads((folder / "run.json").read_text()) | {"seconds": 1.5, "run": f"r{number}"} | facts
    (folder / "run.json").write_text(json.dumps(told))
    folder.rename(folder.with_name(f"20260101T00{number:02}00Z-n-0000000{number % 10}"))
    return f"r{number}"


def test_runs_in_some_states_and_of_some_notebooks(home):
    """Filters leave runs in one of the states, of one of the notebooks by name or path; at most as many as asked."""
    add_run("completed", number=1)
    add_run("failed", "no", number=2)
    add_run("failed", "no", "other.ipynb", number=3)
    add_run("skipped", number=4)

    def found(*arguments) -> list[str]:
        return [facts["run"] for facts in RunListing(*arguments).facts()]

    assert found() == ["r4", "r3", "r2", "r1"]
    assert found(2) == ["r4", "r3"]
    assert found(1, ["failed", "completed"]) == ["r3"]
    assert found(None, [], ["notebooks/other.ipynb"]) == found(None, [], ["other"]) == ["r3"]
    assert found(None, ["completed"], ["other"]) == []
    with pytest.raises(ParameterError, match="--state is 'fail'; give one of pending, running, completed"):
        RunListing(None, ["fail"])


def test_plainly_a_run_is_whole_and_on_a_terminal_it_fits(home):
    """Plainly nothing is cut or added; on a terminal the states are counted, the durations are a trend, lines fit."""
    error = "ValueError: " + "x" * 200
    for number, seconds in enumerate((1.0, 8.0, 4.5), start=1):
        add_run("completed", number=number, seconds=seconds)
    add_run("failed", error, number=4)
    plain = RunListing().lines()
    assert len(plain) == 5
    assert plain[0].split()[0] == "state"
    assert plain[1].endswith(error)
    lines = RunListing().lines(60)
    assert lines[:3] == ["3 completed, 1 failed", "seconds  ▁█▅  1.0 … 4.5 (3)  n.ipynb", ""]
    assert max(map(text_width, lines)) <= 60
    assert len(lines) == 8


def test_a_run_that_is_going_says_how_far_it_is(home):
    """On a terminal the last column of a run that is going has its cells and its progress; plainly it has none."""
    record = runs.RunRecord("n.ipynb", {})
    record.update(state="running", started_at="2026-01-01T00:00:00.000+00:00", cells_done=3, cells=20)
    assert RunListing().lines(200)[-1].endswith("cell 3 of 20 done")
    assert RunListing().lines()[-1].endswith(record.run)
    record.update(progress="12 of 40 partitions\x1b[2J")
    assert RunListing().lines(200)[-1].endswith(r"cell 3 of 20 done; 12 of 40 partitions\x1b[2J")
    record.finish("completed")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[1]",
        '{"state": ["x"], "error": {"a": 1}, "seconds": "many", "started_at": 3, "scheduled_at": [], "notebook": 5}',
        '{"state": "completed", "seconds": NaN, "run": "\\u001b[2J", "cells": "x"}',
        '{"state": "\\u001b[2J", "notebook": "n.ipynb"}',
    ],
)
def test_odd_facts_are_shown_as_they_are(home, text):
    """A run.json that is none, or says what cannot be, is a row, and sends nothing of its escapes."""
    add_run("completed")
    [folder] = [path for path in home.iterdir() if path.name.startswith("2026")]
    (folder / "run.json").write_text(text)
    for lines in (RunListing().lines(), RunListing().lines(100), RunListing(notebooks=["n"]).lines(100, 20)):
        assert lines[-1]
        assert not any("\x1b" in line for line in lines)


def test_what_is_watched_is_read_once(home, monkeypatch):
    """Of runs that have ended the facts are read once, of those that are going each time; there are no more lines."""
    add_run("completed", number=1)
    add_run("completed", number=2)
    record = runs.RunRecord("n.ipynb", {})
    read, reads = runs.read, []
    monkeypatch.setattr(runs, "read", lambda folder: reads.append(folder.name) or read(folder))
    listing = RunListing()
    first = listing.lines(100, 30)
    assert listing.lines(100, 30) == first
    assert len(reads) == 4
    assert len(listing.lines(100, 4)) == 4
    record.finish("completed")
    assert listing.lines(100, 30) != first


def test_of_many_notebooks_some_durations_are_shown():
    """Of more notebooks than there is room for the durations of those with the most runs are shown."""
    found = [
        {"state": "completed", "seconds": 1.0, "notebook": f"{number % (NOTEBOOKS + 2)}.ipynb"} for number in range(30)
    ]
    lines = trend_lines(found, 80)
    assert len(lines) == NOTEBOOKS + 3
    assert lines[-2] == "and 2 more notebooks"
    assert trend_lines([], 80) == []
