"""The charts of predicted against actual: Bokeh's models hold the trial's numbers."""

import copy

import numpy as np
import pytest
from bokeh.models import HBar, Line, Quad, Scatter
from test_error_plots import glyphs
from test_trial_tables import HOUR, TRIAL

from helpers.prediction_histogram import batch_prediction_histogram
from helpers.prediction_plots import prediction_map, priority_chart, target_chart
from helpers.trial_tables import by_priority_table

# Three tickets of about an hour, predicted to take an hour, a day, a day; one of none.
HISTOGRAM = batch_prediction_histogram([3600.0, 3600.0, 3600.0, 0.0], [3600.0, 86400.0, 86400.0, 3600.0])
SPREAD = {"data": {"predicted_actual": HISTOGRAM}}


def test_the_priority_chart_holds_the_table():
    """Each priority has its prediction and quantiles of the table in hours, the first priority on top."""
    chart = priority_chart(TRIAL)
    assert list(chart.y_range.factors) == ["missing", "2 - High"]  # from the bottom
    table = by_priority_table(TRIAL)
    (thin, thick), (median, predicted) = glyphs(chart, HBar), glyphs(chart, Scatter)
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
    chart = priority_chart(trial)
    data = chart.renderers[0].data_source.data
    for renderer in chart.renderers:
        glyph = renderer.glyph
        names = [glyph.left, glyph.right] if isinstance(glyph, HBar) else [glyph.x]
        assert [data[name][0] for name in names] == [0.5] * len(names)
    assert (data["predicted"][0], data["q50"][0], data["q95"][0]) == (-5, 0, 0)
    assert chart.x_range.start == 0.5


def test_the_map_has_a_cell_for_each_bin_that_has_tickets():
    """A cell is where the prediction and the actual time meet, in hours, and as strong as its tickets are many."""
    (cells,) = glyphs(prediction_map(SPREAD), Quad)
    data = {name: list(values) for name, values in cells.data_source.data.items()}
    assert data["tickets"] == [1, 1, 2]
    for place, (actual, predicted) in enumerate([(0.0, 1.0), (1.0, 1.0), (1.0, 24.0)]):
        assert data["left"][place] <= max(actual, 32 / HOUR) < data["right"][place]
        assert data["bottom"][place] <= predicted < data["top"][place]
    assert data["strength"][2] == max(data["strength"]) == 1
    assert prediction_map(SPREAD, "The other trial").title.text == "The other trial"


def test_the_distribution_adds_up():
    """What happened and what was predicted are shares of the same tickets; the other trial is dashed."""
    chart = target_chart(SPREAD, SPREAD)
    lines = glyphs(chart, Line)
    for line in lines:
        # Each share stands at both ends of its bin.
        assert sum(line.data_source.data["share"]) == pytest.approx(2.0)
    actual, predicted, *others = (line.data_source.data for line in lines)
    assert actual["share"][0] == 0.25  # below 64 s
    assert np.max(predicted["share"]) == 0.5
    assert [list(other["share"]) for other in others] == [list(actual["share"]), list(predicted["share"])]
    assert [line.glyph.line_dash for line in lines][:2] == [[], []]
    assert all(line.glyph.line_dash for line in lines[2:])
    assert [item.label.value for item in chart.legend[0].items] == ["actual", "predicted"]
