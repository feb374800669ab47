"""A log scored partition by partition, beside the same events scored at once and by scikit-learn."""

import pickle

import numpy as np
import pyarrow.parquet
import pytest
import sklearn.metrics

from helpers import metrics, models, partition_scores, scoring, summaries, ticket_sources, tickets
from helpers.exact_quantiles import Search
from helpers.exceptions import ModelError, ParameterError, SourceError
from helpers.log_partitions import open_log
from helpers.ticket_log import COLUMNS
from helpers.windows import Window

MODEL = models.load("priority")
APRIL = {"closed_from": "2016-04-01", "closed_to": "2016-05-01"}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The embedded sample as one table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAYBOOK_HOME", str(tmp_path_factory.mktemp("sample")))
        return ticket_sources.read_columns("sample", list(COLUMNS))[1]


@pytest.fixture
def cut(sample, tmp_path):
    """Write the sample as parts that end at these rows; the folder."""

    def write(*ends: int, table=sample):
        folder = tmp_path / f"parts-{len(ends)}"
        folder.mkdir()
        for n, (start, end) in enumerate(zip((0, *ends), (*ends, len(table)), strict=True)):
            pyarrow.parquet.write_table(table.slice(start, end - start), folder / f"part-{n:05d}.parquet")
        return str(folder)

    return write


def at_once(source: str, batch_size: int = 0, seed: int = 1, **window: str) -> dict:
    """What a trial tells of the same events, brought together."""
    batch = tickets.draw_batch(source, batch_size, seed, MODEL.columns, **window)
    actuals, predictions = tickets.time_to_close(batch.events), MODEL.predict(batch.events)
    scores = {name: metrics.score(actuals, predictions, key) for name, key in metrics.METRICS.items()}
    return summaries.trial_summary("x", batch, actuals, predictions, scores, MODEL)["data"]


def assert_equal(found, expected, where: str = "") -> None:
    """Texts and counts are the same; of medians and quantiles so is each bit, of sums twelve digits."""
    assert type(found) is type(expected), where
    if isinstance(expected, dict):
        assert set(found) == set(expected), where
        for key in expected:
            assert_equal(found[key], expected[key], f"{where}/{key}")
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for n, both in enumerate(zip(found, expected, strict=True)):
            assert_equal(*both, f"{where}/{n}")
    elif isinstance(expected, float) and where.endswith(("/MAE", "/MSE", "/R2", "/mean", "/mae", "/predicted")):
        assert found == pytest.approx(expected, rel=1e-12), where
    else:
        assert found == expected, where


@pytest.mark.parametrize("batch", [{}, {"batch_size": 500, "seed": 7}, APRIL, {"batch_size": 50_000} | APRIL])
def test_a_log_is_scored_as_if_it_were_at_once(batch):
    """All that a trial tells is the same, of all events, of a drawn batch, of a window, of one that is too small."""
    scored = scoring.score_log("sample", "priority", **batch)
    assert_equal(scored.data, at_once("sample", **batch))
    assert (scored.source, scored.seed) == ("sample", batch.get("seed", 1))


@pytest.mark.parametrize(
    "ends", [(1,), (10_000, 10_000, 20_000), (5, 9000, 9001, 20_000, 28_447), range(900, 28_000, 900)]
)
def test_whatever_the_partitions(cut, ends):
    """One row or none in a partition, few partitions or more than are merged at once change nothing."""
    scored = scoring.score_log(cut(*ends), "priority")
    expected = at_once("sample")
    assert_equal(scored.data, expected)
    drawn = scoring.score_log(f"{scored.source}/*.parquet", "priority", batch_size=1000, seed=3)
    assert_equal(drawn.data, at_once("sample", 1000, 3))


def test_metrics_are_scikit_learns():
    """The four metrics are scikit-learn's own on the same events."""
    batch = tickets.draw_batch("sample", 0, 1, MODEL.columns)
    both = tickets.time_to_close(batch.events), MODEL.predict(batch.events)
    found = scoring.score_log("sample", "priority", has_details=False).data["metrics"]
    assert found["MAE"] == pytest.approx(sklearn.metrics.mean_absolute_error(*both), rel=1e-12)
    assert found["MSE"] == pytest.approx(sklearn.metrics.mean_squared_error(*both), rel=1e-12)
    assert found["R2"] == pytest.approx(sklearn.metrics.r2_score(*both), rel=1e-12)
    assert found["MedAE"] == sklearn.metrics.median_absolute_error(*both)


