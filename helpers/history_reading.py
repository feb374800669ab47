"""A history in words and in numbers: what the latest trial says, and the trials behind a chart as a table."""

from typing import TYPE_CHECKING

import numpy as np

from helpers import history_points
from helpers.trial_history import standard_error
from helpers.usual_range import LEAST

if TYPE_CHECKING:
    import pandas as pd

LATEST = 20


def reading(table: "pd.DataFrame", metric: str, unit: str = "hours") -> str:
    """One sentence: the latest value, what was usual before it, and whether it holds.

    Parameters
    ----------
    table : DataFrame
        See `trial_history.trials_table`; any rows of it.
    metric : {"MAE", "MedAE", "MSE", "R2"}
    unit : {"hours", "seconds"}, default "hours"

    Returns
    -------
    str
        As "MAE 183.2 h, usual 150.0 to 210.0 h: as usual."

    Raises
    ------
    ValueError
        When the metric or the unit is none of these.
    """
    history_points.unit_of(metric, unit)
    known = table[table["at"].notna() & table[metric].notna()]
    if known.empty:
        return f"None of the {len(table):,} trials has a {metric}." if len(table) else "There is no trial."
    [row] = judged_rows(known.iloc[-1:], metric, unit)
    usual = f"usual {row['usual']}: {row['judged']}" if row["usual"] else f"{row['judged']}"
    return f"{metric} {row['value']}, {usual}."


def judged_rows(table: "pd.DataFrame", metric: str, unit: str = "hours") -> list[dict[str, str]]:
    """Trials as texts.

    Parameters
    ----------
    table, metric, unit
        See `reading`.

    Returns
    -------
    list of dict
        `trial`, `time` (UTC), `value`, `error` (its standard error, empty where there is none), `usual` (the range,
        empty with fewer than 8 trials before), `judged` ("as usual", "above" or "below what is usual", "no … yet"),
        `is_outside`, `tickets`, `model`, `source`, `notebook`, `how` and `run`, empty where there is none.
    """
    told = history_points.unit_of(metric, unit)
    value = table[metric].to_numpy() / told.divisor
    error = table[standard_error(metric)].to_numpy() / told.divisor
    low, high = history_points.usual_bounds(table, metric, told)
    columns = ["num_obs", "model", "source", "notebook", "run", "is_backfill", f"{metric}_outside"]
    texts = table[columns].astype(object).where(table[columns].notna(), "")
    rows = []
    for place, (trial, row) in enumerate(texts.iterrows()):
        judged = _judged(value[place], low[place], high[place], row[f"{metric}_outside"])
        rows.append(
            {
                "trial": trial,
                "time": _time(table["at"].iloc[place]),
                "value": told.text(value[place]),
                "error": told.text(error[place]) if np.isfinite(error[place]) else "",
                "usual": range_text(low[place], high[place], told),
                "judged": judged,
                "is_outside": bool(row[f"{metric}_outside"]),
                "tickets": f"{row['num_obs']:,}",
                "how": "back-filled" if row["is_backfill"] else "",
                **{name: row[name] for name in ("model", "source", "notebook", "run")},
            }
        )
    return rows


def latest_table(table: "pd.DataFrame", metric: str, unit: str = "hours", last: int = LATEST) -> "pd.DataFrame":
    """The latest trials, the last one first: the numbers behind a chart.

    Parameters
    ----------
    table, metric, unit
        See `reading`.
    last : int, default 20

    Returns
    -------
    DataFrame of shape (n_trials, 7)
        Texts, indexed by time.
    """
    import pandas as pd

    columns = ["time", "value", "error", "usual", "judged", "tickets", "model", "source"]
    rows = judged_rows(table.iloc[::-1].iloc[:last], metric, unit)
    names = {"time": "time (UTC)", "value": metric, "error": "standard error"}
    return pd.DataFrame(rows, columns=columns).rename(columns=names).set_index("time (UTC)")


def range_text(low: float, high: float, unit: history_points.Unit) -> str:
    """A range in a unit; empty where there is none."""
    if not np.isfinite(low):
        return ""
    return f"{low:{unit.pattern}} to {unit.text(high)}"


def _judged(value: float, low: float, high: float, is_outside: bool) -> str:
    if not np.isfinite(value):
        return "no value"
    if not np.isfinite(low):
        return f"nothing is usual yet, with fewer than {LEAST} trials before it"
    if not is_outside:
        return "as usual"
    return "above what is usual" if value > (low + high) / 2 else "below what is usual"


def _time(at: "pd.Timestamp") -> str:
    return "no time" if at != at else f"{at:%Y-%m-%d %H:%M}"
