"""Recipes for the schedulers of one machine: a crontab, and a systemd timer with its service."""

import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from helpers.calendar_expressions import calendars, crontab_fields, on_calendar
from helpers.exceptions import ScheduleError
from helpers.scheduled_jobs import MARGIN_SECONDS, ScheduledJob, number

LOCAL_TIME = Path("/etc/localtime")
MAX_CRON_COMMAND = 998  # bytes; Debian's cron says "command too long" for more
STOP_SECONDS = 30  # a run ends within 15 s of SIGTERM


def cron(job: ScheduledJob) -> str:
    """Write the crontab lines that run a notebook.

    Parameters
    ----------
    job : ScheduledJob

    Returns
    -------
    str
        Comments and one line for each set of times, with a line break at the end.

    Raises
    ------
    ScheduleError
        When cron cannot say the schedule, reads another time zone, or would cut the command off.
    """
    _refuse_retries(job)
    lines = crontab_fields(job.schedule)
    note = _zone_note(job.schedule)
    command, secret_parameters = job.local_command()
    variables, secret_variables = job.environment()
    log = job.secret_file("log")
    words = ["env", *(f"{name}={value}" for name, value in variables.items()), *command]
    sourced = f"set -a && . {_quoted(job.secret_file('env'))} && set +a && " if secret_variables else ""
    run = f"cd {_quoted(Path.cwd())} && {sourced}{' '.join(map(_quoted, words))} >> {_quoted(log)} 2>&1"
    # 3 is a skipped run. What is echoed is all that cron has to mail.
    told = _quoted(f"daybook: schedule {job.name} failed, see {log}; exit code")
    whole = f"{run} || {{ s=$?; [ $s -eq 3 ] || {{ echo {told} $s; exit $s; }}; }}"
    if len(whole.encode()) > MAX_CRON_COMMAND or not whole.isprintable():
        limit = f"a crontab line holds {MAX_CRON_COMMAND} bytes and no line break"
        raise ScheduleError(f"{limit}; put the parameters into a YAML file and give it with -f FILE")
    comments = [
        f"Daybook: {job.notebook.name}, {job.schedule}",
        "To install: append these lines to your crontab (crontab -e). 'daybook run' takes the notebook's lock itself.",
        "Cron mails a failure to MAILTO if the machine sends mail; all output is in the log file.",
        "Ticks while the machine is off are lost; --print systemd makes up for the last one.",
        *note,
        *_secret_notes(job, secret_parameters, secret_variables),
    ]
    return "".join(f"# {line}\n" for line in comments) + "".join(f"{line} {whole}\n" for line in lines)


def _quoted(text: object) -> str:
    r"""A word for cron's sh: `%` stands outside quotes as `\%`, which means it whether or not cron drops the `\`."""
    parts = str(text).split("%")
    if len(parts) == 1:
        return shlex.quote(parts[0])
    return r"\%".join(shlex.quote(part) if part else "" for part in parts)


def _zone_note(schedule) -> list[str]:
    """Comments on the zone; refuses times that this machine's cron would read in another zone than is meant."""
    zone, name = _machine_zone()
    days = [datetime.now(UTC) + timedelta(days=day) for day in range(0, 1100, 3)]
    wanted = ZoneInfo(schedule.timezone) if not schedule.every else UTC
    apart = {(day.astimezone(wanted).utcoffset() - day.astimezone(zone).utcoffset()).total_seconds() for day in days}
    needs_hours = any(each.names_hours for each in calendars(schedule))
    if apart == {0.0} or (not needs_hours and all(seconds % 3600 == 0 for seconds in apart)):
        return []
    if schedule.every:
        return [f"Cron counts the interval from midnight of this machine's zone, {name}."]
    raise ScheduleError(
        f"cron reads times in this machine's zone, {name}, not in {schedule.timezone}; use --print systemd, which "
        f"takes zones, or --timezone {name}"
    )


def _machine_zone() -> tuple[ZoneInfo, str]:
    try:
        with LOCAL_TIME.open("rb") as file:
            zone = ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return ZoneInfo("UTC"), "UTC"  # what the C library takes without the file
    return zone, str(LOCAL_TIME.resolve()).partition("zoneinfo/")[2] or "of its /etc/localtime"