def test_a_guess_spares_passes(cut):
    """Where there are partitions to guess from, the metrics take one pass over the log; the details take one more."""
    folder = cut(5000, 10_000, 15_000, 20_000)
    assert scoring.score_log(folder, "priority", has_details=False).num_passes == 1
    assert scoring.score_log(folder, "priority").num_passes <= 3
    assert scoring.score_log("sample", "priority", has_details=False).num_passes > 1


def test_a_log_without_details_tells_no_more():
    """Without details there are no errors by size and nothing by priority."""
    data = scoring.score_log("sample", "priority", has_details=False).data
    details = {"errors", "standard_errors", "predicted_actual", "by_priority", "by_state"}
    assert set(at_once("sample")) - set(data) == details


def test_a_summary_is_that_of_a_batch():
    """The document has the same fields as one of a batch, in the same order."""
    scored = scoring.score_log("sample", "priority", 3, 1)
    batch = tickets.draw_batch("sample", 3, 1, MODEL.columns)
    actuals, predictions = tickets.time_to_close(batch.events), MODEL.predict(batch.events)
    scores = {name: metrics.score(actuals, predictions, key) for name, key in metrics.METRICS.items()}
    expected = summaries.trial_summary("x", batch, actuals, predictions, scores, MODEL)
    assert_equal(summaries.scored_summary("x", scored, MODEL), expected)


def test_one_event(cut, sample):
    """Of one event R² is not defined: it is None, and the summary says so."""
    scored = scoring.score_log(cut(table=sample.slice(0, 1)), "priority")
    assert scored.data["metrics"]["R2"] is None
    assert summaries.scored_summary("x", scored, MODEL)["data"]["notes"] == ["R2 is not defined for 1 event"]


def test_answers_are_small(cut):
    """What travels from a partition does not grow with its events."""
    [partition] = open_log(cut()).partitions
    question = partition_scores.Question(MODEL, Window(), {scoring.TARGET: Search(), scoring.MISS: Search()})
    answer = partition_scores.answer(question, partition)
    assert answer.scores.num_obs == 28_448
    assert len(pickle.dumps(answer)) < 20_000


class Blind:
    """A model that gives up on one event."""

    name, version, columns, packages = "blind", "1", ("priority",), ()

    def predict(self, events):
        """One NaN."""
        return MODEL.predict(events).where(np.arange(len(events)) > 0)

    def num_default_guess(self, events) -> int:
        """None."""
        return 0


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"source": "sample", "model": "priority", "batch_size": -1}, ParameterError, "batch_size is -1"),
        ({"source": "sample", "model": "nobody"}, ModelError, "'nobody' is neither"),
        ({"source": "/nowhere/*.parquet", "model": "priority"}, SourceError, "no .parquet or .csv file is there"),
        ({"source": "sample", "model": "priority", "closed_from": "2020-01-01"}, SourceError, "no ticket was closed"),
        ({"source": "sample", "model": "priority", "closed_from": "yesterday"}, ParameterError, "closed_from"),
    ],
)
def test_what_cannot_be_scored_is_refused(arguments, error, said):
    """Each wrong argument is one line that names it."""
    with pytest.raises(error, match=said) as raised:
        scoring.score_log(**arguments)
    assert "\n" not in str(raised.value)


def test_a_model_that_predicts_nan_is_refused_with_the_file(cut, monkeypatch):
    """NaN is refused by name, with the part in which it was predicted."""
    monkeypatch.setattr(models, "load", lambda name: Blind())
    with pytest.raises(ModelError, match=r"part-00000.parquet: model 'blind': .*NaN"):
        scoring.score_log(cut(), "blind")


def test_is_large():
    """Every event, or more than a million, are not brought together."""
    assert [scoring.is_large(size) for size in (0, 1, 1000, 1_000_000, 1_000_001)] == [True, False, False, False, True]
