"""The chart of a history: Bokeh's models hold the trials' numbers, and change with what is chosen."""

import json

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import HoverTool, OpenURL, TapTool, VAreaStep
from history_tables import table_of
from history_trials import trial, trials

from helpers.history_plots import HistoryChart, history_chart
from helpers.history_points import COLORS, dashboard_link


def _data(chart, column: str = "value") -> dict:
    """The data of the single points, or of the first source that has a column of its own."""
    sources = [renderer.data_source for renderer in chart.renderers]
    return next(source.data for source in sources if {"ring" if column == "value" else column} <= set(source.data))


def _bands(chart) -> list:
    return [one for one in chart.renderers if isinstance(one.glyph, VAreaStep) and one.visible]


def _labels(chart) -> list[str]:
    return [item.label.value for item in chart.legend[0].items if item.visible]


def test_the_chart_holds_the_trials():
    """Points, whiskers, the usual range and the ring of the one outside are in the chart, in hours."""
    chart = history_chart(table_of(trials(12, outside=(10,))))
    data = _data(chart)
    assert data["value"][10] == pytest.approx(300)
    assert np.isfinite(data["ring"]).tolist() == [False] * 10 + [True, False]
    [band] = _bands(chart)
    assert len(band.data_source.data["at"]) == 4  # from the ninth trial on
    assert band.glyph.fill_color == COLORS[0]
    assert _labels(chart) == ["priority", "± 1.96 standard errors", "usual range", "outside the usual range"]
    assert chart.yaxis.axis_label == "Mean absolute error, h"


@pytest.mark.parametrize(
    ("metric", "unit", "value", "label"),
    [
        ("MAE", "seconds", 360_000, "Mean absolute error, s"),
        ("MSE", "hours", 40_000, "Mean squared error, h²"),
        ("MSE", "seconds", 720_000**2, "Mean squared error, s²"),
        ("R2", "hours", -0.125, "R², variance explained"),
    ],
)
def test_each_metric_in_its_unit(metric, unit, value, label):
    """The chosen metric is drawn in the chosen unit, which the axis names."""
    chart = history_chart(table_of([trial(0)]), metric, unit)
    assert _data(chart)["value"].tolist() == pytest.approx([value])
    assert chart.yaxis.axis_label == label


def test_it_is_a_document():
    """Bokeh finds the chart valid and JSON-ready, of no trial, of one and of many, and its data are in it."""
    tables = (table_of([]), table_of([trial(0, None)]), table_of([trial(0, run=None, notebook=None)]))
    for table in (*tables, table_of(trials(1500))):
        document = Document()
        document.add_root(history_chart(table, link=dashboard_link))
        document.validate()
        assert json.dumps(document.to_json(deferred=False))


def test_many_trials_are_few_points():
    """A chart of many trials is as small as one of a thousand, and says that points are several trials."""
    chart = history_chart(table_of(trials(3000)))
    assert len(_data(chart)["at"]) + len(_data(chart, "trials")["at"]) <= 1000
    assert "several trials, smallest to largest" in _labels(chart)


def test_more_series_than_bands():
    """Of more than three series the usual range is not drawn; of more than eight the others are grey, and counted."""
    for number, bands in ((3, 3), (4, 0)):
        documents = [one | {"model": f"m{place % number}"} for place, one in enumerate(trials(60))]
        assert len(_bands(history_chart(table_of(documents)))) == bands
    chart = history_chart(table_of([trial(place, model=f"m{place}") for place in range(11)]))
    assert _labels(chart)[7:9] == ["m7", "3 other series"]


def test_no_area_is_empty():
    """An area of steps has a row at any time: BokehJS 3.9 hangs when it draws an empty one."""
    chart = HistoryChart()
    areas = [one.data_source for one in chart.figure.renderers if isinstance(one.glyph, VAreaStep)]
    table = table_of([one | {"model": "ab"[place % 2]} for place, one in enumerate(trials(30))])
    for shown in (None, table, table[table["model"] == "a"], table.iloc[:3], table_of([])):
        if shown is not None:
            chart.show(shown, "MAE", "hours")
        assert all(len(area.data["at"]) > 0 for area in areas)


def test_back_filled_trials_are_named():
    """Where a trial filled a gap, the legend says what its marker means."""
    assert "back-filled" in _labels(history_chart(table_of([trial(0), trial(1, schedule="backfill")])))


def test_what_is_pointed_at_and_tapped():
    """Each kind of point has its tips, none of them as HTML; a tap opens a page where there is one."""
    chart = history_chart(table_of([trial(0)]), link=dashboard_link)
    tools = chart.select(HoverTool)
    assert {name for tool in tools for name, _ in tool.tooltips} >= {"parameters", "usual", "tickets", "trials"}
    assert "safe" not in str([tool.tooltips for tool in tools])
    [tap] = chart.select(TapTool)
    assert isinstance(tap.callback, OpenURL)
    assert _data(chart)["link"] == ["run?id=run-0"]
    assert not list(history_chart(table_of([trial(0)])).select(TapTool))


def _patches(document: Document) -> list[str]:
    sent = []
    document.on_change(lambda event: sent.append(json.dumps(event.to_serializable(_serializer()), default=str)))
    return sent


def _serializer():
    from bokeh.core.serialization import Serializer

    return Serializer(deferred=False)


def test_a_new_trial_costs_a_new_trial():
    """What is sent for a new trial is its point and its step of the range, whatever is drawn already."""
    documents = trials(901)
    chart = HistoryChart(dashboard_link)
    table = table_of(documents)
    chart.show(table.iloc[:-1], "MAE", "hours")
    document = Document()
    document.add_root(chart.figure)
    sent = _patches(document)
    assert chart.add(table.iloc[-1:]) is True
    assert len(sent) == 2
    assert sum(map(len, sent)) < 3000
    assert len(_data(chart.figure)["at"]) == 901
    assert _data(chart.figure)["told"][-1] == f"{table['MAE'].iloc[-1] / 3600:.1f} h ± 2.0 h"


def test_what_the_legend_does_not_explain():
    """A trial that looks like none before is not added, so that the legend is made anew; one like others is."""
    table = table_of([*trials(20), trial(20, 300.0), trial(21, schedule="backfill"), trial(22)])
    chart = HistoryChart()
    chart.show(table.iloc[:8], "MAE", "hours")
    assert chart.add(table.iloc[8:9]) is False  # the first one with a usual range
    chart.show(table.iloc[:20], "MAE", "hours")
    assert [chart.add(table.iloc[[place]]) for place in (20, 21, 22)] == [False, False, True]


def test_a_new_trial_without_a_place():
    """A trial of a series that is not drawn is not added; one without a value changes nothing."""
    table = table_of([*trials(9), trial(9, model="new"), trial(10, None)])
    chart = HistoryChart()
    chart.show(table.iloc[:9], "MAE", "hours")
    assert chart.add(table.iloc[9:10]) is False
    assert chart.add(table.iloc[10:]) is True
    assert len(_data(chart.figure)["at"]) == 9


def test_it_can_show_another_metric():
    """The same chart shows other trials and another metric, and nothing of those before."""
    chart = HistoryChart()
    table = table_of([*trials(30), *(trial(place, model="b") for place in range(30, 33))])
    chart.show(table, "MAE", "hours")
    chart.show(table.iloc[30:], "R2", "hours")
    assert _data(chart.figure)["value"].tolist() == [-0.125] * 3
    assert _labels(chart.figure) == ["b", "± 1.96 standard errors"]
    assert _bands(chart.figure) == []
