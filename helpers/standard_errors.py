"""How far a trial's metrics would be off by chance alone: standard errors, from sums that merge over partitions."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import add

import numpy as np

from helpers.region_counts import SLICE

BANDWIDTH = 0.05  # on both sides of the median, in shares of the events
NEAR_MEDIAN = (0.5 - BANDWIDTH, 0.5, 0.5 + BANDWIDTH)
DIGITS = 4  # kept: more depend on the order of the sums, and say nothing
NOTHING = 1e-12  # of what it is the difference of: a variance below is rounding alone


@dataclass(frozen=True)
class ErrorMoments:
    """Sums over events from which the spread of their errors follows; those of partitions merge with `+`.

    Attributes
    ----------
    num_obs : int
    mean : float
        Of the target, seconds.
    d2, d3, d4 : float
        Of the powers of the target's difference from its mean.
    e2, e4 : float
        Of the error's square and its fourth power.
    e2d, e2d2 : float
        Of the error's square times the target's difference from its mean, and times that one's square.

    Notes
    -----
    Sums about the mean, not about 0, keep their digits where the targets are far from 0 and near each other. They are
    moved to the common mean as in P. Pébay, "Formulas for robust, one-pass parallel computation of covariances and
    arbitrary-order statistical moments", Sandia report SAND2008-6212 (2008).
    """

    num_obs: int = 0
    mean: float = 0.0
    d2: float = 0.0
    d3: float = 0.0
    d4: float = 0.0
    e2: float = 0.0
    e4: float = 0.0
    e2d: float = 0.0
    e2d2: float = 0.0

    def __add__(self, other: "ErrorMoments") -> "ErrorMoments":
        if not self.num_obs or not other.num_obs:
            return self if self.num_obs else other
        num_obs = self.num_obs + other.num_obs
        mean = self.mean + (other.mean - self.mean) * (other.num_obs / num_obs)
        return ErrorMoments(num_obs, mean, *map(add, self._about(mean), other._about(mean)))

    def _about(self, mean: float) -> tuple[float, ...]:
        """The sums about another mean."""
        n, by = self.num_obs, np.float64(self.mean - mean)  # numpy's floats overflow to infinity, Python's raise
        with np.errstate(over="ignore", invalid="ignore"):
            sums = (
                self.d2 + n * by**2,
                self.d3 + 3 * by * self.d2 + n * by**3,
                self.d4 + 4 * by * self.d3 + 6 * by**2 * self.d2 + n * by**4,
                self.e2,
                self.e4,
                self.e2d + by * self.e2,
                self.e2d2 + 2 * by * self.e2d + by**2 * self.e2,
            )
        return tuple(map(float, sums))


def error_moments(y_true: np.ndarray, y_pred: np.ndarray) -> ErrorMoments:
    """The sums of some events.

    Parameters
    ----------
    y_true, y_pred : ndarray of float64, seconds, of shape (n_events,)

    Returns
    -------
    ErrorMoments
    """
    slices = (slice(start, start + SLICE) for start in range(0, len(y_true), SLICE))
    return sum((_of_slice(y_true[rows], y_pred[rows]) for rows in slices), ErrorMoments())


def _of_slice(y_true: np.ndarray, y_pred: np.ndarray) -> ErrorMoments:
    # Of values that overflow there is no spread; `standard_errors` says so.
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(y_true.mean())
        d, e2 = y_true - mean, y_pred - y_true
        np.square(e2, out=e2)
        d2 = np.square(d)
        pairs = ((d2, d), (d2, d2), (e2, e2), (e2, d), (e2, d2))
        # Not np.dot: its sums depend on the number of threads.
        d3, d4, e4, e2d, e2d2 = (float(np.einsum("i,i", one, other)) for one, other in pairs)
        return ErrorMoments(len(d), mean, float(d2.sum()), d3, d4, float(e2.sum()), e4, e2d, e2d2)


def standard_errors(
    moments: ErrorMoments, scores: dict[str, float | None], near_median: Sequence[float]
) -> dict[str, float | None]:
    """The standard error of each metric.

    Parameters
    ----------
    moments : ErrorMoments
        Of all events.
    scores : dict of str to float or None
        Their MAE, MSE and R2.
    near_median : sequence of three float, seconds
        The quantiles of `NEAR_MEDIAN` of the absolute errors.

    Returns
    -------
    dict
        `MAE` and `MedAE` (seconds), `MSE` (seconds squared) and `R2`, to 4 digits; None where there is none: of a
        single event, of an R² that is not defined, of sums that overflow.

    Notes
    -----
    The events are taken for independent draws from all those to come. Those of one ticket are not, so that this is
    the least that a metric may be off. Of means it is the textbook's; of R² = 1 - A/B, with A and B the means of the
    squared errors and of the target's squared deviations, the delta method's (the spread of (e² - (A/B) d²) / B); of
    the median that of its asymptotic distribution, with the density estimated from the quantiles beside it: M. M.
    Siddiqui, "Distribution of quantiles in samples from a bivariate population", Journal of Research of the National
    Bureau of Standards 64B (1960).
    """
    n = moments.num_obs
    if n < 2:
        return dict.fromkeys(("MAE", "MedAE", "MSE", "R2"))
    mse = np.float64(moments.e2) / n  # numpy's floats overflow to infinity, Python's raise
    with np.errstate(over="ignore", invalid="ignore"):
        return {
            "MAE": _of_mean(mse, np.square(scores["MAE"]), n),
            "MedAE": _rounded((near_median[2] - near_median[0]) / (4 * BANDWIDTH * n**0.5)),
            "MSE": _of_mean(moments.e4 / n, mse**2, n),
            "R2": _of_r2(moments, mse),
        }


def batch_standard_errors(y_true, y_pred, scores: dict[str, float | None]) -> dict[str, float | None]:
    """The same of a batch.

    Parameters
    ----------
    y_true, y_pred : array-like of float, seconds, of shape (n_events,)
    scores : dict of str to float or None

    Returns
    -------
    dict
        See `standard_errors`.
    """
    y_true, y_pred = np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)
    near_median = np.quantile(np.abs(y_pred - y_true), NEAR_MEDIAN)
    return standard_errors(error_moments(y_true, y_pred), scores, near_median)


def _of_r2(moments: ErrorMoments, mse: np.float64) -> float | None:
    n = moments.num_obs
    variance = np.float64(moments.d2) / n
    if not variance > 0:
        return None
    ratio = mse / variance
    errors, crossed, targets = (np.float64(total) / n for total in (moments.e4, moments.e2d2, moments.d4))
    return _of_mean((errors + ratio**2 * targets) / variance**2, 2 * ratio * crossed / variance**2, n)


def _of_mean(squares: float, less: float, n: int) -> float | None:
    """The standard error of a mean whose variance is the difference of two."""
    variance = squares - less
    if not np.isfinite(variance):
        return None
    return _rounded((variance / n) ** 0.5) if variance > NOTHING * squares else 0.0


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
