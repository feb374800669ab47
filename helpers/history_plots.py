"""A metric over time as a Bokeh chart: each trial with its uncertainty, what is usual, and what is outside it."""

from typing import TYPE_CHECKING

import numpy as np
from bokeh.models import (
    BasicTickFormatter,
    ColumnDataSource,
    DataRange1d,
    GlyphRenderer,
    HoverTool,
    Legend,
    LegendItem,
    OpenURL,
    TapTool,
)
from bokeh.plotting import figure

from helpers import history_points
from helpers.history_points import COLORS, GREY, Link, Series, Unit, milliseconds
from helpers.history_resolution import MOST, Resolved, thinned
from helpers.trial_history import standard_error

if TYPE_CHECKING:
    import pandas as pd

MEANING = {
    "MAE": "mean absolute error",
    "MedAE": "median absolute error",
    "MSE": "mean squared error",
    "R2": "R², variance explained",
}
MOST_BANDS = 3  # series with what is usual drawn: more hide one another
RED = "#d1342f"
DAY_MS, MINUTE_MS = 86_400_000.0, 60_000.0
BACKFILL, GROUP = "back-filled", "several trials, smallest to largest"
WHISKERS, BAND, RING = "± 1.96 standard errors", "usual range", "outside the usual range"
LOOKS = (BACKFILL, GROUP, WHISKERS, BAND, RING)
# A step of no rows: BokehJS 3.9 draws an empty area of steps for ever, and the page with it.
_NOWHERE = {name: np.array([np.nan]) for name in ("at", "low", "high")}
# Bokeh's own grid has one row, however narrow the page is.
_WRAPPED = """
:host { max-width: 100%; }
.bk-grid { display: flex !important; flex-wrap: wrap; gap: 0 14px; width: auto !important; max-width: 100%; }
.bk-label { white-space: normal !important; overflow-wrap: anywhere; }
"""
_SINGLE_TIPS = [
    ("time (UTC)", "@when @how"),
    ("value", "@told"),
    ("usual", "@usual"),
    ("tickets", "@tickets"),
    ("model", "@model @model_version"),
    ("source", "@source"),
    ("notebook", "@notebook"),
    ("parameters", "@parameters"),
]
_GROUP_TIPS = [
    ("time (UTC)", "@when @how"),
    ("trials", "@trials, put together"),
    ("mean", "@told"),
    ("from, to", "@span"),
    ("tickets", "@tickets"),
    ("series", "@series"),
]


def history_chart(
    table: "pd.DataFrame",
    metric: str = "MAE",
    unit: str = "hours",
    link: Link | None = None,
    most: int = MOST,
) -> figure:
    """A metric over time, with its data in it.

    Parameters
    ----------
    table : DataFrame
        See `trial_history.trials_table`; any rows of it.
    metric : {"MAE", "MedAE", "MSE", "R2"}, default "MAE"
    unit : {"hours", "seconds"}, default "hours"
        The mean squared error is told in its square; R² has none.
    link : callable, optional
        See `history_points.single_points`; by default a tap opens nothing.
    most : int, default 1000
        Points; trials that are near in time are put together where there are more.

    Returns
    -------
    bokeh.plotting.figure

    Raises
    ------
    ValueError
        When the unit is none of these.
    """
    chart = HistoryChart(link, most)
    chart.show(table, metric, unit)
    return chart.figure


