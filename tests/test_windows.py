"""Windows of time: how they are read, named and divided."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from helpers.exceptions import ParameterError
from helpers.windows import MAX_WINDOWS, Window, instant, split, step, time_zone, window

NAMES = ("closed_from", "closed_to")
BERLIN = time_zone("Europe/Berlin")


def at(text: str) -> datetime:
    """The moment in UTC."""
    return datetime.fromisoformat(text).astimezone(UTC)


def bounds(start: str, end: str, every: str, zone=UTC) -> list[str]:
    """The starts of the windows of a span and the last one's end, as the clock on the wall shows them."""
    span = window(start, end, NAMES, zone)
    windows = split(span, every, zone)
    assert (windows[0].start, windows[-1].end) == (span.start, span.end)
    assert all(before.end == after.start for before, after in itertools.pairwise(windows))
    assert all(one.start < one.end for one in windows)
    times = [*(one.start for one in windows), windows[-1].end]
    return [time.astimezone(zone).isoformat(timespec="minutes")[:16] for time in times]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2016-03-01", "2016-03-01T00:00:00+00:00"),
        ("2016-03-01T06:00:00", "2016-03-01T06:00:00+00:00"),
        ("2016-03-01 06:00", "2016-03-01T06:00:00+00:00"),
        ("2016-03-01T06:00:00Z", "2016-03-01T06:00:00+00:00"),
        ("2016-03-01T06:00:00+01:00", "2016-03-01T05:00:00+00:00"),
        ("2016-03-01T00:30:00.250+01:00", "2016-02-29T23:30:00.250000+00:00"),
    ],
)
def test_times_are_read_in_utc(text, expected):
    """A date is its midnight, a time without an offset is UTC, and an offset is taken off."""
    assert instant("closed_from", text).isoformat() == expected


def test_dates_are_read_in_the_zone():
    """In a zone a date is the midnight there, in summer as in winter."""
    assert instant("--from", "2016-03-01", BERLIN) == at("2016-02-29T23:00:00+00:00")
    assert instant("--from", "2016-07-01", BERLIN) == at("2016-06-30T22:00:00+00:00")


@pytest.mark.parametrize("text", ["March", "2016-13-01", "2016-02-30", "1/3/2016", "2016", " ", "0001-01-01T00+14:00"])
def test_what_is_no_time_is_refused(text):
    """A text that is no date of the calendar is refused by its parameter's name, in one line."""
    with pytest.raises(ParameterError) as caught:
        window(text, "2016-03-01", NAMES)
    assert str(caught.value) == (
        f"closed_from is {text!r}, no date or time; give 2016-03-01 or 2016-03-01T06:00:00+01:00"
    )


@pytest.mark.parametrize(
    ("start", "end"),
    [("2016-03-01", "2016-03-01"), ("2016-03-02", "2016-03-01"), ("2016-03-01", "2016-03-01T01:00:00+01:00")],
)
def test_window_without_a_moment_in_it_is_refused(start, end):
    """A start that is the end, or after it, is refused; offsets are compared as moments."""
    with pytest.raises(ParameterError) as caught:
        window(start, end, NAMES)
    assert (
        str(caught.value) == f"closed_from is {start!r}, which is not before closed_to, {end!r}; give an earlier time"
    )


def test_window_may_be_open():
    """An empty text is no limit: a window of none is false, and the words name the limits that there are."""
    assert not window("", "", NAMES)
    assert window("2016-03-01", "", NAMES) == Window(at("2016-03-01T00:00:00+00:00"), None)
    assert str(window("2016-03-01", "", NAMES)) == "from 2016-03-01T00:00:00+00:00"
    assert str(window("", "2016-03-01", NAMES)) == "to 2016-03-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("start", "end", "label"),
    [
        ("2016-03-01", "2016-04-01", "2016-03"),
        ("2016-12-01", "2017-01-01", "2016-12"),
        ("2016-03-01", "2016-03-02", "2016-03-01"),
        ("2016-02-29", "2016-03-31", "2016-02-29 to 2016-03-31"),
        ("2017-02-01", "2017-02-18", "2017-02-01 to 2017-02-18"),
        ("2016-03-01", "2016-03-01T12:00", "2016-03-01T00:00 to 2016-03-01T12:00"),
    ],
)
def test_windows_have_short_names(start, end, label):
    """A whole month and a whole day have the calendar's name, others their bounds, in the zone that made them."""
    assert window(start, end, NAMES).label() == label
    assert window(start, end, NAMES, BERLIN).label(BERLIN) == label


def test_months_of_the_real_log():
    """The year of the published log is twelve windows; the last is cut at the end that was asked for."""
    months = [f"2016-{month:02}-01T00:00" for month in range(3, 13)] + ["2017-01-01T00:00", "2017-02-01T00:00"]
    assert bounds("2016-03-01", "2017-02-18", "1month") == [*months, "2017-02-18T00:00"]


