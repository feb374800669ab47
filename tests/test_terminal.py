"""What is printed for people."""

import math

import pytest

from helpers.terminal import cut, has_colours, hours, moment, number, print_table, printable, table_lines, text_width


def test_control_characters_are_shown():
    """Escape sequences, line breaks and direction marks come out as text; umlauts stay."""
    assert printable("a\x1b[31m\n\u202e ü") == r"a\x1b[31m\n\u202e ü"


def test_columns_are_aligned(capsys):
    """Each column is as wide as its widest cell, without spaces at the end of a line."""
    print_table(["a", "long head"], [["longer", "x"], ["\x07", ""]])
    assert capsys.readouterr().out.splitlines() == ["a       long head", "longer  x", r"\x07"]


@pytest.mark.parametrize(("text", "width"), [("abc", 3), ("日本", 4), ("e\u0301", 1), ("ü", 1), ("🙂", 2), ("", 0)])
def test_wide_characters_are_counted(text, width):
    """A character of East Asia or an emoji takes two cells, an accent upon another character none."""
    assert text_width(text) == width


@pytest.mark.parametrize(
    ("text", "width", "left"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdef", 4, "abc…"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("ab", 1, "…"),
        ("ab", 0, ""),
    ],
)
def test_long_texts_are_cut(text, width, left):
    """A cut text never takes more cells than there are, and says that it was cut."""
    assert cut(text, width) == left


@pytest.mark.parametrize("width", [10, 25, 40, 80, 300])
def test_a_table_fits_its_terminal(width):
    """No line is wider than the terminal; the widest column is cut first; where all fits nothing is cut."""
    rows = [["completed", "日" * 40, "12.5"], ["failed", "x" * 90, "1,234.0"], ["\x1b[31m", "", "-"]]
    lines = table_lines(["state", "name", "seconds"], rows, width)
    assert len(lines) == 4
    assert max(map(text_width, lines)) <= width
    assert not any("\x1b" in line for line in lines)
    if width >= 40:
        assert lines[1].startswith("completed  日")
        assert lines[1].endswith("   12.5")  # numbers are to the right
        assert lines[2].endswith("1,234.0")
    assert ("…" in "".join(lines)) == (width < 300)


def test_a_table_without_rows_is_its_head():
    """Where there is nothing, the heads still say what would be there."""
    assert table_lines(["a", "b"], []) == table_lines(["a", "b"], [], 80) == ["a  b"]


def test_only_known_states_have_colours():
    """A state has its colour; a text that is none has not, and columns stay where they are."""
    lines = table_lines(["state", "x"], [["failed", "1"], ["other", "2"], ["completed", "3"]], 80, colours=True)
    assert lines == ["state      x", "\x1b[31mfailed\x1b[0m     1", "other      2", "\x1b[32mcompleted\x1b[0m  3"]


@pytest.mark.parametrize(
    ("is_terminal", "variables", "wanted"),
    [(True, {}, True), (False, {}, False), (True, {"NO_COLOR": "1"}, False), (True, {"TERM": "dumb"}, False)],
)
def test_colours_are_for_terminals_that_want_them(monkeypatch, is_terminal, variables, wanted):
    """There are colours on a terminal only, and not with NO_COLOR."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: is_terminal)
    for name, value in ({"NO_COLOR": "", "TERM": "xterm"} | variables).items():
        monkeypatch.setenv(name, value)
    assert has_colours() is wanted


def test_hours():
    """Seconds are told in hours with one decimal, and what is not there, or no number, as a dash."""
    assert [hours(5400), hours(3.6e7), hours(None)] == ["1.5", "10,000.0", "-"]
    assert {hours(odd) for odd in ("x", True, [], math.nan, math.inf)} == {"-"}


def test_numbers_and_times_that_are_none():
    """A number is told in its form and a time to the second; what is none is a dash."""
    assert [number(1234.5, ",.2f"), number("x", ","), number(None, ".1f")] == ["1,234.50", "-", "-"]
    assert [moment("2026-01-01T00:00:00.123+00:00"), moment(None), moment(3)] == ["2026-01-01T00:00:00", "-", "3"]
