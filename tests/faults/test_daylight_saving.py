"""The nights when clocks change, on a real Prefect server: the right number of ticks, at the right wall times.

In Berlin 2027-03-28 has 23 hours (02:00 to 03:00 is skipped) and 2027-10-31 has 25 (02:00 to 03:00 comes twice); the
same are 2027-03-14 and 2027-11-07 in New York, where 01:00 to 02:00 comes twice. What is right is what Vixie's
cron(8) says: times of day run once, wildcards follow the clock.
"""

import sys
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from helpers.schedules import Schedule, parse

pytestmark = pytest.mark.slow
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
SPRING, AUTUMN = "2027-03-28", "2027-10-31"
# Pendulum, in Prefect's server before Python 3.13, moves a time that does not exist back; whenever, later, moves it on.
IS_EARLY = sys.version_info < (3, 13)
QUARTERS = ["00", "15", "30", "45"]
HOURS_OF_THE_NIGHT = [("01", "+02"), ("02", "+02"), ("03", "+01")]


def made_by_server(schedule, start: datetime, end: datetime) -> list[datetime]:
    """The runs that the server makes of a deployment with a Prefect schedule in a span of time, in UTC."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.filters import DeploymentFilter
    from prefect.client.schemas.sorting import FlowRunSort

    # By their ids: the server's own scheduler may add runs, due soon, while pages are read.
    found: dict[uuid.UUID, datetime] = {}
    with get_client(sync_client=True) as client:
        flow = client.create_flow_from_name("clocks")
        schedules = [DeploymentScheduleCreate(schedule=schedule)]
        deployment = client.create_deployment(flow, name=uuid.uuid4().hex, schedules=schedules)
        span = {"start_time": start.isoformat(), "end_time": end.isoformat(), "min_runs": 900, "max_runs": 900}
        client._client.post(f"/deployments/{deployment}/schedule", json=span).raise_for_status()
        only = DeploymentFilter(id={"any_": [deployment]})
        order = FlowRunSort.EXPECTED_START_TIME_ASC
        while page := client.read_flow_runs(deployment_filter=only, sort=order, limit=200, offset=len(found)):
            found |= {run.id: run.expected_start_time for run in page}
        client.delete_deployment(deployment)
    soon = datetime.now(UTC) + timedelta(days=31)
    return sorted(time.astimezone(UTC) for time in found.values() if time > soon)


def on_day(schedule: Schedule, day: str, zone: str) -> list[str]:
    """The ticks of one day as wall times with their offset, after the server and `ticks` were seen to agree."""
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    end = start + timedelta(days=1) - timedelta(seconds=1)
    made = made_by_server(schedule.prefect_schedule(), start, end)
    assert made == schedule.ticks(start - timedelta(microseconds=1), end)
    assert len(made) == schedule.count(start - timedelta(microseconds=1), end)
    return [f"{time.astimezone(ZoneInfo(zone)):%H:%M%z}"[:-2] for time in made]


def clock(day: str, zone: str, minutes: list[str]) -> list[str]:
    """What a clock on the wall shows in a day at these minutes, counted off hour by hour in UTC."""
    start = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    hours = ((start + timedelta(hours=n)).astimezone(ZoneInfo(zone)) for n in range(26))
    return [f"{h:%H}:{m}{h:%z}"[:-2] for h in hours if h.date().isoformat() == day for m in minutes]


@pytest.mark.parametrize("text", ["0 * * * *", "*/15 * * * *", "FREQ=HOURLY", "FREQ=MINUTELY;INTERVAL=15"])
@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [(BERLIN, SPRING, 23), (BERLIN, AUTUMN, 25), (NEW_YORK, "2027-03-14", 23), (NEW_YORK, "2027-11-07", 25)],
)
def test_every_real_hour_has_its_ticks(prefect, text, zone, day, hours):
    """A schedule that names minutes alone fires in each of the 23 or 25 hours of the day, none left out or doubled."""
    schedule = parse(**{"rrule" if "FREQ" in text else "cron": text}, timezone=zone)
    minutes = QUARTERS if "15" in text else ["00"]
    ticks = on_day(schedule, day, zone)
    assert ticks == clock(day, zone, minutes)
    assert len(ticks) == hours * len(minutes)
    assert schedule.daylight_saving(datetime(2027, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("cron", "day", "expected"),
    [
        ("0 3 * * *", SPRING, ["03:00+02"]),
        ("0 3 * * *", AUTUMN, ["03:00+01"]),
        ("30 2 * * *", "2027-03-27", ["02:30+01"]),
        ("30 2 * * *", "2027-03-29", ["02:30+02"]),
        ("30 2 * * *", "2027-10-30", ["02:30+02"]),
        # The first of the two 02:30, and not again: cron(8), "jobs in the repeated time will not be re-run".
        ("30 2 * * *", AUTUMN, ["02:30+02"]),
        ("30 2 * * *", "2027-11-01", ["02:30+01"]),
        ("30 1,2,3 * * *", AUTUMN, ["01:30+02", "02:30+02", "03:30+01"]),
    ],
)
def test_a_time_of_day_keeps_to_the_wall(prefect, cron, day, expected):
    """A job at a time of day runs once a day at that time on the wall, in summer, in winter and where they meet."""
    assert on_day(parse(cron=cron, timezone=BERLIN), day, BERLIN) == expected


def test_a_time_of_day_in_new_york(prefect):
    """The same in another zone: 02:00 is there twice a day never, 01:30 on the long day once, the first time."""
    assert on_day(parse(cron="30 1 * * *", timezone=NEW_YORK), "2027-11-07", NEW_YORK) == ["01:30-04"]
    assert on_day(parse(cron="0 3 * * *", timezone=NEW_YORK), "2027-03-14", NEW_YORK) == ["03:00-04"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"cron": "30 2 * * *"}, "01:30+01" if IS_EARLY else "03:30+02"),
        # dateutil, not pendulum or whenever, computes rules: an hour early on every Python.
        ({"rrule": "FREQ=DAILY;BYHOUR=2;BYMINUTE=30;BYSECOND=0"}, "01:30+01"),
    ],
)
def test_a_time_that_does_not_exist_runs_once_and_is_announced(prefect, given, expected):
    """On the short day 02:30 is neither lost nor doubled; Prefect runs it at another time, which one line says."""
    schedule = parse(**given, timezone=BERLIN)
    assert on_day(schedule, SPRING, BERLIN) == [expected]
    warning = schedule.daylight_saving(datetime(2026, 12, 1, tzinfo=UTC))
    assert f"2027-03-28 02:30 does not exist there, Prefect runs it at {expected[:5]}" in warning
    assert "\n" not in warning


def test_a_pause_in_the_doubled_hour_is_announced(prefect):
    """Quarters of some hours stop for an hour, where Vixie's cron would go on: one line says so."""
    schedule = parse(cron="*/15 1-3 * * *", timezone=BERLIN)
    expected = [f"{hour}:{minute}{offset}" for hour, offset in HOURS_OF_THE_NIGHT for minute in QUARTERS]
    assert on_day(schedule, AUTUMN, BERLIN) == expected
    # Of March nothing is said: 02:15 is not there, and what Prefect makes of it is a tick already.
    warning = schedule.daylight_saving(datetime(2027, 1, 1, tzinfo=UTC))
    assert "2027-10-31 02:00-03:00 comes twice there, Prefect runs it the first time alone" in warning


