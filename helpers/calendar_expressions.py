"""Schedules in the words of others: crontab lines, and systemd's OnCalendar."""

from dataclasses import dataclass, replace
from itertools import groupby

from helpers.exceptions import ScheduleError

DAY, WEEK = 86400, 604800
WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
BYDAY = ("SU", "MO", "TU", "WE", "TH", "FR", "SA")
MOST_EXPRESSIONS = 6  # more lines for one schedule than this are no longer read by anybody

# Prefect counts intervals and rules from 2020-01-01T00:00, a Wednesday.
ANCHOR = {"BYMONTH": 1, "BYMONTHDAY": 1, "BYDAY": 3, "BYHOUR": 0, "BYMINUTE": 0, "BYSECOND": 0}
ANCHORED = {
    "MINUTELY": ("BYSECOND",),
    "HOURLY": ("BYMINUTE", "BYSECOND"),
    "DAILY": ("BYHOUR", "BYMINUTE", "BYSECOND"),
    "WEEKLY": ("BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND"),
    "MONTHLY": ("BYMONTHDAY", "BYHOUR", "BYMINUTE", "BYSECOND"),
    "YEARLY": ("BYMONTH", "BYMONTHDAY", "BYHOUR", "BYMINUTE", "BYSECOND"),
}


@dataclass(frozen=True)
class Calendar:
    """The moments at which every field matches; None stands for all values of a field.

    Attributes
    ----------
    minutes, hours, days, months, weekdays, seconds : tuple of int or None
        Sorted; days and months from 1, weekdays from 0, which is Sunday.
    """

    minutes: tuple[int, ...] | None = None
    hours: tuple[int, ...] | None = None
    days: tuple[int, ...] | None = None
    months: tuple[int, ...] | None = None
    weekdays: tuple[int, ...] | None = None
    seconds: tuple[int, ...] | None = (0,)

    @property
    def names_hours(self) -> bool:
        """Whether it depends on the zone by more than its minutes."""
        return any(field is not None for field in (self.hours, self.days, self.months, self.weekdays))

    def cron(self) -> str:
        """The five fields of a crontab."""
        times = [_text(self.minutes, 60, "-", "*/"), _text(self.hours, 24, "-", "*/")]
        return " ".join([*times, *(_text(field, 0, "-", "") for field in (self.days, self.months, self.weekdays))])

    def systemd(self, zone: str) -> str:
        """An OnCalendar expression, read in this zone."""
        weekdays = ",".join(WEEKDAYS[day] for day in self.weekdays) + " " if self.weekdays is not None else ""
        # Days are listed, as systemd before 251 gets steps over the end of a month wrong.
        date = f"*-{_text(self.months, 0, '..', '')}-{_text(self.days, 0, '..', '')}"
        time = ":".join(
            _text(field, size, "..", "0/") for field, size in ((self.hours, 24), (self.minutes, 60), (self.seconds, 60))
        )
        return f"{weekdays}{date} {time} {zone}"


def _text(values: tuple[int, ...] | None, size: int, dash: str, step_prefix: str) -> str:
    """A field: `*`, a step over all of it where one says it, or values and ranges."""
    if values is None:
        return "*"
    step = values[1] - values[0] if len(values) > 2 else 0
    if step > 1 and values == tuple(range(0, size, step)):
        return f"{step_prefix}{step}"
    runs = []
    for _, run in groupby(enumerate(values), lambda pair: pair[1] - pair[0]):
        run = [value for _, value in run]
        runs += [f"{run[0]}{dash}{run[-1]}"] if len(run) > 2 else map(str, run)
    return ",".join(runs)


def crontab_fields(schedule) -> list[str]:
    """A schedule as crontab fields, one text of five fields for each line that it takes.

    Parameters
    ----------
    schedule : helpers.schedules.Schedule

    Returns
    -------
    list of str
        Standard fields: numbers, lists, ranges, `*` and `*/n`; weekdays from 0 to 6.

    Raises
    ------
    ScheduleError
        When cron cannot say it.
    """
    found = calendars(schedule)
    if schedule.cron and len(found) == 2:
        found = [replace(found[0], weekdays=found[1].weekdays)]  # cron itself means "or"
    elif found is None or any(each.days and each.weekdays for each in found):
        raise ScheduleError(f"cron cannot say '{schedule}'; use --print systemd, or daybook serve")
    if any(each.seconds != (0,) for each in found):
        raise ScheduleError(f"cron knows whole minutes, not '{schedule}'; use --print systemd, or daybook serve")
    return [each.cron() for each in found]


