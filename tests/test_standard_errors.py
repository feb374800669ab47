"""Standard errors: against the spread of many drawn batches, and where there are none."""

import numpy as np
import pytest

from helpers import metrics
from helpers.standard_errors import ErrorMoments, batch_standard_errors, error_moments


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


def test_parts_add_up_to_the_whole():
    """However events are divided, and into nothing too, the sums are those of all."""
    rng = np.random.default_rng(1)
    y_true, y_pred = rng.integers(0, 10**6, (2, 1000)).astype(float)
    parts = [error_moments(y_true[part], y_pred[part]) for part in (slice(0, 1), slice(1, 1), slice(1, 1000))]
    merged = sum(parts, ErrorMoments())
    whole = error_moments(y_true, y_pred)
    assert merged.num_obs == 1000
    np.testing.assert_allclose(
        [getattr(merged, name) for name in ("y4", "e4", "e2y2")], [whole.y4, whole.e4, whole.e2y2]
    )


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
