"""A run's facts as they can be shown: whatever `run.json` holds, texts are texts, numbers numbers, times times."""

import json
import math
from datetime import UTC, datetime

TEXTS = (
    "notebook",
    "path",
    "state",
    "schedule",
    "scheduled_at",
    "started_at",
    "finished_at",
    "trial",
    "error",
    "progress",
    "flow_run",
)
COUNTS = ("attempt", "cells_done", "cells")
LONGEST = 4000  # characters; more of an error is in the run's own files
CUT = " … (cut)"
NOT_NAMED = "?"  # the name of parameters that are no table


def plain(facts: dict, longest: int = LONGEST) -> dict:
    """The facts that pages show of a run, each of the type that it is to have.

    Parameters
    ----------
    facts : dict
        As `runs.read` gives them.
    longest : int
        Characters that are kept of a text.

    Returns
    -------
    dict
        `run` and `folder` (texts), those of `TEXTS` (text or None), of `COUNTS` (int or None), `seconds` (float or
        None), `served` (bool) and `parameters` (a dict). What is of another type is shown as its JSON where a text is
        wanted, and left out elsewhere.
    """
    kept = {"run": text(facts.get("run")) or "", "folder": facts.get("folder") or ""}
    kept |= {name: text(facts.get(name), longest) for name in TEXTS}
    kept |= {name: _count(facts.get(name)) for name in COUNTS}
    parameters = facts.get("parameters")
    named = parameters if isinstance(parameters, dict) else {} if parameters is None else {NOT_NAMED: parameters}
    return kept | {
        "seconds": _number(facts.get("seconds")),
        "served": facts.get("served") is True,
        "parameters": {text(name): value for name, value in named.items()},
    }


def text(value: object, longest: int = LONGEST) -> str | None:
    """A value as a text that can be encoded: half a character, as JSON can hold, becomes a question mark."""
    if value is None:
        return None
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if len(said) > longest:
        said = said[:longest] + CUT
    return said if said.isascii() else said.encode(errors="replace").decode()


def searched(facts: dict) -> str:
    """What a search looks at, in lower case: the run's id, notebook, schedule, trial, error and parameters."""
    said = (facts[name] for name in ("run", "notebook", "schedule", "trial", "error", "progress"))
    named = (f"{name}={text(value)}" for name, value in facts["parameters"].items())
    return " ".join((*filter(None, said), *named)).casefold()


def moment(value: object) -> datetime | None:
    """A time of ISO 8601 in UTC, to which one without an offset is taken to belong; None when it is no time.

    Examples
    --------
    >>> moment("2026-03-01T12:00:00+02:00")
    datetime.datetime(2026, 3, 1, 10, 0, tzinfo=datetime.timezone.utc)
    """
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def _number(value: object) -> float | None:
    try:
        is_one = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        return float(value) if is_one and value >= 0 else None
    except OverflowError:  # an int that no float holds
        return None


def _count(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)
