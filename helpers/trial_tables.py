"""A trial as tables that a person reads: the metrics in hours, the errors, and each priority by itself."""

import itertools

import numpy as np
import pandas as pd

SECONDS_IN_AN_HOUR = 3600.0


def metrics_table(trial: dict) -> pd.DataFrame:
    """The trial's metrics beside what they mean.

    Parameters
    ----------
    trial : dict
        A trial's document.

    Returns
    -------
    DataFrame of shape (4, 3)
        Texts, indexed by metric: `value` with its unit, `reads_as` in hours, and the `meaning`.
    """
    scores = trial["data"]["metrics"]
    mae, medae, mse, r2 = (np.nan if scores[name] is None else scores[name] for name in ("MAE", "MedAE", "MSE", "R2"))
    rows = {
        "MAE": (f"{mae:,.0f} s", _hours(mae), "mean error; far misses pull it up"),
        "MedAE": (f"{medae:,.0f} s", _hours(medae), "half of the predictions miss by less"),
        "MSE": (f"{mse:.4g} s²", f"({_hours(mse**0.5)})²", "mean squared error; far misses rule it"),
        "R2": (f"{r2:.4f}", f"{r2:.1%}", "variance explained; below 0, the mean is better"),
    }
    if np.isnan(r2):
        rows["R2"] = ("-", "-", "not defined for a single event")
    return pd.DataFrame.from_dict(rows, orient="index", columns=["value", "reads_as", "meaning"]).rename_axis("metric")


def by_priority_table(trial: dict) -> pd.DataFrame:
    """What was predicted and what happened at each priority, in hours.

    Parameters
    ----------
    trial : dict
        A trial's document.

    Returns
    -------
    DataFrame of shape (n_priorities, 8)
        Indexed by priority: `tickets` (number of events), `predicted`, the mean absolute error `MAE`, and of the
        actual times to close the 5 %, 25 %, 50 %, 75 % and 95 % quantiles, in hours.
    """
    rows = {
        group["group"] or "missing": [
            group["num_obs"],
            *(seconds / SECONDS_IN_AN_HOUR for seconds in (group["predicted"], group["mae"], *group["actual"])),
        ]
        for group in trial["data"].get("by_priority", [])
    }
    columns = ["tickets", "predicted", "MAE", "actual_5%", "actual_25%", "actual_50%", "actual_75%", "actual_95%"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("priority").round(1)


def errors_table(trial: dict, days: tuple[float, ...] = (-60, -20, -5, -1, 0, 1, 5, 20)) -> pd.DataFrame:
    """How many predictions were how far off: the numbers behind the chart of the errors.

    Parameters
    ----------
    trial : dict
        A trial's document.
    days : tuple of float
        Bounds of the classes, in days of predicted minus actual.

    Returns
    -------
    DataFrame of shape (len(days) + 1, 2)
        Indexed by class: `tickets`, the number of events, estimated from the trial's histogram, and their `share`.
    """
    edges = np.array(trial["data"]["errors"]["edges"]) / (24 * SECONDS_IN_AN_HOUR)
    cumulative = np.concatenate([[0], np.cumsum(trial["data"]["errors"]["counts"])])
    below = np.concatenate([[0], np.interp(days, edges, cumulative), [cumulative[-1]]])
    names = [
        f"below {days[0]:g}",
        *(f"{a:g} to {b:g}" for a, b in itertools.pairwise(days)),
        f"above {days[-1]:g}",
    ]
    tickets = np.diff(np.round(below)).astype(int)
    table = pd.DataFrame({"tickets": tickets, "share": tickets / cumulative[-1]}, index=names)
    return table.rename_axis("predicted - actual, days").round(3)


def _hours(seconds: float) -> str:
    return f"{seconds / SECONDS_IN_AN_HOUR:,.1f} h"
