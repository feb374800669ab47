"""A run as the pages show it."""

import uuid
from datetime import UTC, datetime

import pytest

from helpers import runs
from helpers.dashboard import run_rows
from helpers.dashboard.prefect_health import Health
from helpers.run_facts import plain

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 min ago"),
        (7199, "1 h ago"),
        (86400 * 3, "3 d ago"),
        (-1, "in a moment"),
        (-7200, "in 2 h"),
    ],
)
def test_how_long_ago(seconds, said):
    """Rough, so that it stays the same for a while; a time to come, as of a clock that went back, is said so."""
    assert run_rows.ago(seconds) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(None, ""), (0.04, "0.0 s"), (59.94, "59.9 s"), (200, "3 min 20 s"), (3725, "1 h 2 min"), (90000, "1 d 1 h")],
)
def test_durations(seconds, said):
    """In two units at most."""
    assert run_rows.duration(seconds) == said


def test_a_going_run_takes_as_long_as_it_has_been_going():
    """What it has taken so far is counted from its start, and never less than nothing."""
    going = plain({"state": "running", "started_at": "2026-03-01T11:58:00+00:00"})
    early = plain({"state": "running", "started_at": "2026-03-01T12:58:00+00:00"})
    assert [run_rows.row(facts, AT).seconds for facts in (going, early)] == [120.0, 0.0]


def test_a_time_that_is_none_is_shown_as_it_is():
    """A page says what the record says."""
    assert run_rows.moment_of("yesterday", AT) == ("", "yesterday", "")
    assert run_rows.moment_of("2026-03-01T13:00:00+02:00", AT) == (
        "2026-03-01T11:00:00+00:00",
        "2026-03-01 11:00:00",
        "1 h ago",
    )


def test_the_first_line_of_an_error_and_the_beginning_of_parameters():
    """A table has room for that; the whole stands beside it."""
    row = run_rows.row(plain({"error": "\nwhat\nhow", "parameters": {"n": 1, "long": "x" * 500}}), AT)
    assert row.why == "what"
    assert row.brief.startswith("n = 1, long = xxx")
    assert len(row.brief) == run_rows.SHORT
    assert row.parameters == [("n", "1"), ("long", "x" * 500)]


def test_files_of_a_run_are_linked_with_a_large_ones_size():
    """The notebook as HTML stands first; 6 MB, a hole in the file, are said before somebody opens it."""
    record = runs.RunRecord("a.ipynb", {})
    (record.folder / "run.log").write_text("x")
    with (record.folder / "a.html").open("wb") as file:
        file.truncate(6_000_000)
    record.finish("completed")
    links = run_rows.links({"run": record.run, "folder": str(record.folder)})
    assert [(link.label, link.size) for link in links] == [("Notebook", "6 MB"), ("Log", ""), ("run.json", "")]
    assert links[0].address == f"files/{record.run}/a.html"


def test_the_command_that_runs_it_again():
    """A secret that no run records is said to be filled in; a run of old has no command."""
    row = run_rows.row(plain({"path": "a.ipynb", "parameters": {"store": "postgresql://me:***@host/db"}}), AT)
    assert row.command == "daybook run a.ipynb -p store 'postgresql://me:***@host/db'"
    assert row.has_mask
    assert run_rows.row(plain({"parameters": {"n": 1}}), AT).command is None


def test_the_page_of_a_flow_run():
    """Where a server's page is known, and for what is a flow run's id alone: a record can say anything."""
    flow_run = str(uuid.uuid4())
    known = Health(True, True, "http://127.0.0.1:4200")
    assert known.flow_run(flow_run) == f"http://127.0.0.1:4200/runs/flow-run/{flow_run}"
    assert known.flow_run("../../evil") is None
    assert known.flow_run(None) is None
    assert Health(True, True, None).flow_run(flow_run) is None
