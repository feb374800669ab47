"""What pages show of a run, whatever its `run.json` holds."""

import pytest

from helpers import run_facts, runs


def test_facts_of_a_run_stay_what_they_are():
    """Of what a run writes itself, nothing is changed or lost that a page shows."""
    record = runs.RunRecord("a.ipynb", {"source": "sample", "n": 3}, "2026-03-01T00:00:00+00:00", schedule="nightly")
    record.update(
        started_at="2026-03-01T00:00:01.000+00:00", cells=20, cells_done=7, path="notebooks/a.ipynb", served=True
    )
    facts = runs.read(record.finish("failed", "cell [7] ValueError: no"))
    plain = run_facts.plain(facts)
    assert plain == {name: facts[name] for name in plain}


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("error", 5, "5"),
        ("state", ["x"], '["x"]'),
        ("notebook", "half \ud800", "half ?"),  # which no page could be sent with
        ("cells", "many", None),
        ("cells_done", True, None),
        ("cells_done", 10**400, None),
        ("seconds", float("nan"), None),
        ("seconds", -1, None),
        ("seconds", 12, 12.0),
        ("parameters", [1], {"?": [1]}),
        ("parameters", None, {}),
        ("served", "yes", False),
    ],
)
def test_a_fact_of_an_odd_type_is_shown_as_text_or_left_out(name, value, shown):
    """A text that is no text is shown as JSON, a number that is none is not shown."""
    assert run_facts.plain({name: value})[name] == shown


def test_a_long_error_is_cut_and_says_so():
    """A megabyte of error does not stay in memory for each run that has one."""
    shown = run_facts.plain({"error": "x" * 10**6})["error"]
    assert shown.endswith("(cut)")
    assert len(shown) < 5000


@pytest.mark.parametrize("value", ["yesterday", 12, None, "", ["x"], "0001-01-01T00:00:00+14:00"])
def test_what_is_no_time_is_none(value):
    """The last one is before the first year in UTC."""
    assert run_facts.moment(value) is None


def test_a_search_looks_at_what_a_person_would_type():
    """The run's id, its error, its trial, its schedule and its parameters by name and value, whatever their case."""
    facts = run_facts.plain(
        {
            "run": "R-1",
            "error": "ValueError",
            "trial": "ab-12",
            "schedule": "Nightly",
            "parameters": {"batch_size": 200},
        }
    )
    searched = run_facts.searched(facts)
    assert all(word in searched for word in ("r-1", "valueerror", "ab-12", "nightly", "batch_size=200"))
