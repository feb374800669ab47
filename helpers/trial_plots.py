"""A trial as Bokeh charts, alone or with another trial to compare it with."""

import logging
import os
from collections.abc import Callable
from functools import partial

from bokeh.io import output_notebook
from bokeh.layouts import column
from bokeh.models.layouts import Column
from bokeh.plotting import figure
from bokeh.resources import Resources

from helpers.error_plots import error_chart, group_error_chart
from helpers.prediction_plots import prediction_map, priority_chart, target_chart
from helpers.run_context import current

# What a document that calls other things by the same names does to who reads it.
UNFIT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
# What each chart needs of a trial, and whether another trial is drawn in a chart of its own.
DRAWN = {
    "errors": ("errors", error_chart, False),
    "priority": ("by_priority", priority_chart, True),
    "by_priority": ("by_priority", partial(group_error_chart, "by_priority"), False),
    "by_state": ("by_state", partial(group_error_chart, "by_state"), False),
    "target": ("predicted_actual", target_chart, False),
    "predictions": ("predicted_actual", prediction_map, True),
}
_log = logging.getLogger(__name__)


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
    """The charts by name, those for which the trial has the data: one of before them, or of another kind, may not.

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
    charts = {}
    for name, (needs, draw, is_alone) in DRAWN.items():
        beside = against if against and against["data"].get(needs) else None
        if trial["data"].get(needs):
            charts[name] = _drawn(draw, trial, *([] if is_alone else [beside]))
        if is_alone and beside:
            charts[f"{name}_against"] = _drawn(draw, beside, "The other trial")
    return {name: chart for name, chart in charts.items() if chart is not None}


def _drawn(draw: Callable[..., figure], trial: dict, *others) -> figure | None:
    """The chart, without what is beside it if that is of another kind; None where the trial is."""
    for given in (others, ()):
        try:
            return draw(trial, *given)
        except UNFIT:
            _log.info("a trial cannot be drawn by %s", getattr(draw, "__name__", draw), exc_info=True)
    return None
