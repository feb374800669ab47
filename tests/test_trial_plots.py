"""The charts of a trial: Bokeh's models hold the trial's numbers."""

import copy

import pytest
from bokeh.document import Document
from bokeh.models import HBar, Quad, Scatter
from test_trial_tables import DAY, HOUR, TRIAL

from helpers import trial_plots
from helpers.trial_tables import by_priority_table


def _glyphs(chart, kind) -> list:
    return [renderer for renderer in chart.renderers if isinstance(renderer.glyph, kind)]


def test_the_error_chart_holds_the_histogram():
    """Each bar is a bin of the trial, in days; the outer ones, however wide, are drawn as wide as their neighbours."""
    (bars,) = _glyphs(trial_plots.error_chart(TRIAL), Quad)
    data = bars.data_source.data
    assert data["tickets"] == [10, 50, 40]
    assert (data["from"], data["to"]) == ([-100, -10, 0], [-10, 0, 10])  # what the pointer tells
    assert (data["left"], data["right"]) == ([-20, -10, 0], [-10, 0, 10])
    assert (bars.glyph.left, bars.glyph.right, bars.glyph.top, bars.glyph.bottom) == ("left", "right", "tickets", 0)


def test_the_priority_chart_holds_the_table():
    """Each priority has its prediction and quantiles of the table in hours, the first priority on top."""
    chart = trial_plots.priority_chart(TRIAL)
    assert list(chart.y_range.factors) == ["missing", "2 - High"]  # from the bottom
    table = by_priority_table(TRIAL)
    (thin, thick), (median, predicted) = _glyphs(chart, HBar), _glyphs(chart, Scatter)
    data = thin.data_source.data
    assert list(data["priority"]) == ["2 - High", "missing"]
    for column, of_table in (("predicted", "predicted"), ("q50", "actual_50%"), ("MAE", "MAE"), ("tickets", "tickets")):
        assert list(data[column]) == table[of_table].tolist()
    drawn = {
        name: list(data[name]) for name in (thin.glyph.left, thin.glyph.right, thick.glyph.left, thick.glyph.right)
    }
    # By hand: quantiles of 0, 0.2, 1, 24 and 277.8 hours, of which the axis can show what is 0.5 or more.
    assert list(drawn.values()) == [[0.5, 180], [277.8, 180], [0.5, 180], [24, 180]]
    assert list(data[median.glyph.x]) == [1, 180]
    assert list(data[predicted.glyph.x]) == [24, 180]
    assert chart.x_range.end == pytest.approx(2 * 277.8)


def test_what_a_logarithmic_axis_cannot_show_is_at_its_edge():
    """A prediction or a time of 0 or less is drawn at the axis's edge, and told as it is."""
    trial = copy.deepcopy(TRIAL)
    trial["data"]["by_priority"][0] |= {"predicted": -5 * HOUR, "actual": [0.0] * 5}
    chart = trial_plots.priority_chart(trial)
    data = chart.renderers[0].data_source.data
    for renderer in chart.renderers:
        glyph = renderer.glyph
        names = [glyph.left, glyph.right] if isinstance(glyph, HBar) else [glyph.x]
        assert [data[name][0] for name in names] == [0.5] * len(names)
    assert (data["predicted"][0], data["q50"][0], data["q95"][0]) == (-5, 0, 0)
    assert chart.x_range.start == 0.5


def test_both_charts_make_a_document():
    """The charts are one above the other, and Bokeh finds them valid and JSON-ready."""
    charts = trial_plots.trial_charts(TRIAL)
    assert len(charts.children) == 2
    document = Document()
    document.add_root(charts)
    document.validate()
    assert document.to_json()


def test_a_trial_without_priorities_has_one_chart():
    """Without errors by priority there is the histogram alone."""
    data = {name: value for name, value in TRIAL["data"].items() if name != "by_priority"}
    assert len(trial_plots.trial_charts({"data": data}).children) == 1
    assert TRIAL["data"]["errors"]["edges"][1] == -10 * DAY


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
