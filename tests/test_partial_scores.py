"""Scores of merged partitions against exact fractions, and against scikit-learn on the same rows at once."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from helpers import metrics
from helpers.partial_scores import PartialScores, partial_scores
from helpers.region_counts import SLICE

RNG = np.random.default_rng(4)
STEP = 2.0**-23  # the distance of floats from 2**29 to 2**30, where 1e9 is: a spread of 1e-3 is 8,389 of them


def near(middle, spread, step, size=1000):
    """Floats around a middle that are exact multiples of a step apart."""
    return middle + np.round(RNG.normal(0, spread / step, size)) * step


SPANS = 10 ** RNG.uniform(-300, 149, (2, 1000)) * RNG.choice([-1, 1], (2, 1000))  # their squares' sum is below 1e308
ADVERSARIAL = {
    "exponential": (RNG.exponential(1e5, 1000), RNG.exponential(1e5, 1000)),
    "good predictions": (y_true := RNG.exponential(1e5, 1001), y_true + RNG.normal(0, 1e-3, 1001)),
    "1e9 with a spread of 1e-3": (near(1e9, 1e-3, STEP), near(1e9, 2e-3, STEP)),
    "neighbouring floats": (near(1e9, STEP, STEP), near(1e9, STEP, STEP)),
    "drifting": (np.sort(RNG.normal(1e9, 1, 1000)), RNG.normal(1e9, 1, 1000)),
    "negative": (-RNG.exponential(1e5, 1000), RNG.normal(-1e5, 10, 1000)),
    "huge spans": tuple(SPANS),
    "huge spans, small first": tuple(np.sort(np.abs(SPANS), axis=1)),
    "two values": (RNG.choice([0.1, 0.3], 1000), RNG.choice([0.1, 0.3], 1000)),
    "zeros of both signs": (RNG.choice([0.0, -0.0], 1000), RNG.choice([0.0, -0.0], 1000)),
    "subnormals": (RNG.integers(0, 1000, 1000) * 5e-324, RNG.integers(0, 1000, 1000) * 5e-324),
    "all equal": (np.full(1000, 7.5), RNG.normal(7.5, 1, 1000)),
    "all equal and right": (np.full(1000, 7.5), np.full(1000, 7.5)),
    "two rows": (np.array([0.1, 0.7]), np.array([0.3, 0.3])),
    "one row": (np.array([3600.0]), np.array([7200.0])),
}


def tree(parts):
    """The parts merged two by two."""
    while len(parts) > 1:
        parts = [sum(parts[i : i + 2]) for i in range(0, len(parts), 2)]
    return parts[0]


ORDERS = {
    "chain": lambda parts: sum(parts, start=PartialScores()),
    "reversed": lambda parts: sum(reversed(parts)),
    "onto the right": lambda parts: parts[0] + sum(parts[1:], start=PartialScores()),
    "tree": tree,
}


def cut(y_true, y_pred, num_partitions):
    """Partial scores, which travelled, of random partitions, some of them empty; of one row each if there are 1,000."""
    if num_partitions == len(y_true):
        edges = np.arange(1, len(y_true))
    else:
        edges = np.sort(RNG.integers(0, len(y_true) + 1, num_partitions - 1))
    rows = zip(np.split(y_true, edges), np.split(y_pred, edges), strict=True)
    return [pickle.loads(pickle.dumps(partial_scores(*part))) for part in rows]


def exact(y_true, y_pred):
    """MAE, MSE, 1 - R² (None where targets are equal) and the mean as exact fractions, which no rounding touches."""
    y_true, y_pred = [Fraction(value) for value in y_true.tolist()], [Fraction(value) for value in y_pred.tolist()]
    num_obs, mean = len(y_true), sum(y_true) / len(y_true)
    absolute = sum(abs(p - t) for t, p in zip(y_true, y_pred, strict=True))
    squared = sum((p - t) ** 2 for t, p in zip(y_true, y_pred, strict=True))
    deviation = sum((t - mean) ** 2 for t in y_true)
    return absolute / num_obs, squared / num_obs, squared / deviation if deviation else None, mean


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("num_partitions", [1, 2, 17, 1000])
@pytest.mark.parametrize("name", sorted(set(ADVERSARIAL) - {"subnormals", "one row"}))
def test_scores_are_exact(name, num_partitions, order):
    """Whatever the rows, the partitioning and the order of merging, scores are right to 1e-12."""
    y_true, y_pred = ADVERSARIAL[name]
    total = order(cut(y_true, y_pred, num_partitions))
    mae, mse, unexplained, mean = exact(y_true, y_pred)
    scores = total.scores()
    assert scores["MAE"] == pytest.approx(float(mae), rel=1e-12, abs=0)
    assert scores["MSE"] == pytest.approx(float(mse), rel=1e-12, abs=0)
    if unexplained is None:  # as scikit-learn defines it
        assert scores["R2"] == (1.0 if mse == 0 else 0.0)
    else:
        # Near 0 the digits of R² are those that 1 - R² has left.
        assert scores["R2"] == pytest.approx(float(1 - unexplained), rel=1e-12, abs=1e-12 * float(unexplained))
    # Where positive and negative targets cancel out, the mean's digits are those of their size.
    assert total.target["mean"] == pytest.approx(float(mean), rel=1e-12, abs=1e-12 * float(np.abs(y_true).mean()))
    assert (total.target["min"], total.target["max"]) == (y_true.min(), y_true.max())
    assert total.num_obs == len(y_true)


@pytest.mark.parametrize("num_partitions", [1, 17])
@pytest.mark.parametrize("name", ADVERSARIAL)
def test_scores_are_scikit_learns(name, num_partitions):
    """The scores are those of scikit-learn to 1e-12, with its conventions."""
    y_true, y_pred = ADVERSARIAL[name]
    scores = sum(cut(y_true, y_pred, num_partitions)).scores()
    assert scores["MAE"] == pytest.approx(mean_absolute_error(y_true, y_pred), rel=1e-12, abs=0)
    assert scores["MSE"] == pytest.approx(mean_squared_error(y_true, y_pred), rel=1e-12, abs=0)
    if len(y_true) < 2:
        assert scores["R2"] is metrics.score(y_true, y_pred, "r2") is None
        return
    # scikit-learn rounds the mean to a float, which at 1e9 costs it the last digits of R². Subtracting 1e9 is exact
    # here and does not change R², so that it can show what it gets without that loss.
    shift = 1e9 if y_true.min() > 9e8 else 0.0
    expected = r2_score(y_true - shift, y_pred - shift)
    assert scores["R2"] == pytest.approx(expected, rel=1e-12, abs=1e-12 * abs(1 - expected))


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, 1e300, 5e-324])
@pytest.mark.parametrize("num_partitions", [1, 7, 1000])
def test_equal_targets_have_no_deviation(value, num_partitions):
    """However often a target is added up and divided again, its equals are equal to the mean."""
    y_true = np.full(1000, value)
    total = sum(cut(y_true, y_true, num_partitions))
    assert (total.scores(), total.target) == (
        {"MAE": 0, "MSE": 0, "R2": 1},
        dict.fromkeys(("mean", "min", "max"), value),
    )
    assert sum(cut(y_true, np.full(1000, 2 * value + 1), num_partitions)).scores()["R2"] == 0


def test_long_chains_lose_no_digits():
    """Twenty thousand partitions of one row, merged one after the other, are right to the last digit."""
    y_true = RNG.exponential(1e5, 20_000) + 1e7
    total = ORDERS["chain"]([partial_scores([value], [value + 0.1]) for value in y_true])
    errors = np.abs((y_true + 0.1) - y_true)
    mean = float(sum(map(Fraction, y_true.tolist())) / len(y_true))
    assert total.scores()["MAE"] == pytest.approx(math.fsum(errors) / len(errors), rel=3e-16)
    assert total.scores()["MSE"] == pytest.approx(math.fsum(errors**2) / len(errors), rel=3e-16)
    assert total.target["mean"] == pytest.approx(mean, rel=3e-16)


def test_slices_are_joined():
    """Rows are worked on in slices; a partition of several, and of one row more, loses none."""
    for size in (SLICE - 1, SLICE, SLICE + 1, 2 * SLICE + 1):
        y_true, y_pred = RNG.normal(1e6, 1, size), RNG.normal(1e6, 2, size)
        total = partial_scores(y_true, y_pred)
        assert total.num_obs == size
        assert total.scores()["MSE"] == pytest.approx(mean_squared_error(y_true, y_pred), rel=1e-12)
        assert total.scores()["R2"] == pytest.approx(r2_score(y_true - 1e6, y_pred - 1e6), rel=1e-12)


def test_an_outlier_takes_no_digits():
    """One target far below a hundred thousand others leaves all digits of their deviation."""
    y_true, y_pred = RNG.normal(0, 1, SLICE), RNG.normal(0, 1, SLICE)
    y_true[0] = -1e6
    squares = [math.fsum((values**2).tolist()) for values in (y_pred - y_true, y_true - math.fsum(y_true) / SLICE)]
    r2 = partial_scores(y_true, y_pred).scores()["R2"]
    assert 1 - r2 == pytest.approx(squares[0] / squares[1], rel=1e-13)


def test_the_largest_errors_are_not_refused():
    """An error beyond the largest float is of finite values: the MAE is infinite, as in scikit-learn."""
    largest = np.finfo(float).max
    assert partial_scores([largest, 0.0], [-largest, 0.0]).scores()["MAE"] == math.inf


def test_overflow_is_as_in_scikit_learn():
    """Where squares overflow the MSE is infinite and R² no number, as in scikit-learn; MAE and the target are right."""
    y_true, y_pred = np.array([1e300, -1e300, 5e299, 1.0]), np.array([-1e300, 1e300, 0.0, 0.0])
    for total in (partial_scores(y_true, y_pred), sum(cut(y_true, y_pred, 4))):
        with np.errstate(all="ignore"):
            assert total.scores()["MSE"] == mean_squared_error(y_true, y_pred) == math.inf
            assert math.isnan(total.scores()["R2"])
            assert math.isnan(r2_score(y_true, y_pred))
        assert total.scores()["MAE"] == pytest.approx(mean_absolute_error(y_true, y_pred), rel=1e-12)
        assert total.target == {"mean": pytest.approx(1.25e299, rel=1e-12), "min": -1e300, "max": 1e300}


def test_empty_partitions_merge_as_nothing():
    """Adding an empty partition changes nothing, and nothing but empty ones has no scores and no target."""
    some, none = partial_scores([1.0, 2.0], [1.5, 2.0]), partial_scores([], [])
    assert none == PartialScores()
    assert some + none == none + some == some
    for what in (lambda: (none + none).scores(), lambda: none.target):
        with pytest.raises(ValueError, match="no events"):
            what()


@pytest.mark.parametrize("at", [0, 2 * SLICE])
def test_not_finite_values_are_refused_by_name(at):
    """The message names the side, NaN or infinite, and how many there are in the partition."""
    y_true, y_pred = np.ones(2 * SLICE + 1), np.ones(2 * SLICE + 1)
    y_true[at] = np.nan
    with pytest.raises(ValueError, match=r"^y_true: 1 NaN among 262,145 values$"):
        partial_scores(y_true, y_pred)
    with pytest.raises(ValueError, match=r"^y_pred: 1 NaN among 262,145 values$"):
        partial_scores(y_pred, y_true)
    y_pred[[1, at]] = np.inf, -np.inf
    with pytest.raises(ValueError, match=r"^y_pred: 2 infinite among 262,145 values$"):
        partial_scores(np.ones(len(y_pred)), y_pred)
    both = r"^y_true: 1 NaN among 262,145 values; y_pred: 2 infinite among 262,145 values$"
    with pytest.raises(ValueError, match=both):
        partial_scores(y_true, y_pred)


@pytest.mark.parametrize(
    ("y_true", "y_pred"), [([1.0], [1.0, 2.0]), ([1.0, 2.0], [1.0]), ([[1.0]], [[1.0]]), ([], [1.0])]
)
def test_different_lengths_are_refused(y_true, y_pred):
    """One row is never stretched over many."""
    with pytest.raises(ValueError, match="give one dimension, one length"):
        partial_scores(y_true, y_pred)


def test_other_things_do_not_merge():
    """Only partial scores merge, and the 0 that sum() starts at."""
    with pytest.raises(TypeError):
        partial_scores([1.0], [1.0]) + 1
    with pytest.raises(TypeError):
        1 + partial_scores([1.0], [1.0])
