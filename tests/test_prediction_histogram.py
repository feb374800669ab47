"""Predicted against actual in fixed bins: against a search of the edges, at the edges, and merged."""

from collections import Counter

import numpy as np

from helpers.prediction_histogram import EDGES, N_BINS, batch_prediction_histogram, count_predictions


def searched(values: np.ndarray) -> np.ndarray:
    """The bin of each value, found among the edges."""
    return np.clip(np.searchsorted(EDGES, values, side="right") - 1, 0, N_BINS - 1)


def test_each_event_is_in_its_bin():
    """The bits of a number name the bin in which it lies, at an edge too, below the first and beyond the last."""
    rng = np.random.default_rng(0)
    values = np.concatenate(
        (EDGES, np.nextafter(EDGES, -1), [-1.0, -0.0, -1e9, 1e12], np.exp(rng.uniform(-3, 25, 999)))
    )
    both = rng.permutation(values), rng.permutation(values)
    pairs = zip(searched(both[1]).tolist(), searched(both[0]).tolist(), strict=True)
    assert count_predictions(*both) == Counter(predicted * N_BINS + actual for predicted, actual in pairs)


def test_edges_are_half_octaves():
    """Bins grow by a half and by a third in turn, from 64 s to 777 days; the document's edges bound all its bins."""
    assert EDGES[:4] == (0.0, 64.0, 96.0, 128.0)
    assert EDGES[-2] / 86400 > 776
    assert len(EDGES) == N_BINS + 1


def test_a_document_holds_the_bins_that_have_events():
    """Two events of one bin are one entry; nothing is said of empty bins."""
    found = batch_prediction_histogram([100.0, 101.0, 0.0], [70.0, 71.0, 1e12])
    assert found["counts"] == [[1, 2, 2], [N_BINS - 1, 0, 1]]
    assert found["edges"] == list(EDGES)


def test_of_no_events_there_are_none():
    """An empty partition counts nothing, and adds nothing."""
    none, some = count_predictions(np.empty(0), np.empty(0)), count_predictions(np.ones(1), np.ones(1))
    assert not none
    assert none + some == some
