"""Which runs are told, which are not told again, and what a notice says; the receiver is a real one."""

import json
import shlex
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from receivers import Receiver

from helpers.notices import LAST_CHARACTERS, Notices
from helpers.runs import FIELDS

START = datetime(2026, 1, 1, tzinfo=UTC)


def facts(minute: float, state: str, error: str | None = None, **changes) -> dict:
    """The record of a run that ended so many minutes after `START`."""
    ended = (START + timedelta(minutes=minute)).isoformat(timespec="milliseconds")
    told = {"run": f"run-{minute}", "notebook": "tiny.ipynb", "state": state, "schedule": "minutely", "attempt": 1}
    times = {"scheduled_at": ended, "started_at": ended, "finished_at": ended, "seconds": 1.0}
    return dict.fromkeys(FIELDS) | told | times | {"error": error, "parameters": {}} | changes


@pytest.fixture
def receiver():
    """A webhook on loopback that takes what is sent."""
    with Receiver() as receiver:
        yield receiver


def titles(receiver, *history: dict, last=(), **options) -> list[str]:
    """What is told of these runs, in their order."""
    notices = Notices((receiver.url,), last, **options)
    for run in history:
        notices.note(run)
    notices.close(30)
    return [notice["title"] for notice in receiver.taken]


def test_a_failure_and_the_recovery_are_told_once(receiver):
    """A schedule that fails every minute for 50 minutes is told once, and once that it works again, with the number."""
    history = [facts(0, "completed"), *(facts(m, "failed", f"ValueError: id {m}") for m in range(1, 51))]
    assert titles(receiver, *history, facts(51, "completed"), facts(52, "completed")) == [
        "minutely failed",
        "minutely works again",
    ]
    failed, recovered = receiver.taken
    assert (failed["type"], recovered["type"]) == ("failure", "success")
    assert recovered["message"].startswith("after 50 failed runs in a row, since 2026-01-01T00:01:00+00:00\n")


def test_another_error_is_told(receiver):
    """A failure with another error is told at once, one with the same error in other numbers is not."""
    errors = ["ValueError: line 7 is bad", "ValueError: line 8 is bad", "the kernel died", "ValueError: line 9 is bad"]
    history = [facts(minute, "failed", error) for minute, error in enumerate(errors)]
    assert titles(receiver, *history) == ["minutely failed", "minutely failed with another error"]
    assert receiver.taken[1]["message"].startswith("3 failed runs in a row, since 2026-01-01T00:00:00+00:00\n")


def test_a_lasting_failure_is_told_each_hour(receiver):
    """A failure that lasts four hours of ticks a minute is told at its start and then each hour."""
    history = [facts(minute, "failed", "no") for minute in range(240)]
    assert titles(receiver, *history) == ["minutely failed", *["minutely still fails"] * 3]
    assert receiver.taken[1]["message"].startswith("61 failed runs in a row, since")


def test_a_nightly_failure_is_told_every_night(receiver):
    """Where a tick comes once a day every failure is told."""
    history = [facts(1440 * night, "failed", "no") for night in range(3)]
    assert titles(receiver, *history) == ["minutely failed", *["minutely still fails"] * 2]


def test_crashed_is_told_and_cancelled_is_not(receiver):
    """A crash is a failure; a cancelled run is neither a failure nor a recovery, for a person did it."""
    history = [facts(0, "cancelled"), facts(1, "crashed", "gone"), facts(2, "cancelled"), facts(3, "completed")]
    assert titles(receiver, *history) == ["minutely crashed", "minutely works again"]
    assert receiver.taken[1]["message"].startswith("after 1 failed run, since 2026-01-01T00:01:00+00:00\n")


@pytest.mark.parametrize(
    "history",
    [
        [facts(minute / 2, "failed" if minute % 2 else "completed", "no") for minute in range(240)],
        [
            facts(minute / 2, "failed", f"{'abcdefghij'[minute % 10]} {'klmnopqrst'[minute // 24]}")
            for minute in range(240)
        ],
    ],
    ids=["flapping", "ever other errors"],
)
def test_no_flood(receiver, history):
    """Two hours that flap every half minute, or fail with ever other errors, tell six failures an hour at most."""
    told = titles(receiver, *history)
    failures = [title for title in told if "again" not in title]
    assert 6 <= len(failures) <= 18  # the hour after the last of six begins at the first of them
    assert len(told) - len(failures) <= len(failures)


