"""`daybook tickets …`: what the commands print, refuse and say while they work."""

import sys

import pytest
from click.testing import CliRunner

from helpers import writing_progress
from helpers.command_line import app, main
from helpers.writing_progress import WritingProgress


def invoke(*words: str):
    """The outcome of a command."""
    return CliRunner().invoke(app, ["tickets", *words], catch_exceptions=False)


def test_help_names_the_commands():
    """The help has a whole sentence for each command, and an example in the help of each."""
    shown = invoke("--help").output
    assert "make     Write a generated log of any number of tickets.\n" in shown
    assert "convert  Turn a CSV, zip or Parquet log into a folder.\n" in shown
    for command in ("make", "convert"):
        assert f"daybook tickets {command} " in " ".join(invoke(command, "--help").output.split())


def test_made_log_is_told_with_what_to_type_next(tmp_path):
    """One line has files, events, bytes, seconds and the command that scores the log."""
    out = str(tmp_path / "my log")
    told = invoke("make", "--incidents", "100", "--out", out).stdout
    assert told.startswith("made 1 file, 694 events, 0.0 MB in ")
    following = f"daybook run notebooks/evaluate_ticket_model.ipynb -p source '{out}' -p batch_size 0"
    assert told.endswith(f" s; next: {following}\n")
    assert told.count("\n") == 1


def test_converted_log_is_told(tmp_path):
    """A conversion is told as a log that is made."""
    out = str(tmp_path / "log")
    told = invoke("convert", "sample", "--out", out, "--format", "csv").stdout
    assert told.startswith("wrote 1 file, 28,448 events, 9.3 MB in ")
    assert told.endswith(f" -p source {out} -p batch_size 0\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["make", "--incidents", "0"], "--incidents is 0; give a number from 1 to 1,000,000,000"),
        (["make", "--incidents", "5", "--seed", "-1"], "--seed is -1; give a whole number from 0 on"),
        (["make", "--incidents", "5", "--format", "xml"], "--format is 'xml'; give parquet or csv"),
        (["convert", "sample", "--format", "xml"], "--format is 'xml'; give parquet or csv"),
    ],
)
def test_mistake_is_one_line_and_exit_code_2(tmp_path, monkeypatch, capsys, words, said):
    """What cannot be done is one line on stderr, and the exit code is 2."""
    monkeypatch.setattr(sys, "argv", ["daybook", "tickets", *words, "--out", str(tmp_path / "log")])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"daybook: {said}\n"
    assert not (tmp_path / "log").exists()


def test_progress_in_a_log_is_a_line_now_and_then(monkeypatch, capsys):
    """Off a terminal a line says events, rate and time left, at most one in five seconds."""
    now = [100.0]
    monkeypatch.setattr(writing_progress.time, "monotonic", lambda: now[0])
    with WritingProgress() as progress:
        for now[0], events in ((104.0, 4_000), (110.0, 25_000), (112.0, 30_000), (115.0, 60_000)):
            progress.update(events, events / 100_000)
    # 25,000 in 10 s, and three times as many to go; 60,000 in 15 s, and two thirds as many.
    assert capsys.readouterr().err.splitlines() == [
        "25,000 events written, 2,500 a second, 30 s left",
        "60,000 events written, 4,000 a second, 10 s left",
    ]


def test_progress_on_a_terminal_is_a_bar(monkeypatch, capsys):
    """On a terminal a bar shows the events written of those expected."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with WritingProgress() as progress:
        progress.update(25_000, 0.25)
        progress.update(101_000, 1.0)
    assert "101k/101k" in capsys.readouterr().err