def test_months_from_the_31st_keep_to_the_end_of_the_month():
    """Steps are counted from the start: February's last day does not draw March's down to the 29th."""
    expected = ["2016-01-31T00:00", "2016-02-29T00:00", "2016-03-31T00:00", "2016-04-30T00:00", "2016-05-01T00:00"]
    assert bounds("2016-01-31", "2016-05-01", "1month") == expected


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("1year", ["2016-02-29T00:00", "2017-02-28T00:00", "2018-01-01T00:00"]),
        ("5months", ["2016-02-29T00:00", "2016-07-29T00:00", "2016-12-29T00:00", "2017-05-29T00:00"]),
        ("52 w", ["2016-02-29T00:00", "2017-02-27T00:00", "2018-01-01T00:00"]),
    ],
)
def test_years_and_weeks(every, expected):
    """Years are the calendar's, weeks have seven days; 2016-02-29 and 52 weeks is 2017-02-27."""
    assert bounds("2016-02-29", "2018-01-01", every)[: len(expected)] == expected


@pytest.mark.parametrize(
    ("day", "next_day", "hours"),
    [("2016-03-27", "2016-03-28", 23), ("2016-10-30", "2016-10-31", 25), ("2016-06-01", "2016-06-02", 24)],
)
def test_steps_follow_the_clock_on_the_wall(day, next_day, hours):
    """On the days when the clock changes, days begin at midnight and halves of days at noon, whatever their length."""
    (whole,) = split(window(day, next_day, NAMES, BERLIN), "1d", BERLIN)
    assert whole.end - whole.start == timedelta(hours=hours)
    assert bounds(day, next_day, "12h", BERLIN) == [f"{day}T00:00", f"{day}T12:00", f"{next_day}T00:00"]


def test_hour_that_the_clock_leaves_out_is_no_window():
    """In Berlin 2016-03-27 goes from 02:00 to 03:00 at once: 46 half hours, each of half an hour."""
    halves = split(window("2016-03-27", "2016-03-28", NAMES, BERLIN), "30m", BERLIN)
    assert [half.end - half.start for half in halves] == [timedelta(minutes=30)] * 46


def test_bound_behind_the_hour_that_is_left_out_is_kept():
    """A bound in the hour that is left out lies an hour later; the one after it comes before it, and is not lost."""
    # 02:00 is 03:00 that day, 02:40 would be 03:40, beyond the end, and 03:20 is itself.
    clock = ["00:00", "00:40", "01:20", "03:00", "03:20", "03:25"]
    assert bounds("2016-03-27", "2016-03-27T03:25", "40m", BERLIN) == [f"2016-03-27T{time}" for time in clock]


def test_hour_that_comes_twice_is_one_window():
    """In Berlin 02:00 to 03:00 comes twice on 2016-10-30: one window of two hours, and none is missing."""
    hours = split(window("2016-10-30", "2016-10-31", NAMES, BERLIN), "1h", BERLIN)
    lengths = [(hour.end - hour.start) / timedelta(hours=1) for hour in hours]
    assert lengths == [1, 1, 2] + [1] * 21


def test_step_longer_than_the_span_is_one_window():
    """A step beyond the end, even beyond the calendar, leaves the span whole."""
    for every in ("1year", "9999years", "99999999d"):
        assert bounds("2016-03-01", "2016-03-02", every) == ["2016-03-01T00:00", "2016-03-02T00:00"]


def test_number_of_windows_is_limited():
    """Ten thousand windows are made, one more is refused."""
    span = Window(at("2016-03-01T00:00:00+00:00"), at("2016-03-01T00:00:00+00:00") + timedelta(minutes=MAX_WINDOWS))
    assert len(split(span, "1m")) == 10_000
    with pytest.raises(ParameterError, match="--every 1m makes more than 10,000 windows; give a longer duration"):
        split(Window(span.start, span.end + timedelta(seconds=1)), "1m")


@pytest.mark.parametrize("every", ["", "month", "0d", "-1d", "1.5h", "1 fortnight", "1M", "90", "1d 2h", "١d"])
def test_what_is_no_duration_is_refused(every):
    """A duration is a whole number above zero and one unit, spelt as it is written in the message."""
    with pytest.raises(ParameterError, match="no duration; give a whole number and s, m, h, d, w, month or year"):
        split(window("2016-03-01", "2016-03-02", NAMES), every)


def test_a_month_is_no_minute():
    """`m` is a minute and `month` a month, with or without a space."""
    assert (step("1m").minutes, step("1m").months) == (1, 0)
    assert (step("2 months").minutes, step("2month").months) == (0, 2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Europe/Berln", "time zone 'Europe/Berln' is unknown; did you mean 'Europe/Berlin'?"),
        ("", "time zone '' is unknown; give one such as 'Europe/Berlin'"),
        ("../etc/passwd", "time zone '../etc/passwd' is unknown; give one such as 'Europe/Berlin'"),
    ],
)
def test_unknown_zone_is_refused_with_the_nearest(name, message):
    """A zone that is misspelt is refused, with the nearest where one is near."""
    with pytest.raises(ParameterError) as caught:
        time_zone(name)
    assert str(caught.value) == message
