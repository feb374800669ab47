"""What stands on top of a report."""

import pytest
from nbformat import v4
from report_pages import page_of, rows_of, run_facts

from helpers.report_facts import facts, metric_rows

DATA = {
    "num_obs": 1000,
    "num_available": 28448,
    "metrics": {"R2": -0.0936, "MSE": 3.6e3**2, "MAE": 5400.0, "MedAE": None},
}


def test_the_runs_facts_are_on_top(tmp_path):
    """The page begins with how the run ended, its metrics with their number of events, its facts and parameters."""
    run = run_facts(parameters={"source": "sample", "store": ""}, scheduled_at="2026-01-01T00:00:00+00:00", trial="t1")
    trial = {
        "model": "priority",
        "model_version": "1",
        "parameters": {"source": "other", "batch_size": 0},
        "data": DATA,
    }
    page = page_of(tmp_path, [v4.new_markdown_cell("# x\n\n| x |\n|---|\n| y |")], run, trial)
    assert page.find(class_="state").get_text() == "The run completed."
    assert "n = 1,000 of 28,448 events" in page.find(class_="metrics").caption.get_text()
    metrics, told, parameters = (
        rows_of(page.find("table", class_=name)) for name in ("metrics", "facts", "parameters")
    )
    # 5400 s are an hour and a half, and 3600² s² the square of one hour.
    assert metrics == [
        ["metric", "value", "reads as"],
        ["MAE", "5,400 s", "1.5 h"],
        ["MedAE", "not defined", ""],
        ["MSE", "1.296e+07 s²", "(1.0 h)²"],
        ["R²", "-0.0936", ""],
    ]
    assert told == [
        ["run", "run-1"],
        ["tick", "2026-01-01T00:00:00+00:00"],
        ["trial", "t1"],
        ["model", "priority 1"],
    ]
    assert parameters[1:] == [
        ["source", "sample", "the run"],
        ["store", '""', "the run"],
        ["batch_size", "0", "the notebook"],
    ]


def test_a_failed_run_says_why_first(tmp_path):
    """The error of a failed run stands above all else, with a link to the cell, and its metrics are no result."""
    cell = v4.new_code_cell("x", outputs=[v4.new_output("error", ename="E", evalue="no", traceback=["E: no"])])
    page = page_of(tmp_path, [cell], run_facts(state="failed", error="E: no (in cell [1])"), {"data": DATA})
    state, error = page.header("p", class_="bad")
    assert state.get_text() == "The run failed."
    assert error.get_text() == "E: no (in cell [1]) See the cell."
    assert page.find(id=error.a["href"].removeprefix("#")).find(class_="error").get_text(strip=True) == "E: no"
    assert "computed before the run ended" in page.find(id="result").get_text()


def test_standard_errors_are_told_where_there_are_some():
    """A standard error stands beside its metric, in hours for a duration, and where there is none nothing does."""
    data = DATA | {"standard_errors": {"MAE": 360.0, "R2": 0.0123, "MSE": 1e5, "MedAE": None}}
    assert [row[3] for row in metric_rows(data)] == ["± 0.1 h", "", "± 1e+05 s²", "± 0.012"]


def test_metrics_of_another_notebook_are_told_as_they_are():
    """A metric that is not one of the four stands after them without a unit."""
    assert metric_rows({"metrics": {"accuracy": 0.912345678, "R2": 0.5}}) == [
        ("R²", "0.5000", "", ""),
        ("accuracy", "0.912346", "", ""),
    ]


@pytest.mark.parametrize(
    "trial",
    [
        "no JSON",
        "[]",
        "{}",
        '{"data": 3, "parameters": []}',
        '{"data": {"metrics": [1], "num_obs": "x"}}',
        '{"data": {"metrics": {"MAE": NaN, "MSE": -1, "R2": true, "x": "y"}, "standard_errors": {"MAE": "x"}}}',
    ],
)
def test_odd_trials(tmp_path, trial):
    """A trial.json that is none, or lacks what it should have, makes a page all the same."""
    page = page_of(tmp_path, [], trial=trial)
    assert page.find(class_="state").get_text() == "The run completed."


def test_a_run_of_which_nothing_is_known():
    """Without facts there are no rows."""
    assert facts({}, {})["rows"] == facts({}, {})["parameters"] == []
    assert facts({"state": ["x"], "attempt": "y", "parameters": 3}, {})["state"] == "State of the run: ['x']."
