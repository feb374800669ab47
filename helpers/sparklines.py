"""A trend in one line of text."""

import math
from collections.abc import Sequence

BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float | None]) -> str:
    """A bar for each value, from the lowest to the highest that there is.

    Parameters
    ----------
    values : sequence of float or None
        In their order. A missing value, a NaN and an infinity are a space; where all are the same they are in the
        middle, as Edward Tufte's sparklines have no scale but their own.

    Returns
    -------
    str
        Of as many characters as values.

    Examples
    --------
    >>> sparkline([1, 2, None, 8])
    '▁▂ █'
    """
    known = [value for value in values if _is_finite(value)]
    if not known:
        return " " * len(values)
    low, high = min(known), max(known)
    return "".join(_bar(value, low, high) if _is_finite(value) else " " for value in values)


def _bar(value: float, low: float, high: float) -> str:
    if low == high:
        return BARS[3]
    # Halved, as the range of the largest floats is infinite.
    share = (value / 2 - low / 2) / (high / 2 - low / 2)
    return BARS[min(int(share * len(BARS)), len(BARS) - 1)]


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
