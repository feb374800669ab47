"""Half-open windows of time, `start <= t < end`, and the calendar steps that divide a span into them."""

import difflib
import itertools
import re
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from dateutil.relativedelta import relativedelta

from helpers.exceptions import ParameterError

MAX_WINDOWS = 10_000
UNITS = {
    "s": "seconds",
    "m": "minutes",
    "h": "hours",
    "d": "days",
    "w": "weeks",
    "month": "months",
    "months": "months",
    "year": "years",
    "years": "years",
}
STEPS = "a whole number and s, m, h, d, w, month or year, such as 12h or 1month"
TIMES = "give 2016-03-01 or 2016-03-01T06:00:00+01:00"
_STEP = re.compile(rf"(\d{{1,9}})\s*({'|'.join(UNITS)})", re.ASCII)


@dataclass(frozen=True)
class Window:
    """A half-open window of time; without a start or an end it is open to that side.

    Attributes
    ----------
    start, end : datetime or None
        In UTC.
    """

    start: datetime | None = None
    end: datetime | None = None

    def __bool__(self) -> bool:
        return self.start is not None or self.end is not None

    def __str__(self) -> str:
        bounds = (("from", self.start), ("to", self.end))
        return " ".join(f"{word} {bound.isoformat()}" for word, bound in bounds if bound is not None)

    def label(self, zone: tzinfo = UTC) -> str:
        """A short name of a window with both ends: `2016-03`, `2016-03-01`, `2016-03-01 to 2016-03-08`."""
        start, end = (bound.astimezone(zone).replace(tzinfo=None) for bound in (self.start, self.end))
        if start.day == 1 and start == _midnight(start) and end == start + relativedelta(months=1):
            return f"{start:%Y-%m}"
        if start != _midnight(start) or end != _midnight(end):
            return f"{start.isoformat(timespec='minutes')} to {end.isoformat(timespec='minutes')}"
        return f"{start:%Y-%m-%d}" if end == start + timedelta(days=1) else f"{start:%Y-%m-%d} to {end:%Y-%m-%d}"


def window(start: str, end: str, names: tuple[str, str], zone: tzinfo = UTC) -> Window:
    """Read a window.

    Parameters
    ----------
    start, end : str
        ISO 8601 dates or times; empty for none.
    names : tuple of two str
        What the two are called where the person gave them, such as `("closed_from", "closed_to")`.
    zone : tzinfo, default UTC
        Of times without an offset; a date is its midnight.

    Returns
    -------
    Window

    Raises
    ------
    ParameterError
        When one is no date or time, or the start is not before the end.
    """
    first, last = (instant(name, text, zone) if text else None for name, text in zip(names, (start, end), strict=True))
    if first is not None and last is not None and first >= last:
        raise ParameterError(f"{names[0]} is {start!r}, which is not before {names[1]}, {end!r}; give an earlier time")
    return Window(first, last)


def instant(name: str, text: str, zone: tzinfo = UTC) -> datetime:
    """A date or a time in ISO 8601 as a time in UTC, or a `ParameterError` that names the parameter."""
    try:
        time = datetime.fromisoformat(str(text).strip())
        return (time if time.tzinfo else time.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):  # the latter for an offset that leads out of the calendar
        raise ParameterError(f"{name} is {str(text)[:80]!r}, no date or time; {TIMES}") from None


def time_zone(name: str) -> tzinfo:
    """The time zone of this name, or a `ParameterError` that names the nearest."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name, sorted(zoneinfo.available_timezones()), 1)
        hint = f"did you mean {near[0]!r}?" if near else "give one such as 'Europe/Berlin'"
        raise ParameterError(f"time zone {name!r} is unknown; {hint}") from None


def step(text: str) -> relativedelta | None:
    """A duration such as `7d` or `1month` as a step in the calendar; None when the text is none."""
    found = _STEP.fullmatch(text.strip())
    return relativedelta(**{UNITS[found[2]]: int(found[1])}) if found else None


def split(span: Window, every: str, zone: tzinfo = UTC) -> list[Window]:
    """Divide a span into windows of one calendar step each; the last is cut at the span's end.

    Parameters
    ----------
    span : Window
        With both ends.
    every : str
        `STEPS`. Counted from the start by the clock on the wall: 12h from midnight are midnights and noons, on a day
        of 23 hours too, and 1month from 31 January ends on 29 February, then on 31 March.
    zone : tzinfo, default UTC
        Where the wall is.

    Returns
    -------
    list of Window
        In order, none empty, each one's end the next one's start.

    Raises
    ------
    ParameterError
        When `every` is no duration, or there are more than `MAX_WINDOWS`.
    """
    size = step(every)
    if not size:
        raise ParameterError(f"--every is {every[:80]!r}, no duration; give {STEPS}")
    begin, end = span.start.astimezone(zone).replace(tzinfo=None), span.end
    bounds = {span.start, end}
    for count in itertools.count(1):
        try:
            bound = (begin + size * count).replace(tzinfo=zone).astimezone(UTC)
        except (ValueError, OverflowError):
            break  # beyond the year 9999
        # Where the clock leaps ahead, the times that it leaves out lie behind those that follow.
        if bound >= end + timedelta(days=1):
            break
        if span.start < bound < end:
            bounds.add(bound)
        if len(bounds) > MAX_WINDOWS + 1:
            raise ParameterError(f"--every {every} makes more than {MAX_WINDOWS:,} windows; give a longer duration")
    return [Window(*pair) for pair in itertools.pairwise(sorted(bounds))]


def _midnight(time: datetime) -> datetime:
    return time.replace(hour=0, minute=0, second=0, microsecond=0)
