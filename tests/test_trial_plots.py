"""The charts of a trial: Bokeh's models hold the trial's numbers."""

import pytest
from bokeh.document import Document
from test_prediction_plots import SPREAD
from test_trial_tables import TRIAL

from helpers import trial_plots

WHOLE = {"data": TRIAL["data"] | SPREAD["data"] | {"by_state": [{"group": "New", "num_obs": 2, "mae": 3600.0}]}}


def test_all_charts_make_a_document():
    """The charts are one above the other, and Bokeh finds them valid and JSON-ready, also beside another trial."""
    document = Document()
    document.add_root(trial_plots.trial_charts(WHOLE))
    document.add_root(trial_plots.trial_charts(WHOLE, WHOLE))
    document.validate()
    assert document.to_json()
    assert [len(root.children) for root in document.roots] == [6, 8]


@pytest.mark.parametrize(
    ("trial", "against", "charts"),
    [
        (TRIAL, None, ["errors", "priority", "by_priority"]),
        ({"data": {"errors": TRIAL["data"]["errors"]}}, WHOLE, ["errors", "priority_against", "predictions_against"]),
        ({"data": {}}, None, []),
        (WHOLE, {"data": {}}, ["errors", "priority", "by_priority", "by_state", "target", "predictions"]),
    ],
)
def test_what_a_trial_does_not_tell_is_left_out(trial, against, charts):
    """A trial from before some facts were told has the charts of the others, also beside one that has them all."""
    assert list(trial_plots.charts_of(trial, against)) == charts


@pytest.mark.parametrize("in_jupyter", [True, False])
def test_bokehjs_is_in_the_notebook_in_jupyter_alone(monkeypatch, in_jupyter):
    """In JupyterLab BokehJS is in the notebook, so that charts show offline; elsewhere it is left out."""
    asked = []
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    if in_jupyter:
        monkeypatch.setenv("JPY_SESSION_NAME", "tiny.ipynb")
    monkeypatch.setattr(trial_plots, "output_notebook", lambda resources, hide_banner: asked.append(resources))
    trial_plots.show_in_notebook()
    assert (len(asked[0].render_js()) > 500_000) is in_jupyter
