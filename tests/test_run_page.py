"""What the page of one run shows."""

import json
import os

from helpers import run_index, runs
from helpers.dashboard import run_page
from helpers.home import home


def index() -> run_index.RunIndex:
    """An index that has read the home."""
    made = run_index.RunIndex()
    made.refresh()
    return made


def finished(notebook: str = "a.ipynb", error: str | None = None) -> str:
    """The id of a run that has ended."""
    record = runs.RunRecord(notebook, {})
    record.finish("failed" if error else "completed", error)
    return record.run


def test_a_run_with_its_trial_and_its_log():
    """Metrics come from the trial's document in the folder, and the log's control characters are shown."""
    record = runs.RunRecord("a.ipynb", {"n": 1})
    (record.folder / "run.log").write_text("one\n\x1b[31mtwo\nthree\tfour\n")
    (record.folder / "trial.json").write_text(json.dumps({"data": {"metrics": {"MAE": 7200.0, "R2": None}}}))
    record.update(versions={"dask": "2026.8.0"})
    record.finish("completed")
    shown = run_page.shown_run(index(), record.run)
    assert shown["metrics"] == [("MAE", "7,200 s", "2.0 h", ""), ("R²", "not defined", "", "")]
    assert shown["log"] == "one\n\\x1b[31mtwo\nthree   four"
    assert shown["versions"] == [("dask", "2026.8.0")]
    assert shown["row"].facts["state"] == "completed"


def test_a_run_of_which_much_is_missing_or_odd():
    """A trial or versions that are no such thing are left out; a link out of the folder is not followed."""
    folder = home() / "20200101T000000Z-b-00000001"
    folder.mkdir()
    (folder / "run.json").write_text('{"versions": [1], "state": "failed"}')
    (folder / "trial.json").write_text("[" * 100_000)
    (home() / "secret").write_text("s3cret")
    os.symlink(home() / "secret", folder / "run.log")
    shown = run_page.shown_run(index(), folder.name)
    assert (shown["metrics"], shown["versions"], shown["log"]) == ([], [], "")


def test_the_error_is_shown_in_full():
    """The gallery keeps 4,000 characters of it; the run's own page has room."""
    run = finished(error="x" * 50_000)
    assert run_page.shown_run(index(), run)["row"].facts["error"] == "x" * 50_000


def test_a_run_that_the_index_has_not_read_yet():
    """A link to a run that has just begun is good at once."""
    found = index()
    record = runs.RunRecord("a.ipynb", {})
    assert run_page.shown_run(found, record.run)["row"].facts["state"] == "pending"
    record.finish("completed")
    assert run_page.shown_run(found, record.run)["row"].facts["state"] == "completed"


def test_there_is_no_such_run():
    """Neither an unknown id nor a way out of the home is a run."""
    finished()
    assert run_page.shown_run(index(), "20200101T000000Z-b-00000001") is None
    assert run_page.shown_run(index(), "../20200101T000000Z-b-00000001") is None
    assert run_page.shown_run(index(), "") is None


def test_the_runs_before_and_after_are_of_the_same_notebook():
    """Of another notebook's run between them nothing is said."""
    for place, notebook in enumerate("abab"):
        folder = home() / f"2020010{place + 1}T000000Z-{notebook}-00000001"
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps({"notebook": f"{notebook}.ipynb"}))
    shown = run_page.shown_run(index(), "20200101T000000Z-a-00000001")
    assert (shown["older"], shown["newer"]) == (None, "20200103T000000Z-a-00000001")
    shown = run_page.shown_run(index(), "20200104T000000Z-b-00000001")
    assert (shown["older"], shown["newer"]) == ("20200102T000000Z-b-00000001", None)


def test_the_end_of_a_log(tmp_path):
    """Of a long log a hundred lines are shown, and of a long line its beginning."""
    path = tmp_path / "run.log"
    path.write_text("".join(f"line {number}\n" for number in range(1000)) + "x" * 5000)
    lines, is_cut = run_page.last_lines(path)
    assert (len(lines), lines[0], is_cut) == (100, "line 901", True)
    assert lines[-1] == "x" * run_page.LONGEST_LINE
    path.write_text("one\r\ntwo\n")
    assert run_page.last_lines(path) == (["one", "two"], False)
    assert run_page.last_lines(tmp_path / "gone") == ([], False)


def test_a_huge_log_is_read_at_its_end_alone(tmp_path):
    """A gigabyte, most of it a hole in the file, takes no memory: the line at its end is there."""
    path = tmp_path / "run.log"
    with path.open("wb") as file:
        file.truncate(2**30)
        file.seek(0, os.SEEK_END)
        file.write(b"\nthe end\n")
    assert run_page.last_lines(path) == (["the end"], True)
