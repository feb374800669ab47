"""Time zones by name, and the moments at which their clocks are changed."""

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

from helpers.exceptions import ScheduleError

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
# Names of the computer's own setting and of none at all.
NO_PLACES = {"localtime", "Factory"}


def checked(name: str) -> str:
    """A time zone's name as the IANA database has it, or a `ScheduleError` that offers the nearest.

    Examples
    --------
    >>> checked("Europe/Berlin")
    'Europe/Berlin'
    """
    zones = sorted(available_timezones() - NO_PLACES)
    if name in zones:
        return name
    # A city alone, too, is what people write.
    lowered = {zone.lower(): zone for zone in zones} | {zone.lower().split("/")[-1]: zone for zone in zones}
    near = difflib.get_close_matches(str(name).lower().replace(" ", "_"), lowered, 1)
    hint = f"did you mean {lowered[near[0]]!r}?" if near else "write it as Europe/Berlin"
    raise ScheduleError(f"unknown timezone {name!r}; {hint}")


def has_whole_hours(name: str) -> bool:
    """Whether a zone is whole hours from UTC all through the next ten years, on the first of each month."""
    zone, year = ZoneInfo(name), datetime.now(UTC).year
    days = [datetime(y, month, 1, tzinfo=zone) for y in range(year, year + 10) for month in range(1, 13)]
    return all(day.utcoffset() % HOUR == timedelta(0) for day in days)


def changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The moments, to the second and in UTC, at which a zone's clock is changed in a span of time in UTC."""
    while start < end:
        low, high = start.replace(microsecond=0), start.replace(microsecond=0) + timedelta(days=1)
        offset = low.astimezone(zone).utcoffset()
        if high.astimezone(zone).utcoffset() != offset:
            while high - low > SECOND:
                middle = low + (high - low) // SECOND // 2 * SECOND
                same = middle.astimezone(zone).utcoffset() == offset
                low, high = (middle, high) if same else (low, middle)
            yield high
        start += timedelta(days=1)
