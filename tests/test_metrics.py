"""The metrics against numbers by hand and numpy's formulas, and the shape of the errors."""

import itertools

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics

from helpers import metrics

ACTUAL = pd.Series([3600.0, 7200.0, 0.0, 36000.0])
PREDICTED = pd.Series([7200.0, 7200.0, 7200.0, 21600.0])  # off by 3600, 0, 7200 and -14400


@pytest.mark.parametrize(
    ("metric_name", "expected"),
    [
        ("mae", 6300.0),  # (3600 + 0 + 7200 + 14400) / 4
        ("medae", 5400.0),  # between 3600 and 7200
        ("mse", 68_040_000.0),  # (12.96 + 0 + 51.84 + 207.36) / 4 million
        # The same squares, over those about the mean of 11700: 65.61, 20.25, 136.89 and 590.49 million.
        ("r2", 1 - 272.16 / 813.24),
    ],
)
def test_score_by_hand(metric_name, expected):
    """Each metric is what its definition gives for four events."""
    assert metrics.score(ACTUAL, PREDICTED, metric_name) == pytest.approx(expected)


def test_score_is_numpys_formula():
    """Each metric is numpy's one-line formula on a thousand random events."""
    rng = np.random.default_rng(1)
    actual, predicted = pd.Series(rng.exponential(1e5, 1000)), pd.Series(rng.exponential(1e5, 1000))
    error = (predicted - actual).to_numpy()
    expected = {
        "mae": np.abs(error).mean(),
        "medae": np.median(np.abs(error)),
        "mse": (error**2).mean(),
        "r2": 1 - (error**2).sum() / ((actual - actual.mean()) ** 2).sum(),
    }
    assert set(expected) == set(metrics.METRICS.values())
    for name, value in expected.items():
        assert metrics.score(actual, predicted, name) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("n_events", [2, 3, 1000, 200_001])
def test_score_is_scikit_learns(n_events):
    """Each metric is scikit-learn's to 12 digits, the median absolute error to the last bit."""
    rng = np.random.default_rng(n_events)
    actual, predicted = rng.exponential(1e6, n_events) + 1e9, rng.exponential(1e5, n_events) + 1e9
    expected = {
        "mae": sklearn.metrics.mean_absolute_error,
        "mse": sklearn.metrics.mean_squared_error,
        "r2": sklearn.metrics.r2_score,
    }
    for name, function in expected.items():
        assert metrics.score(actual, predicted, name) == pytest.approx(function(actual, predicted), rel=1e-12)
    assert metrics.score(actual, predicted, "medae") == sklearn.metrics.median_absolute_error(actual, predicted)


def test_score_by_symmetry():
    """A constant miss of one hour is 3600 s by mean and median; predicting the mean has an R² of 0, the truth of 1."""
    assert metrics.score(ACTUAL, ACTUAL + 3600, "mae") == metrics.score(ACTUAL, ACTUAL - 3600, "medae") == 3600
    assert metrics.score(ACTUAL, np.full(4, ACTUAL.mean()), "r2") == 0
    assert metrics.score(ACTUAL, ACTUAL, "r2") == 1


def test_r2_of_one_event_is_none():
    """R² of one event is not defined, so None; the other metrics are."""
    one, other = pd.Series([3600.0]), pd.Series([0.0])
    assert metrics.score(one, other, "r2") is None
    assert [metrics.score(one, other, name) for name in ("mae", "medae", "mse")] == [3600, 3600, 3600**2]


@pytest.mark.parametrize("metric_name", metrics.METRICS.values())
@pytest.mark.parametrize(
    ("actual", "predicted"),
    [
        ([1.0, 2.0], [1.0, np.nan]),
        ([np.inf, 2.0], [1.0, 2.0]),
        ([1.0], [np.nan]),
        ([-np.inf], [1.0]),
        ([1.0], [1.0, 2.0]),
        ([1.0, 2.0], [1.0]),
        ([], []),
    ],
)
def test_score_refuses_what_is_no_number(metric_name, actual, predicted):
    """NaN, infinity, different lengths and no events at all are refused by every metric."""
    with pytest.raises(ValueError, match=r"NaN|infinite|one length|no events"):
        metrics.score(pd.Series(actual, dtype=float), pd.Series(predicted, dtype=float), metric_name)


