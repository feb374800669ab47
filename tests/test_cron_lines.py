"""Cron lines: the field that is wrong is named, and what Prefect would take otherwise than meant is refused."""

from datetime import datetime

import pytest

from helpers import cron_lines
from helpers.exceptions import ScheduleError


@pytest.mark.parametrize(
    ("line", "field", "value", "goes"),
    [
        ("60 * * * *", "minute", "60", "0-59"),
        ("*/0 * * * *", "minute", "*/0", "0-59"),
        ("*/61 * * * *", "minute", "*/61", "0-59"),
        ("r(1-5) * * * *", "minute", "r(1-5)", "0-59"),
        ("h * * * *", "minute", "h", "0-59"),
        ("1,,2 * * * *", "minute", "1,,2", "0-59"),
        ("0 24 * * *", "hour", "24", "0-23"),
        ("0 5-5 * * *", "hour", "5-5", "0-23"),
        ("0 22-5 * * *", "hour", "22-5", "0-23"),
        ("0 0 0 * *", "day", "0", "1-31"),
        ("0 0 32 * *", "day", "32", "1-31"),
        ("0 0 r/2 * *", "day", "r/2", "1-31"),
        ("0 0 * 13 *", "month", "13", "1-12"),
        ("0 0 * r/2 *", "month", "r/2", "1-12"),
        ("0 0 * * R", "weekday", "R", "0-7"),
        ("0 0 * * 8", "weekday", "8", "0-7"),
        ("0 0 * * fryday", "weekday", "fryday", "0-7"),
        ("0 0 * * mon,5#2", "weekday", "mon,5#2", "0-7"),
    ],
)
def test_the_wrong_field_is_named(line, field, value, goes):
    """One line names the field, its value and its range."""
    with pytest.raises(ScheduleError) as refusal:
        cron_lines.checked(line)
    assert f"the {field} is {value!r}; it goes {goes}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("* * * * * *", "has 6 fields.*seconds are not supported"),
        ("* * *", "has 3 fields"),
        ("", "has 0 fields"),
        ("@reboot", "has 1 fields"),
        (5, "text in quotes"),
        ("0 0 30 2 *", "never fires; no 30 comes in month 2"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        # Cron would run it on Mondays; Prefect's server fails on it.
        ("0 0 30 2 mon", "never fires"),
    ],
)
def test_other_refusals(line, message):
    """Another number of fields, something that is no text, and a line that never fires are refused."""
    with pytest.raises(ScheduleError, match=message):
        cron_lines.checked(line)


@pytest.mark.parametrize("line", ["*/5 0-6 1,15 jan-mar mon-fri", "0 0 L * *", "0 0 * * 5#2", "0 0 ? * 7"])
def test_accepted_as_written(line):
    """What cron can say and Prefect takes is accepted; of two restricted days either is enough."""
    assert cron_lines.checked(f"  {line.replace(' ', '   ')} ") == line


def test_named_lines():
    """A name stands for five fields."""
    assert cron_lines.checked("@Daily") == "0 0 * * *"


def test_walls_include_both_ends():
    """Wall times are given from the start to the end, both of them included."""
    walls = list(cron_lines.walls("0 * * * *", datetime(2027, 1, 1, 5), datetime(2027, 1, 1, 7)))
    assert [wall.hour for wall in walls] == [5, 6, 7]
