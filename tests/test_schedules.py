"""Schedules: what is accepted, what their ticks are, and that Prefect's server makes the same."""

import asyncio
import itertools
import math
from datetime import UTC, datetime, timedelta

import pytest

from helpers.exceptions import ScheduleError
from helpers.schedules import Schedule, duration, parse

BERLIN = "Europe/Berlin"
MONDAY = datetime(2027, 3, 1, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("60s", 60), ("5m", 300), ("12h", 43200), ("1d", 86400), (1.5, 1.5), ("0.5 m", 30), (7, 7), ("0", 0)],
)
def test_durations(text, seconds):
    """A duration is a number of seconds, or of the unit after it."""
    assert duration(text, "timeout") == seconds


@pytest.mark.parametrize("text", ["60x", "", "-5", "1m30s", "nan", "inf", True, None, [], "1e99d", "9999d", "٣"])
def test_what_is_no_duration(text):
    """Anything else is refused, with what it was for."""
    with pytest.raises(ScheduleError, match=r"^timeout is ") as refusal:
        duration(text, "timeout")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "none given"),
        ({"every": "60s", "cron": "* * * * *"}, "every and cron given"),
        ({"cron": "* * * * *", "rrule": "FREQ=DAILY"}, "cron and rrule given"),
        ({"every": "60x"}, "every is '60x', which is no duration"),
        ({"every": "0"}, "1s is the shortest"),
        ({"every": 0.999}, "1s is the shortest"),
        ({"every": "-60s"}, "no duration"),
        ({"every": "1d", "timezone": BERLIN}, "use cron for a time of day"),
        ({"cron": "60 * * * *"}, "the minute is '60'; it goes 0-59"),
        ({"rrule": "FREQ=DALY"}, "FREQ is 'DALY'"),
        ({"cron": "* * * * *", "timezone": "Europe/Berln"}, "did you mean 'Europe/Berlin'"),
        ({"cron": "* * * * *", "timezone": "new york"}, "did you mean 'America/New_York'"),
        ({"rrule": "FREQ=DAILY", "timezone": "Mars"}, "unknown timezone 'Mars'"),
        ({"cron": "* * * * *", "timezone": ""}, "unknown timezone ''"),
        ({"cron": "* * * * *", "timezone": 1}, "unknown timezone 1"),
    ],
)
def test_bad_schedules_are_refused_in_one_line(given, message):
    """What is wrong with a schedule is said in one line, before anything starts."""
    with pytest.raises(ScheduleError) as refusal:
        parse(**given)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"every": "1m"}, "every 60 s"),
        ({"every": 1.5}, "every 1.5 s"),
        ({"every": "30d"}, "every 2592000 s"),
        ({"cron": " */5 * * * * ", "timezone": BERLIN}, "cron */5 * * * * (Europe/Berlin)"),
        ({"rrule": "RRULE:freq=daily"}, "rrule FREQ=DAILY (UTC)"),
    ],
)
def test_in_words(given, words):
    """A schedule says what it is, in one line."""
    assert str(parse(**given)) == words


def test_interval_is_anchored():
    """Ticks of a minute are whole minutes whenever one asks, the start of the span left out, its end kept."""
    schedule = parse(every="60s")
    assert schedule.next(MONDAY + timedelta(seconds=1)) == [MONDAY + timedelta(minutes=1)]
    assert schedule.next(MONDAY, 2) == [MONDAY + timedelta(minutes=1), MONDAY + timedelta(minutes=2)]
    assert schedule.ticks(MONDAY, MONDAY + timedelta(minutes=2)) == schedule.next(MONDAY, 2)
    assert schedule.ticks(MONDAY, MONDAY + timedelta(seconds=59)) == []
    assert schedule.count(MONDAY + timedelta(hours=1), MONDAY) == 0


@pytest.mark.parametrize("given", [{"every": 60}, {"cron": "* * * * *"}, {"rrule": "FREQ=MINUTELY"}])
def test_long_spans_are_counted_exactly(given):
    """A week has 10,080 minutes, beyond Prefect's 1,000 at a time; the newest of them are returned, in order."""
    schedule = parse(**given)
    assert schedule.count(MONDAY, MONDAY + WEEK) == 7 * 24 * 60
    assert schedule.ticks(MONDAY, MONDAY + WEEK, limit=3) == [
        MONDAY + WEEK - timedelta(minutes=2),
        MONDAY + WEEK - timedelta(minutes=1),
        MONDAY + WEEK,
    ]
    assert len(schedule.ticks(MONDAY, MONDAY + WEEK)) == 1000


def test_times_of_a_zone():
    """Six o'clock in Berlin is five in UTC in winter and four in summer; weekdays are the zone's."""
    schedule = parse(cron="0 6 * * mon", timezone=BERLIN)
    assert schedule.next(MONDAY - timedelta(hours=1), 5) == [
        datetime(2027, 3, 1, 5, tzinfo=UTC),
        datetime(2027, 3, 8, 5, tzinfo=UTC),
        datetime(2027, 3, 15, 5, tzinfo=UTC),
        datetime(2027, 3, 22, 5, tzinfo=UTC),
        datetime(2027, 3, 29, 4, tzinfo=UTC),
    ]
    midnight = parse(cron="0 0 * * mon", timezone="Asia/Tokyo")
    assert midnight.next(MONDAY - WEEK) == [datetime(2027, 2, 28, 15, tzinfo=UTC)]


