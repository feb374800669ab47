"""The data of a history's chart: units, places, looks, and what a point says."""

import numpy as np
import pytest
from history_tables import table_of
from history_trials import trial, trials

from helpers import history_points
from helpers.history_points import (
    COLORS,
    GREY,
    dashboard_link,
    group_points,
    series_of,
    single_points,
    unit_of,
    usual_bounds,
)

HOSTILE = "<img src=x onerror=alert(1)>"


def _points(table, metric="MAE", unit="hours", link=None) -> dict:
    return single_points(table, metric, unit_of(metric, unit), series_of(table), link)


def test_units():
    """Seconds become hours, squares of seconds squares of hours; R² has no unit; another unit is refused."""
    told = {
        (metric, unit): unit_of(metric, unit).text(7_200.0 / unit_of(metric, unit).divisor)
        for metric in ("MAE", "MSE", "R2")
        for unit in ("hours", "seconds")
    }
    assert told == {
        ("MAE", "hours"): "2.0 h",
        ("MAE", "seconds"): "7,200 s",
        ("MSE", "hours"): "0.0005556 h²",
        ("MSE", "seconds"): "7,200 s²",
        ("R2", "hours"): "7,200.0000",
        ("R2", "seconds"): "7,200.0000",
    }
    assert unit_of("MAE").text(float("nan")) == "–"
    with pytest.raises(ValueError, match="give hours or seconds"):
        unit_of("MAE", "days")


def test_a_point_says_what_it_is():
    """A point stands at its time and value, with whiskers of 1.96 standard errors, and tells its trial."""
    points = _points(table_of(trials(9, outside=(8,))), link=dashboard_link)
    assert points["at"][1] - points["at"][0] == 3_600_000
    # By hand: 300 h, a standard error of 2 h.
    assert (points["value"][8], points["low"][8], points["high"][8]) == pytest.approx((300, 296.08, 303.92))
    assert points["told"][8] == "300.0 h ± 2.0 h"
    assert points["usual"][0] == "not known: fewer than 8 trials before"
    assert points["usual"][8].endswith(": ABOVE")
    assert np.flatnonzero(np.isfinite(points["ring"])).tolist() == [8]
    assert (points["when"][8], points["tickets"][8]) == ("2026-01-01 08:00", "1,000")
    assert points["parameters"][8] == '{"batch_size": 1000, "seed": 8}'
    assert points["link"][8] == "run?id=run-8"
    assert {len(column) for column in points.values()} == {9}


def test_below_is_told_as_below():
    """A trial far below the range says so: an improvement is unusual too."""
    documents = [*trials(9), trial(9, 1.0)]
    assert _points(table_of(documents))["usual"][9].endswith(": BELOW")


def test_what_is_missing_is_not_drawn():
    """A trial without a standard error has no whiskers, one without facts says nothing of them."""
    document = trial(0, notebook=None, run=None)
    document["data"]["standard_errors"]["MAE"] = None
    document["data"]["metrics"]["MSE"] = None
    points = _points(table_of([document]), link=dashboard_link)
    assert np.isnan(points["low"]).all()
    assert (points["told"], points["notebook"], points["link"]) == (["100.0 h"], [""], ["trial?id=trial-0"])
    assert _points(table_of([]))["at"].size == 0


def test_back_filled_trials_look_different():
    """A trial that fills a gap has its series' colour, and a hollow marker with a dot."""
    points = _points(table_of([trial(0), trial(1, schedule="backfill"), trial(2, schedule="nightly")]))
    assert (points["marker"], points["color"]) == (["circle", "circle_dot", "circle"], [COLORS[0]] * 3)
    assert points["fill"].tolist() == [0.85, 0, 0.85]
    assert points["how"] == ["", "back-filled", ""]


