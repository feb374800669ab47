"""A run as the pages show it: texts of its times and numbers, why it did not complete, links to its files."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from helpers import rerun_commands, run_files
from helpers.masking import MASK
from helpers.run_facts import moment, text

GOING = ("pending", "running")
MARKS = {
    "completed": "✓",
    "failed": "✗",
    "crashed": "✗✗",
    "cancelled": "■",
    "running": "▶",
    "pending": "…",
    "skipped": "↷",
    "missed": "○",
}
KINDS = {
    "report": "Notebook",
    "dask": "Dask’s report",
    "log": "Log",
    "notebook": ".ipynb",
    "trial": "trial.json",
    "facts": "run.json",
}
LARGE_BYTES = 5e6  # of a page that a browser takes a while to open
SHORT = 120  # characters of an error or of parameters that a table shows
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


class Moment(NamedTuple):
    """A time: for machines, for people, and how long ago it was."""

    iso: str
    text: str
    ago: str


class Link(NamedTuple):
    """A link to a file, with its size where that is much."""

    label: str
    address: str
    size: str


@dataclass(frozen=True)
class Row:
    """A run as texts; an empty one, or None, for what there is not.

    Attributes
    ----------
    facts : dict
        See `run_facts.plain`.
    mark : str
        A sign beside the state's name.
    seconds : float or None
        What it took, or has taken so far.
    duration : str
    scheduled, started, finished : Moment or None
    why : str
        The beginning of the error.
    parameters : list of tuple
        Names and values, as texts.
    brief : str
        The beginning of them.
    files : list of Link
    command : str or None
        That runs it again.
    has_mask : bool
        Whether a secret is to be filled in there.
    """

    facts: dict
    mark: str
    seconds: float | None
    duration: str
    scheduled: Moment | None
    started: Moment | None
    finished: Moment | None
    why: str
    parameters: list[tuple[str, str]]
    brief: str
    files: list[Link]
    command: str | None
    has_mask: bool

    @property
    def is_going(self) -> bool:
        """Whether it has not ended."""
        return self.facts["state"] in GOING


def row(facts: dict, at: datetime | None = None) -> Row:
    """A run as the pages show it.

    Parameters
    ----------
    facts : dict
        See `run_facts.plain`.
    at : datetime, optional
        Now.
    """
    at = at or datetime.now(UTC)
    seconds = took(facts, at)
    parameters = [(name, text(value)) for name, value in facts["parameters"].items()]
    command = rerun_commands.rerun_command(facts)
    return Row(
        facts=facts,
        mark=MARKS.get(facts["state"], "?"),
        seconds=seconds,
        duration=duration(seconds),
        scheduled=moment_of(facts["scheduled_at"], at),
        started=moment_of(facts["started_at"], at),
        finished=moment_of(facts["finished_at"], at),
        why=brief((facts["error"] or "").strip().split("\n")[0]),
        parameters=parameters,
        brief=brief(", ".join(f"{name} = {value}" for name, value in parameters)),
        files=links(facts),
        command=text(command),
        has_mask=MASK in (command or ""),
    )


def links(facts: dict) -> list[Link]:
    """The files of a run, the notebook as HTML first."""
    found = run_files.files_of(Path(facts["folder"])) if facts["folder"] else []
    return [
        Link(KINDS[file.kind], file.address(facts["run"]), f"{file.bytes / 1e6:,.0f} MB" if is_large(file) else "")
        for file in found
    ]


def is_large(file: run_files.RunFile) -> bool:
    """Whether a person would want to know before opening it."""
    return file.bytes > LARGE_BYTES


def took(facts: dict, at: datetime) -> float | None:
    """Seconds that a run took, or has taken so far."""
    # A finished run's times are not looked at: 20,000 of them are sorted by this.
    started = moment(facts["started_at"]) if facts["state"] in GOING else None
    return max(0.0, (at - started).total_seconds()) if started else facts["seconds"]


def moment_of(value: str | None, at: datetime) -> Moment | None:
    """A time for people, beside another; what is no time is shown as it is."""
    when = moment(value)
    if when is None:
        return Moment("", value, "") if value else None
    return Moment(when.isoformat(), f"{when:%Y-%m-%d %H:%M:%S}", ago((at - when).total_seconds()))


def ago(seconds: float) -> str:
    """How long ago, roughly: a page that shows it stays the same for a minute.

    Examples
    --------
    >>> ago(200), ago(-7200), ago(5)
    ('3 min ago', 'in 2 h', 'just now')
    """
    for size, unit in _UNITS[:-1]:
        if abs(seconds) >= size:
            return f"{seconds // size:.0f} {unit} ago" if seconds > 0 else f"in {-seconds // size:.0f} {unit}"
    return "just now" if seconds >= 0 else "in a moment"


def duration(seconds: float | None) -> str:
    """A duration in two units at most.

    Examples
    --------
    >>> duration(10.132), duration(3725), duration(None)
    ('10.1 s', '1 h 2 min', '')
    """
    if seconds is None:
        return ""
    for (size, unit), (smaller, name) in pairwise(_UNITS):
        if seconds >= size:
            return f"{seconds // size:,.0f} {unit} {seconds % size // smaller:.0f} {name}"
    return f"{seconds:.1f} s"


def brief(said: str) -> str:
    """The beginning of a text."""
    return said if len(said) <= SHORT else said[: SHORT - 1] + "…"
