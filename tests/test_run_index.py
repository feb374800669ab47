"""The runs of a home, kept up to date."""

import json
import os
import shutil
import time

import pytest

from helpers import run_index, runs
from helpers.home import home


def finished(state: str = "completed", **facts) -> runs.RunRecord:
    """A run that has ended."""
    record = runs.RunRecord("a.ipynb", {"n": 1}, **facts)
    record.finish(state)
    return record


def folder_with(text: str | None, name: str = "20200101T000000Z-b-00000001") -> None:
    """A run folder with this `run.json`; with none when it is half deleted."""
    (home() / name).mkdir()
    if text is not None:
        (home() / name / "run.json").write_text(text)


def index() -> run_index.RunIndex:
    """An index that has read the home."""
    made = run_index.RunIndex()
    made.refresh()
    return made


def test_runs_are_listed_newest_first():
    """An older folder stands after a newer one, and each is found by its id."""
    folder_with(json.dumps({"notebook": "old.ipynb", "state": "completed"}))
    record = finished()
    found = index()
    assert [facts["notebook"] for facts in found.runs()] == ["a.ipynb", "old.ipynb"]
    assert found.get(record.run)["state"] == "completed"
    assert found.get("20200101T000000Z-c-00000002") is None
    assert not found.is_loading


def test_an_empty_home_has_no_runs():
    """Other folders and files of a home are no runs."""
    (home() / "cache").mkdir()
    (home() / "20200101T000000Z-file-00000009").write_text("x")
    assert index().runs() == []


def test_a_run_appears_goes_on_and_ends():
    """What a run writes is seen at the next refresh, and its end under its final name; a refresh says what changed."""
    found = index()
    record = runs.RunRecord("a.ipynb", {})
    assert found.refresh()
    assert [facts["state"] for facts in found.runs()] == ["pending"]
    record.update(state="running", cells=20, cells_done=3, progress="scored 12 of 40")
    assert found.refresh()
    assert (found.get(record.run)["cells_done"], found.get(record.run)["progress"]) == (3, "scored 12 of 40")
    assert not found.refresh()
    record.finish("failed", "no")
    assert found.refresh()
    assert [(facts["state"], facts["folder"]) for facts in found.runs()] == [("failed", str(home() / record.run))]


def test_a_run_whose_process_is_gone_is_crashed():
    """A folder that still has its first name, and that nobody holds, is one of a run that crashed."""
    record = runs.RunRecord("a.ipynb", {})
    record.update(state="running")
    record._lock.release()
    assert [(facts["state"], facts["error"]) for facts in index().runs()] == [("crashed", runs.CRASHED)]


def test_removed_runs_go():
    """What retention has removed is shown no longer."""
    record = finished()
    found = index()
    shutil.rmtree(home() / record.run)
    assert found.refresh()
    assert found.runs() == []
    assert found.get(record.run) is None
    assert not found._facts  # nor kept: a dashboard is up for months


def test_two_changes_at_the_same_time_are_both_seen():
    """A file system's clock may tick rarely: a run that appears within a tick of the last look is no exception."""
    finished()
    found = index()
    at = home().stat().st_mtime_ns
    finished()
    os.utime(home(), ns=(at, at))
    assert found.refresh()
    assert len(found.runs()) == 2


def test_a_finished_run_is_read_once():
    """Its facts do not change any more: with 20,000 of them a refresh must not look into each."""
    record = finished()
    found = index()
    (home() / record.run / "run.json").write_text(json.dumps({"notebook": "other.ipynb"}))
    (home() / "touched").mkdir()
    found.refresh()
    assert found.get(record.run)["notebook"] == "a.ipynb"


def test_a_home_that_has_not_changed_is_not_listed_again(monkeypatch):
    """A refresh looks at the time of the home's last change alone, once that is a moment ago."""
    record = finished()
    long_ago = time.time_ns() - 10**10
    os.utime(home(), ns=(long_ago, long_ago))
    found = index()
    monkeypatch.setattr(os, "scandir", None)  # it would raise
    assert not found.refresh()
    assert found.get(record.run)


@pytest.mark.parametrize(
    ("text", "state", "error"),
    [
        (None, "crashed", "run.json cannot be read (FileNotFoundError)"),
        ("{", "crashed", "run.json cannot be read (JSONDecodeError)"),
        ("[]", None, None),
        ('"text"', "crashed", "run.json cannot be read (ValueError)"),
        ("[" * 100_000, "crashed", "run.json is nested too deeply; it is no record of a run"),
        (" " * (run_index.LARGEST_BYTES + 1), "crashed", "run.json is larger than 8 MB; it is no record of a run"),
        ('{"error": 5, "state": ["x"], "cells": "many", "parameters": [1]}', '["x"]', "5"),
    ],
)
def test_a_record_that_cannot_be_read_is_shown_as_what_it_is(text, state, error):
    """A folder without a record, or with one that no run has written, is a row that says so, beside the others."""
    folder_with(text)
    record = finished()
    found = index()
    assert [facts["run"] for facts in found.runs()] == [record.run, "20200101T000000Z-b-00000001"]
    assert [found.runs()[1][fact] for fact in ("state", "error")] == [state, error]


def test_a_record_that_comes_later_is_read():
    """A folder that is being copied into the home is read again when its record is there."""
    folder_with(None)
    found = index()
    (home() / "20200101T000000Z-b-00000001" / "run.json").write_text(json.dumps({"notebook": "b.ipynb"}))
    assert found.refresh()
    assert found.runs()[0]["notebook"] == "b.ipynb"


def test_a_record_cannot_take_another_runs_place():
    """A run is called as its folder is, whatever its record says."""
    record = finished()
    folder_with(json.dumps({"run": record.run, "notebook": "b.ipynb"}))
    assert index().get(record.run)["notebook"] == "a.ipynb"


def test_a_name_that_is_no_text_is_shown():
    """Bytes in a folder's name that are no UTF-8 become question marks, which a page can be sent with."""
    folder_with(json.dumps({"notebook": "b.ipynb"}), os.fsdecode(b"20200101T000000Z-\xff-00000008"))
    assert index().runs()[0]["run"] == "20200101T000000Z-?-00000008"


def test_a_home_that_cannot_be_read_is_said(monkeypatch):
    """What was read before stays, with a sentence that says what is wrong; it goes when the home is back."""
    finished()
    found = index()
    there = os.environ["DAYBOOK_HOME"]
    (home() / "file").write_text("")
    monkeypatch.setenv("DAYBOOK_HOME", str(home() / "file"))
    assert found.refresh()
    assert found.problem.startswith("the runs cannot be read: ")
    assert len(found.runs()) == 1
    monkeypatch.setenv("DAYBOOK_HOME", there)
    assert found.refresh()
    assert found.problem is None
