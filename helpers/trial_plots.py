"""A trial as Bokeh charts, alone or with another trial to compare it with."""

import os

from bokeh.io import output_notebook
from bokeh.layouts import column
from bokeh.models.layouts import Column
from bokeh.plotting import figure
from bokeh.resources import Resources

from helpers.error_plots import error_chart, group_error_chart
from helpers.prediction_plots import prediction_map, priority_chart, target_chart
from helpers.run_context import current


def show_in_notebook() -> None:
    """Load BokehJS into the notebook: in JupyterLab from this machine, so that charts show offline too.

    Elsewhere it is left out of the notebook, 0.9 MB; a headless run puts it into the HTML instead.
    """
    by_hand_in_jupyter = "JPY_SESSION_NAME" in os.environ and current().run is None
    resources = Resources(mode="inline", components=["bokeh"]) if by_hand_in_jupyter else Resources(mode="cdn")
    output_notebook(resources, hide_banner=True)


def trial_charts(trial: dict, against: dict | None = None) -> Column:
    """All charts of a trial, one above the other.

    Parameters
    ----------
    trial : dict
        A trial's document.
    against : dict, optional
        The document of a trial to compare it with.

    Returns
    -------
    bokeh.models.Column
    """
    return column(*charts_of(trial, against).values(), sizing_mode="stretch_width")


def charts_of(trial: dict, against: dict | None = None) -> dict[str, figure]:
    """The charts by name, those for which the trial has the data: one of before them may have none.

    Parameters
    ----------
    trial : dict
        A trial's document.
    against : dict, optional
        Drawn into the same charts, and where that would be too much into a chart of its own, `NAME_against`.

    Returns
    -------
    dict of str to figure
        Of `errors`, `priority`, `by_priority`, `by_state`, `target` and `predictions`, in this order.
    """
    data, other = trial["data"], (against or {}).get("data", {})
    charts = {}
    if data.get("errors"):
        charts["errors"] = error_chart(trial, against if other.get("errors") else None)
    for name, make in (("priority", priority_chart), ("predictions", prediction_map)):
        needs = {"priority": "by_priority", "predictions": "predicted_actual"}[name]
        if data.get(needs):
            charts[name] = make(trial)
        if other.get(needs):
            charts[f"{name}_against"] = make(against, "The other trial")
    for name in ("by_priority", "by_state"):
        if data.get(name):
            charts[name] = group_error_chart(trial, name, against if other.get(name) else None)
    if data.get("predicted_actual"):
        charts["target"] = target_chart(trial, against if other.get("predicted_actual") else None)
    order = ("errors", "priority", "priority_against", "by_priority", "by_state", "target", "predictions")
    return {name: charts[name] for name in (*order, "predictions_against") if name in charts}