def test_skipped_ticks_are_told_each_hour_at_most(receiver):
    """Of skipped and missed ticks the first is told, and after an hour how many there were since."""
    history = [facts(m, ("skipped", "missed", "completed")[m % 3], "another run was going") for m in range(100)]
    assert titles(receiver, *history) == ["minutely skipped a tick", "minutely did not run at 40 ticks"]
    assert receiver.taken[0]["type"] == "warning"
    assert "error: another run was going" in receiver.taken[0]["message"]


def test_a_missed_tick_between_failures_is_no_recovery(receiver):
    """A tick that did not run neither ends a row of failures nor counts in it."""
    history = [facts(0, "failed", "no"), facts(1, "missed"), facts(2, "failed", "no"), facts(3, "completed")]
    assert titles(receiver, *history) == ["minutely failed", "minutely missed a tick", "minutely works again"]
    assert receiver.taken[-1]["message"].startswith("after 2 failed runs in a row")


def test_after_a_restart_it_knows(receiver):
    """The last runs' records, in any order, stand for what was told: of a failure the recovery alone is told."""
    last = [facts(minute, "failed", "no") for minute in range(9, 4, -1)] + [
        facts(minute, "completed") for minute in (4, 3)
    ]
    assert titles(receiver, facts(10, "failed", "no"), facts(11, "completed"), last=last) == ["minutely works again"]
    assert receiver.taken[0]["message"].startswith("after 6 failed runs in a row, since 2026-01-01T00:05:00+00:00\n")


def test_after_a_restart_a_good_schedule_says_nothing(receiver):
    """A completed run after completed ones is no news; nor are records without times or states that nobody knows."""
    last = [facts(1, "completed"), facts(0, "failed", "no"), facts(2, None, finished_at=None) | {"started_at": "no"}]
    assert titles(receiver, facts(3, "completed"), last=last) == []


def test_a_failure_that_is_tried_again_is_not_told(receiver):
    """With two retries the third attempt's failure is told, unless the caller knows better."""
    history = [facts(minute, "failed", "no", attempt=minute + 1) for minute in range(3)]
    assert titles(receiver, *history[:2], facts(2, "completed", attempt=3), retries=2) == []
    assert titles(receiver, *history, retries=2) == ["minutely failed"]
    notices = Notices((receiver.url,), retries=2)
    notices.note(history[0], is_final=True)
    notices.note(facts(2, "completed"), is_final=False)
    notices.close(30)
    assert [notice["title"] for notice in receiver.taken[1:]] == ["minutely failed", "minutely works again"]


def test_a_clock_set_back_silences_nothing(receiver):
    """After the clock was set back by a year a lasting failure is told again, not in a year."""
    history = [facts(0, "failed", "no"), facts(-525_600, "failed", "no"), facts(-525_599, "failed", "no")]
    assert titles(receiver, *history) == ["minutely failed", "minutely still fails"]


def test_what_a_notice_says(receiver, tmp_path):
    """A notice names notebook, time, state, error, folder, a command that a shell takes, and the log's end."""
    notebook = tmp_path / "a folder" / "tiny.ipynb"
    log = tmp_path / "run.log"
    log.write_text("".join(f"line {number}\n" for number in range(1, 101)))
    given = {"text": "it's", "n": 3, "flag": True, "options": {"a": [1]}, "store": "postgresql://me:***@host/db"}
    run = facts(0, "failed", "ValueError: no", parameters=given, folder="/home/run-0")
    notices = Notices((receiver.url,), notebook=notebook)
    notices.note(run, log)
    notices.close(30)
    [notice] = receiver.taken
    lines = notice["message"].splitlines()
    assert lines[:5] == [
        "notebook: tiny.ipynb",
        "scheduled: 2026-01-01T00:00:00.000+00:00",
        "state: failed",
        "error: ValueError: no",
        "folder: /home/run-0",
    ]
    words = shlex.split(lines[5].removeprefix("run again: "))
    assert words[:3] == ["daybook", "run", str(notebook)]
    assert words[-2:] == ["--scheduled-at", "2026-01-01T00:00:00.000+00:00"]
    pairs = {words[at + 1]: words[at + 2] for at, word in enumerate(words) if word == "-p"}
    assert pairs["text"] == "it's"
    assert {name: json.loads(pairs[name]) for name in ("n", "flag", "options")} == {
        name: given[name] for name in ("n", "flag", "options")
    }
    assert lines[6:] == ["", "the log's last lines:", *(f"line {number}" for number in range(81, 101))]