def on_calendar(schedule) -> list[str] | None:
    """A schedule as OnCalendar expressions, any of which asks for a run; None for an interval that fits into no day.

    Parameters
    ----------
    schedule : helpers.schedules.Schedule

    Raises
    ------
    ScheduleError
        When systemd cannot say it.
    """
    found = calendars(schedule)
    # In UTC where that is the same, as daybook serve has it: systemd sleeps through the hour that comes twice.
    zone = schedule.prefect_schedule().timezone
    return None if found is None else [each.systemd(zone) for each in found]


def calendars(schedule) -> list[Calendar] | None:
    """The calendars whose union a schedule is; None for an interval that divides neither a day nor is one or a week.

    Parameters
    ----------
    schedule : helpers.schedules.Schedule

    Raises
    ------
    ScheduleError
        When a cron line or a rule says what no calendar does: a last day, the second Monday, every other week.
    """
    if schedule.every:
        return _of_interval(schedule.every)
    return _of_cron(schedule) if schedule.cron else [_of_rule(schedule)]


def _of_cron(schedule) -> list[Calendar]:
    from prefect._vendor.croniter import croniter  # 1.1 s; what Prefect reads cron lines with

    try:
        fields, nth = croniter.expand(schedule.cron)
        minutes, hours, days, months, weekdays = (
            None if field == ["*"] else tuple(map(int, field)) for field in fields
        )
    except ValueError:  # "L", and lines that are none
        nth, fields = True, []
    if nth or len(fields) != 5:
        raise ScheduleError(f"'{schedule}' is more than numbers, lists, ranges and steps; use daybook serve")
    whole = Calendar(minutes, hours, days, months, weekdays)
    if days is None or weekdays is None:
        return [whole]
    return [replace(whole, weekdays=None), replace(whole, days=None)]  # either day is enough in cron


def _of_interval(every: float) -> list[Calendar] | None:
    if every == WEEK:
        return [Calendar((0,), (0,), weekdays=(ANCHOR["BYDAY"],))]
    if every != int(every) or DAY % every:
        return None
    times = [(tick // 3600, tick // 60 % 60, tick % 60) for tick in range(0, DAY, int(every))]
    # Products of hours, minutes and seconds: 90 s is the seconds 0 of minutes 0, 3, 6 … and 30 of 1, 4, 7 …
    hours_of: dict = {}
    for hour, minute, second in times:
        hours_of.setdefault((minute, second), []).append(hour)
    minutes_of: dict = {}
    for (minute, second), hours in hours_of.items():
        minutes_of.setdefault((tuple(hours), second), []).append(minute)
    seconds_of: dict = {}
    for (hours, second), minutes in minutes_of.items():
        seconds_of.setdefault((hours, tuple(minutes)), []).append(second)
    if len(seconds_of) > MOST_EXPRESSIONS:
        return None
    return [
        Calendar(_or_all(minutes, 60), _or_all(hours, 24), seconds=_or_all(tuple(seconds), 60))
        for (hours, minutes), seconds in seconds_of.items()
    ]


def _or_all(values: tuple[int, ...], size: int) -> tuple[int, ...] | None:
    return None if len(values) == size else values


def _of_rule(schedule) -> Calendar:
    refusal = ScheduleError(f"'{schedule}' cannot be said in calendar fields; use daybook serve")
    pairs = (part.partition("=") for part in schedule.rrule.upper().removeprefix("RRULE:").strip().split(";"))
    rule = {name: value for name, _, value in pairs}
    frequency = rule.pop("FREQ", "")
    rule.pop("WKST", None)  # matters with an interval alone
    if rule.pop("INTERVAL", "1") != "1" or frequency not in ANCHORED or not set(rule) <= set(ANCHOR):
        raise refusal
    fields: dict[str, tuple[int, ...]] = {}
    try:
        for name, value in rule.items():
            numbers = (BYDAY.index(day) if name == "BYDAY" else int(day) for day in value.split(","))
            fields[name] = tuple(sorted(set(numbers)))
    except ValueError:  # an ordinal such as 2MO
        raise refusal from None
    if any(min(values) < 0 for values in fields.values()):
        raise refusal
    names_day = "BYDAY" in fields or "BYMONTHDAY" in fields
    for name in ANCHORED[frequency]:
        if not (names_day and name in ("BYDAY", "BYMONTHDAY", "BYMONTH")):
            fields.setdefault(name, (ANCHOR[name],))
    places = ("BYMINUTE", "BYHOUR", "BYMONTHDAY", "BYMONTH", "BYDAY", "BYSECOND")
    return Calendar(*(fields.get(name) for name in places))