class HistoryChart:
    """A chart that can show other trials, another metric or a part of the time, and take a new trial.

    Parameters
    ----------
    link, most
        See `history_chart`.

    Attributes
    ----------
    figure : bokeh.plotting.figure
    """

    def __init__(self, link: Link | None = None, most: int = MOST):
        self._link, self._most = link, most
        self._metric, self._unit = "MAE", history_points.unit_of("MAE")
        self._series = Series((), (), 0)
        self._looks: set[str] = set()
        self._singles, self._groups = ColumnDataSource(), ColumnDataSource()
        self._bands = [ColumnDataSource(_NOWHERE) for _ in range(MOST_BANDS)]
        self.figure = figure(
            x_axis_type="datetime",
            # A single trial has no range of its own, and no one looks at less than a minute.
            x_range=DataRange1d(default_span=DAY_MS, min_interval=MINUTE_MS),
            height=420,
            sizing_mode="stretch_width",
            tools="xpan,xwheel_zoom,xbox_zoom,reset",
            active_drag="xbox_zoom",
            toolbar_location="above",
        )
        self.figure.toolbar.logo = None
        self.figure.xaxis.axis_label = "UTC"
        self.figure.yaxis.formatter = BasicTickFormatter(power_limit_high=8, power_limit_low=-4)
        self._band_renderers = [self._draw_band(source) for source in self._bands]
        self._group_renderer = self._draw(self._groups, size=9, whisker_alpha=0.25)
        self._single_renderer = self._draw(self._singles, size=8, whisker_alpha=0.5)
        self.figure.scatter(
            "at", "ring", source=self._singles, marker="circle", size=17, fill_alpha=0, line_color=RED, line_width=2.5,
            nonselection_line_alpha=1,
        )  # fmt: skip
        legend = Legend(
            orientation="horizontal",
            location="left",
            click_policy="none",
            border_line_color=None,
            background_fill_color=None,
            margin=0,
            stylesheets=[_WRAPPED],
            items=self._legend_items(),
        )
        self.figure.add_layout(legend, "below")
        self._add_tools()

    def show(self, table: "pd.DataFrame", metric: str, unit: str, view=None) -> Resolved:
        """Show trials.

        Parameters
        ----------
        table, metric, unit
            See `history_chart`.
        view : tuple of two Timestamp, optional
            The part of the time that is to be shown most finely.

        Returns
        -------
        Resolved
            What is drawn.

        Raises
        ------
        ValueError
            When the unit is none of these.
        """
        self._metric, self._unit = metric, history_points.unit_of(metric, unit)
        self._series = history_points.series_of(table)
        points = history_points.resolved(table, metric, self._series, view, self._most)
        self._singles.data = history_points.single_points(points.singles, metric, self._unit, self._series, self._link)
        self._groups.data = history_points.group_points(points.groups, self._unit, self._series)
        self._show_bands(table, view)
        self._show_axis()
        self._looks = self._looks_of(table[table["at"].notna() & table[metric].notna()], points)
        self._show_legend()
        return points

    def add(self, table: "pd.DataFrame") -> bool:
        """Add new trials, of which nothing but they is sent; False where what is shown has no place for one of them."""
        drawn = table[table["at"].notna() & table[self._metric].notna()]
        has_place = self._series.num_others > 0 or set(table["series"]) <= set(self._series.numbers)
        if not has_place or not self._looks_of(drawn) <= self._looks:
            return False
        if len(drawn):
            self._singles.stream(
                history_points.single_points(drawn, self._metric, self._unit, self._series, self._link)
            )
        for source, number in zip(self._bands, self._band_numbers(), strict=False):
            own = _with_band(drawn, self._metric, drawn["series"] == number)
            if len(own):
                source.stream(_band(own, self._metric, self._unit))
        return True

    def _looks_of(self, table: "pd.DataFrame", points: Resolved | None = None) -> set[str]:
        """What the legend has to explain."""
        in_band = self._band_numbers() and _with_band(table, self._metric, table["series"].isin(self._band_numbers()))
        looks = {
            BACKFILL: table["is_backfill"].any(),
            GROUP: points is not None and len(points.groups) > 0,
            WHISKERS: table[standard_error(self._metric)].notna().any(),
            BAND: len(in_band) > 0,
            RING: table[f"{self._metric}_outside"].any(),
        }
        return {look for look, is_there in looks.items() if is_there}

    def _draw(self, source: ColumnDataSource, size: int, whisker_alpha: float) -> GlyphRenderer:
        whiskers = self.figure.segment(
            "at", "low", "at", "high", source=source, line_color="color", line_alpha=whisker_alpha,
            nonselection_line_alpha=whisker_alpha,
        )  # fmt: skip
        points = self.figure.scatter(
            "at", "value", source=source, marker="marker", size=size, color="color", fill_alpha="fill",
            nonselection_fill_alpha="fill", nonselection_line_alpha=1,
        )  # fmt: skip
        whiskers.level = "underlay"
        return points

    def _draw_band(self, source: ColumnDataSource) -> GlyphRenderer:
        return self.figure.varea_step(
            "at", "low", "high", source=source, step_mode="after", fill_alpha=0.16, level="underlay"
        )

    def _add_tools(self) -> None:
        for renderer, tips in ((self._group_renderer, _GROUP_TIPS), (self._single_renderer, _SINGLE_TIPS)):
            self.figure.add_tools(HoverTool(tooltips=tips, renderers=[renderer], attachment="horizontal"))
        if self._link:
            # Ids and links are made for it; BokehJS encodes what else is in them.
            callback = OpenURL(url="@link", same_tab=True)
            self.figure.add_tools(TapTool(renderers=[self._single_renderer], callback=callback))

    def _band_numbers(self) -> tuple[int, ...]:
        return self._series.numbers if len(self._series.numbers) <= MOST_BANDS and not self._series.num_others else ()

    def _show_bands(self, table: "pd.DataFrame", view) -> None:
        numbers = self._band_numbers()
        for place, (source, renderer) in enumerate(zip(self._bands, self._band_renderers, strict=True)):
            is_own = table["series"] == (numbers[place] if place < len(numbers) else -1)
            rows = thinned(_with_band(table, self._metric, is_own), view)
            source.data = _band(rows, self._metric, self._unit) if len(rows) else _NOWHERE
            renderer.visible = len(rows) > 0
            renderer.glyph.fill_color = self._series.color(place)

    def _show_axis(self) -> None:
        title = MEANING[self._metric] + (f", {self._unit.name}" if self._unit.name else "")
        self.figure.yaxis.axis_label = title[0].upper() + title[1:]
        self.figure.html_attributes = {"aria-label": f"{self._metric} of each trial over time"}

    def _legend_items(self) -> list[LegendItem]:
        """What the legend can show: samples that stand nowhere, as a row of the data may be another one later."""
        looks = [
            {"marker": Series.marker(place, False), "color": color, "size": 8}
            for place, color in enumerate((*COLORS, GREY))
        ]
        looks += [
            {"marker": "circle_dot", "color": GREY, "fill_alpha": 0, "size": 8},
            {"marker": "circle", "color": GREY, "fill_alpha": 0.35, "size": 9},
            {"marker": "dash", "angle": np.pi / 2, "color": GREY, "size": 14},
            {"marker": "square", "color": GREY, "fill_alpha": 0.3, "line_alpha": 0, "size": 14},
            {"marker": "circle", "line_color": RED, "fill_alpha": 0, "line_width": 2.5, "size": 14},
        ]
        samples = [self.figure.scatter([np.nan], [np.nan], **look) for look in looks]
        return [LegendItem(renderers=[sample], visible=False) for sample in samples]

    def _show_legend(self) -> None:
        labels = [*self._series.labels, *[""] * (len(COLORS) - len(self._series.labels))]
        labels.append(f"{self._series.num_others} other series" if self._series.num_others else "")
        labels += [look if look in self._looks else "" for look in LOOKS]
        for item, label in zip(self.figure.legend[0].items, labels, strict=True):
            item.update(label={"value": label}, visible=label != "")


def _with_band(table: "pd.DataFrame", metric: str, is_own: "pd.Series") -> "pd.DataFrame":
    table = table[["at", f"{metric}_median", f"{metric}_spread"]]
    return table[is_own & table[f"{metric}_median"].notna() & table["at"].notna()]


def _band(table: "pd.DataFrame", metric: str, unit: Unit) -> dict[str, np.ndarray]:
    low, high = history_points.usual_bounds(table, metric, unit)
    return {"at": milliseconds(table["at"]), "low": low, "high": high}
