"""Predicted against actual as a two-dimensional histogram whose bins are the same in every trial."""

from collections import Counter

import numpy as np

from helpers.region_counts import TOP_16_BITS

FIRST_OCTAVE, LAST_OCTAVE = 6, 26  # 64 s to 2**26 s, 777 days
N_BINS = 2 * (LAST_OCTAVE - FIRST_OCTAVE) + 2  # half octaves, and what lies below and beyond
_HALF_OCTAVE_BIT = 3  # of a float64's top 16 bits: the exponent, and the top bit of the fraction
_FIRST_CODE = (1023 + FIRST_OCTAVE) * 2
EDGES = (
    0.0,
    *(float(step * 2**octave) for octave in range(FIRST_OCTAVE, LAST_OCTAVE) for step in (1, 1.5)),
    2.0**LAST_OCTAVE,
    1.5 * 2**LAST_OCTAVE,
)


def count_predictions(y_true: np.ndarray, y_pred: np.ndarray) -> Counter[int]:
    """Count events by what was predicted and what happened; counts of partitions add up.

    Parameters
    ----------
    y_true, y_pred : ndarray of float64, seconds, of shape (n_events,)

    Returns
    -------
    Counter of int
        By N_BINS times the bin of the prediction plus that of the target: bin i is from `EDGES[i]` on, below
        `EDGES[i + 1]`; the first one takes what is below too, the last one what is beyond. Bins without events are
        not in it: it travels.

    Examples
    --------
    >>> divmod(*count_predictions(np.array([100.0]), np.array([0.0])), N_BINS)
    (0, 2)
    """
    counts = np.bincount(_bins(y_pred) * N_BINS + _bins(y_true))
    cells = np.flatnonzero(counts)
    return Counter(dict(zip(cells.tolist(), counts[cells].tolist(), strict=True)))


def prediction_histogram(counts: Counter[int]) -> dict:
    """The counts as a trial's document holds them.

    Parameters
    ----------
    counts : Counter of int
        See `count_predictions`.

    Returns
    -------
    dict
        `edges`: list of float, seconds, of length N_BINS + 1; `counts`: list of [bin of the prediction, bin of the
        target, number of events], of bins that hold any.
    """
    return {
        "edges": list(EDGES),
        "counts": [[*divmod(cell, N_BINS), number] for cell, number in sorted(counts.items())],
    }


def batch_prediction_histogram(y_true, y_pred) -> dict:
    """The same of a batch: array-likes of float, seconds, of shape (n_events,); see `prediction_histogram`."""
    return prediction_histogram(count_predictions(np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)))


def _bins(seconds: np.ndarray) -> np.ndarray:
    """The bin of each value, as small integers of which the product with N_BINS is one too."""
    # Positive floats are in the order of their bits; negative ones have the sign bit, and fall below all.
    codes = np.ascontiguousarray(seconds).view(np.int16)[TOP_16_BITS::4] >> _HALF_OCTAVE_BIT
    codes -= np.int16(_FIRST_CODE - 1)
    return np.clip(codes, 0, N_BINS - 1, out=codes)
