"""Trials as rows of a few columns, out of both databases and whatever their documents hold."""

import json
import math

import pytest
from test_trials import DOCUMENT, _document, _execute, url  # noqa: F401

from helpers import trial_columns
from helpers.trials import TrialStore

# A PostgreSQL server is started for half of them.
pytestmark = pytest.mark.slow


def _with_data(number: int, data: dict, **changes) -> dict:
    return _document(number, **changes) | {"data": {"num_obs": 3, **data}}


def _read(store, ids=None) -> dict:
    return {row.id: row for row in store.columns(ids)}


def test_columns_are_the_documents(url):  # noqa: F811
    """A trial's columns are what its document says; what it does not say is None, empty or NaN."""
    store = TrialStore(url)
    assert list(store.columns()) == []
    errors = {"MAE": 10.0, "MedAE": None, "MSE": 3}
    full = _document(1, schedule="nightly", parameters={"a": [1, {"b": "ü"}]})
    full["data"] |= {"standard_errors": errors}
    store.write(full)
    store.write(_with_data(2, {}, run=None, notebook=None, scheduled_at=None))
    found = _read(store)
    row = found["trial-1"]
    for name in ("run", "notebook", "source", "model", "model_version", "scheduled_at", "finished_at", "schedule"):
        assert getattr(row, name) == full[name]
    assert row.num_obs == 3
    assert json.loads(row.parameters) == full["parameters"]
    assert row.metrics == (3600.0, 0.1 + 0.2, 1e300, -0.5)
    assert row.standard_errors[0::2] == (10.0, 3.0)
    assert all(math.isnan(value) for value in row.standard_errors[1::2])
    row = found["trial-2"]
    assert (row.run, row.notebook, row.scheduled_at, row.schedule, row.parameters) == (None, None, None, None, "")
    assert all(math.isnan(value) for value in row.metrics + row.standard_errors)


def test_columns_of_some(url):  # noqa: F811
    """Trials can be asked for by their ids, or those ids by when they finished; the census counts all."""
    store = TrialStore(url)
    assert (store.census(), store.ids()) == ((0, ""), set())
    for number in range(4):
        store.write(_document(number))
    assert set(_read(store, ["trial-1", "trial-3", "no such"])) == {"trial-1", "trial-3"}
    assert _read(store, []) == {}
    assert store.census() == (4, "2026-01-01T00:03:00.000+00:00")
    assert store.ids("2026-01-01T00:02:00.000+00:00") == {"trial-2", "trial-3"}
    assert len(store.ids()) == 4


def test_more_ids_than_a_statement_takes(url):  # noqa: F811
    """However many are asked for, they are asked for in portions."""
    store = TrialStore(url)
    store.write(_document(1))
    assert set(_read(store, ["trial-1", *(f"trial {number}" for number in range(40_000))])) == {"trial-1"}


@pytest.mark.parametrize("text", ["\u0000", "\ud800", "\\u0000 \\\\u0000"])
def test_texts_that_a_database_refuses(url, text):  # noqa: F811
    """A document with half a character or a null in a text is read like any other, and so are those beside it."""
    store = TrialStore(url)
    store.write(_document(1, parameters={"a": 1}))
    store.write(_document(2, parameters={"a": text}, schedule="nightly"))
    found = _read(store)
    assert found["trial-1"].metrics == found["trial-2"].metrics == (3600.0, 0.1 + 0.2, 1e300, -0.5)
    assert json.loads(found["trial-2"].parameters) == {"a": text}
    assert (found["trial-1"].schedule, found["trial-2"].schedule) == (None, "nightly")


@pytest.mark.parametrize(
    "data",
    [
        {"metrics": {"MAE": "<b>5</b>", "MedAE": True, "MSE": [1], "R2": {"a": 1}}},
        {"metrics": {"accuracy": 0.5}},
        {"metrics": [1, 2, 3, 4]},
        {"metrics": "MAE"},
        {"metrics": None, "standard_errors": 7},
        {"metrics": {"MAE": 10**400}},
    ],
)
def test_metrics_of_another_kind(url, data):  # noqa: F811
    """What is no number is missing, whatever another notebook's trial has in its place."""
    store = TrialStore(url)
    store.write(_with_data(1, data))
    [row] = store.columns()
    assert len(row.metrics) == len(row.standard_errors) == len(trial_columns.METRICS)
    assert all(math.isnan(value) for value in row.metrics + row.standard_errors)


@pytest.mark.parametrize(
    "document", ["", "no JSON", "[1, 2]", "7", '{"data": {"metrics": {"MAE": NaN}}}', '{"data": 3}']
)
def test_a_broken_document(url, document):  # noqa: F811
    """A trial whose document was destroyed keeps its facts, and hides no other trial."""
    store = TrialStore(url)
    store.write(_document(1))
    store.write(_document(2))
    _execute(url, f"UPDATE trials SET document = '{document}' WHERE id = 'trial-2'")
    found = _read(store)
    assert found["trial-1"].metrics[0] == DOCUMENT["data"]["metrics"]["MAE"]
    assert found["trial-2"].run == "run-2"
    assert math.isnan(found["trial-2"].metrics[0])
