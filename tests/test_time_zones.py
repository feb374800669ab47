"""Time zones: the nearest name is offered, and the changes of their clocks are found to the second."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from helpers import time_zones
from helpers.exceptions import ScheduleError


@pytest.mark.parametrize(
    ("name", "meant"),
    [("Europe/Berln", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), ("new york", "America/New_York")],
)
def test_the_nearest_is_offered(name, meant):
    """A name with a slip, in small letters, or of a city alone gets the nearest zone that there is."""
    with pytest.raises(ScheduleError, match=f"unknown timezone '{name}'; did you mean '{meant}'"):
        time_zones.checked(name)


def test_what_is_no_place():
    """The computer's own setting is no zone that a server elsewhere could know."""
    with pytest.raises(ScheduleError):
        time_zones.checked("localtime")


def test_changes_of_a_year():
    """Berlin's clocks are changed at 01:00 UTC on the last Sundays of March and October, by the law of the EU."""
    start, end = datetime(2027, 1, 1, 17, 3, 9, 5, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    expected = [datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC)]
    assert list(time_zones.changes(ZoneInfo("Europe/Berlin"), start, end)) == expected
    assert list(time_zones.changes(ZoneInfo("Asia/Tokyo"), start, end)) == []


def test_whole_hours():
    """India is half an hour off; Lord Howe's summer is, by half an hour, too."""
    zones = ["Europe/Berlin", "UTC", "Asia/Kolkata", "Australia/Lord_Howe"]
    assert [time_zones.has_whole_hours(zone) for zone in zones] == [True, True, False, False]
