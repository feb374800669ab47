"""How far predictions are from what happened: the trial's four metrics, and the shape of its errors."""

import numpy as np
import pandas as pd

METRICS = {"MAE": "mae", "MedAE": "medae", "MSE": "mse", "R2": "r2"}
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def score(y_true: pd.Series, y_pred: pd.Series, metric_name: str) -> float | None:
    """Compute one metric with scikit-learn.

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
        None where the metric is not defined: R² of fewer than two events.

    Raises
    ------
    KeyError
        When the name is none of these.
    ValueError
        When the shapes differ, there are no events, or a value is NaN or infinite.
    """
    # 1.4 s of import: only the processes that score pay for it.
    from sklearn import metrics as sklearn_metrics

    functions = {
        "mae": sklearn_metrics.mean_absolute_error,
        "medae": sklearn_metrics.median_absolute_error,
        "mse": sklearn_metrics.mean_squared_error,
        "r2": sklearn_metrics.r2_score,
    }
    # scikit-learn warns and gives NaN for R² of one event; of what it would refuse, this lets nothing pass.
    if metric_name == "r2" and len(y_true) == len(y_pred) == 1 and np.isfinite([*y_true, *y_pred]).all():
        return None
    return float(functions[metric_name](y_true, y_pred))


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
    low, high = np.quantile(error, (0.05, 0.95))
    edges = np.linspace(low, high if high > low else low + 1.0, bins + 1)
    counts, _ = np.histogram(np.clip(error, edges[0], edges[-1]), edges)
    edges[0], edges[-1] = min(edges[0], error.min()), max(edges[-1], error.max())
    return {"edges": edges.tolist(), "counts": counts.tolist()}


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
