"""Schedules as crontab fields and OnCalendar expressions: what they say is read back by systemd itself."""

import asyncio
import os
import shutil
import subprocess
from datetime import UTC, datetime

import pytest

from helpers.calendar_expressions import crontab_fields, on_calendar
from helpers.exceptions import ScheduleError
from helpers.schedules import parse

START = datetime(2026, 11, 22, 20, 41, 7, tzinfo=UTC)


def elapses(expressions: list[str], n: int) -> list[datetime]:
    """The first moments after START at which a timer with these OnCalendar lines elapses, as systemd says."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    found = set()
    for expression in expressions:
        base = f"--base-time={START:%Y-%m-%d %H:%M:%S} UTC"
        asked = ["systemd-analyze", "calendar", base, f"--iterations={n}", expression]
        said = subprocess.run(asked, capture_output=True, text=True, check=True, env=os.environ | {"TZ": "UTC"}).stdout
        lines = [line.split(": ", 1)[1] for line in said.splitlines() if "Next elapse:" in line or "Iter. #" in line]
        assert len(lines) == n, said
        found |= {datetime.strptime(line, "%a %Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC) for line in lines}
    return sorted(found)[:n]


def prefect_ticks(schedule, n: int) -> list[datetime]:
    """The first moments after START as Prefect's server computes them."""
    from prefect.server.schemas import schedules

    asked = schedule.prefect_schedule()
    served = getattr(schedules, type(asked).__name__).model_validate(asked.model_dump())
    dates = asyncio.run(served.get_dates(n + 1, start=START))
    return [datetime.fromtimestamp(date.timestamp(), UTC) for date in dates if date > START][:n]


@pytest.mark.parametrize(
    "when",
    [
        {"cron": "*/5 * * * *"},
        {"cron": "0 6 * * 1-5"},
        {"cron": "0 6 * * mon,wed,7"},
        {"cron": "30 2 1,15 * 5"},  # either day is enough
        {"cron": "0 0 */2 * 1"},
        {"cron": "7-59/13 22-23,0-2 28-31 jan,mar-may *"},
        {"cron": "5/20 4 29 2 *"},
        {"cron": "0 8 * * sat-sun", "timezone": "Europe/Berlin"},
        {"cron": "*/15 * * * *", "timezone": "Europe/Berlin"},
        {"cron": "15 7 * * *", "timezone": "Asia/Kolkata"},
        {"every": "60s"},
        {"every": "15s"},
        {"every": "90s"},
        {"every": "20m"},
        {"every": "90m"},
        {"every": "12h"},
        {"every": "1d"},
        {"every": "7d"},
        {"rrule": "FREQ=WEEKLY;BYDAY=MO,TH;BYHOUR=6;BYMINUTE=30;BYSECOND=0"},
        {"rrule": "FREQ=WEEKLY;BYHOUR=6"},
        {"rrule": "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"},  # both days in a rule
        {"rrule": "FREQ=DAILY;BYHOUR=8,20", "timezone": "America/New_York"},
        {"rrule": "FREQ=HOURLY"},
        {"rrule": "FREQ=YEARLY;BYMONTH=3,9"},
        {"rrule": "FREQ=YEARLY"},
    ],
    ids=str,
)
def test_systemd_elapses_at_prefects_ticks(when):
    """A timer with the OnCalendar lines elapses when Prefect's server has its ticks, in every zone."""
    schedule = parse(**when)
    assert elapses(on_calendar(schedule), 40) == prefect_ticks(schedule, 40)


@pytest.mark.parametrize(
    ("when", "lines"),
    [
        ({"cron": "*/5 * * * *"}, ["*/5 * * * *"]),
        ({"cron": "0 6 1,15 * 5"}, ["0 6 1,15 * 5"]),
        # Vixie's cron takes */2 for a star and asks for both days; Prefect, and a list, for either.
        ({"cron": "0 0 */8 * 1"}, ["0 0 1,9,17,25 * 1"]),
        # A Kubernetes CronJob knows Sunday as 0 alone, and Vixie's cron no start of a step without an end.
        ({"cron": "5/20 0 * jan,mar 5-7"}, ["5,25,45 0 * 1,3 0,5,6"]),
        ({"every": "5m"}, ["*/5 * * * *"]),
        ({"every": "1m"}, ["* * * * *"]),
        ({"every": "12h"}, ["0 0,12 * * *"]),
        ({"every": "1d"}, ["0 0 * * *"]),
        ({"every": "7d"}, ["0 0 * * 3"]),  # 2020-01-01, from which intervals count, was a Wednesday
        ({"every": "90m"}, ["0 */3 * * *", "30 1,4,7,10,13,16,19,22 * * *"]),
        ({"rrule": "FREQ=WEEKLY;BYDAY=MO,TU,WE;BYHOUR=6;BYMINUTE=0;BYSECOND=0"}, ["0 6 * * 1-3"]),
    ],
    ids=str,
)
def test_crontab_fields(when, lines):
    """A schedule becomes fields that Vixie's cron and Kubernetes read alike."""
    assert crontab_fields(parse(**when)) == lines


@pytest.mark.parametrize(
    "when", [{"every": "90s"}, {"every": "7m"}, {"every": "30s"}, {"rrule": "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13"}]
)
def test_cron_refuses_what_it_cannot_say(when):
    """Seconds, intervals that divide no day, and both days at once are refused in one line that names what can."""
    with pytest.raises(ScheduleError, match="--print systemd") as refused:
        crontab_fields(parse(**when))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "when",
    [
        {"rrule": "FREQ=MONTHLY;BYDAY=2FR"},
        {"rrule": "FREQ=WEEKLY;INTERVAL=2"},
        {"rrule": "FREQ=MONTHLY;BYMONTHDAY=-1"},
        {"cron": "0 0 L * *"},
    ],
)
def test_what_no_calendar_says(when):
    """A second Friday, every other week and the last day are refused in one line that names daybook serve."""
    try:
        schedule = parse(**when)
    except ScheduleError:
        pytest.skip("no schedule of Daybook's at all")
    with pytest.raises(ScheduleError, match="daybook serve"):
        on_calendar(schedule)


def test_an_interval_that_divides_no_day():
    """420 s go 205.7 times into a day: no calendar repeats them."""
    assert on_calendar(parse(every="7m")) is None
