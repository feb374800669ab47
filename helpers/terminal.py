"""Text for a terminal: tables, and data whose control characters are shown instead of sent."""

import math
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Sequence

GAP = "  "
NARROWEST = 6  # cells to which a column is cut at most
_NUMBER = re.compile(r"-|-?[\d,]+(\.\d+)?")
COLOURS = {  # of a state, as SGR codes
    "completed": "32",
    "failed": "31",
    "crashed": "31",
    "running": "36",
    "pending": "36",
    "cancelled": "33",
    "skipped": "33",
    "missed": "33",
}


def printable(text: str) -> str:
    """The text with what is not printable escaped: a name or an error is data, and must not steer the terminal.

    Examples
    --------
    >>> printable("red: \\x1b[31m")
    'red: \\\\x1b[31m'
    """
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def print_table(head: list[str], rows: list[list[str]]) -> None:
    """Print aligned columns under their heads."""
    for line in table_lines(head, rows):
        print(line)


def table_lines(
    head: Sequence[str], rows: Sequence[Sequence[str]], width: int | None = None, colours: bool = False
) -> list[str]:
    """A table as lines, its columns aligned under their heads.

    Parameters
    ----------
    head : sequence of str
    rows : sequence of sequence of str
        Data: what is not printable is escaped.
    width : int, optional
        Cells of the terminal, to which the widest columns are cut, with numbers to the right; by default all is whole
        and to the left.
    colours : bool, default False
        Whether a first cell that names a state has the state's colour.

    Returns
    -------
    list of str
        Without spaces at their ends.
    """
    table = [list(head), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(text_width, column)) for column in zip(*table, strict=True)]
    if width is not None:
        widths = _narrowed(widths, max(width - len(GAP) * (len(widths) - 1), len(widths)))
    to_the_right = [
        width is not None and all(map(_NUMBER.fullmatch, column)) for column in zip(*table[1:], strict=True)
    ]
    lines = []
    for row in table:
        columns = zip(row, widths, to_the_right or [False] * len(head), strict=True)
        line = GAP.join(_padded(cut(cell, cells), cells, right) for cell, cells, right in columns).rstrip()
        lines.append(line if width is None else cut(line, width))
    if colours:
        lines[1:] = [_coloured(line, row[0]) for line, row in zip(lines[1:], rows, strict=True)]
    return lines


def text_width(text: str) -> int:
    """How many cells of a terminal a printable text takes: two for a wide character, none for an accent upon one."""
    if text.isascii():
        return len(text)
    return sum(map(_width, text))


def cut(text: str, width: int) -> str:
    """A printable text in at most so many cells, with an ellipsis in the last one where it is longer."""
    if text_width(text) <= width:
        return text
    kept, room = "", max(width - 1, 0)
    for character in text:
        room -= _width(character)
        if room < 0:
            break
        kept += character
    return (kept + "…")[: max(width, 0)]


def is_terminal() -> bool:
    """Whether a person reads what is printed, and not a file or another program."""
    return sys.stdout.isatty()


def has_colours() -> bool:
    """Whether colours are wanted: on a terminal that can, unless NO_COLOR is set (https://no-color.org)."""
    return is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def terminal_size() -> tuple[int, int]:
    """Columns and lines of the terminal."""
    return tuple(shutil.get_terminal_size())


def hours(seconds: object) -> str:
    """Seconds as hours with one decimal; a dash where there are none."""
    return f"{seconds / 3600:,.1f}" if is_number(seconds) else "-"


def number(value: object, form: str) -> str:
    """A number in a form such as `,.1f`; a dash where it is none."""
    return format(value, form) if is_number(value) else "-"


def moment(time: object) -> str:
    """A time in ISO 8601 to the second, without its offset; a dash where there is none."""
    return str(time)[:19] if time else "-"


def is_number(value: object) -> bool:
    """Whether it is a number that can be told: no NaN, no infinity, no truth value."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _padded(text: str, width: int, to_the_right: bool) -> str:
    room = " " * (width - text_width(text))
    return room + text if to_the_right else text + room


def _narrowed(widths: list[int], room: int) -> list[int]:
    """Take from the widest columns until they fit, but leave what can be told apart."""
    widths = list(widths)
    while sum(widths) > room and max(widths) > NARROWEST:
        widest = max(widths)
        next_widest = max((width for width in widths if width < widest), default=0)
        wide = [place for place, width in enumerate(widths) if width == widest]
        to = max(next_widest, NARROWEST, widest - -(-(sum(widths) - room) // len(wide)))
        for place in wide:
            widths[place] = to
    return widths


def _coloured(line: str, state: str) -> str:
    code = COLOURS.get(state)
    return f"\x1b[{code}m{state}\x1b[0m{line[len(state) :]}" if code and line.startswith(state) else line
