"""What is usual for a metric: a band that trails along a series, and the trials outside it."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd  # imported where a window is rolled: a page that only shows a band needs none

MOST, LEAST = 100, 8  # trials before one, by which it is judged
WIDTH = 3.0  # spreads, on both sides of the median
NORMAL_IQR = 1.349  # interquartile range of a normal distribution, in its standard deviations
ROUNDING = 1e-9  # of the median: what recomputing the same metric may differ by
_QUARTILES = (0.25, 0.5, 0.75)


def usual_range(
    values: np.ndarray, series: np.ndarray, standard_errors: np.ndarray, at: np.ndarray | None = None
) -> "pd.DataFrame":
    """Judge each trial by those of its series before it.

    Parameters
    ----------
    values : ndarray of float, in the metric's unit, of shape (n_trials,)
        In the order of their times; NaN where there is none, which judges nothing and is not judged.
    series : ndarray of int, of shape (n_trials,)
        Which trials are comparable: those of the same notebook, source, model and model version.
    standard_errors : ndarray of float, in the metric's unit, of shape (n_trials,)
        NaN where there is none.
    at : ndarray of int, optional
        Places of the trials to be judged, ascending; by default all. Each costs one window.

    Returns
    -------
    DataFrame of shape (n_judged, 3)
        `median` and `spread`, in the metric's unit, NaN with fewer than 8 trials before it; and whether the trial
        `is_outside`.

    Notes
    -----
    A control chart for single values as W. A. Shewhart made it (Economic Control of Quality of Manufactured Product,
    1931), three standard deviations wide, with the centre and the spread estimated so that a few odd trials do not
    widen it, as D. M. Rocke proposes (Robust Control Charts, Technometrics 31, 1989): the median, and the interquartile
    range over 1.349, of at most 100 trials before the one that is judged. That one is outside when it is further from
    the median than 3 times the spread, or than 3 times its own standard error where that is larger: a trial of few
    tickets varies more. Where the trials before it are all alike the spread is 0, and one that differs by more than
    rounding, and its own standard error, is outside.

    Examples
    --------
    >>> import numpy as np
    >>> values = np.array([1.0, 2, 3, 4, 5, 6, 7, 8, 30])
    >>> usual_range(values, np.zeros(9, int), np.full(9, np.nan)).round(3).iloc[-1].to_dict()
    {'median': 4.5, 'spread': 2.595, 'is_outside': True}
    """
    import pandas as pd

    at = np.arange(len(values)) if at is None else at
    order, starts = _windows(values, series)
    place = np.full(len(values), -1)
    place[order] = np.arange(len(order))
    is_known = place[at] >= 0
    quartiles = np.full((3, len(at)), np.nan)
    quartiles[:, is_known] = _quartiles(values[order], starts, place[at][is_known])
    lower, median, upper = quartiles
    spread = (upper - lower) / NORMAL_IQR
    own = np.nan_to_num(standard_errors[at], nan=0.0, posinf=0.0)
    limit = WIDTH * np.maximum(spread, own) + ROUNDING * np.abs(median)
    # A NaN on either side makes the comparison false.
    is_outside = np.abs(values[at] - median) > limit
    return pd.DataFrame({"median": median, "spread": spread, "is_outside": is_outside})


def judged_anew(values: np.ndarray, series: np.ndarray, is_new: np.ndarray) -> np.ndarray:
    """Places of the trials that new ones change: themselves, and those that they come before.

    Parameters
    ----------
    values, series
        See `usual_range`.
    is_new : ndarray of bool, of shape (n_trials,)

    Returns
    -------
    ndarray of int
        Ascending.
    """
    order, starts = _windows(values, series)
    before = np.concatenate([[0], np.cumsum(is_new[order])])
    changed = is_new.copy()
    changed[order] |= before[np.arange(len(order))] > before[starts]
    return np.flatnonzero(changed)


def _windows(values: np.ndarray, series: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of the known values, series by series; and where in that order each one's window starts.

    A window ends before the value itself.
    """
    order = np.argsort(series, kind="stable")
    order = order[~np.isnan(values[order])]
    firsts = np.searchsorted(series[order], series[order], side="left")
    return order, np.maximum(firsts, np.arange(len(order)) - MOST)


def _quartiles(values: np.ndarray, starts: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The quartiles of the windows before some places, of shape (3, n_places); NaN where one has fewer than 8."""
    # One by one costs as much as rolling along a hundred others.
    if len(places) > max(MOST + 1, len(values) // MOST):
        return _rolled_quartiles(values, starts)[:, places]
    found = np.full((len(_QUARTILES), len(places)), np.nan)
    for column, place in enumerate(places):
        if place - starts[place] >= LEAST:
            found[:, column] = np.quantile(values[starts[place] : place], _QUARTILES)
    return found


def _rolled_quartiles(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The same of all windows: each is the one before it with a step."""
    import pandas as pd
    from pandas.api.indexers import BaseIndexer

    class Before(BaseIndexer):
        """The windows."""

        def get_window_bounds(self, num_values=0, min_periods=None, center=None, closed=None, step=None):
            return starts, np.arange(len(starts))

    rolling = pd.Series(values).rolling(Before(), min_periods=LEAST)
    return np.array([rolling.quantile(probability) for probability in _QUARTILES])
