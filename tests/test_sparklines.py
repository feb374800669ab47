"""A trend in one line."""

import math

import pytest

from helpers.sparklines import BARS, sparkline


def test_the_lowest_and_the_highest_have_the_ends_of_the_scale():
    """Eight even steps have each bar once, whatever their unit."""
    assert sparkline(range(8)) == BARS
    assert sparkline([1e300 * step for step in range(7, -1, -1)]) == BARS[::-1]
    assert sparkline([-1.7e308, 0, 1.7e308]) == "▁▅█"  # a range beyond what a float holds


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([None, None], "  "),
        ([3.0], "▄"),
        ([3, 3, 3], "▄▄▄"),
        ([1, None, math.nan, math.inf, -math.inf, 2], "▁    █"),
        ([1, "x", 2], "▁ █"),
    ],
)
def test_what_is_missing_is_a_space(values, line):
    """A value that is not there leaves its place free, and equal ones are in the middle."""
    assert sparkline(values) == line
