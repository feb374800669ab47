"""The charts of a trial's errors: Bokeh's models hold the trial's numbers."""

import copy

from bokeh.models import HBar, Quad
from test_trial_tables import HOUR, TRIAL

from helpers.chart_style import NAME_LENGTH, ORANGE, names_of
from helpers.error_plots import MOST_GROUPS, error_chart, group_error_chart


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
    assert [item.label.value for item in chart.legend[0].items] == ["this trial", "other trial"]


def test_each_group_has_its_error_in_hours():
    """Each priority has a bar of its mean absolute error and its number, the first on top; a missing one is named."""
    chart = group_error_chart("by_priority", TRIAL)
    (bars,) = glyphs(chart, HBar)
    assert dict(bars.data_source.data) == {
        "place": ["2 - High (3)", "missing (1)"],
        "group": ["2 - High", "missing"],
        "MAE": [1.0, 0.0],
        "tickets": [3, 1],
    }
    assert list(chart.y_range.factors) == ["missing (1)", "2 - High (3)"]  # from the bottom


def of_states(**numbers) -> dict:
    """A trial with so many tickets in each state."""
    return {"data": {"by_state": [{"group": name, "num_obs": n, "mae": n * HOUR} for name, n in numbers.items()]}}


def test_groups_that_one_trial_alone_has_are_shown():
    """Beside another trial, groups of both have a place, with the number of tickets in each."""
    chart = group_error_chart("by_state", of_states(Closed=5), of_states(New=2))
    assert list(chart.y_range.factors) == ["New (0 | 2)", "Closed (5 | 0)"]
    assert [bars.data_source.data["MAE"] for bars in glyphs(chart, HBar)] == [[5.0], [2.0]]


def test_of_many_groups_the_largest_are_shown():
    """A log with hundreds of states has a chart of those with the most tickets, which its title says."""
    chart = group_error_chart("by_state", of_states(**{f"s{n}": n for n in range(1, 101)}))
    assert chart.title.text == f"Mean absolute error by state, {MOST_GROUPS} of 100"
    assert set(chart.y_range.factors) == {f"s{n} ({n})" for n in range(101 - MOST_GROUPS, 101)}


def test_names_at_an_axis_fit_and_differ():
    """Long names are cut, and those that are alike then, or alike with the missing one, are told apart."""
    long = "a" * 50
    names = names_of([None, "missing", long + "1", long + "2", "New"])
    assert list(names) == [None, "missing", long + "1", long + "2", "New"]
    assert len(set(names.values())) == 5
    assert names["New"] == "New"
    assert max(map(len, names.values())) <= NAME_LENGTH + len(" #2")
