"""A history in words and numbers."""

import re

import pytest
from history_tables import table_of
from history_trials import trial, trials

from helpers.history_reading import judged_rows, latest_table, reading


def test_the_sentence_says_whether_it_holds():
    """The latest value, what was usual before it, and whether it is within that."""
    documents = trials(30)
    assert re.fullmatch(r"MAE \d+\.\d h, usual \d+\.\d to \d+\.\d h: as usual\.", reading(table_of(documents), "MAE"))
    high = reading(table_of([*documents, trial(30, 300.0)]), "MAE")
    assert high.startswith("MAE 300.0 h, usual ")
    assert high.endswith(": above what is usual.")
    assert reading(table_of([*documents, trial(30, 1.0)]), "MAE").endswith(": below what is usual.")


@pytest.mark.parametrize(
    ("metric", "unit", "said"),
    [
        ("MAE", "seconds", "MAE 360,000 s, usual 360,000 to 360,000 s: as usual."),
        ("MSE", "hours", "MSE 4e+04 h², usual 4e+04 to 4e+04 h²: as usual."),
        ("R2", "hours", "R2 -0.1250, usual -0.1250 to -0.1250: as usual."),
    ],
)
def test_each_metric_is_told_in_its_unit(metric, unit, said):
    """The sentence has the metric's unit, and R² none."""
    assert reading(table_of([trial(number) for number in range(9)]), metric, unit) == said


def test_the_latest_is_the_latest_tick():
    """A back-filled trial that was stored last does not speak for today, and neither does one without a value."""
    documents = [*trials(9), trial(9, 123.0), trial(10, None)]
    filled = trial(50, 7.0, scheduled_at="2025-01-01T00:00:00+00:00", schedule="backfill")
    assert reading(table_of([*documents, filled]), "MAE").startswith("MAE 123.0 h")


def test_too_few_say_so():
    """Before there are 8 trials nothing is usual; without a value, or a trial, the sentence says that."""
    few = reading(table_of(trials(8)), "MAE")
    assert few.endswith("h, nothing is usual yet, with fewer than 8 trials before it.")
    assert reading(table_of([trial(0, None)] * 2), "MAE") == "None of the 2 trials has a MAE."
    assert reading(table_of([]), "MAE") == "There is no trial."


def test_rows_are_texts():
    """Each trial is a row of texts; what is missing is empty, and nothing is a NaN."""
    documents = [*trials(9), trial(9, 300.0), trial(10, None, run=None, notebook=None, finished_at="never")]
    rows = {row["trial"]: row for row in judged_rows(table_of(documents), "MAE")}
    assert rows["trial-9"] | {"usual": ""} == {
        "trial": "trial-9",
        "time": "2026-01-01 09:00",
        "value": "300.0 h",
        "error": "2.0 h",
        "usual": "",
        "judged": "above what is usual",
        "is_outside": True,
        "tickets": "1,000",
        "how": "",
        "model": "priority",
        "source": "sample",
        "notebook": "tiny.ipynb",
        "run": "run-9",
    }
    odd = rows["trial-10"]
    assert (odd["time"], odd["value"], odd["run"], odd["notebook"]) == ("no time", "–", "", "")
    assert "nan" not in str(rows)


def test_the_table_has_the_latest_first():
    """The numbers behind the chart are a table by time, the last trial first."""
    table = latest_table(table_of(trials(30)), "MAE", last=3)
    assert table.index.tolist() == ["2026-01-02 05:00", "2026-01-02 04:00", "2026-01-02 03:00"]
    assert table.columns.tolist() == ["MAE", "standard error", "usual", "judged", "tickets", "model", "source"]
    assert latest_table(table_of([]), "MAE").empty
