"""Mean prediction, target and error group by group, from sums that add up over partitions."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from helpers.region_counts import SLICE

Means = np.ndarray  # of shape (4,): the number of events, and the sums of predictions, targets and absolute errors


def means_by(
    places: np.ndarray, labels: Sequence[str | None], y_true: np.ndarray, y_pred: np.ndarray
) -> dict[str | None, Means]:
    """What each group's means are made of; of partitions these add up.

    Parameters
    ----------
    places : ndarray of int, of shape (n_events,)
        The place of each event's group among the labels.
    labels : sequence of (str or None)
    y_true, y_pred : ndarray of float64, seconds, of shape (n_events,)

    Returns
    -------
    dict of (str or None) to Means
    """
    sums = np.zeros((4, len(labels)))
    # Slices stay in the processor's cache, and lose fewer digits than one long chain of sums.
    for rows in (slice(start, start + SLICE) for start in range(0, len(places), SLICE)):
        columns = (None, y_pred[rows], y_true[rows], np.abs(y_pred[rows] - y_true[rows]))
        sums += [np.bincount(places[rows], weights, len(labels)) for weights in columns]
    return {label: sums[:, place] for place, label in enumerate(labels)}


def group_means(sums: dict[str | None, Means]) -> list[dict]:
    """The means as a trial's document holds them.

    Parameters
    ----------
    sums : dict of (str or None) to Means

    Returns
    -------
    list of dict
        In the order of the groups' names, the missing one last: `group`, `num_obs`, and the means `predicted`,
        `actual` and `mae`, seconds. Groups without events are left out.
    """
    rows = []
    for group in sorted(sums, key=lambda name: (name is None, name)):
        number, *totals = sums[group].tolist()
        if number:
            means = dict(zip(("predicted", "actual", "mae"), (total / number for total in totals), strict=True))
            rows.append({"group": group, "num_obs": int(number), **means})
    return rows


def batch_means(groups: pd.Series, y_true, y_pred) -> list[dict]:
    """The same of a batch.

    Parameters
    ----------
    groups : Series of str of shape (n_events,)
        Missing ones form a group of their own, named None.
    y_true, y_pred : array-like of float, seconds, of shape (n_events,)

    Returns
    -------
    list of dict
        See `group_means`.
    """
    places, labels = pd.factorize(np.asarray(groups, object), use_na_sentinel=True)
    names = [*map(str, labels), None]
    places = np.where(places < 0, len(labels), places)
    return group_means(means_by(places, names, np.asarray(y_true, np.float64), np.asarray(y_pred, np.float64)))
