"""Mean absolute error, mean squared error and R² from partial sums of partitions that merge without losing digits."""

import math
from dataclasses import dataclass

import numpy as np

from helpers.region_counts import SLICE, not_finite

# A number as the sum of two floats that do not overlap: twice the digits, so that long chains of sums lose none.
Double = tuple[float, float]


@dataclass(frozen=True)
class PartialScores:
    """What is to be known of some events to score them together with others; partials merge with `+`, and with `sum`.

    Attributes
    ----------
    num_obs : int
    absolute_error, squared_error : tuple of two float
        Sums over the events of |y_pred - y_true| and its square; each the sum of two floats (`Double`).
    mean, squared_deviation : tuple of two float
        The target's mean, and the sum of the squared differences from it.
    smallest, largest : float
        Of the target; infinite where there are no events.

    Notes
    -----
    Means and squared deviations merge as in T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the
    sample variance: analysis and recommendations", The American Statistician 37 (1983), over the technical report
    STAN-CS-79-773 (1979). Sums keep their rounding error: D. E. Knuth's exact sum of two, The Art of Computer
    Programming 2, 4.2.2, theorem B. How events are divided and in which order partials merge changes a score by a few
    units in its last place, R² by as much of 1 - R².
    """

    num_obs: int = 0
    absolute_error: Double = (0.0, 0.0)
    squared_error: Double = (0.0, 0.0)
    mean: Double = (0.0, 0.0)
    squared_deviation: Double = (0.0, 0.0)
    smallest: float = math.inf
    largest: float = -math.inf

    def __add__(self, other: "PartialScores") -> "PartialScores":
        if not isinstance(other, PartialScores):
            return NotImplemented
        if not self.num_obs or not other.num_obs:
            return self if self.num_obs else other
        num_obs = self.num_obs + other.num_obs
        # Both parts of the means: where the spread is far below the mean, their difference is in the last digits.
        apart = _total(_sum(other.mean, (-self.mean[0], -self.mean[1])))
        between = apart * (apart * (self.num_obs * (other.num_obs / num_obs)))
        return PartialScores(
            num_obs,
            _sum(self.absolute_error, other.absolute_error),
            _sum(self.squared_error, other.squared_error),
            _sum(self.mean, (apart * (other.num_obs / num_obs), 0.0)),
            _sum(_sum(self.squared_deviation, other.squared_deviation), (between, 0.0)),
            min(self.smallest, other.smallest),
            max(self.largest, other.largest),
        )

    def __radd__(self, other: int) -> "PartialScores":
        return self if other == 0 else NotImplemented  # sum() starts at 0

    def scores(self) -> dict[str, float | None]:
        """The metrics, as `metrics.score` gives them for all events at once.

        Returns
        -------
        dict
            `MAE` (seconds), `MSE` (seconds squared) and `R2`: None for a single event; where all targets are equal 1
            when every prediction is right and else 0; NaN where the squares overflow.

        Raises
        ------
        ValueError
            When there are no events.
        """
        if not self.num_obs:
            raise ValueError("no events: scores of nothing are not defined")
        absolute, squared = _total(self.absolute_error), _total(self.squared_error)
        return {"MAE": absolute / self.num_obs, "MSE": squared / self.num_obs, "R2": self._r2(squared)}

    def _r2(self, squared_error: float) -> float | None:
        if self.num_obs < 2:
            return None
        deviation = _total(self.squared_deviation)
        if not deviation:
            return 0.0 if squared_error else 1.0
        return 1.0 - squared_error / deviation

    @property
    def target(self) -> dict[str, float]:
        """The target's `mean`, `min` and `max`, seconds; ValueError when there are no events."""
        if not self.num_obs:
            raise ValueError("no events: the target of nothing is not defined")
        return {"mean": _total(self.mean), "min": self.smallest, "max": self.largest}


def partial_scores(y_true: np.ndarray, y_pred: np.ndarray) -> PartialScores:
    """The partial sums of one partition.

    Parameters
    ----------
    y_true, y_pred : ndarray of float64, seconds, of shape (n_events,)
        What happened and what was predicted. May be empty.

    Returns
    -------
    PartialScores

    Raises
    ------
    ValueError
        When the shapes differ or are not one-dimensional, or a value is NaN or infinite (it says which and how many).

    Examples
    --------
    >>> partitions = [([3600.0, 7200.0], [7200.0, 7200.0]), ([0.0, 36000.0], [7200.0, 21600.0])]
    >>> sum(partial_scores(*partition) for partition in partitions).scores()["MAE"]
    6300.0
    """
    y_true, y_pred = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    if y_true.ndim != 1 or y_true.shape != y_pred.shape:
        raise ValueError(f"y_true of shape {y_true.shape} and y_pred of {y_pred.shape}; give one dimension, one length")
    total = PartialScores()
    for start in range(0, len(y_true), SLICE):
        rows = slice(start, start + SLICE)
        # Squares may overflow, as they do in scikit-learn: the metric is infinite then.
        with np.errstate(over="ignore", invalid="ignore"):
            part = _of_slice(y_true[rows], y_pred[rows])
        if part is None:
            names = {"y_true": not_finite(y_true), "y_pred": not_finite(y_pred)}
            raise ValueError("; ".join(f"{name}: {what}" for name, what in names.items() if what))
        total += part
    return total


def _of_slice(y_true: np.ndarray, y_pred: np.ndarray) -> PartialScores | None:
    """Partial sums of a few events; None where a value is not finite."""
    smallest, largest = float(y_true.min()), float(y_true.max())
    error = y_pred - y_true
    np.abs(error, out=error)
    absolute_error = float(error.sum())
    # NaN and infinity spread into the sum; so may an overflow.
    if not math.isfinite(absolute_error) and (not_finite(y_true) or not_finite(y_pred)):
        return None
    np.square(error, out=error)
    squared_error = float(error.sum())
    # Within the targets' range, so that equal ones have no deviation.
    near = min(max(float(y_true.mean()), smallest), largest)
    deviation = np.subtract(y_true, near, out=error)
    offset = float(deviation.mean())
    np.square(deviation, out=deviation)
    squared_deviation = max(float(deviation.sum()) - len(y_true) * offset * offset, 0.0)
    return PartialScores(
        len(y_true),
        (absolute_error, 0.0),
        (squared_error, 0.0),
        _sum((near, 0.0), (offset, 0.0)),
        (squared_deviation, 0.0),
        smallest,
        largest,
    )


def _sum(a: Double, b: Double) -> Double:
    """The sum of two doubles as a double."""
    high, low = _exact_sum(a[0], b[0])
    return _exact_sum(high, low + (a[1] + b[1]))


def _exact_sum(a: float, b: float) -> Double:
    """The rounded sum, and what the rounding took; nothing where the sum overflows."""
    total = a + b
    if not math.isfinite(total):
        return total, 0.0
    of_b = total - a
    return total, (a - (total - of_b)) + (b - of_b)


def _total(double: Double) -> float:
    """The nearest float."""
    return double[0] + double[1]
