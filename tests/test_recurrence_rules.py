"""Recurrence rules: the key that is wrong is named, and rules that end or never fire are refused."""

import time
from datetime import datetime

import pytest
from dateutil.rrule import rrulestr

from helpers import recurrence_rules
from helpers.exceptions import ScheduleError

NOW = datetime(2027, 1, 15, 12)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ("FREQ=DALY", "FREQ is 'DALY'; it takes YEARLY"),
        ("FREQ=DAILY;FOO=1", "unknown key 'FOO'"),
        ("FREQ=DAILY;BYHOUR=25", "BYHOUR is '25'; it takes 0 to 23"),
        ("FREQ=DAILY;BYHOUR=1,-2", "BYHOUR is '1,-2'"),
        ("FREQ=DAILY;BYMINUTE=", "BYMINUTE is ''; it takes 0 to 59"),
        ("FREQ=DAILY;BYMONTHDAY=0", "BYMONTHDAY is '0'"),
        ("FREQ=DAILY;INTERVAL=0", "INTERVAL is '0'"),
        ("FREQ=DAILY;INTERVAL=1.5", "INTERVAL is '1.5'"),
        ("FREQ=SECONDLY;INTERVAL=0.5", "INTERVAL is '0.5'"),
        ("FREQ=DAILY;BYDAY=XX", "BYDAY is 'XX'; it takes days such as MO,WE"),
        ("FREQ=DAILY;UNTIL=20280101T000000Z", "UNTIL is '20280101T000000Z'; it takes a local time"),
        ("FREQ=DAILY;UNTIL=20280230T000000", "UNTIL is"),
        ("FREQ=DAILY;FREQ=WEEKLY", "FREQ is given twice"),
        ("INTERVAL=2", "has no FREQ"),
        ("", "is not one rule"),
        (7, "an rrule is text"),
        ("FREQ=DAILY\nEXDATE:20270101T000000", "is not one rule"),
        ("DTSTART:20270101T000000Z\nFREQ=DAILY", "DTSTART is '20270101T000000Z'; write"),
        ("FREQ=DAILY;UNTIL=20270101T000000", "has ended"),
        ("DTSTART:20270101T000000\nFREQ=DAILY;COUNT=3", "has ended"),
        ("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "does not fire in 9 years"),
        ("FREQ=MINUTELY;INTERVAL=60;BYMINUTE=1", "cannot be"),
        ("DTSTART:20200101T000000\nFREQ=MINUTELY", "counts from 2020-01-01"),
    ],
)
def test_refused_in_one_line(rule, message):
    """One line names the key that is wrong, or says why the rule cannot be served."""
    with pytest.raises(ScheduleError) as refusal:
        recurrence_rules.checked(rule, NOW)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_accepted_rules():
    """A rule is accepted with or without its prefix, in small letters, and with the line of its start."""
    assert recurrence_rules.checked("rrule:freq=weekly;byday=mo", NOW) == "FREQ=WEEKLY;BYDAY=MO"
    text = "DTSTART:20270115T060000\nRRULE:FREQ=DAILY;COUNT=3"
    assert recurrence_rules.checked(text, NOW) == "DTSTART:20270115T060000\nFREQ=DAILY;COUNT=3"


@pytest.mark.parametrize("rule", ["FREQ=MINUTELY;INTERVAL=7", "FREQ=HOURLY;INTERVAL=5", "FREQ=SECONDLY;INTERVAL=45"])
def test_phase_is_kept_without_the_walk(rule):
    """Starting near by gives the times of a walk from 2020-01-01 on, which dateutil itself makes here, and at once."""
    start, end = datetime(2020, 1, 20, 1, 2, 3), datetime(2020, 1, 20, 15)
    walked = rrulestr(rule, dtstart=datetime(2020, 1, 1)).between(start, end, inc=True)
    assert list(recurrence_rules.walls(rule, start, end)) == walked
    began = time.monotonic()
    assert next(recurrence_rules.walls(rule, datetime(2035, 1, 1), datetime(2035, 1, 2)))
    assert time.monotonic() - began < 1