@pytest.mark.parametrize("n_events", [1, 2])
def test_score_refuses_an_unknown_metric(n_events):
    """A name that is no metric is a KeyError, not another metric."""
    with pytest.raises(KeyError, match="rmse"):
        metrics.score(ACTUAL[:n_events], PREDICTED[:n_events], "rmse")


@pytest.mark.parametrize("n_events", [1, 2, 7, 1000])
def test_error_distribution_counts_every_event(n_events):
    """The counts add up, the edges ascend from the smallest to the largest error, and the inner bins hold their own."""
    rng = np.random.default_rng(n_events)
    actual, predicted = pd.Series(rng.exponential(1e6, n_events)), pd.Series(rng.exponential(1e5, n_events))
    found = metrics.error_distribution(actual, predicted)
    edges, counts = np.array(found["edges"]), found["counts"]
    error = (predicted - actual).to_numpy()
    assert len(counts) == 48
    assert len(edges) == 49
    assert sum(counts) == n_events
    assert (np.diff(edges) > 0).all()
    assert edges[0] == error.min()
    assert edges[-1] >= error.max()
    # Counted without a histogram: half-open bins, the last one closed.
    by_hand = [((error >= low) & (error < high)).sum() for low, high in itertools.pairwise(edges)]
    by_hand[-1] += (error == edges[-1]).sum()
    assert counts == by_hand


def test_error_distribution_of_a_constant_error():
    """Errors that are all the same make a histogram of width 1 with all of them in its first bin."""
    found = metrics.error_distribution(ACTUAL, ACTUAL + 60, bins=4)
    assert found == {"edges": [60.0, 60.25, 60.5, 60.75, 61.0], "counts": [4, 0, 0, 0]}


def test_error_distribution_puts_outliers_in_the_outer_bins():
    """One miss by months leaves the width of the other bins as it is."""
    error = pd.Series([*range(100), 1e9])
    found = metrics.error_distribution(error * 0, error, bins=4)
    # The 5 % and 95 % quantiles of 101 values are the 6th and the 96th: 5 and 95, so bins are 22.5 wide.
    assert found["edges"] == [0, 27.5, 50, 72.5, 1e9]
    assert found["counts"] == [28, 22, 23, 28]


def test_errors_by_group():
    """Each group has its own number, means and quantiles; rows are matched by position, not by index."""
    groups = pd.Series(["b", "a", "b", "b"], index=[9, 8, 7, 6])
    rows = metrics.errors_by(groups, ACTUAL, PREDICTED)
    assert [row["group"] for row in rows] == ["a", "b"]
    assert rows[0] == {"group": "a", "num_obs": 1, "predicted": 7200, "mae": 0, "actual": [7200] * 5}
    # b: actual 0, 3600, 36000; predicted 7200, 7200, 21600; off by 7200, 3600, 14400.
    assert rows[1]["num_obs"] == 3
    assert (rows[1]["predicted"], rows[1]["mae"]) == (12000, 8400)
    # Quantiles of three values lie on the lines between them: 0.05 is a tenth of the way to the median.
    assert rows[1]["actual"] == pytest.approx([360, 1800, 3600, 19800, 32760])


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
def test_errors_by_names_the_missing_group_none(dtype):
    """Missing groups, of whatever kind, form one group named None at the end."""
    groups = pd.Series(["4 - Low", None, "1 - Critical", np.nan], dtype=dtype)
    rows = metrics.errors_by(groups, ACTUAL, PREDICTED)
    assert [(row["group"], row["num_obs"]) for row in rows] == [("1 - Critical", 1), ("4 - Low", 1), (None, 2)]
