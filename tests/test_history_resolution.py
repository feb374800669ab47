"""As many points as a chart can show: every trial is drawn, alone or put together with others."""

import numpy as np
import pandas as pd
import pytest
from history_tables import table_of
from history_trials import HOUR, trial, trials

from helpers.history_resolution import MOST_OUTSIDE, NEWEST, resolve, thinned


def _lanes(table) -> np.ndarray:
    return table["series"].to_numpy() * 2 + table["is_backfill"].to_numpy()


@pytest.fixture(scope="module")
def many():
    """5,000 trials of two models, 300 of them far above what is usual, the last ones back-filled."""
    documents = trials(5000, outside=tuple(range(1000, 4000, 10)))
    for number, document in enumerate(documents):
        document["model"] = "ab"[number % 3 == 0]
        document["schedule"] = "backfill" if number >= 4500 else None
        document["data"]["num_obs"] = 1 + number % 7
    return table_of(documents)


def _all_drawn(resolved, table) -> bool:
    groups = resolved.groups
    return (
        len(resolved.singles) + groups["num_trials"].sum() == resolved.num_trials == len(table)
        and resolved.singles["num_obs"].sum() + groups["num_obs"].sum() == table["num_obs"].sum()
    )


def test_few_trials_have_points_of_their_own():
    """Up to the limit every trial with a time and a value is drawn by itself."""
    table = table_of([trial(0), trial(1, None), trial(2), trial(3, finished_at="never")])
    resolved = resolve(table, "MAE", _lanes(table))
    assert (resolved.singles.index.tolist(), len(resolved.groups)) == (["trial-0", "trial-2"], 0)
    assert (resolved.num_trials, resolved.num_points, resolved.num_outside) == (2, 2, 0)
    assert resolve(table, "R2", _lanes(table)).num_points == 3


def test_many_are_put_together(many):
    """No more points than asked for stand for all trials and all tickets, each in its place."""
    resolved = resolve(many, "MAE", _lanes(many))
    assert 500 < resolved.num_points <= 1000
    assert _all_drawn(resolved, many)
    assert set(resolved.groups["lane"]) == {0, 1, 2, 3}
    assert (resolved.groups["low"] <= resolved.groups["mean"]).all()
    assert (resolved.groups["mean"] <= resolved.groups["high"]).all()
    assert set(many.index[-NEWEST:]) <= set(resolved.singles.index)


def test_a_group_is_its_trials(many):
    """A point's mean is weighted by tickets, its ends are the smallest and the largest, as NumPy has them."""
    resolved = resolve(many, "MAE", _lanes(many))
    group = resolved.groups.iloc[7]
    lane = (many["series"] == group["lane"] // 2) & (many["is_backfill"] == bool(group["lane"] % 2))
    at = many["at"].dt.tz_localize(None)
    members = many[lane & at.between(group["begin"], group["end"]) & ~many.index.isin(resolved.singles.index)]
    assert len(members) == group["num_trials"] > 1
    assert group["mean"] == pytest.approx(np.average(members["MAE"], weights=members["num_obs"]))
    assert (group["low"], group["high"]) == (members["MAE"].min(), members["MAE"].max())


def test_those_outside_stay_single(many):
    """Of the trials outside the usual range the farthest have points of their own, and the others are counted."""
    resolved = resolve(many, "MAE", _lanes(many))
    outside = many[many["MAE_outside"]]
    single = resolved.singles["MAE_outside"].sum()
    assert resolved.num_outside == len(outside) >= 300
    assert single == MOST_OUTSIDE
    assert single + resolved.num_outside_put_together == len(outside)
    few = many.iloc[:2500]
    resolved = resolve(few, "MAE", _lanes(few))
    assert resolved.num_outside_put_together == 0
    assert set(few.index[few["MAE_outside"]]) <= set(resolved.singles.index)


def test_zooming_in_shows_single_trials(many):
    """The part in view gets most of the points, single ones where there are few trials; the rest stays drawn."""
    view = (many["at"].iloc[2000], many["at"].iloc[2400])
    resolved = resolve(many, "MAE", _lanes(many), view)
    assert set(many.index[2000:2401]) <= set(resolved.singles.index)
    assert _all_drawn(resolved, many)
    assert resolved.num_points <= 1000
    wide = (many["at"].iloc[1000], many["at"].iloc[4000])
    finer = resolve(many, "MAE", _lanes(many), wide).groups
    coarse = resolve(many, "MAE", _lanes(many)).groups

    def in_view(groups):
        return groups["at"].dt.tz_localize("UTC").between(*wide).sum()

    assert in_view(finer) > in_view(coarse)


def test_many_lanes_and_times_that_are_odd():
    """Hundreds of lanes, trials of one moment, of no tickets or thousands of years apart are drawn too."""
    documents = [trial(number % 5, float(number), id=f"t{number}", model=f"m{number % 300}") for number in range(1200)]
    documents[0]["finished_at"], documents[1]["finished_at"] = "0001-01-01T00:00:00+00:00", "9999-12-31T00:00:00+00:00"
    for document in documents:
        document["data"]["num_obs"] = 0
    table = table_of(documents)
    resolved = resolve(table, "MAE", _lanes(table), most=100)
    assert _all_drawn(resolved, table)
    assert resolved.groups["mean"].between(0, 1200 * HOUR).all()
    same = table_of([trial(0, float(number), id=f"t{number}") for number in range(50)])
    resolved = resolve(same, "MAE", _lanes(same), most=30)
    assert (len(resolved.groups), resolved.groups["num_trials"].sum()) == (1, 50 - NEWEST)


def test_thinned_rows_keep_the_ends(many):
    """A band keeps its first and last row, in order, and has more rows where the chart is looked at."""
    rows = thinned(many)
    assert (rows.index[0], rows.index[-1]) == (many.index[0], many.index[-1])
    assert len(rows) <= 300
    assert rows["at"].is_monotonic_increasing
    view = (pd.Timestamp("2026-01-02T00Z"), pd.Timestamp("2026-01-03T00Z"))
    near = thinned(many, view)
    assert near["at"].between(*view).sum() == 25 > rows["at"].between(*view).sum()
    assert thinned(many.iloc[:10]) is not None
    assert len(thinned(many.iloc[:10])) == 10
