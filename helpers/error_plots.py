"""Charts of a trial's errors: by size, and by group."""

from bokeh.models import ColumnDataSource, FactorRange, HoverTool
from bokeh.plotting import figure
from bokeh.transform import dodge

from helpers.chart_style import BLUE, ORANGE, legend_above

SECONDS_IN_A_DAY, SECONDS_IN_AN_HOUR = 86400.0, 3600.0
GROUPS = {"by_priority": "priority", "by_state": "state"}


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
        x_axis_label="days (below 0: the ticket took longer than predicted)",
        y_axis_label="tickets" if against is None else "share of the tickets a day",
        height=260,
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
    )
    source = _bars(trial, is_share=against is not None)
    legend = {} if against is None else {"legend_label": "this trial"}
    bars = chart.quad(
        left="left", right="right", bottom=0, top="top", source=source, color=BLUE, line_color="white", **legend
    )
    tips = [("days", "@from{0.0} to @to{0.0}"), ("tickets", "@tickets{0,0}")]
    chart.add_tools(HoverTool(tooltips=tips, renderers=[bars]))
    if against is not None:
        chart.quad(
            left="left", right="right", bottom=0, top="top", source=_bars(against, is_share=True),
            fill_color=None, line_color=ORANGE, line_width=2, legend_label="the other trial",
        )  # fmt: skip
        legend_above(chart)
    chart.y_range.start = 0
    return chart


def group_error_chart(trial: dict, name: str, against: dict | None = None) -> figure:
    """The mean absolute error of each group, in hours.

    Parameters
    ----------
    trial : dict
        A trial's document.
    name : {"by_priority", "by_state"}
    against : dict, optional
        Another one, whose bars are below the trial's.

    Returns
    -------
    bokeh.plotting.figure
    """
    rows, others = _by_group(trial, name), _by_group(against, name) if against else {}
    factors = list(dict.fromkeys((*rows, *others)))
    chart = figure(
        title=f"Mean absolute error by {GROUPS[name]}",
        x_axis_label="hours",
        y_range=FactorRange(*reversed(factors)),
        height=100 + (28 if against is None else 44) * len(factors),
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
    )
    chart.x_range.start = 0
    drawn = [(rows, BLUE, "this trial", 0.2)] + [(others, ORANGE, "the other trial", -0.2)] * (against is not None)
    for of, colour, label, shift in drawn:
        data = {"group": list(of), "MAE": [row["mae"] / SECONDS_IN_AN_HOUR for row in of.values()]}
        source = ColumnDataSource(data | {"tickets": [row["num_obs"] for row in of.values()]})
        place = "group" if against is None else dodge("group", shift, range=chart.y_range)
        legend = {} if against is None else {"legend_label": label}
        chart.hbar(y=place, right="MAE", height=0.6 if against is None else 0.36, source=source, color=colour, **legend)
    chart.add_tools(
        HoverTool(tooltips=[(GROUPS[name], "@group"), ("MAE", "@MAE{0,0.0} h"), ("tickets", "@tickets{0,0}")])
    )
    if against is not None:
        legend_above(chart)
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


def _by_group(trial: dict, name: str) -> dict[str, dict]:
    return {row["group"] or "missing": row for row in trial["data"][name]}
