"""What is printed for people."""

from helpers.terminal import hours, print_table, printable


def test_control_characters_are_shown():
    """Escape sequences, line breaks and direction marks come out as text; umlauts stay."""
    assert printable("a\x1b[31m\n\u202e ü") == r"a\x1b[31m\n\u202e ü"


def test_columns_are_aligned(capsys):
    """Each column is as wide as its widest cell, without spaces at the end of a line."""
    print_table(["a", "long head"], [["longer", "x"], ["\x07", ""]])
    assert capsys.readouterr().out.splitlines() == ["a       long head", "longer  x", r"\x07"]


def test_hours():
    """Seconds are told in hours with one decimal, and what is not there as a dash."""
    assert [hours(5400), hours(3.6e7), hours(None)] == ["1.5", "10,000.0", "-"]