@pytest.mark.parametrize(("every", "a_day"), [("1d", 1), ("12h", 2), ("1h", 24)])
@pytest.mark.parametrize("day", [SPRING, AUTUMN])
def test_an_interval_is_as_long_as_ever(prefect, every, a_day, day):
    """Ticks of an interval are equally far apart over a change of the clocks, and at whole hours of UTC."""
    schedule = parse(every=every)
    start = datetime.fromisoformat(day).replace(tzinfo=UTC) - timedelta(days=1)
    made = made_by_server(schedule.prefect_schedule(), start, start + timedelta(days=3, seconds=-1))
    step = timedelta(days=1) / a_day
    assert made == [start + n * step for n in range(3 * a_day)]
    assert made == schedule.ticks(start - step / 2, start + timedelta(days=3, seconds=-1))


def test_why_minutes_are_given_to_prefect_in_utc(prefect):
    """Prefect itself leaves out the second 02:00 of Berlin; asked within it, it makes runs of the hour before."""
    from prefect.client.schemas.schedules import CronSchedule

    quarters = CronSchedule(cron="*/15 * * * *", timezone=BERLIN)
    midnight = datetime.fromisoformat(AUTUMN).replace(tzinfo=ZoneInfo(BERLIN))
    assert len(made_by_server(quarters, midnight, midnight + timedelta(days=1, seconds=-1))) == 24 * 4
    # 02:10 for the second time: the quarters from 02:15 on, of the first time, are past.
    start = datetime(2027, 10, 31, 1, 10, tzinfo=UTC)
    assert made_by_server(quarters, start, start + timedelta(hours=1))[0] == start - timedelta(minutes=55)
    ours = parse(cron="*/15 * * * *", timezone=BERLIN).prefect_schedule()
    expected = [start + timedelta(minutes=m) for m in (5, 20, 35, 50)]
    assert made_by_server(ours, start, start + timedelta(hours=1)) == expected
