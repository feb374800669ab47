"""The history of a store: its trials as columns, kept up to date by reading what is new."""

import sqlite3

import numpy as np
import pandas as pd
import pytest
from history_trials import HOUR, trial, trials

from helpers.exceptions import StoreError
from helpers.trial_history import TrialHistory
from helpers.trials import TrialStore


class CountingStore(TrialStore):
    """A store that says which trials were asked for."""

    def __init__(self, *args):
        super().__init__(*args)
        self.asked = []

    def columns(self, ids=None):
        """As the store's own."""
        self.asked.append(ids)
        return super().columns(ids)


@pytest.fixture
def store(tmp_path):
    """An empty store."""
    return CountingStore(str(tmp_path / "trials.sqlite"))


@pytest.fixture
def history(store):
    """The history of a store of 20 trials, read once."""
    for document in trials(20):
        store.write(document)
    history = TrialHistory(store)
    assert len(history.refresh()) == 20
    store.asked.clear()
    return history


def _delete(store, *ids) -> None:
    with sqlite3.connect(store.url.database) as connection:
        connection.executemany("DELETE FROM trials WHERE id = ?", [(each,) for each in ids])
    connection.close()


def test_the_table_has_types(history):
    """Times are UTC timestamps, numbers numbers, and what is missing is missing."""
    table = history.table
    assert table.index.tolist() == [f"trial-{number}" for number in range(20)]
    assert isinstance(table["at"].dtype, pd.DatetimeTZDtype)
    assert table["num_obs"].tolist() == [1000] * 20
    row = table.loc["trial-3"]
    assert (row["at"], row["finished"]) == (pd.Timestamp("2026-01-01T03:00Z"), pd.Timestamp("2026-01-01T03:00Z"))
    assert (row["MedAE"], row["MedAE_se"], row["R2"], row["R2_se"]) == (50 * HOUR, HOUR, -0.125, 0.01)
    assert (row["run"], row["parameters"]) == ("run-3", '{"batch_size":1000,"seed":3}')
    assert table["schedule"].isna().all()


def test_a_tick_is_the_trials_time(store):
    """A back-filled month stands where it belongs, a trial by hand where it ended, one without a time nowhere."""
    store.write(trial(1))
    store.write(trial(2, scheduled_at="2025-06-01T02:00:00+02:00", schedule="backfill"))
    store.write(trial(3, scheduled_at="yesterday"))
    store.write(trial(4, finished_at="never"))
    history = TrialHistory(store)
    history.refresh()
    at = history.table["at"]
    assert at["trial-2"] == pd.Timestamp("2025-06-01T00:00Z")
    assert at["trial-3"] == pd.Timestamp("2026-01-01T03:00Z")
    assert at["trial-4"] is pd.NaT
    assert [name for name in history.table.index if name != "trial-4"] == ["trial-2", "trial-1", "trial-3"]
    assert history.table["is_backfill"].sum() == history.table["is_backfill"]["trial-2"] == 1


def test_trials_from_before_there_were_standard_errors(store):
    """The standard error of the MAE follows from the MSE; the others are missing."""
    document = trial(1)
    del document["data"]["standard_errors"]
    store.write(document)
    store.write(trial(2, data={"num_obs": 1, "metrics": {"MAE": 5.0, "MSE": 25.0}}))
    history = TrialHistory(store)
    history.refresh()
    row = history.table.loc["trial-1"]
    # By hand: the variance of the errors is 200² - 100² hours squared, of 1,000 tickets.
    assert row["MAE_se"] == pytest.approx((30_000 / 1000) ** 0.5 * HOUR)
    assert row[["MedAE_se", "MSE_se", "R2_se"]].isna().all()
    assert np.isnan(history.table.loc["trial-2", "MAE_se"])


def test_nothing_new_reads_no_trial(history, store):
    """Without a new trial none is read, and the table is the same object."""
    before = history.table
    assert history.refresh() == []
    assert store.asked == []
    assert history.table is before


def test_a_new_trial_alone_is_read(history, store):
    """Of a store with one trial more that one is read, and told by its id; others keep the table they have."""
    before = history.table
    store.write(trial(20))
    assert history.refresh() == ["trial-20"]
    assert store.asked == [["trial-20"]]
    assert (len(before), history.table.index[-1]) == (20, "trial-20")


