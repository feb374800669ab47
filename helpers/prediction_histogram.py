"""Predicted against actual as a two-dimensional histogram whose bins are the same in every trial."""

import numpy as np

FIRST_OCTAVE, LAST_OCTAVE = 6, 26  # 64 s to 2**26 s, 777 days
N_BINS = 2 * (LAST_OCTAVE - FIRST_OCTAVE) + 2  # half octaves, and what lies below and beyond
_HALF_OCTAVE_BIT = 51  # of a float64: the exponent, and the top bit of the fraction
_FIRST_CODE = (1023 + FIRST_OCTAVE) * 2
EDGES = (
    0.0,
    *(float(step * 2**octave) for octave in range(FIRST_OCTAVE, LAST_OCTAVE) for step in (1, 1.5)),
    2.0**LAST_OCTAVE,
    1.5 * 2**LAST_OCTAVE,
)


def count_predictions(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Count events by what was predicted and what happened; counts of partitions add up.

    Parameters
    ----------
    y_true, y_pred : ndarray of float64, seconds, of shape (n_events,)

    Returns
    -------
    ndarray of int, of shape (N_BINS, N_BINS)
        By the bin of the prediction, then of the target: bin i is from `EDGES[i]` on, below `EDGES[i + 1]`; the first
        one takes what is below too, the last one what is beyond.

    Examples
    --------
    >>> np.argwhere(count_predictions(np.array([100.0]), np.array([0.0]))).tolist()
    [[0, 2]]
    """
    places = _bins(y_pred) * N_BINS + _bins(y_true)
    return np.bincount(places, minlength=N_BINS * N_BINS).reshape(N_BINS, N_BINS)


def prediction_histogram(counts: np.ndarray) -> dict:
    """The counts as a trial's document holds them.

    Parameters
    ----------
    counts : ndarray of int, of shape (N_BINS, N_BINS)

    Returns
    -------
    dict
        `edges`: list of float, seconds, of length N_BINS + 1; `counts`: list of [bin of the prediction, bin of the
        target, number of events], of bins that hold any.
    """
    predicted, actual = np.nonzero(counts)
    numbers = counts[predicted, actual]
    return {"edges": list(EDGES), "counts": np.column_stack((predicted, actual, numbers)).tolist()}


def batch_prediction_histogram(y_true, y_pred) -> dict:
    """The same of a batch: array-likes of float, seconds, of shape (n_events,); see `prediction_histogram`."""
    return prediction_histogram(count_predictions(np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)))


def _bins(seconds: np.ndarray) -> np.ndarray:
    # Positive floats are in the order of their bits; negative ones have the sign bit, and fall below all.
    codes = np.ascontiguousarray(seconds).view(np.int64) >> _HALF_OCTAVE_BIT
    return np.clip(codes - (_FIRST_CODE - 1), 0, N_BINS - 1)
