"""Trials in a terminal."""

import json
import sqlite3

import pytest

from helpers.exceptions import StoreError
from helpers.terminal import text_width
from helpers.trial_listing import HEAD, POINTS, SERIES, TrialListing, trend_lines
from helpers.trials import TrialStore


def trial(number: int, mae: object = 3600.0, **facts) -> dict:
    """A trial of a given minute."""
    time = f"2026-01-01T{number // 60:02}:{number % 60:02}:00.000+00:00"
    names = {"notebook": "n.ipynb", "source": "sample", "model": "priority", "model_version": "1", "source_sha256": ""}
    data = {"num_obs": 1000, "metrics": {"MAE": mae, "MedAE": 1800.0, "MSE": 1.0, "R2": 0.25}}
    times = {"scheduled_at": None, "started_at": time, "finished_at": time}
    return {"id": f"t{number}", "run": f"r{number}", "data": data} | names | times | facts


@pytest.fixture
def store(tmp_path) -> TrialStore:
    """A store with four trials."""
    store = TrialStore(str(tmp_path / "trials.sqlite"))
    store.write(trial(1, 3600.0))
    store.write(trial(2, 7200.0, source="uci"))
    store.write(trial(3, 10800.0, model="other"))
    store.write(trial(4, 14400.0, notebook="m.ipynb"))
    return store


def test_a_row_says_what_a_trial_found(store):
    """Plainly there is one head and a row for each trial, the newest first, durations in hours."""
    lines = TrialListing(store, 1).lines()
    assert lines[0].split("  ")[0] == HEAD[0]
    assert lines[1:] == ["2026-01-01T00:04:00  sample  priority 1  1,000   4.0    0.5      0.2500  t4"]


@pytest.mark.parametrize(
    ("facts", "ids"),
    [
        ({}, ["t4", "t3", "t2", "t1"]),
        ({"source": ["uci"]}, ["t2"]),
        ({"model": ["other", "priority"], "source": ["sample"]}, ["t4", "t3", "t1"]),
        ({"notebook": ["m.ipynb"]}, ["t4"]),
        ({"notebook": ["absent.ipynb"]}, []),
    ],
)
def test_trials_of_some_models_sources_and_notebooks(store, facts, ids):
    """A filter leaves the trials that have one of its values."""
    listing = TrialListing(store, **facts)
    assert [document["id"] for document in listing.documents()] == ids
    assert [line.split()[-1] for line in listing.lines()[1:]] == ids


def test_a_trend_is_in_the_order_of_the_ticks():
    """A trend begins with the earliest tick, a back-filled one too, and names its series; one trial has none."""
    later = trial(9, 3600.0, scheduled_at="2020-01-01T00:00:00+00:00")
    documents = [later, trial(2, 7200.0), trial(3, 28800.0), trial(4, None), trial(5, source="alone")]
    [line, empty] = trend_lines(documents, 80)
    assert line == "MAE h  ▁▂█  1.0 … 8.0 (3)  priority, sample, n.ipynb"
    assert empty == ""
    assert trend_lines(documents[:1], 80) == []


def test_trends_have_bounds():
    """A long series shows its newest trials, and of many series the longest are shown and the others counted."""
    documents = [trial(number, source="long") for number in range(POINTS + 9)]
    documents += [trial(number, source=f"s{number // 2}") for number in range(2 * SERIES + 2)]
    assert f"({POINTS})" in trend_lines(documents, 200)[0]
    lines = trend_lines(documents, 60)
    assert "(20)" in lines[0]  # a third of the line
    assert lines[-2] == "and 2 more series"
    assert max(map(text_width, lines)) <= 60


def test_odd_documents_have_dashes(store):
    """Metrics of another notebook, and values that are none, are dashes; escapes are shown."""
    odd = [
        trial(5, "x", source="\x1b[2J"),
        trial(6) | {"data": {"num_obs": 5}},
        trial(7) | {"data": {"num_obs": 5, "metrics": {"accuracy": 0.9}}},
        trial(8) | {"data": {"num_obs": 5, "metrics": [1]}},
    ]
    for document in odd:
        store.write(document)
    with sqlite3.connect(store.url.database) as database:
        database.execute("update trials set document = '[1]' where id = 't1'")
    for lines in (TrialListing(store).lines(), TrialListing(store).lines(120)):
        assert sum("  -  " in line for line in lines) == 5
        assert any(r"\x1b[2J" in line for line in lines)
        assert not any("\x1b" in line for line in lines)


def test_a_document_that_is_no_json_is_one_line(store):
    """A row that somebody spoilt is an error with the store's name."""
    with sqlite3.connect(store.url.database) as database:
        database.execute("update trials set document = '{' where id = 't1'")
    with pytest.raises(StoreError, match=r"trials\.sqlite: a trial's document is no JSON"):
        TrialListing(store).lines()


def test_what_is_watched_is_read_when_it_changes(store, monkeypatch):
    """On a terminal as many trials are read as there are lines, and again only when the file has changed."""
    reads = []
    whole = TrialStore.documents
    monkeypatch.setattr(TrialStore, "documents", lambda self, last, **facts: reads.append(last) or whole(self, last))
    listing = TrialListing(store)
    assert listing.lines(100, 3) == listing.lines(100, 3)
    assert reads == [3]
    store.write(trial(10, source="new"))
    assert any("new" in line for line in listing.lines(100, 10))
    assert reads == [3, 10]
    assert len(json.dumps(listing.lines(100, 4))) > 0
    assert len(listing.lines(100, 4)) == 4
