"""Recurrence rules of iCalendar (RFC 5545): each key checked by itself, and the wall times that a rule names."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from dateutil import rrule

from helpers.exceptions import ScheduleError

EXAMPLE = "FREQ=WEEKLY;BYDAY=MO;BYHOUR=6;BYMINUTE=0;BYSECOND=0"
# Prefect's, for a rule that does not say where it starts; what is left of time of day is midnight then.
ANCHOR = datetime(2020, 1, 1)
SECONDS = {rrule.HOURLY: 3600, rrule.MINUTELY: 60, rrule.SECONDLY: 1}
YEARS_AHEAD = 9
# The least and the greatest size of each number of a key.
RANGES = {
    "INTERVAL": (1, 10_000),
    "COUNT": (1, 1_000_000),
    "BYSETPOS": (1, 366),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (1, 31),
    "BYYEARDAY": (1, 366),
    "BYWEEKNO": (1, 53),
    "BYHOUR": (0, 23),
    "BYMINUTE": (0, 59),
    "BYSECOND": (0, 59),
}
NEGATIVE = {"BYSETPOS", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO"}  # counted from the end
KEYS = ["FREQ", "UNTIL", "WKST", "BYDAY", *RANGES]
FREQUENCIES = "YEARLY, MONTHLY, WEEKLY, DAILY, HOURLY, MINUTELY, SECONDLY"


def checked(text: str, now: datetime) -> str:
    """One rule, with a line `DTSTART:…` before it where it has one.

    Parameters
    ----------
    text : str
        `FREQ=…;…`, with or without `RRULE:` before it and a line `DTSTART:20270101T060000` above it. Times are the
        wall's, in the schedule's zone. Without DTSTART a rule starts on 2020-01-01 at midnight.
    now : datetime
        The wall time now: a rule that has ended is refused.

    Raises
    ------
    ScheduleError
        With the key that is wrong; for several rules, dates to add or leave out; for a rule that has ended, or does
        not fire in the next nine years; for a DTSTART of over a month ago under MINUTELY or SECONDLY (Prefect's
        server would count from there, for half a minute of CPU time a year, again and again).
    """
    if not isinstance(text, str):
        raise ScheduleError(f"an rrule is text, not {text!r}; write {EXAMPLE}")
    lines = [line.strip().upper() for line in text.split("\n") if line.strip()]
    starts = [line for line in lines if line.startswith("DTSTART")]
    rules = [line.removeprefix("RRULE:") for line in lines if line not in starts]
    if len(rules) != 1 or len(starts) > 1:
        raise ScheduleError(f"rrule {text!r} is not one rule (and one DTSTART at most); write {EXAMPLE}")
    if starts and not re.fullmatch(r"DTSTART:[0-9]{8}T[0-9]{6}", starts[0]):
        how = "write DTSTART:20270101T060000, local time, and the zone in timezone"
        raise ScheduleError(f"rrule {text!r}: DTSTART is {starts[0][7:].lstrip(':;')!r}; {how}")
    _check_keys(text, rules[0])
    result = "\n".join([*starts, rules[0]])
    _check_times(result, now)
    return result


def _check_keys(text: str, rule: str) -> None:
    seen = set()
    for part in rule.split(";"):
        key, _, value = part.partition("=")
        if key not in KEYS:
            raise ScheduleError(f"rrule {text!r}: unknown key {key!r}; the keys are {', '.join(KEYS)}")
        if key in seen:
            raise ScheduleError(f"rrule {text!r}: {key} is given twice; give it once")
        seen.add(key)
        expected = _expected(key, value)
        if expected:
            raise ScheduleError(f"rrule {text!r}: {key} is {value!r}; it takes {expected}")
    if "FREQ" not in seen:
        raise ScheduleError(f"rrule {text!r} has no FREQ; begin with FREQ=DAILY or another of {FREQUENCIES}")


def _expected(key: str, value: str) -> str | None:
    """What a key takes in words, where the value is none of it."""
    if key in RANGES:
        low, high = RANGES[key]
        sign = "[+-]?" if key in NEGATIVE else ""
        numbers = value.split(",") if key.startswith("BY") else [value]
        fits = all(re.fullmatch(sign + r"[0-9]{1,7}", n) and low <= abs(int(n)) <= high for n in numbers)
        backwards = " (or as many from the end, with a minus)" if key in NEGATIVE else ""
        return None if fits else f"{low} to {high}{backwards}"
    if key == "UNTIL" and value.endswith("Z"):
        value = ""  # dateutil's message speaks of DTSTART
    rule = f"FREQ={value}" if key == "FREQ" else f"FREQ=DAILY;{key}={value}"
    try:
        rrule.rrulestr(rule)
    except (ValueError, TypeError, KeyError, OverflowError):
        words = {"FREQ": FREQUENCIES, "UNTIL": "a local time such as 20271231T000000"}
        return words.get(key, "days such as MO,WE or -1FR")
    return None


def _check_times(text: str, now: datetime) -> None:
    try:
        rule = rrule.rrulestr(text, dtstart=ANCHOR)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ScheduleError(f"rrule {text!r} cannot be: {str(error).splitlines()[0].rstrip('.')}") from None
    old = now - rule._dtstart > timedelta(days=31)
    if rule._freq in (rrule.MINUTELY, rrule.SECONDLY) and old and ("DTSTART" in text or rule._count):
        raise ScheduleError(f"rrule {text!r} counts from {rule._dtstart}; give a DTSTART of this month, or no COUNT")
    horizon = max(now, rule._dtstart).replace(month=1, day=1) + timedelta(days=366 * YEARS_AHEAD)
    if next(walls(text, now, horizon), None) is None:
        ended = (rule._until and rule._until < now) or rule._count
        when = "has ended; give a later UNTIL or COUNT" if ended else f"does not fire in {YEARS_AHEAD} years"
        raise ScheduleError(f"rrule {text!r} {when}")


def runs_all_day(text: str) -> bool:
    """Whether a rule names the same minutes in every hour of every day, and so no hour or day at all."""
    parts = dict(part.split("=") for part in text.split(";")) if "DTSTART" not in text else {}
    seconds = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}.get(parts.get("FREQ", ""))
    keys = parts.keys() <= {"FREQ", "INTERVAL", "BYMINUTE", "BYSECOND", "WKST"}
    return bool(seconds and keys) and 3600 % (seconds * int(parts.get("INTERVAL", 1))) == 0


def has_wildcard_time(text: str) -> bool:
    """Whether a rule repeats within the day by its frequency, and so follows the clock as it is."""
    return rrule.rrulestr(text, dtstart=ANCHOR)._freq in SECONDS


def walls(text: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """The wall times that a rule names, without a time zone, from `start` to `end`, both included."""
    rule = rrule.rrulestr(text, dtstart=ANCHOR)
    seconds = SECONDS.get(rule._freq)
    if seconds and "DTSTART" not in text and rule._count is None and start > ANCHOR:
        # dateutil walks from its start on: 36 s for a rule of minutes since 2020. The phase stays the same.
        step = timedelta(seconds=seconds * rule._interval)
        rule = rule.replace(dtstart=ANCHOR + (start - ANCHOR) // step * step)
    end = min(end, rule._until) if rule._until else end
    # Without an end dateutil looks for a date that never comes until the year 9999.
    if rule._count is None:
        rule = rule.replace(until=end)
    for wall in rule.xafter(start, inc=True):
        if wall > end:
            return
        yield wall