def test_series_are_named_by_what_differs():
    """The most frequent series comes first; a label holds only what tells one from another."""
    documents = [trial(number, model="ab"[number % 3 == 0], source="/data/log") for number in range(9)]
    series = series_of(table_of(documents))
    assert (series.labels, series.num_others) == (("a", "b"), 0)
    both = [trial(0, model="a", notebook="n/one.ipynb"), trial(1, model="b", notebook=None)]
    assert series_of(table_of(both)).labels == ("one, a", "none, b")
    assert series_of(table_of([trial(0)])).labels == ("priority",)
    assert len(series_of(table_of([trial(0, model="m" * 500)])).labels[0]) == history_points.LONGEST_LABEL


def test_more_series_than_colours():
    """Eight series have colours and markers of their own, the others are grey together."""
    table = table_of([trial(number, model=f"m{number % 11}") for number in range(30)])
    series = series_of(table)
    assert (len(series.labels), series.num_others) == (8, 3)
    points = _points(table)
    looks = set(zip(points["color"], points["marker"], strict=True))
    assert len(looks) == 9
    assert (GREY, "circle") in looks
    # 30 trials of 11 models: 8 have three, the last 3 two; they are the grey ones.
    assert points["color"].count(GREY) == 6


def test_a_new_series_has_a_place_among_the_others():
    """A series that was not there when the colours were given is one of the others."""
    table = table_of([trial(0, model="a"), trial(1, model="b")])
    series = series_of(table.iloc[:1])
    assert series.place(table["series"].to_numpy()).tolist() == [0, 1]
    assert series.color(1) == GREY


def test_groups_say_how_many_they_are():
    """A point for several trials tells their number, range, times and tickets."""
    table = table_of(trials(1200))
    series = series_of(table)
    resolved = history_points.resolved(table, "MAE", series, most=100)
    points = group_points(resolved.groups, unit_of("MAE"), series)
    assert {len(column) for column in points.values()} == {len(resolved.groups)}
    number = int(points["trials"][0])
    assert number > 1
    assert points["tickets"][0] == f"{number * 1000:,}"
    assert points["when"][0] == f"2026-01-01 00:00 to {history_points.times(table['at'])[number - 1]}"
    assert points["series"][0] == "priority"
    assert points["low"][0] == pytest.approx(table["MAE"].iloc[:number].min() / 3600)


@pytest.mark.parametrize(
    ("run", "identity", "link"),
    [
        ("20260101T000000Z-tiny-1", "x", "run?id=20260101T000000Z-tiny-1"),
        (None, "ab-1", "trial?id=ab-1"),
        ("a&b=c", "ab-1", "trial?id=ab-1"),
        ("javascript:alert(1)//", HOSTILE, "#"),
        ("größe 1", "x", "run?id=größe 1"),
    ],
)
def test_links_lead_to_runs_or_trials(run, identity, link):
    """A link names the run, else the trial; an id that would be something else in an address makes none."""
    assert dashboard_link(run, identity) == link


def test_texts_are_cut():
    """Long parameters are cut: a point is pointed at, not read."""
    points = _points(table_of([trial(0, parameters={"note": HOSTILE * 100})]))
    assert len(points["parameters"][0]) == history_points.LONGEST


@pytest.mark.parametrize(("metric", "lowest"), [("MAE", 0.0), ("R2", None)])
def test_what_is_usual_is_possible(metric, lowest):
    """An error's usual range does not go below 0, whatever the spread; that of R² may."""
    documents = trials(20)
    for place, document in enumerate(documents):
        document["data"]["metrics"][metric] = float(place % 2) * 1000.0
    low, high = usual_bounds(table_of(documents), metric, unit_of(metric))
    assert np.nanmax(high) > 0
    assert np.nanmin(low) == 0 if lowest == 0 else np.nanmin(low) < 0


def test_another_metric_is_refused():
    """A metric that there is not is named, with those that there are."""
    with pytest.raises(ValueError, match="metric is 'accuracy'; give MAE, MedAE, MSE or R2"):
        unit_of("accuracy")