def test_no_secret_and_no_control_character_is_sent(receiver, tmp_path):
    """Passwords in the error, in the parameters and in the log are masked, and control characters shown."""
    log = tmp_path / "run.log"
    secret = "postgresql+psycopg://me:s3cret@host/db"
    log.write_bytes(f"x {secret}\n\x1b[31mred\x07\n{secret} {'y' * 100}\nb\xc3\n".encode("latin-1") + b"\xff\n")
    run = facts(0, "failed", f"down: {secret} \x1b[2J\n@", parameters={"store": secret}, schedule="a\x1b\nb")
    notices = Notices((receiver.url,))
    notices.note(run, log)
    notices.close(30)
    [notice] = receiver.taken
    text = json.dumps(notice, ensure_ascii=False)
    assert "s3cret" not in text
    assert text.count("me:***@host") == 4
    assert all(character.isprintable() or character == "\n" for character in notice["title"] + notice["message"])
    assert notice["title"] == r"a\x1b\nb failed"
    assert r"\x1b[31mred\x07" in notice["message"]


@pytest.mark.parametrize("offset", [0, 5, 20, 40])
def test_a_password_at_the_cut_is_not_sent(receiver, tmp_path, offset):
    """Where what is told of a long line begins in a password, none of it is told."""
    log = tmp_path / "run.log"
    secret = "postgresql+psycopg://me:s3cretlongpassword@host/db "
    log.write_text("x" * 70_000 + " " + secret + "." * (LAST_CHARACTERS - len(secret) + offset) + "\n")
    notices = Notices((receiver.url,))
    notices.note(facts(0, "failed", "no"), log)
    notices.close(30)
    message = receiver.taken[0]["message"]
    assert "password" not in message
    assert message.endswith("...")


@pytest.mark.parametrize("width", [10, 1000, 3999, 4000, 4001, 30_000])
def test_a_long_log_is_cut(receiver, tmp_path, width):
    """Of long lines the last 4,000 characters are told, to the log's very end; of a long error the beginning."""
    log = tmp_path / "run.log"
    log.write_text("".join(f"{'x' * width}{number}\n" for number in range(40)))
    notices = Notices((receiver.url,))
    notices.note(facts(0, "failed", "e" * 10_000), log)
    notices.close(30)
    message = receiver.taken[0]["message"]
    tail = message.partition("the log's last lines:\n")[2]
    assert len(tail) <= LAST_CHARACTERS
    assert tail.endswith("x39")
    assert len(tail) > (200 if width == 10 else 3900)
    assert len(message) < 7000


def test_a_long_word_costs_nothing(receiver, tmp_path):
    """A log of one word of 64 kB holds up the schedule for less than a tenth of a second."""
    log = tmp_path / "run.log"
    log.write_text("a" * 65_536)
    notices = Notices((receiver.url,))
    began = time.perf_counter()
    notices.note(facts(0, "failed", "b" * 65_536), log)
    assert time.perf_counter() - began < 0.1
    notices.close(30)


@pytest.mark.parametrize("log", [None, Path("/nowhere/run.log"), Path("/")])
def test_without_a_log(receiver, log):
    """A run without a log is told without one."""
    notices = Notices((receiver.url,))
    notices.note(facts(0, "failed", "no"), log)
    notices.close(30)
    assert "log" not in receiver.taken[0]["message"]


def test_without_urls_nothing_is_done():
    """Without a URL nothing is decided, and records are not even read."""
    notices = Notices((), [{}])
    notices.note({})
    notices.close()


def test_a_record_that_makes_no_sense_fails_nothing(receiver, capsys):
    """A record that lacks what a notice needs is one line on stderr, not an error of the schedule's."""
    notices = Notices((receiver.url,))
    notices.note({"run": "run-0"})
    notices.close(5)
    [line] = capsys.readouterr().err.splitlines()
    assert line == "daybook: no notice of run-0: KeyError: 'state'"
