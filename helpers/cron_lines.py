"""Cron lines: each field checked by itself, and the wall times that a line names."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from helpers.exceptions import ScheduleError

EXAMPLE = "0 2 * * * for every night at two"
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
# name: what its parts are made of, its greatest number, its range in words
FIELDS = {
    "minute": (r"[0-9*,/-]+", 59, "0-59"),
    "hour": (r"[0-9*,/-]+", 23, "0-23"),
    "day": (r"[0-9*?,/lL-]+", 31, "1-31, or L for the last"),
    "month": (r"[0-9*,/a-zA-Z-]+", 12, "1-12 or jan-dec"),
    "weekday": (r"[0-9*?,/#a-zA-Z-]+", 7, "0-7 or sun-sat, where 0 and 7 are Sunday"),
}


def checked(line: str) -> str:
    """A cron line of five fields, one space between each two.

    Parameters
    ----------
    line : str
        Minute, hour, day of the month, month and weekday, or a name such as `@daily`. When both days are restricted,
        either of them is enough, as in every cron.

    Raises
    ------
    ScheduleError
        With the field that is wrong, its value and its range; for another number of fields; for a line that never
        fires. What Prefect would take by surprise is refused too: seconds (a sixth field), random and hashed times
        (`r`, `h`), a step beyond the range (Prefect: once), and a range that does not rise (Prefect takes `5-5` for
        all values).

    Examples
    --------
    >>> checked("*/5  *  * * mon-fri")
    '*/5 * * * mon-fri'
    """
    if not isinstance(line, str):
        raise ScheduleError(f"a cron line is text in quotes, not {line!r}; write {EXAMPLE}")
    fields = ALIASES.get(line.strip().lower(), line).split()
    if len(fields) != len(FIELDS):
        many = "seconds are not supported, use an interval" if len(fields) == 6 else f"write {EXAMPLE}"
        raise ScheduleError(f"cron {line!r} has {len(fields)} fields, not minute hour day month weekday; {many}")
    for position, value in enumerate(fields):
        if not _is_valid(position, value):
            name = list(FIELDS)[position]
            raise ScheduleError(f"cron {line!r}: the {name} is {value!r}; it goes {FIELDS[name][2]}")
    text = " ".join(fields)
    from prefect._vendor.croniter import CroniterBadCronError, CroniterBadDateError, croniter  # 0.9 s of import

    try:
        croniter(text, datetime(2020, 1, 1)).get_next(datetime)
    except CroniterBadDateError:
        raise ScheduleError(f"cron {line!r} never fires; no {fields[2]} comes in month {fields[3]}") from None
    except CroniterBadCronError:
        raise ScheduleError(f"cron {line!r} mixes what Prefect cannot read together; write {EXAMPLE}") from None
    return text


def _is_valid(position: int, value: str) -> bool:
    from prefect._vendor.croniter import croniter  # the judge of Prefect's server; 0.9 s of import

    alphabet, greatest, _ = list(FIELDS.values())[position]
    if not re.fullmatch(alphabet, value) or re.match(r"(?i)[hr](/|$)", value):
        return False
    steps = re.findall(r"/([0-9]+)", value)
    ranges = re.findall(r"(?<![^,])([0-9]+)-([0-9]+)", value)
    if any(int(step) > greatest for step in steps) or any(int(low) >= int(high) for low, high in ranges):
        return False
    alone = ["*"] * len(FIELDS)
    alone[position] = value
    return croniter.is_valid(" ".join(alone))


def runs_all_day(line: str) -> bool:
    """Whether a line names minutes alone, and so the same ones in every hour of every day."""
    return line.split()[1:] == ["*"] * 4


def has_wildcard_time(line: str) -> bool:
    """Whether the minute or the hour begins with `*`: to Vixie's cron, a line that follows the clock as it is."""
    return any(field.startswith("*") for field in line.split()[:2])


def walls(line: str, start: datetime, end: datetime) -> Iterator[datetime]:
    """The wall times that a line names, without a time zone, from `start` to `end`, both included."""
    from prefect._vendor.croniter import CroniterBadDateError, croniter  # 0.9 s of import, paid by `checked`

    times = croniter(line, start - timedelta(seconds=1))
    try:
        while (wall := times.get_next(datetime)) <= end:
            yield wall
    except CroniterBadDateError:  # pragma: no cover - a line that fires once fires again
        return
