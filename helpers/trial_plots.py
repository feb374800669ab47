"""A trial as Bokeh charts: the distribution of its errors, and predicted against actual by priority."""

import os

from bokeh.io import output_notebook
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, FactorRange, HoverTool
from bokeh.models.layouts import Column
from bokeh.plotting import figure
from bokeh.resources import Resources

from helpers.run_context import current
from helpers.trial_tables import by_priority_table

BLUE, ORANGE = "#1f77b4", "#c2570c"  # told apart in grey and by the colour-blind; both on white at 4.5 : 1 or more
SECONDS_IN_A_DAY = 86400.0


def show_in_notebook() -> None:
    """Load BokehJS into the notebook: in JupyterLab from this machine, so that charts show offline too.

    Elsewhere it is left out of the notebook, 0.9 MB; a headless run puts it into the HTML instead.
    """
    by_hand_in_jupyter = "JPY_SESSION_NAME" in os.environ and current().run is None
    resources = Resources(mode="inline", components=["bokeh"]) if by_hand_in_jupyter else Resources(mode="cdn")
    output_notebook(resources, hide_banner=True)


def trial_charts(trial: dict) -> Column:
    """Both charts of a trial, one above the other.

    Parameters
    ----------
    trial : dict
        A trial's document.

    Returns
    -------
    bokeh.models.Column
    """
    charts = [error_chart(trial)]
    if trial["data"].get("by_priority"):
        charts.append(priority_chart(trial))
    return column(*charts, sizing_mode="stretch_width")


def error_chart(trial: dict) -> figure:
    """A histogram of predicted minus actual, in days."""
    edges = [edge / SECONDS_IN_A_DAY for edge in trial["data"]["errors"]["edges"]]
    counts = trial["data"]["errors"]["counts"]
    # The outer bins hold all that lies beyond and may be months wide: drawn as wide as their neighbours.
    width = edges[2] - edges[1]
    left = [edges[1] - width, *edges[1:-1]]
    right = [*edges[1:-1], edges[-2] + width]
    source = ColumnDataSource({"left": left, "right": right, "tickets": counts, "from": edges[:-1], "to": edges[1:]})
    chart = figure(
        title="Error: predicted minus actual time to close",
        x_axis_label="days (below 0: the ticket took longer than predicted)",
        y_axis_label="tickets",
        height=260,
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
    )
    chart.quad(left="left", right="right", bottom=0, top="tickets", source=source, color=BLUE, line_color="white")
    chart.add_tools(HoverTool(tooltips=[("days", "@from{0.0} to @to{0.0}"), ("tickets", "@tickets{0,0}")]))
    chart.y_range.start = 0
    return chart


def priority_chart(trial: dict) -> figure:
    """For each priority the predicted time to close, over the middle 50 % and 90 % of the actual ones, in hours."""
    table = by_priority_table(trial).rename(columns=lambda name: name.replace("actual_", "q").replace("%", ""))
    source = ColumnDataSource(table.reset_index())
    chart = figure(
        title="Predicted against actual time to close",
        x_axis_label="hours, logarithmic (actual: middle 90 % thin, middle 50 % thick, median dot)",
        x_axis_type="log",
        x_range=(0.5, 2 * max(table["q95"].max(), table["predicted"].max(), 1.0)),
        y_range=FactorRange(*reversed(list(table.index))),
        height=110 + 40 * len(table),
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
    )
    # A logarithmic axis has no 0, and many tickets are closed in the minute of their last update.
    for name in ("q5", "q25", "q50", "q75", "q95", "predicted"):
        source.data[f"x_{name}"] = table[name].clip(lower=0.5).to_numpy()
    chart.hbar(y="priority", left="x_q5", right="x_q95", height=0.08, source=source, color=BLUE)
    chart.hbar(y="priority", left="x_q25", right="x_q75", height=0.32, source=source, color=BLUE, legend_label="actual")
    chart.scatter(x="x_q50", y="priority", size=9, source=source, color="white", line_color=BLUE)
    chart.scatter(
        x="x_predicted", y="priority", size=13, marker="diamond", source=source, color=ORANGE, legend_label="predicted"
    )
    tips = [
        ("tickets", "@tickets{0,0}"),
        ("predicted", "@predicted{0.0} h"),
        ("median", "@q50{0.0} h"),
        ("MAE", "@MAE{0.0} h"),
    ]
    chart.add_tools(HoverTool(tooltips=tips))
    chart.add_layout(chart.legend[0], "right")  # inside it would hide a priority's line
    return chart
