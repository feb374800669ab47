"""Charts of a trial's errors: by size, and by group."""

from bokeh.models import ColumnDataSource, FactorRange, HoverTool
from bokeh.plotting import figure
from bokeh.transform import dodge

from helpers.chart_style import BLUE, ORANGE, legend_above, names_of

SECONDS_IN_A_DAY, SECONDS_IN_AN_HOUR = 86400.0, 3600.0
GROUPS = {"by_priority": "priority", "by_state": "state"}
MOST_GROUPS = 20  # in a chart, those with the most tickets


def error_chart(trial: dict, against: dict | None = None) -> figure:
    """A histogram of predicted minus actual, in days.

    Parameters
    ----------
    trial : dict
        A trial's document.
    against : dict, optional
        Another one, drawn over it as an outline; both are then shares a day, as their bins and numbers differ.

    Returns
    -------
    bokeh.plotting.figure
    """
    chart = figure(
        title="Error: predicted minus actual time to close",
        x_axis_label="days\nbelow 0: took longer than predicted",
        y_axis_label="tickets" if against is None else "share of the tickets a day",
        height=260,
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
    )
    source = _bars(trial, is_share=against is not None)
    legend = {} if against is None else {"legend_label": "this trial"}
    bars = chart.quad(
        left="left", right="right", bottom=0, top="top", source=source, color=BLUE, line_color=None, **legend
    )
    tips = [("days", "@from{0.0} to @to{0.0}"), ("tickets", "@tickets{0,0}")]
    chart.add_tools(HoverTool(tooltips=tips, renderers=[bars]))
    if against is not None:
        chart.quad(
            left="left", right="right", bottom=0, top="top", source=_bars(against, is_share=True),
            fill_color=None, line_color=ORANGE, line_width=2, legend_label="other trial",
        )  # fmt: skip
        legend_above(chart)
    chart.y_range.start = 0
    return chart


def group_error_chart(name: str, trial: dict, against: dict | None = None) -> figure:
    """The mean absolute error of each group, in hours.

    Parameters
    ----------
    name : {"by_priority", "by_state"}
        The groups.
    trial : dict
        A trial's document.
    against : dict, optional
        Another one, whose bars are below the trial's.

    Returns
    -------
    bokeh.plotting.figure
    """
    trials = [_by_group(of, name) for of in (trial, against) if of]
    groups = list(dict.fromkeys(group for of in trials for group in of))
    places = _places(groups, trials)
    of_all = f", {len(places)} of {len(groups)}" if len(places) < len(groups) else ""
    chart = figure(
        title=f"Mean absolute error by {GROUPS[name]}{of_all}",
        x_axis_label="hours\n(n): number of tickets",
        y_range=FactorRange(*reversed(places.values())),
        height=110 + (28 if against is None else 44) * len(places),
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
    )
    chart.x_range.start = 0
    if against is None:
        chart.hbar(y="place", right="MAE", height=0.6, source=_group_bars(trials[0], places), color=BLUE)
    else:
        drawn = zip(trials, (BLUE, ORANGE), ("this trial", "other trial"), (0.2, -0.2), strict=True)
        for of, colour, label, shift in drawn:
            place = dodge("place", shift, range=chart.y_range)
            source = _group_bars(of, places)
            chart.hbar(y=place, right="MAE", height=0.36, source=source, color=colour, legend_label=label)
        legend_above(chart)
    chart.add_tools(
        HoverTool(tooltips=[(GROUPS[name], "@group"), ("MAE", "@MAE{0,0.0} h"), ("tickets", "@tickets{0,0}")])
    )
    return chart


def _bars(trial: dict, is_share: bool) -> ColumnDataSource:
    edges = [edge / SECONDS_IN_A_DAY for edge in trial["data"]["errors"]["edges"]]
    counts = trial["data"]["errors"]["counts"]
    # The outer bins hold all that lies beyond and may be months wide: drawn as wide as their neighbours.
    width = edges[2] - edges[1]
    return ColumnDataSource(
        {
            "left": [edges[1] - width, *edges[1:-1]],
            "right": [*edges[1:-1], edges[-2] + width],
            "top": [count / sum(counts) / width for count in counts] if is_share else counts,
            "tickets": counts,
            "from": edges[:-1],
            "to": edges[1:],
        }
    )


def _by_group(trial: dict, name: str) -> dict[str | None, dict]:
    return {row["group"]: row for row in trial["data"][name]}


def _places(groups: list[str | None], trials: list[dict[str | None, dict]]) -> dict[str | None, str]:
    """What stands at the axis for the groups with the most tickets: the name, and the number in each trial."""
    numbers = {group: [of[group]["num_obs"] if group in of else 0 for of in trials] for group in groups}
    largest = sorted(groups, key=lambda group: -sum(numbers[group]))[:MOST_GROUPS]
    names = names_of(group for group in groups if group in largest)
    return {group: f"{name} ({' | '.join(f'{n:,}' for n in numbers[group])})" for group, name in names.items()}


def _group_bars(of: dict[str | None, dict], places: dict[str | None, str]) -> ColumnDataSource:
    shown = {group: row for group, row in of.items() if group in places}
    return ColumnDataSource(
        {
            "place": [places[group] for group in shown],
            "group": [group or "missing" for group in shown],
            "MAE": [row["mae"] / SECONDS_IN_AN_HOUR for row in shown.values()],
            "tickets": [row["num_obs"] for row in shown.values()],
        }
    )
