"""Text for a terminal: tables, and data whose control characters are shown instead of sent."""


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
    table = [head, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(row[place]) for row in table) for place in range(len(head))]
    for row in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def hours(seconds: float | None) -> str:
    """Seconds as hours with one decimal; a dash where there are none."""
    return "-" if seconds is None else f"{seconds / 3600:,.1f}"
