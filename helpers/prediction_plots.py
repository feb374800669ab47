"""Charts of what a trial predicted against what happened."""

import numpy as np
from bokeh.models import ColumnDataSource, FactorRange, HoverTool
from bokeh.plotting import figure

from helpers.chart_style import BLUE, ORANGE, label_times, legend_above, names_of
from helpers.trial_tables import by_priority_table

SECONDS_IN_AN_HOUR = 3600.0


def priority_chart(trial: dict, of: str = "") -> figure:
    """For each priority the predicted time to close, over the middle 50 % and 90 % of the actual ones, in hours.

    Parameters
    ----------
    trial : dict
        A trial's document.
    of : str, default ""
        Which trial it is, for the title.

    Returns
    -------
    bokeh.plotting.figure
    """
    table = by_priority_table(trial).rename(columns=lambda name: name.replace("actual_", "q").replace("%", ""))
    places = list(names_of(table.index).values())
    source = ColumnDataSource({"place": places, **table.reset_index().to_dict("list")})
    chart = figure(
        title=_title("Predicted against actual, by priority", of),
        x_axis_label="actual: middle 90 % thin,\nmiddle 50 % thick, median dot",
        x_axis_type="log",
        x_range=(0.5, 2 * max(table["q95"].max(), table["predicted"].max(), 1.0)),
        y_range=FactorRange(*reversed(places)),
        height=110 + 40 * len(table),
        sizing_mode="stretch_width",
        tools="",
        toolbar_location=None,
    )
    # A logarithmic axis has no 0, and many tickets are closed in the minute of their last update.
    for name in ("q5", "q25", "q50", "q75", "q95", "predicted"):
        source.data[f"x_{name}"] = table[name].clip(lower=0.5).to_numpy()
    chart.hbar(y="place", left="x_q5", right="x_q95", height=0.08, source=source, color=BLUE)
    chart.hbar(y="place", left="x_q25", right="x_q75", height=0.32, source=source, color=BLUE, legend_label="actual")
    chart.scatter(x="x_q50", y="place", size=9, source=source, color="white", line_color=BLUE)
    chart.scatter(
        x="x_predicted", y="place", size=13, marker="diamond", source=source, color=ORANGE, legend_label="predicted"
    )
    label_times(chart.xaxis[0])
    tips = [
        ("priority", "@priority"),
        ("tickets", "@tickets{0,0}"),
        ("predicted", "@predicted{0.0} h"),
        ("median", "@q50{0.0} h"),
        ("MAE", "@MAE{0.0} h"),
    ]
    chart.add_tools(HoverTool(tooltips=tips))
    legend_above(chart)
    return chart


def target_chart(trial: dict, against: dict | None = None) -> figure:
    """How long tickets took, and how long they were predicted to take: shares of the tickets a half octave.

    Parameters
    ----------
    trial : dict
        A trial's document, with `predicted_actual`.
    against : dict, optional
        Another one, drawn dashed.

    Returns
    -------
    bokeh.plotting.figure
    """
    label = "time to close" if against is None else "time to close\ndashed: the other trial"
    chart = _time_chart("Distribution of the time to close", label, height=260 if against is None else 280)
    chart.yaxis.axis_label = "share of the tickets"
    for of, dash in ((trial, "solid"), (against, "dashed")):
        if of is None:
            continue
        edges, counts = _cells(of)
        for label, along, colour in (("actual", 0, BLUE), ("predicted", 1, ORANGE)):
            shares = counts.sum(axis=along) / counts.sum()
            # Each share over the whole of its bin.
            source = ColumnDataSource({"time": np.repeat(edges, 2)[1:-1], "share": np.repeat(shares, 2)})
            legend = {"legend_label": label} if of is trial else {}
            chart.line("time", "share", source=source, color=colour, line_dash=dash, line_width=2, **legend)
    chart.y_range.start = 0
    legend_above(chart)
    return chart


def prediction_map(trial: dict, of: str = "") -> figure:
    """How many tickets were predicted to take so long and took so long: on the line the prediction was right.

    Parameters
    ----------
    trial : dict
        A trial's document, with `predicted_actual`.
    of : str, default ""
        Which trial it is, for the title.

    Returns
    -------
    bokeh.plotting.figure
    """
    edges, counts = _cells(trial)
    predicted, actual = np.nonzero(counts)
    tickets = counts[predicted, actual]
    source = ColumnDataSource(
        {
            "left": edges[actual],
            "right": edges[actual + 1],
            "bottom": edges[predicted],
            "top": edges[predicted + 1],
            "tickets": tickets,
            "strength": 0.45 + 0.55 * np.sqrt(tickets / tickets.max()),
        }
    )
    chart = _time_chart(_title("Predicted against actual", of), "actual", height=360, y_axis_type="log")
    chart.yaxis.axis_label = "predicted"
    label_times(chart.yaxis[0])
    cells = chart.quad("left", "right", "top", "bottom", source=source, color=BLUE, alpha="strength", line_color=None)
    ends = [edges[0], edges[-1]]
    chart.line(ends, ends, color=ORANGE, line_width=2, legend_label="as predicted")
    tips = [("actual", "@left{0,0.0} to @right{0,0.0} h"), ("predicted", "@bottom{0,0.0} to @top{0,0.0} h")]
    chart.add_tools(HoverTool(tooltips=[*tips, ("tickets", "@tickets{0,0}")], renderers=[cells]))
    legend_above(chart)
    return chart


def _time_chart(title: str, label: str, **options) -> figure:
    chart = figure(
        title=title, x_axis_label=label, x_axis_type="log", sizing_mode="stretch_width", tools="",
        toolbar_location=None, **options,
    )  # fmt: skip
    label_times(chart.xaxis[0])
    return chart


def _cells(trial: dict) -> tuple[np.ndarray, np.ndarray]:
    """The edges in hours, and the counts by the bins of prediction and actual time."""
    found = trial["data"]["predicted_actual"]
    edges = np.array(found["edges"]) / SECONDS_IN_AN_HOUR
    edges[0] = edges[1] / 2  # a logarithmic axis has no 0
    counts = np.zeros((len(edges) - 1, len(edges) - 1), int)
    for predicted, actual, number in found["counts"]:
        counts[predicted, actual] = number
    return edges, counts


def _title(title: str, of: str) -> str:
    return title.replace("Predicted against actual", of) if of else title
