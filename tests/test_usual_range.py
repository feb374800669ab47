"""What is usual for a metric: a band of the trials before, and which trials are outside it."""

import numpy as np
import pytest

from helpers.usual_range import LEAST, MOST, judged_anew, usual_range


def _judged(values, series=None, errors=None, at=None):
    values = np.array(values, float)
    series = np.zeros(len(values), int) if series is None else np.array(series)
    errors = np.full(len(values), np.nan) if errors is None else np.array(errors, float)
    return usual_range(values, series, errors, at)


def test_a_trial_is_judged_by_those_before_it():
    """With 8 trials before it there is a range: their median, and their interquartile range over 1.349."""
    judged = _judged([1, 2, 3, 4, 5, 6, 7, 8, 30, 4])
    assert judged["median"].isna().tolist() == [True] * LEAST + [False] * 2
    # By hand: of 1 to 8 the quartiles are 2.75, 4.5 and 6.25; 3 * 3.5 / 1.349 = 7.8, and 30 is further from 4.5.
    assert judged["median"][8] == 4.5
    assert judged["spread"][8] == pytest.approx(3.5 / 1.349)
    assert judged["is_outside"].tolist() == [False] * 8 + [True, False]


def test_a_trial_of_few_tickets_may_be_further():
    """A trial within 3 of its own standard errors is not outside, below nor above."""
    first = [1, 2, 3, 4, 5, 6, 7, 8]
    for value in (30, -21):  # both 25.5 from the median
        assert _judged([*first, value], errors=[0.1] * 8 + [8.6])["is_outside"][8] == False  # noqa: E712
        assert _judged([*first, value], errors=[0.1] * 8 + [8.4])["is_outside"][8] == True  # noqa: E712


def test_where_all_are_alike_another_value_is_outside():
    """Where the spread is 0 only rounding and the trial's own standard error are allowed."""
    same = [3.3] * 10
    assert not _judged([*same, 3.3 * (1 + 1e-12)])["is_outside"].any()
    assert _judged([*same, 3.4])["is_outside"].iloc[-1]
    assert not _judged([*same, 3.4], errors=[0] * 10 + [0.04])["is_outside"].any()


def test_series_are_judged_apart():
    """A series knows nothing of the trials of another one between its own."""
    low, high = np.arange(10.0), 1000 + np.arange(10.0)
    both = _judged(np.column_stack([low, high]).ravel(), series=[5, 2] * 10)
    for offset, alone in ((0, _judged(low)), (1, _judged(high))):
        assert both.iloc[offset::2].reset_index(drop=True).equals(alone)


def test_a_missing_value_judges_nothing():
    """Trials without a value are not counted among those before, are in no range and not outside."""
    values = [1, 2, np.nan, 3, 4, 5, 6, 7, np.nan, 8, 30]
    judged = _judged(values)
    assert judged[["median", "spread"]].isna().all(axis=1).tolist() == [True] * 10 + [False]
    assert judged["median"].iloc[-1] == 4.5
    assert judged["is_outside"].tolist() == [False] * 10 + [True]
    assert _judged([]).empty
    assert not _judged([np.nan] * 20)["is_outside"].any()


@pytest.fixture(scope="module")
def many():
    """Several thousand trials of four series, with gaps."""
    random = np.random.default_rng(1)
    values = random.normal(100, 5, 4000)
    values[random.integers(0, 4000, 300)] = np.nan
    return values, random.choice([0, 3, 7, 9], 4000, p=[0.4, 0.3, 0.299, 0.001])


def test_windows_are_the_last_hundred(many):
    """Each range is NumPy's quantiles of the last 100 known values of the series, or of as many as there are."""
    values, series = many
    judged = usual_range(values, series, np.full(4000, 0.0))
    for place in range(0, 4000, 7):
        before = values[:place][(series[:place] == series[place])]
        before = before[~np.isnan(before)][-MOST:]
        found = judged[["median", "spread"]].iloc[place].to_numpy(float)
        if np.isnan(values[place]) or len(before) < LEAST:
            assert np.isnan(found).all()
            continue
        low, median, high = np.quantile(before, (0.25, 0.5, 0.75))
        assert found == pytest.approx([median, (high - low) / 1.349])


def test_new_trials_change_those_that_they_come_before(many):
    """Judging only what new trials change gives what judging all of them does; one at the end changes itself alone."""
    values, series = many
    for new in ([3999], [2000], [10, 11, 2500]):
        is_new = np.isin(np.arange(4000), new)
        before = usual_range(values[~is_new], series[~is_new], np.zeros(4000 - len(new)))
        after = usual_range(values, series, np.zeros(4000))
        at = judged_anew(values, series, is_new)
        kept = np.setdiff1d(np.arange(4000), at)
        assert before.set_index(np.flatnonzero(~is_new)).loc[kept].equals(after.loc[kept])
        parts = [usual_range(values, series, np.zeros(4000), part) for part in np.array_split(at, 5) if len(part)]
        assert sum(map(len, parts)) == len(at)
        for part, places in zip(parts, [part for part in np.array_split(at, 5) if len(part)], strict=True):
            assert part.set_index(places).equals(after.loc[places])
    last = int(np.flatnonzero(~np.isnan(values))[-1])
    assert judged_anew(values, series, np.arange(4000) == last).tolist() == [last]
    assert len(judged_anew(values, series, np.arange(4000) == 2000)) <= MOST + 1
