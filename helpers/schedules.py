"""When a notebook runs: an interval, a cron line or a recurrence rule, as Prefect's server computes its ticks.

When clocks change, an interval lasts as long as ever, and what names no hour (`*/15 * * * *`) fires in every real hour:
Prefect is given it in UTC. `Schedule.daylight_saving` says beforehand what happens to times in the hour that changes.
"""

import itertools
import math
import re
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from dateutil import tz

from helpers import cron_lines, recurrence_rules, time_zones
from helpers.exceptions import ScheduleError

ANCHOR = datetime(2020, 1, 1, tzinfo=UTC)
UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = 10 * 366 * 86400
# No zone has moved its clock by more.
LARGEST_CHANGE = timedelta(hours=3)
SECOND = timedelta(seconds=1)
WINDOW = timedelta(days=7)
HORIZON = timedelta(days=50 * 366)


@dataclass(frozen=True)
class Schedule:
    """An interval, a cron line or a recurrence rule; made by `parse`, which checks it.

    Attributes
    ----------
    every : float or None
        Seconds between two ticks, counted from 2020-01-01T00:00:00Z, so that 60 s are whole minutes and a restart
        changes nothing.
    cron, rrule : str or None
    timezone : str, default "UTC"
        Where `cron` and `rrule` are read.
    """

    every: float | None = None
    cron: str | None = None
    rrule: str | None = None
    timezone: str = "UTC"

    def __str__(self) -> str:
        if self.every is not None:
            return f"every {_number(self.every)} s"
        return f"{'cron' if self.cron else 'rrule'} {self.cron or self.rrule} ({self.timezone})".replace("\n", " ")

    @property
    def _rules(self):
        return cron_lines if self.cron else recurrence_rules

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo("UTC" if self._is_the_same_in_utc() else self.timezone)

    def _is_the_same_in_utc(self) -> bool:
        """Whether no wall time is meant, so that the doubled hour, in which Prefect pauses, need not be met."""
        if not self._rules.runs_all_day(self.cron or self.rrule):
            return False
        return time_zones.has_whole_hours(self.timezone)

    def prefect_schedule(self):
        """The schedule as a Prefect deployment takes it, in UTC where that is the same and clock changes are not."""
        from prefect.client.schemas import schedules  # 1.3 s of import

        if self.every is not None:
            # Prefect counts whole days by the wall's clock in any other zone, from wherever its scheduler looks.
            interval = timedelta(seconds=self.every)
            return schedules.IntervalSchedule(interval=interval, anchor_date=ANCHOR, timezone="UTC")
        if self.cron:
            return schedules.CronSchedule(cron=self.cron, timezone=self._zone.key)
        return schedules.RRuleSchedule(rrule=self.rrule, timezone=self._zone.key)

    def ticks(self, after: datetime, until: datetime, limit: int = 1000) -> list[datetime]:
        """The newest ticks of a span of time, as Prefect's server makes them; `count` says how many there are.

        Parameters
        ----------
        after, until : datetime
            Aware; `after` itself is not of the span, `until` is.
        limit : int, default 1000

        Returns
        -------
        list of datetime
            In UTC, ascending, without duplicates.
        """
        if self.every is None:
            return list(deque(self._between(after, until), maxlen=limit))
        first, last = self._numbers(after, until)
        return [ANCHOR + number * self._step for number in range(max(first, last - limit + 1), last + 1)]

    def count(self, after: datetime, until: datetime) -> int:
        """How many ticks there are with after < tick <= until."""
        if self.every is None:
            return sum(1 for _ in self._between(after, until))
        first, last = self._numbers(after, until)
        return max(0, last - first + 1)

    def next(self, after: datetime, n: int = 1) -> list[datetime]:
        """The first `n` ticks later than a moment; fewer where a rule ends, or fires less often within 50 years."""
        if self.every is not None:
            first = self._numbers(after, after)[0]
            return [ANCHOR + (first + i) * self._step for i in range(n)]
        found: list[datetime] = []
        start, span = _in_utc(after), timedelta(hours=1)
        end = start + HORIZON
        while len(found) < n and start < end:
            found += self._between(start, start + span)
            start, span = start + span, span * 2
        return found[:n]

    def shortest_gap(self) -> float:
        """Seconds between those two of the next hundred ticks that are nearest; infinite for a last tick."""
        if self.every is not None:
            return self.every
        ticks = self.next(datetime.now(UTC), 100)
        return min(((b - a).total_seconds() for a, b in itertools.pairwise(ticks)), default=math.inf)

    def daylight_saving(self, after: datetime) -> str | None:
        """One line of what a change of the clocks does to the schedule in the following year; None for nothing.

        A wall time in the skipped hour: Prefect runs it once, not right after the change as Vixie's cron does, but an
        hour early on Python before 3.13 and for recurrence rules (02:30 at 01:30, where another tick may be already),
        and an hour late for cron on later ones (at 03:30). In the doubled hour Prefect runs each time once, in the
        first of the two; to a line with wildcards, such as `*/15 0-6 * * *`, this is a pause of an hour.
        """
        if self.every is not None:
            return None
        line, after = self.cron or self.rrule, _in_utc(after)
        for change in time_zones.changes(self._zone, after, after + timedelta(days=366)):
            old = (change - SECOND).astimezone(self._zone).replace(tzinfo=None) + SECOND
            new = change.astimezone(self._zone).replace(tzinfo=None)
            start, end = min(old, new), max(old, new)
            wall = next(self._rules.walls(line, start, end - SECOND), None)
            if wall is None:
                continue
            if old < new and (at := self._replacement(wall)):
                what = f"{wall:%Y-%m-%d %H:%M} does not exist there, Prefect runs it at {at:%H:%M}"
                return f"{self}: {what}; a time outside {start:%H:%M}-{end:%H:%M}, or UTC, is always kept"
            if new < old and self._rules.has_wildcard_time(line):
                what = f"{start:%Y-%m-%d %H:%M}-{end:%H:%M} comes twice there, Prefect runs it the first time alone"
                return f"{self}: {what}; in UTC there is no pause"
        return None

    def _replacement(self, wall: datetime) -> datetime | None:
        """When a time that does not exist runs; None where every few minutes are meant, and it is a tick already."""
        line, at = self.cron or self.rrule, self._instant(wall).astimezone(self._zone).replace(tzinfo=None)
        is_tick = next(self._rules.walls(line, at, at), None) is not None
        return None if is_tick and self._rules.has_wildcard_time(line) else at

    @property
    def _step(self) -> timedelta:
        return timedelta(seconds=self.every)

    def _numbers(self, after: datetime, until: datetime) -> tuple[int, int]:
        """The first and the last tick of a span, counted from the anchor; whole microseconds, so without drift."""
        after, until = _in_utc(after), _in_utc(until)
        return (after - ANCHOR) // self._step + 1, (until - ANCHOR) // self._step

    def _between(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The ticks with after < tick <= until, ascending; in windows, so that many need no memory."""
        after, until = _in_utc(after), _in_utc(until)
        while after < until:
            end = min(after + WINDOW, until)
            first, last = (t.astimezone(self._zone).replace(tzinfo=None) for t in (after, end))
            # Where clocks change a later wall time can be an earlier moment.
            walls = self._rules.walls(self.cron or self.rrule, first - LARGEST_CHANGE, last + LARGEST_CHANGE)
            yield from sorted({t for wall in walls if after < (t := self._instant(wall)) <= end})
            after = end

    def _instant(self, wall: datetime) -> datetime:
        """The moment of a wall time as Prefect's server has it: of two the first, and one for a time that is not."""
        if self.rrule:
            return wall.replace(tzinfo=tz.gettz(self._zone.key)).astimezone(UTC)
        moment = wall.replace(tzinfo=self._zone).astimezone(UTC)
        exists = moment.astimezone(self._zone).replace(tzinfo=None) == wall
        # Before 3.13 the server computes with pendulum, which moves such a time back; whenever moves it on.
        early = not exists and sys.version_info < (3, 13)
        return wall.replace(tzinfo=self._zone, fold=1).astimezone(UTC) if early else moment


def _in_utc(moment: datetime) -> datetime:
    """A plain datetime: Prefect's are pendulum's before Python 3.13, whose differences divide by nothing plain."""
    return datetime.fromisoformat(moment.astimezone(UTC).isoformat())


def _number(value: float) -> str:
    return f"{value:.3f}".rstrip("0").rstrip(".")


def duration(text: str | float | int, what: str) -> float:
    """Read a duration.

    Parameters
    ----------
    text : str, float or int
        Seconds, or a number with the unit s, m, h or d: `90`, `60s`, `5m`, `12h`, `1d`, 1.5. Milliseconds are kept.
    what : str
        What the duration is for, as the message is to name it.

    Returns
    -------
    float
        Seconds, 0 to ten years.

    Raises
    ------
    ScheduleError
        For anything else.
    """
    number = "" if isinstance(text, bool) else str(text).strip()
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?(?:e\+?[0-9]+)?) ?([smhd]?)", number)
    if not found:
        raise ScheduleError(f"{what} is {text!r}, which is no duration; write 90, 60s, 5m, 12h or 1d")
    seconds = float(found[1]) * UNITS[found[2]]
    if seconds > LONGEST:
        raise ScheduleError(f"{what} is {text!r}; ten years (3660d) are the longest")
    return round(seconds, 3)