def test_a_rare_tick_is_found():
    """The 29th of February is years away, and a rule that ends has no more ticks."""
    assert parse(cron="0 0 29 2 *").next(MONDAY) == [datetime(2028, 2, 29, tzinfo=UTC)]
    ends = parse(rrule="DTSTART:20991230T000000\nFREQ=DAILY;COUNT=2")
    assert ends.next(datetime(2099, 12, 30, tzinfo=UTC), 5) == [datetime(2099, 12, 31, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({"every": "90s"}, 90),
        ({"cron": "*/15 9-17 * * *"}, 900),
        ({"cron": "0,7 * * * *"}, 420),
        ({"rrule": "FREQ=WEEKLY;BYDAY=MO,TU"}, 86400),
    ],
)
def test_shortest_gap(given, seconds):
    """The shortest gap is that between the two nearest ticks, not the first two."""
    assert parse(**given).shortest_gap() == seconds


def test_shortest_gap_of_a_last_tick():
    """A schedule with one tick left has no gap."""
    assert parse(rrule="DTSTART:20991231T000000\nFREQ=DAILY;COUNT=1").shortest_gap() == math.inf


@pytest.mark.parametrize(
    "given",
    [
        {"every": "7s"},
        {"every": 1.1},
        {"every": "25h"},
        {"cron": "*/7 1-5 * * mon-fri", "timezone": "America/New_York"},
        {"cron": "30 1,2 13 * fri", "timezone": BERLIN},
        {"cron": "0 12 L * *", "timezone": "Australia/Lord_Howe"},
        {"cron": "15 8 * * mon#2", "timezone": "Asia/Kolkata"},
        {"cron": "0 */6 * jan-mar,oct 0,7"},
        {"cron": "5/20 * * * *", "timezone": "Pacific/Chatham"},
        {"rrule": "FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=17;BYMINUTE=30;BYSECOND=0", "timezone": BERLIN},
        {"rrule": "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE", "timezone": "America/New_York"},
        {"rrule": "FREQ=HOURLY;INTERVAL=5", "timezone": BERLIN},
        {"rrule": "DTSTART:20270101T060000\nFREQ=DAILY;UNTIL=20280301T000000", "timezone": BERLIN},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "start", [MONDAY, datetime(2027, 3, 28, tzinfo=UTC), datetime(2027, 10, 30, 3, 20, tzinfo=UTC)]
)
def test_ticks_are_those_of_prefects_server(given, start):
    """The first ticks from a moment on are what the server's own classes give, with the clock changes in between."""
    from prefect.server.schemas import schedules as server  # 1.3 s of import

    schedule = parse(**given)
    ours = schedule.prefect_schedule()
    theirs = getattr(server, type(ours).__name__)(**ours.model_dump())
    dates = sorted({d.astimezone(UTC) for d in asyncio.run(theirs.get_dates(n=150, start=start))})[:140]
    end = dates[-1]
    assert schedule.ticks(start - timedelta(microseconds=1), end) == [d for d in dates if d >= start]
    assert schedule.next(start - timedelta(microseconds=1), 20) == [d for d in dates if d >= start][:20]


def test_what_is_the_same_in_utc_is_given_to_prefect_in_utc():
    """Minutes of any hour are the same in UTC where the zone's offset is whole hours, and only there."""
    zones = {
        given: parse(cron=given[0], timezone=given[1]).prefect_schedule().timezone
        for given in [
            ("*/15 * * * *", BERLIN),
            ("*/15 * * * mon", BERLIN),
            ("0 * * * *", "Asia/Kolkata"),
            ("0 * * * *", "Australia/Lord_Howe"),
            ("0 2 * * *", BERLIN),
        ]
    }
    assert list(zones.values()) == ["UTC", BERLIN, "Asia/Kolkata", "Australia/Lord_Howe", BERLIN]


def test_no_warning_where_clocks_do_not_matter():
    """Only a schedule with a time in an hour that is skipped, or pauses in one that is doubled, is warned of."""
    for given in [
        {"every": "1d"},
        {"cron": "0 3 * * *", "timezone": BERLIN},
        {"cron": "0 2 * * mon", "timezone": BERLIN},
    ]:
        assert parse(**given).daylight_saving(MONDAY) is None
    assert parse(cron="30 2 * * *").daylight_saving(MONDAY) is None


def test_a_time_that_does_not_exist_is_in_one_span_alone():
    """Asked by quarters of an hour, as someone does who looks often, the short day has one tick of 02:30."""
    schedule, start = parse(cron="30 2 * * *", timezone=BERLIN), datetime(2027, 3, 27, 23, tzinfo=UTC)
    quarters = [start + timedelta(minutes=15 * n) for n in range(23 * 4 + 1)]
    assert sum(schedule.count(after, until) for after, until in itertools.pairwise(quarters)) == 1


def test_once_in_the_doubled_hour_is_right():
    """Of the autumn night, in which 02:30 rightly runs once, nothing is said; the spring night after it is next."""
    warning = parse(cron="30 2 * * *", timezone=BERLIN).daylight_saving(datetime(2027, 10, 1, tzinfo=UTC))
    assert "2028-03-26 02:30 does not exist" in warning


def test_schedule_is_a_value():
    """Two schedules of the same words are equal, and each can be a key."""
    assert {parse(every=60), parse(every="1m"), Schedule(every=60.0)} == {Schedule(every=60.0)}
