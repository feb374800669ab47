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
    groups = trial["data"].get("by_priority", [])
    rows = [
        [
            group["num_obs"],
            *(seconds / SECONDS_IN_AN_HOUR for seconds in (group["predicted"], group["mae"], *group["actual"])),
        ]
        for group in groups
    ]
    columns = ["tickets", "predicted", "MAE", "actual_5%", "actual_25%", "actual_50%", "actual_75%", "actual_95%"]
    return pd.DataFrame(rows, _names(groups, "priority"), columns).round(1)


def by_state_table(trial: dict) -> pd.DataFrame:
    """What was predicted and what happened in each state that a ticket was in, in hours.

    Parameters
    ----------
    trial : dict
        A trial's document.

    Returns
    -------
    DataFrame of shape (n_states, 4)
        Indexed by state: `tickets` (number of events), the means `predicted` and `actual`, and the mean absolute
        error `MAE`, in hours.
    """
    groups = trial["data"].get("by_state", [])
    rows = [
        [group["num_obs"], *(group[name] / SECONDS_IN_AN_HOUR for name in ("predicted", "actual", "mae"))]
        for group in groups
    ]
    columns = ["tickets", "predicted", "actual", "MAE"]
    return pd.DataFrame(rows, _names(groups, "state"), columns).round(1)


def errors_table(trial: dict, bins_a_row: int = 6) -> pd.DataFrame:
    """How many predictions were how far off: the numbers behind the chart of the errors, exact.

    Parameters
    ----------
    trial : dict
        A trial's document.
    bins_a_row : int, default 6
        How many of the chart's bins are put together in a row.

    Returns
    -------
    DataFrame of shape (n_rows, 2)
        Indexed by the range of predicted minus actual, in days: `tickets`, the number of events, and their `share`.
    """
    counts = trial["data"]["errors"]["counts"]
    edges = [edge / (24 * SECONDS_IN_AN_HOUR) for edge in trial["data"]["errors"]["edges"]]
    bounds = [*edges[:-1:bins_a_row], edges[-1]]
    tickets = np.add.reduceat(counts, np.arange(0, len(counts), bins_a_row))
    ranges = [f"{low:.1f} to {high:.1f}" for low, high in itertools.pairwise(bounds)]
    table = pd.DataFrame({"tickets": tickets, "share": tickets / tickets.sum()}, index=ranges)
    return table.rename_axis("predicted - actual, days").round(3)


def times_table(trial: dict, bins_a_row: int = 4) -> pd.DataFrame:
    """How long tickets took, and how long they were predicted to take: the numbers behind the chart, exact.

    Parameters
    ----------
    trial : dict
        A trial's document.
    bins_a_row : int, default 4
        How many of the bins of half an octave are put together in a row.

    Returns
    -------
    DataFrame of shape (n_rows, 2)
        Indexed by the range of the time to close: the numbers of events that took so long, `actual`, and that were
        predicted to, `predicted`; from the first range that has any to the last one.
    """
    found = trial["data"].get("predicted_actual", {"edges": [0.0, 0.0], "counts": []})
    counts = np.zeros((2, len(found["edges"]) - 1), int)
    for predicted, actual, number in found["counts"]:
        counts[0, actual] += number
        counts[1, predicted] += number
    # The first and the last bin hold what lies beyond, and stay by themselves.
    starts = [0, *range(1, counts.shape[1] - 1, bins_a_row), counts.shape[1] - 1][: counts.shape[1]]
    if len(starts) < 2:
        return pd.DataFrame(columns=["actual", "predicted"]).rename_axis("time to close")
    bounds = [_duration(found["edges"][start]) for start in starts]
    ranges = [f"below {bounds[1]}", *(f"{low} to {high}" for low, high in itertools.pairwise(bounds[1:]))]
    table = pd.DataFrame(
        np.add.reduceat(counts, starts, axis=1).T, [*ranges, f"{bounds[-1]} and more"], ["actual", "predicted"]
    ).rename_axis("time to close")
    held = np.flatnonzero(table.any(axis=1))
    return table.iloc[held[0] : held[-1] + 1] if len(held) else table.iloc[:0]


def _names(groups: list[dict], what: str) -> pd.Index:
    return pd.Index([group["group"] or "missing" for group in groups], name=what)


def _duration(seconds: float) -> str:
    for unit, length in (("d", 24 * SECONDS_IN_AN_HOUR), ("h", SECONDS_IN_AN_HOUR)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds / 60:.0f} min"


def _hours(seconds: float) -> str:
    return f"{seconds / SECONDS_IN_AN_HOUR:,.1f} h"
