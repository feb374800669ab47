"""How far a trial's metrics would be off by chance alone: standard errors, from sums that merge over partitions."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from operator import add

import numpy as np

BANDWIDTH = 0.05  # on both sides of the median, in shares of the events
NEAR_MEDIAN = (0.5 - BANDWIDTH, 0.5, 0.5 + BANDWIDTH)
DIGITS = 4  # kept: more depend on the order of the sums, and say nothing


@dataclass(frozen=True)
class ErrorMoments:
    """Sums over events from which the spread of their errors follows; those of partitions merge with `+`.

    Attributes
    ----------
    num_obs : int
    y, y2, y3, y4 : float
        Of the target and its powers, seconds.
    e2, e4 : float
        Of the error's square and its fourth power.
    e2y, e2y2 : float
        Of the error's square times the target, and times its square.
    """

    num_obs: int = 0
    y: float = 0.0
    y2: float = 0.0
    y3: float = 0.0
    y4: float = 0.0
    e2: float = 0.0
    e4: float = 0.0
    e2y: float = 0.0
    e2y2: float = 0.0

    def __add__(self, other: "ErrorMoments") -> "ErrorMoments":
        return ErrorMoments(*map(add, astuple(self), astuple(other)))


def error_moments(y_true: np.ndarray, y_pred: np.ndarray) -> ErrorMoments:
    """The sums of some events.

    Parameters
    ----------
    y_true, y_pred : ndarray of float64, seconds, of shape (n_events,)

    Returns
    -------
    ErrorMoments
    """
    # Of values that overflow there is no spread; `standard_errors` says so.
    with np.errstate(over="ignore", invalid="ignore"):
        y, y2, e2 = y_true, np.square(y_true), np.square(y_pred - y_true)
        # Not np.dot: its sums depend on the number of threads.
        sums = (y.sum(), y2.sum(), (y2 * y).sum(), (y2 * y2).sum(), e2.sum(), (e2 * e2).sum())
        return ErrorMoments(len(y), *map(float, (*sums, (e2 * y).sum(), (e2 * y2).sum())))


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
            "MAE": _of_mean(mse - np.square(scores["MAE"]), n),
            "MedAE": _rounded((near_median[2] - near_median[0]) / (4 * BANDWIDTH * n**0.5)),
            "MSE": _of_mean(moments.e4 / n - mse**2, n),
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


def _of_r2(moments: ErrorMoments, mse: float) -> float | None:
    n = moments.num_obs
    y, y2, y3, y4 = (np.float64(total) / n for total in (moments.y, moments.y2, moments.y3, moments.y4))
    variance = y2 - y**2
    if not variance > 0:
        return None
    ratio = mse / variance
    d4 = y4 - 4 * y * y3 + 6 * y**2 * y2 - 3 * y**4
    e2d2 = (moments.e2y2 - 2 * y * moments.e2y) / n + y**2 * mse
    return _of_mean((moments.e4 / n - 2 * ratio * e2d2 + ratio**2 * d4) / variance**2, n)


def _of_mean(variance: float, n: int) -> float | None:
    # A difference of sums that are nearly the same may fall below 0.
    return _rounded((max(variance, 0.0) / n) ** 0.5) if np.isfinite(variance) else None


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if np.isfinite(value) else None
