"""Parameters that refer to the tick: `{as_of}`, `{as_of - 1month}`, and a parameter named `as_of`."""

import difflib
import re
from datetime import UTC, datetime
from pathlib import Path

from helpers.exceptions import ParameterError
from helpers.parameters import declared
from helpers.windows import STEPS, instant, step

TICK = "as_of"
_BRACES = re.compile(r"\{([^{}]*)\}?")
_REFERENCE = re.compile(rf"\{{\s*{TICK}\s*(?:([+-])\s*([^{{}}]*?)\s*)?\}}")


def with_tick(notebook: Path, given: dict[str, object], scheduled_at: str | None) -> dict[str, object]:
    """Put the tick into the parameters that refer to it.

    Parameters
    ----------
    notebook : Path
        When it declares a parameter `as_of` that is not given, that is the tick too.
    given : dict of str to object
        In texts, also those in lists and mappings, `{as_of}` stands for the tick, and `{as_of - 1month}` or
        `{as_of + 12h}` for a time before or after it: `windows.STEPS`, months and years by the calendar of UTC, so
        that 31 March less 1 month is the last of February. Other braces stay as they are.
    scheduled_at : str or None
        The tick, ISO 8601 with an offset; None for a run by hand.

    Returns
    -------
    dict of str to object
        Times in it are ISO 8601 in UTC, to the millisecond.

    Raises
    ------
    ParameterError
        For a misspelt reference, a time out of the calendar, or a reference in a run without a tick.

    Examples
    --------
    >>> with_tick(Path("a.ipynb"), {"as_of": "", "since": "{as_of - 1month}"}, "2016-03-31T00:00:00+00:00")["since"]
    '2016-02-29T00:00:00.000+00:00'
    """
    told = filled(given, scheduled_at)
    if scheduled_at and TICK not in given and TICK in declared(notebook):
        told |= filled({TICK: f"{{{TICK}}}"}, scheduled_at)
    return told


def filled(given: dict[str, object], scheduled_at: str | None) -> dict[str, object]:
    """The parameters with the references in them replaced, as `with_tick` does."""
    tick = instant("--scheduled-at", scheduled_at) if scheduled_at else None
    return {name: _filled(name, value, tick) for name, value in given.items()}


def _filled(name: str, value: object, tick: datetime | None) -> object:
    """The value with the references in its texts replaced."""
    if isinstance(value, dict):
        return {key: _filled(name, item, tick) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(name, item, tick) for item in value]
    if not isinstance(value, str):
        return value
    return _BRACES.sub(lambda braces: _replaced(name, braces, tick), value)


def _replaced(name: str, braces: re.Match, tick: datetime | None) -> str:
    reference = _REFERENCE.fullmatch(braces[0])
    if not reference and not _is_meant(braces[1]):
        return braces[0]
    shift = step(reference[2]) if reference and reference[1] else None
    if not reference or (reference[1] and shift is None):
        how = f"write {{{TICK}}} or {{{TICK} - 1month}}: {STEPS}"
        raise ParameterError(f"parameter {name!r} has {braces[0][:80]!r}, no reference to the tick; {how}")
    if tick is None:
        raise ParameterError(f"parameter {name!r} refers to the tick with {braces[0]}; give --scheduled-at TIME or now")
    try:
        return _in_words(tick if shift is None else tick + shift if reference[1] == "+" else tick - shift)
    except (ValueError, OverflowError):
        raise ParameterError(f"parameter {name!r} has {braces[0]}, a time out of the calendar; shift it less") from None


def _is_meant(text: str) -> bool:
    """Whether what stands in braces was to be a reference: it begins with something like `as_of`, and is no mapping."""
    if not re.match(r"\s*[A-Za-z]", text) or re.match(r"\s*\w+\s*:\s", text):
        return False
    word = re.sub(r"[^a-z]", "", re.split(r"[\d+]", text.lower())[0])
    bare, near = TICK.replace("_", ""), difflib.get_close_matches(word, [TICK.replace("_", "")], 1, cutoff=0.75)
    return word.startswith(bare) or bool(near)


def _in_words(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds")
