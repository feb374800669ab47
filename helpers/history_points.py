"""The trials of a chart as its data: where each point stands, how it looks, and what it says when pointed at."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from helpers.chart_style import BLUE, ORANGE
from helpers.history_resolution import MOST, Resolved, resolve
from helpers.trial_columns import METRICS
from helpers.trial_history import SERIES, standard_error
from helpers.usual_range import WIDTH

if TYPE_CHECKING:
    import pandas as pd

NORMAL_95 = 1.96  # standard errors on both sides of a value that hold the true one in 95 of 100 cases
GREY = "#808080"
# Of these and the grey every one has a contrast of 3 : 1 or more with white and with the dark pages' paper.
COLORS = (BLUE, ORANGE, "#2e8b57", "#9467bd", "#8a8a1e", "#17828f", "#d0489a", "#a0694b")
MARKERS = ("circle", "square", "triangle", "diamond", "hex", "star")
LONGEST = 300  # characters of the parameters that are told
LONGEST_LABEL = 60
SECONDS_IN_AN_HOUR = 3600.0
_ADDRESS = re.compile(r"[\w.~ -]+")  # what BokehJS leaves or makes whole in a link

Link = Callable[[str | None, str], str]


@dataclass(frozen=True)
class Unit:
    """In what a metric is told.

    Attributes
    ----------
    name : str
        Of the unit; empty where there is none.
    divisor : float
        Of the stored values.
    pattern : str
        By which a value becomes text.
    """

    name: str
    divisor: float
    pattern: str

    def text(self, value: float) -> str:
        """A value, in this unit, with it; a dash where there is none."""
        return f"{value:{self.pattern}} {self.name}".rstrip() if np.isfinite(value) else "–"


def unit_of(metric: str, unit: str = "hours") -> Unit:
    """The unit of a metric.

    Parameters
    ----------
    metric : {"MAE", "MedAE", "MSE", "R2"}
    unit : {"hours", "seconds"}

    Raises
    ------
    ValueError
        When it is none of these.
    """
    if metric not in METRICS:
        raise ValueError(f"the metric is {metric!r}; give {', '.join(METRICS[:-1])} or {METRICS[-1]}")
    if unit not in ("hours", "seconds"):
        raise ValueError(f"the unit is {unit!r}; give hours or seconds")
    if metric == "R2":
        return Unit("", 1.0, ",.4f")
    name, divisor, pattern = ("h", SECONDS_IN_AN_HOUR, ",.1f") if unit == "hours" else ("s", 1.0, ",.0f")
    return Unit(f"{name}²", divisor**2, ",.4g") if metric == "MSE" else Unit(name, divisor, pattern)


@dataclass(frozen=True)
class Series:
    """Which series of a table are told apart, those with the most trials first.

    Attributes
    ----------
    numbers : tuple of int
        Of the table's `series`.
    labels : tuple of str
        What tells them from one another.
    num_others : int
        Series that are drawn alike.
    """

    numbers: tuple[int, ...]
    labels: tuple[str, ...]
    num_others: int

    def place(self, series: np.ndarray) -> np.ndarray:
        """The place of each in `numbers`; their number for one of the others."""
        places = np.full(max([*self.numbers, *series.tolist()], default=0) + 1, len(self.numbers))
        places[list(self.numbers)] = np.arange(len(self.numbers))
        return places[series]

    def color(self, place: int) -> str:
        """Of a series; grey of the others."""
        return COLORS[place] if place < len(self.numbers) else GREY

    @staticmethod
    def marker(place: int, is_backfill: bool) -> str:
        """Of a series; with a dot in its middle for trials that filled a gap."""
        return MARKERS[place % len(MARKERS) if place < len(COLORS) else 0] + ("_dot" if is_backfill else "")


def series_of(table: "pd.DataFrame") -> Series:
    """The series of a table, of which at most 8 are told apart."""
    counts = table["series"].value_counts(sort=True)
    # The order of series with as many trials is theirs in the store, and does not change by looking again.
    ranked = counts.reset_index().sort_values(["count", "series"], ascending=[False, True])["series"].tolist()
    shown = ranked[: len(COLORS)]
    firsts = table.drop_duplicates("series").set_index("series").loc[shown, list(SERIES)]
    names = [name for name in SERIES if firsts[name].nunique(dropna=False) > 1] or ["model"]
    labels = [
        _cut(", ".join(_short(name, value) for name, value in zip(names, row, strict=True)), LONGEST_LABEL)
        for row in firsts[names].itertuples(index=False)
    ]
    return Series(tuple(shown), tuple(labels), len(ranked) - len(shown))


def resolved(table: "pd.DataFrame", metric: str, series: Series, view=None, most: int = MOST) -> Resolved:
    """The table's points; see `history_resolution.resolve`. Those that filled a gap are put together apart."""
    lanes = series.place(table["series"].to_numpy()) * 2 + table["is_backfill"].to_numpy()
    return resolve(table, metric, lanes, view, most)


