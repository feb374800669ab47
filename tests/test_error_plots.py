"""The charts of a trial's errors: Bokeh's models hold the trial's numbers."""

import copy

from bokeh.models import HBar, Quad
from test_trial_tables import HOUR, TRIAL

from helpers.chart_style import ORANGE
from helpers.error_plots import error_chart, group_error_chart


def glyphs(chart, kind) -> list:
    """The chart's renderers of this kind of glyph."""
    return [renderer for renderer in chart.renderers if isinstance(renderer.glyph, kind)]


def test_the_error_chart_holds_the_histogram():
    """Each bar is a bin of the trial, in days; the outer ones, however wide, are drawn as wide as their neighbours."""
    (bars,) = glyphs(error_chart(TRIAL), Quad)
    data = bars.data_source.data
    assert data["tickets"] == data["top"] == [10, 50, 40]
    assert (data["from"], data["to"]) == ([-100, -10, 0], [-10, 0, 10])  # what the pointer tells
    assert (data["left"], data["right"]) == ([-20, -10, 0], [-10, 0, 10])
    assert (bars.glyph.left, bars.glyph.right, bars.glyph.top, bars.glyph.bottom) == ("left", "right", "top", 0)


def test_two_trials_are_compared_by_their_shares():
    """Twice as many tickets in the same bins are the same bars: shares of a day, the other trial as an outline."""
    other = copy.deepcopy(TRIAL)
    other["data"]["errors"]["counts"] = [20, 100, 80]
    chart = error_chart(TRIAL, other)
    mine, theirs = glyphs(chart, Quad)
    assert mine.data_source.data["top"] == theirs.data_source.data["top"]
    # By hand: of 100 tickets 50 in a bin of 10 days.
    assert mine.data_source.data["top"][1] == 0.05
    assert (theirs.glyph.fill_color, theirs.glyph.line_color) == (None, ORANGE)
    assert [item.label.value for item in chart.legend[0].items] == ["this trial", "the other trial"]


def test_each_group_has_its_error_in_hours():
    """Each priority has a bar of its mean absolute error, the first on top; the missing one is named so."""
    chart = group_error_chart(TRIAL, "by_priority")
    (bars,) = glyphs(chart, HBar)
    assert dict(bars.data_source.data) == {"group": ["2 - High", "missing"], "MAE": [1.0, 0.0], "tickets": [3, 1]}
    assert list(chart.y_range.factors) == ["missing", "2 - High"]  # from the bottom


def test_groups_that_one_trial_alone_has_are_shown():
    """Beside another trial, groups of both have a place."""
    other = {"data": {"by_state": [{"group": "New", "num_obs": 2, "mae": 3 * HOUR}]}}
    trial = {"data": {"by_state": [{"group": "Closed", "num_obs": 5, "mae": HOUR}]}}
    chart = group_error_chart(trial, "by_state", other)
    assert list(chart.y_range.factors) == ["New", "Closed"]
    assert [bars.data_source.data["MAE"] for bars in glyphs(chart, HBar)] == [[1.0], [3.0]]