def parse(every: str | float | None = None, cron=None, rrule=None, timezone=None) -> Schedule:
    """Check a schedule, whose wrong parts are refused in one line; what is accepted, Prefect's server accepts.

    Parameters
    ----------
    every : str or float, optional
        A duration of 1 s or more. It lasts as long on the nights when clocks change: `1d` is 24 h of UTC.
    cron : str, optional
        See `cron_lines.checked`.
    rrule : str, optional
        See `recurrence_rules.checked`.
    timezone : str, optional
        For `cron` and `rrule`; UTC by default. With `every` it is refused: it could only mean days by the wall's
        clock, which Prefect counts differently from pass to pass of its scheduler; a cron line says it.

    Raises
    ------
    ScheduleError
    """
    given = {"every": every, "cron": cron, "rrule": rrule}
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        raise ScheduleError(f"a schedule is one of every, cron and rrule; {' and '.join(named) or 'none'} given")
    if every is not None:
        if timezone is not None:
            raise ScheduleError("an interval has no timezone, it counts in UTC; use cron for a time of day in a zone")
        seconds = duration(every, "every")
        if seconds < 1:
            raise ScheduleError(f"every is {every!r}; 1s is the shortest interval")
        return Schedule(every=seconds)
    zone = time_zones.checked("UTC" if timezone is None else timezone)
    if cron is not None:
        schedule = Schedule(cron=cron_lines.checked(cron), timezone=zone)
    else:
        here = datetime.now(ZoneInfo(zone)).replace(tzinfo=None)
        schedule = Schedule(rrule=recurrence_rules.checked(rrule, here), timezone=zone)
    try:
        schedule.prefect_schedule()
    except ValueError as error:  # pydantic's among them: Prefect has the last word
        raise ScheduleError(f"{schedule}: Prefect refuses it ({_reason(error)})") from None
    return schedule


def _reason(error: ValueError) -> str:
    return " ".join(line.strip() for line in str(error).splitlines()[-2:-1]) or type(error).__name__
