"""Standard errors: against the spread of many drawn batches, and where there are none."""

import numpy as np
import pytest

from helpers import metrics
from helpers.region_counts import SLICE
from helpers.standard_errors import ErrorMoments, batch_standard_errors, error_moments, standard_errors


def scores_of(y_true, y_pred) -> dict:
    """The four metrics."""
    return {name: metrics.score(y_true, y_pred, metric) for name, metric in metrics.METRICS.items()}


def test_they_are_the_spread_of_many_batches():
    """Over a thousand batches each metric spreads by its standard error; by chance the ratio is within 7 %."""
    rng = np.random.default_rng(0)
    found, told = [], []
    for _ in range(1000):
        y_true = rng.exponential(1e6, 400)
        y_pred = rng.choice([2e5, 4e5, 9e5], 400) + 0.1 * y_true
        scores = scores_of(y_true, y_pred)
        found.append(list(scores.values()))
        told.append([batch_standard_errors(y_true, y_pred, scores)[name] for name in scores])
    # The spread of 1,000 is known to 1/sqrt(2000) = 2.2 %, three times that is 7 %; a median's density is estimated.
    np.testing.assert_allclose(np.std(found, axis=0) / np.mean(told, axis=0), [1, 1, 1, 1], atol=0.09)


def test_of_the_mean_it_is_the_textbooks():
    """Misses of 1 h and 3 h, as often: their mean spreads by 1 h / sqrt(n)."""
    y_pred = np.tile([3600.0, 3 * 3600.0], 50)
    y_true = np.zeros(100)
    found = batch_standard_errors(y_true, y_pred, scores_of(y_true, y_pred))
    assert found["MAE"] == 360.0
    assert found["R2"] is None  # all targets are equal


SKEWED = np.random.default_rng(1).exponential(1e6, 1000)
NEAR = 1e6 + np.random.default_rng(2).normal(0, 10, (2, 1000))


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [
        (SKEWED, 0.3 * SKEWED + 2e5),
        (
            SKEWED,
            np.full(1000, SKEWED.mean()),
        ),  # each squared error is the squared deviation: R² is 0 whatever is drawn
        (NEAR[0], NEAR[1]),  # far from 0 and near each other: of sums about 0 no digit is right
        (SKEWED, SKEWED + 3600.3),
    ],
    ids=["skewed", "the mean", "near each other", "one error"],
)
@pytest.mark.parametrize("ends", [(), (1, 1), (500,), range(1, 1000)])
def test_they_are_the_definitions_however_events_are_divided(y_true, y_pred, ends):
    """To four digits they are what the definition gives for all events at once; a spread of 0 is no rounding error."""
    parts = zip(np.split(y_true, ends), np.split(y_pred, ends), strict=True)
    moments = sum((error_moments(*part) for part in parts), ErrorMoments())
    assert moments.num_obs == 1000
    found = standard_errors(moments, scores_of(y_true, y_pred), (1.0, 2.0, 3.0))
    error, deviation = y_pred - y_true, y_true - y_true.mean()
    ratio = (error**2).mean() / (deviation**2).mean()
    of_r2 = (error**2 - ratio * deviation**2) / (deviation**2).mean()
    for name, values in (("MAE", np.abs(error)), ("MSE", error**2), ("R2", of_r2)):
        least = 1e-6 * np.abs(values).mean() / 1000**0.5 if name != "R2" else 1e-9
        assert found[name] == pytest.approx(values.std() / 1000**0.5, rel=1e-3, abs=least), name
    if np.ptp(y_pred) == 0:
        assert found["R2"] == 0


def test_the_medians_is_by_the_quantiles_beside_it():
    """Five times the distance of the 45 % and 55 % quantiles, over the root of the number."""
    found = standard_errors(error_moments(SKEWED, SKEWED), {"MAE": 0.0}, (100.0, 150.0, 180.0))
    assert found["MedAE"] == pytest.approx(5 * 80 / 1000**0.5, rel=1e-3)


@pytest.mark.parametrize(("y_true", "y_pred"), [([5.0], [7.0]), ([1e200, 2e200], [3e200, 5e200])])
def test_there_is_none_where_it_is_not_defined(y_true, y_pred):
    """A single event has none, nor have squares that overflow: None, and never a NaN, which no store takes."""
    found = batch_standard_errors(y_true, y_pred, {"MAE": 2.0, "MSE": 4.0, "R2": None})
    assert found["MSE"] is None
    assert found["R2"] is None


def test_predictions_that_are_all_right_are_off_by_nothing():
    """Without errors nothing spreads."""
    y_true = np.array([1.0, 2.0, 3.0])
    found = batch_standard_errors(y_true, y_true, scores_of(y_true, y_true))
    assert found == {"MAE": 0.0, "MedAE": 0.0, "MSE": 0.0, "R2": 0.0}


def test_slices_are_joined():
    """Events are worked on in slices; twice the events, in several of them, have the errors over the root of two."""
    y_true, y_pred = np.random.default_rng(3).exponential(1e6, (2, SLICE))
    once, twice = (
        batch_standard_errors(*pair, scores_of(*pair)) for pair in ((y_true, y_pred), np.tile((y_true, y_pred), 2))
    )
    for name in ("MAE", "MSE", "R2"):
        assert twice[name] == pytest.approx(once[name] / 2**0.5, rel=1e-3)