@pytest.mark.parametrize(
    "late", [{}, {"scheduled_at": "2025-01-01T00:00:00+00:00"}, {"finished_at": "2020-01-01T00:00:00.000+00:00"}]
)
def test_grown_is_as_read_at_once(store, late):
    """A history that grew by portions, late ones and gaps among them, is the one that is read at once."""
    documents = trials(40, outside=(30,))
    documents[15] |= late
    documents[20] = trial(20, None)
    documents[25] = trial(25, model="other")
    history = TrialHistory(store)
    for portion in (range(10), [12], [11], range(13, 15), range(16, 39), [39], [15], [10]):
        for place in portion:
            store.write(documents[place])
        assert set(history.refresh()) == {f"trial-{place}" for place in portion}
    at_once = TrialHistory(store)
    at_once.refresh()
    # A series' number is the order in which it was met.
    pd.testing.assert_frame_equal(history.table.drop(columns="series"), at_once.table.drop(columns="series"))
    assert history.table["MAE_outside"]["trial-30"]


def test_many_additions_stay_one_table(store, monkeypatch):
    """The pieces of which a table's texts grow are put together now and then, and nothing else changes by that."""
    monkeypatch.setattr("helpers.trial_history._MOST_PIECES", 3)
    history = TrialHistory(store)
    for document in trials(10):
        store.write(document)
        history.refresh()
    assert history.table.index.tolist() == [f"trial-{number}" for number in range(10)]
    at_once = TrialHistory(store)
    at_once.refresh()
    pd.testing.assert_frame_equal(history.table, at_once.table)


def test_clocks_that_went_back(history, store):
    """Trials that finished long before the latest one, by their clock, are found when they come."""
    store.write(trial(900, finished_at="2031-01-01T00:00:00.000+00:00"))
    assert history.refresh() == ["trial-900"]
    store.write(trial(21))
    store.write(trial(22))
    assert history.refresh() == ["trial-21", "trial-22"]
    assert store.asked == [["trial-900"], ["trial-21", "trial-22"]]


def test_deleted_trials_go(history, store):
    """Deleted trials leave the table, and those after them are judged without them."""
    store.write(trial(20, 300.0))
    history.refresh()
    assert history.table["MAE_outside"]["trial-20"]
    _delete(store, *(f"trial-{number}" for number in range(15)))
    assert history.refresh() == []
    assert history.table.index.tolist() == [f"trial-{number}" for number in range(15, 21)]
    assert not history.table["MAE_outside"].any()
    _delete(store, *history.table.index)
    assert history.refresh() == []
    assert history.table.empty
    store.write(trial(1))
    assert history.refresh() == ["trial-1"]


def test_one_gone_and_one_new(history, store):
    """As many deleted as new, of an earlier time, are seen by the next new trial."""
    _delete(store, "trial-3")
    store.write(trial(20))
    assert history.refresh() == ["trial-20"]
    assert "trial-3" not in history.table.index


def test_an_empty_store(store):
    """Where there is no store yet, there is a table without trials and no problem."""
    history = TrialHistory(store)
    assert history.table.empty
    assert not history.has_read
    assert history.refresh() == []
    assert (history.problem, history.has_read, len(history.table)) == (None, True, 0)
    store.write(trial(1))
    assert history.refresh() == ["trial-1"]


def test_a_problem_keeps_the_table(history, store):
    """A store of a newer schema, or that is none, is told in one line; the trials that were read stay."""
    with sqlite3.connect(store.url.database) as connection:
        connection.execute("UPDATE daybook_schema SET version = 2")
        assert history.refresh() == []
        connection.commit()
        assert history.refresh() == []
        assert history.problem.endswith("has schema 2, this daybook knows 1; update daybook")
        assert len(history.table) == 20
        connection.execute("UPDATE daybook_schema SET version = 1")
    connection.close()
    assert history.refresh() == []
    assert history.problem is None


def test_a_file_that_is_no_store(tmp_path):
    """What is no database is told so, and no traceback is seen."""
    (tmp_path / "trials.sqlite").write_bytes(b"not a database" * 100)
    history = TrialHistory(TrialStore(str(tmp_path / "trials.sqlite")))
    assert history.refresh() == []
    assert "file is not a database; it cannot be read" in history.problem
    assert not history.has_read
    with pytest.raises(StoreError, match="it cannot be read"):
        TrialStore(str(tmp_path / "trials.sqlite")).census()
