"""How far predictions are from what happened: the trial's four metrics, and the shape of its errors."""

import numpy as np
import pandas as pd

from helpers.partial_scores import partial_scores

METRICS = {"MAE": "mae", "MedAE": "medae", "MSE": "mse", "R2": "r2"}
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ERROR_ENDS = (0.05, 0.95)  # quantiles of the errors, between which a chart shows them in equal bins


def score(y_true: pd.Series, y_pred: pd.Series, metric_name: str) -> float | None:
    """Compute one metric, as scikit-learn defines it and by the same sums as `scoring.score_log` for a log of any size.

    Parameters
    ----------
    y_true, y_pred : array-like of float, seconds, of shape (n_events,)
        What happened and what was predicted.
    metric_name : {"mae", "medae", "mse", "r2"}
        Mean absolute error and median absolute error (seconds), mean squared error (seconds squared): best is 0.
        Coefficient of determination R²: best is 1, 0 is what predicting the mean gives, and it may be negative.

    Returns
    -------
    float or None
        Equal to scikit-learn's to 12 digits, the median to the last bit. None where the metric is not defined: R² of
        fewer than two events.

    Raises
    ------
    KeyError
        When the name is none of these.
    ValueError
        When the shapes differ, there are no events, or a value is NaN or infinite.
    """
    y_true, y_pred = np.asarray(y_true, float), np.asarray(y_pred, float)
    scores = partial_scores(y_true, y_pred).scores()
    scores["MedAE"] = float(np.median(np.abs(y_pred - y_true)))
    return {key: scores[name] for name, key in METRICS.items()}[metric_name]


def error_distribution(y_true: pd.Series, y_pred: pd.Series, bins: int = 48) -> dict:
    """The distribution of the error `y_pred - y_true` as a histogram that a chart can draw.

    Parameters
    ----------
    y_true, y_pred : Series of float, seconds, of shape (n_events,)
    bins : int, default 48
        Of equal width between the 5 % and 95 % quantiles; the two outer ones take what lies beyond.

    Returns
    -------
    dict
        `edges`: list of float, seconds, of length bins + 1, its ends the smallest and largest error; `counts`: list
        of int of length bins, which add up to n_events.
    """
    error = np.asarray(y_pred, float) - np.asarray(y_true, float)
    edges = error_edges(*np.quantile(error, ERROR_ENDS), bins)
    counts, _ = np.histogram(np.clip(error, edges[0], edges[-1]), edges)
    return error_histogram(edges, counts, (error.min(), error.max()))


def error_edges(low: float, high: float, bins: int = 48) -> np.ndarray:
    """Edges of bins of equal width between two quantiles of the errors, of shape (bins + 1,)."""
    return np.linspace(low, high if high > low else low + 1.0, bins + 1)


def error_histogram(edges: np.ndarray, counts: np.ndarray, errors: tuple[float, float]) -> dict:
    """The histogram with its ends at the smallest and the largest error, which the outer bins have taken in."""
    edges = [min(edges[0], errors[0]), *edges[1:-1], max(edges[-1], errors[1])]
    return {"edges": [float(edge) for edge in edges], "counts": [int(count) for count in counts]}


def errors_by(groups: pd.Series, y_true: pd.Series, y_pred: pd.Series) -> list[dict]:
    """What was predicted and what happened, group by group.

    Parameters
    ----------
    groups : Series of str of shape (n_events,)
        For instance the priority; missing ones form a group of their own, named None.
    y_true, y_pred : Series of float, seconds, of shape (n_events,)

    Returns
    -------
    list of dict
        In the order of the groups' names: `group`, `num_obs`, `predicted` (mean, seconds), `mae` (seconds), and
        `actual`, the quantiles of `QUANTILES` (seconds).
    """
    columns = {"group": np.asarray(groups, object), "actual": np.asarray(y_true), "predicted": np.asarray(y_pred)}
    rows = []
    for group, part in pd.DataFrame(columns).groupby("group", dropna=False, sort=True):
        rows.append(
            {
                "group": None if pd.isna(group) else str(group),
                "num_obs": len(part),
                "predicted": float(part["predicted"].mean()),
                "mae": float((part["predicted"] - part["actual"]).abs().mean()),
                "actual": part["actual"].quantile(QUANTILES).tolist(),
            }
        )
    return rows