def systemd(job: ScheduledJob) -> str:
    """Write the service and the timer of systemd that run a notebook, and the commands that start them.

    Parameters
    ----------
    job : ScheduledJob

    Returns
    -------
    str
        Two unit files, each below a comment line with its path.

    Raises
    ------
    ScheduleError
        When systemd cannot say the schedule, or would drop ticks that are to queue.
    """
    _refuse_retries(job)
    if job.policies.overlap == "queue":
        raise ScheduleError("systemd drops a tick while its service runs; for --overlap queue use --print cron")
    unit = f"daybook-{job.name}"
    folder = "~/.config/systemd/user"
    return "\n".join(
        [
            f"# {folder}/{unit}.service",
            *_service(job),
            "",
            f"# {folder}/{unit}.timer",
            "# Save both parts under the names above them, then:",
            f"#   systemctl --user daemon-reload && systemctl --user enable --now {unit}.timer",
            "#   loginctl enable-linger    # timers run while you are logged out, too",
            f"#   systemctl --user list-timers {unit}.timer; journalctl --user -u {unit}",
            *_timer(job),
            "",
        ]
    )


def _service(job: ScheduledJob) -> list[str]:
    command, secret_parameters = job.local_command()
    variables, secret_variables = job.environment()
    limit = job.policies.timeout
    # Only the program's path is taken as it is; in the arguments $ would begin a variable.
    start = [_unit_word(command[0]), *(_unit_word(word).replace("$", "$$") for word in command[1:])]
    return [
        *(f"# {line}" for line in _secret_notes(job, secret_parameters, secret_variables)),
        "[Unit]",
        f"Description=Daybook: {job.notebook.name}, {job.schedule}".replace("%", "%%"),
        "",
        "[Service]",
        "Type=oneshot",
        f"WorkingDirectory={str(Path.cwd()).replace('%', '%%')}",
        *(f"Environment={_unit_word(f'{name}={value}')}" for name, value in variables.items()),
        *([f"EnvironmentFile={str(job.secret_file('env')).replace('%', '%%')}"] if secret_variables else []),
        "# 'daybook run' takes the notebook's lock itself: beside another run of the notebook it is skipped, code 3.",
        f"ExecStart={' '.join(start)}",
        "SuccessExitStatus=3",
        f"TimeoutStartSec={number(limit + MARGIN_SECONDS) if limit else 'infinity'}",
        "# On SIGTERM daybook ends its kernel and records the run as cancelled. The local Prefect server, which the",
        "# first run starts, outlives it: KillMode=control-group would end the server after each run.",
        "KillSignal=SIGTERM",
        "KillMode=process",
        f"TimeoutStopSec={STOP_SECONDS}",
    ]


def _timer(job: ScheduledJob) -> list[str]:
    expressions, makes_up = on_calendar(job.schedule), job.policies.missed == "latest"
    if expressions is None:
        gap = number(job.schedule.every)
        comment = "# This interval divides no day, so that it is counted from the timer's start."
        when = [comment, f"OnActiveSec={1 if makes_up else gap}", f"OnUnitActiveSec={gap}"]
    else:
        zone_note = (
            "# A time that this zone's clocks skip in spring does not run that day; one that comes twice runs once."
        )
        when = [zone_note] if not expressions[0].endswith(" UTC") else []
        when += [*(f"OnCalendar={each}" for each in expressions), f"Persistent={'true' if makes_up else 'false'}"]
    about = f"Description=Ticks of Daybook's {job.notebook.name}, {job.schedule}".replace("%", "%%")
    return ["[Unit]", about, "", "[Timer]", *when, "AccuracySec=1s", "", "[Install]", "WantedBy=timers.target"]


def _unit_word(text: str) -> str:
    """A word of a unit file: quoted, with what C escapes, and no `%` that begins a specifier."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    escaped = "".join(f"\\x{ord(each):02x}" if each < " " or each == "\x7f" else each for each in escaped)
    return f'"{escaped}"'


def _refuse_retries(job: ScheduledJob) -> None:
    if job.policies.retries:
        raise ScheduleError("--retries is done by daybook serve, --print kubernetes and --print saturn alone")


def _secret_notes(job: ScheduledJob, parameters: list[str], variables: list[str]) -> list[str]:
    """Comments that say where the secrets go."""
    notes = []
    for names, kind, line in ((parameters, "yaml", "{}: 'VALUE'"), (variables, "env", "{}='VALUE'")):
        if names:
            path = shlex.quote(str(job.secret_file(kind)))
            lines = ", ".join(line.format(name) for name in names)
            notes += [
                "Before it works: secrets are not printed. Make their file,",
                f"  install -m 600 /dev/null {path}",
            ]
            notes += [f"and write into it, each on its line: {lines}"]
    return notes