def single_points(
    table: "pd.DataFrame", metric: str, unit: Unit, series: Series, link: Link | None = None
) -> dict[str, list | np.ndarray]:
    """The columns of trials with a point of their own.

    Parameters
    ----------
    table : DataFrame
        See `trial_history.trials_table`.
    metric : str
    unit : Unit
    series : Series
    link : callable, optional
        From a run's id or None, and a trial's id, to the address that a tap opens.

    Returns
    -------
    dict
        Times in ms since 1970, values in the unit; the ends of the whiskers, and the ring around those outside the
        usual range, are NaN where there are none.
    """
    value = table[metric].to_numpy() / unit.divisor
    error = table[standard_error(metric)].to_numpy() / unit.divisor
    outside = table[f"{metric}_outside"].to_numpy()
    places = series.place(table["series"].to_numpy())
    is_backfill = table["is_backfill"].to_numpy()
    low, high = usual_bounds(table, metric, unit)
    runs = [run if isinstance(run, str) else None for run in table["run"]]
    points = {
        "at": milliseconds(table["at"]),
        "value": value,
        "low": value - NORMAL_95 * error,
        "high": value + NORMAL_95 * error,
        "ring": np.where(outside, value, np.nan),
        "color": [series.color(place) for place in places],
        "marker": [series.marker(place, filled) for place, filled in zip(places, is_backfill, strict=True)],
        "fill": np.where(is_backfill, 0.0, 0.85),
        "when": times(table["at"]),
        "told": [
            unit.text(one) + (f" ± {unit.text(own)}" if np.isfinite(own) else "")
            for one, own in zip(value, error, strict=True)
        ],
        "usual": [
            _judged(*judged, unit) for judged in zip(value, low, high, outside, strict=True)
        ],
        "tickets": [f"{number:,}" for number in table["num_obs"]],
        "how": np.where(is_backfill, "back-filled", "").tolist(),
        "parameters": [_cut(text, LONGEST) for text in _texts(table["parameters"])],
        "link": [link(run, trial) for run, trial in zip(runs, table.index, strict=True)] if link else [""] * len(table),
    }  # fmt: skip
    return points | {name: _texts(table[name]) for name in ("model", "model_version", "source", "notebook")}


def group_points(groups: "pd.DataFrame", unit: Unit, series: Series) -> dict[str, list | np.ndarray]:
    """The columns of points that stand for several trials; see `history_resolution.Resolved`."""
    mean, low, high = (groups[name].to_numpy() / unit.divisor for name in ("mean", "low", "high"))
    places, is_backfill = np.divmod(groups["lane"].to_numpy(), 2)
    labels = [*series.labels, "other series"]
    return {
        "at": milliseconds(groups["at"]),
        "value": mean,
        "low": low,
        "high": high,
        "color": [series.color(place) for place in places],
        "marker": [series.marker(place, bool(filled)) for place, filled in zip(places, is_backfill, strict=True)],
        "fill": np.where(is_backfill, 0.0, 0.35),
        "when": [f"{a} to {b}" for a, b in zip(times(groups["begin"]), times(groups["end"]), strict=True)],
        "told": [unit.text(one) for one in mean],
        "span": [f"{unit.text(a)} to {unit.text(b)}" for a, b in zip(low, high, strict=True)],
        "trials": [f"{number:,}" for number in groups["num_trials"]],
        "tickets": [f"{number:,}" for number in groups["num_obs"]],
        "series": [labels[place] for place in places],
        "how": np.where(is_backfill, "back-filled", "").tolist(),
    }


def usual_bounds(table: "pd.DataFrame", metric: str, unit: Unit) -> tuple[np.ndarray, np.ndarray]:
    """The lower and the upper end of what was usual at each trial, in the unit; NaN where too few came before it."""
    median, spread = (table[f"{metric}_{name}"].to_numpy() / unit.divisor for name in ("median", "spread"))
    lower = median - WIDTH * spread
    # R² alone can be below 0, and any other metric is as good as can be there.
    return (lower if metric == "R2" else np.maximum(lower, 0.0)), median + WIDTH * spread


def dashboard_link(run: str | None, trial: str) -> str:
    """The dashboard's page of a run, or of a trial that was made by hand."""
    for page, name in (("run", run), ("trial", trial)):
        if name and _ADDRESS.fullmatch(name):
            return f"{page}?id={name}"
    return "#"


def milliseconds(at: "pd.Series") -> np.ndarray:
    """Times as Bokeh has them: ms since 1970, float."""
    return at.to_numpy("datetime64[us]").astype("int64") / 1000


def times(at: "pd.Series") -> list[str]:
    """Times as a person reads them, UTC, to the minute."""
    return [text.replace("T", " ") for text in np.datetime_as_string(at.to_numpy("datetime64[us]"), "m")]


def _judged(value: float, low: float, high: float, is_outside: bool, unit: Unit) -> str:
    if not np.isfinite(low):
        return "not known: fewer than 8 trials before"
    said = "as usual" if not is_outside else "ABOVE" if value > (low + high) / 2 else "BELOW"
    return f"{unit.text(low)} to {unit.text(high)}: {said}"


def _texts(column: "pd.Series") -> list[str]:
    return column.fillna("").tolist()


def _short(name: str, value: object) -> str:
    text = str(value) if isinstance(value, str) else "none"
    return PurePath(text).stem if name == "notebook" else text


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
