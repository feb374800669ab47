"""Trials whose store was not to be had: kept, stored once when it is back, and told one by one."""

import json
import logging
import multiprocessing
import os
import sqlite3
import threading
import time

import pytest
from click.testing import CliRunner
from conftest import free_port
from test_trials import DOCUMENT

from helpers import trials, unstored_trials
from helpers.exceptions import StoreError
from helpers.schedule_commands import replay as replay_command
from helpers.trials import TrialStore
from helpers.unstored_trials import replay


def document(name: str, **changes) -> dict:
    """A trial of its own."""
    return DOCUMENT | {"id": name, "run": f"run-{name}"} | changes


def wait_for(name: str, store: str = "", **changes) -> None:
    """Leave a trial as a process does that dies on the way to the store."""

    class DiesError(Exception):
        pass

    with pytest.raises(DiesError), unstored_trials.copied(document(name, **changes), store):
        raise DiesError


def waiting(home) -> list[str]:
    """The names of the files of waiting trials, partial ones too."""
    return sorted(os.listdir(home / "unstored")) if (home / "unstored").exists() else []


def ids(store: str = "") -> list[str]:
    """The ids of the trials in a store."""
    return sorted(found["id"] for found in TrialStore(store).documents())


def held(path) -> sqlite3.Connection:
    """A connection that keeps a SQLite store locked."""
    TrialStore(str(path)).write(document("first"))
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    return holder


def test_nothing_waits(home):
    """Where no trial waits nothing is done, and nothing is made."""
    assert replay() == []
    unstored_trials.replay_some()
    assert list(home.iterdir()) == []


def test_keep_leaves_no_copy(home):
    """A trial that the store has taken does not wait."""
    trials.keep(document("a"))
    assert ids() == ["a"]
    assert waiting(home) == []
    with unstored_trials.copied(document("b")):
        assert waiting(home) == ["b.json"]
    assert waiting(home) == []


def test_a_locked_store_keeps_the_trial_waiting(home, tmp_path, monkeypatch):
    """A trial that a locked file does not take is told in one line with the command, and stored later, once."""
    monkeypatch.setattr(trials, "LOCK_SECONDS", 0.1)
    path = tmp_path / "t.sqlite"
    holder = held(path)
    with pytest.raises(StoreError, match=r"^store .*database is locked.*; the trial waits, `daybook replay`") as caught:
        trials.keep(document("a"), str(path))
    assert "\n" not in str(caught.value)
    [told] = replay()
    assert (told.trial, told.stored, told.store) == ("a", False, str(path))
    assert "database is locked" in told.why
    holder.execute("COMMIT")
    assert [(told.trial, told.stored, told.why) for told in replay()] == [("a", True, "stored")]
    assert ids(str(path)) == ["a", "first"]
    assert replay() == []
    assert waiting(home) == []


def test_the_next_trial_takes_along_what_waits_for_its_store(home, tmp_path):
    """The next trial of the same store, and no other's, stores what waits for it."""
    other = str(tmp_path / "other.sqlite")
    wait_for("a")
    wait_for("b", other)
    trials.keep(document("c"))
    assert ids() == ["a", "c"]
    assert waiting(home) == ["b.json"]
    trials.keep(document("d"), other)
    assert ids(other) == ["b", "d"]
    assert waiting(home) == []


def test_a_trial_that_is_there_is_not_stored_again(home):
    """A process that dies between the store and the copy's end leaves a copy that changes nothing."""
    trials.keep(document("a"))
    wait_for("a", seed=8)
    assert [(told.stored, told.why) for told in replay()] == [(True, "was in the store already")]
    assert TrialStore().documents() == [document("a")]
    assert waiting(home) == []


def test_a_document_that_no_store_takes_does_not_wait(home):
    """A document with a NaN or without a fact is refused before a copy is made: it would wait for ever."""
    for unfit in (document("a", seed=float("nan")), document("a", data={}), document("a", data=[])):
        with pytest.raises(StoreError):
            trials.keep(unfit)
    with pytest.raises(StoreError, match="mysql is not supported"):
        trials.keep(document("a"), "mysql://host/db")
    assert waiting(home) == []


@pytest.mark.parametrize(
    "broken", ["", '{"store": "", "tri', "[]", '"text"', "null", '{"trial": {}}', '{"store": 1, "trial": {"id": "x"}}']
)
def test_a_broken_file_stops_no_other(home, broken):
    """A file that is cut short or holds no trial is named and left alone; the others are stored, by keep too."""
    wait_for("b")
    (home / "unstored" / "a.json").write_text(broken)
    (home / "unstored" / "z.json").write_bytes(b"\xff\xfe")
    told = {each.trial: each for each in replay()}
    assert {name: each.stored for name, each in told.items()} == {"a.json": False, "b": True, "z.json": False}
    assert str(home / "unstored" / "a.json") in told["a.json"].why
    assert (home / "unstored" / "a.json").read_text() == broken
    wait_for("c")
    trials.keep(document("d"))
    assert ids() == ["b", "c", "d"]
    assert waiting(home) == ["a.json", "z.json"]


def test_a_document_that_one_store_refuses_stops_no_other(postgresql, home):
    """A trial that the database refuses by itself, here a name beyond its column, waits alone."""
    wait_for("a", postgresql, model="m" * 201)
    wait_for("b", postgresql)
    told = {each.trial: each.stored for each in replay(postgresql)}
    assert told == {"a": False, "b": True}
    trials.keep(document("c"), postgresql)
    assert set(ids(postgresql)) >= {"b", "c"}
    assert waiting(home) == ["a.json"]


def test_a_relative_path_is_found_from_anywhere(home, tmp_path, monkeypatch):
    """A store named by a path of the notebook's folder is found again from another folder."""
    monkeypatch.chdir(tmp_path)
    wait_for("a", "t.sqlite")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert [told.stored for told in replay()] == [True]
    assert ids(str(tmp_path / "t.sqlite")) == ["a"]


def test_the_homes_own_store_moves_with_it(home, tmp_path, monkeypatch):
    """A trial of the home's own store is stored there also after the home was moved, whatever the default is now."""
    wait_for("a")
    home.rename(tmp_path / "moved")
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "moved"))
    monkeypatch.setenv("DAYBOOK_STORE", str(tmp_path / "default.sqlite"))
    assert [told.stored for told in replay()] == [True]
    assert ids(str(tmp_path / "moved" / "trials.sqlite")) == ["a"]


def test_a_password_is_not_written_and_asked_for(postgresql, home, monkeypatch):
    """A copy holds no password: the trial waits until the whole URL is given, in the call or in the environment."""
    wait_for("p1", postgresql)
    wait_for("p2", postgresql)
    assert "s3cret" not in (home / "unstored" / "p1.json").read_text()
    told = replay()
    assert [each.stored for each in told] == [False, False]
    assert "password is not known here; give the whole URL with --store" in told[0].why
    another = postgresql.replace("daybook:s3cret", "nobody:s3cret")
    assert [each.stored for each in replay(another)] == [False, False]
    assert [each.stored for each in replay(postgresql)] == [True, True]
    wait_for("p3", postgresql)
    monkeypatch.setenv("DAYBOOK_STORE", postgresql)
    assert [each.stored for each in replay()] == [True]
    monkeypatch.delenv("DAYBOOK_STORE")
    masked = postgresql.replace("s3cret", "***2")
    monkeypatch.setenv("DAYBOOK_SECRETS", json.dumps({masked: postgresql}))
    wait_for("p4", masked)
    assert [each.stored for each in replay()] == [True]
    wait_for("p5", masked)
    monkeypatch.delenv("DAYBOOK_SECRETS")
    assert [each.stored for each in replay(postgresql)] == [True]
    assert set(ids(postgresql)) >= {"p1", "p2", "p3", "p4", "p5"}


def test_a_store_that_is_down_keeps_the_others_from_nothing(home):
    """One store that is down is told for each of its trials, without a password; those of another are stored."""
    down = f"postgresql+psycopg://me:s3cret@127.0.0.1:{free_port()}/db"
    wait_for("a", down)
    wait_for("b")
    told = {each.trial: each for each in replay(down)}
    assert (told["a"].stored, told["b"].stored) == (False, True)
    assert "refused" in told["a"].why
    assert "s3cret" not in repr(told)


def test_a_locked_store_is_waited_for_once(home, tmp_path, monkeypatch):
    """Ten trials for a locked store wait for its lock once, not ten times."""
    monkeypatch.setattr(trials, "LOCK_SECONDS", 1.5)
    holder = held(tmp_path / "t.sqlite")
    for number in range(10):
        wait_for(f"w{number}", str(tmp_path / "t.sqlite"))
    began = time.monotonic()
    assert [told.stored for told in replay()] == [False] * 10
    assert time.monotonic() - began < 4
    holder.close()
    assert all(told.stored for told in replay())


def test_others_trials_delay_a_good_one_by_a_moment_only(home, tmp_path, monkeypatch, caplog):
    """However many wait, a run gives them a moment: a store locked since its own trial costs it 3 s, and a warning."""
    for number in range(50):
        wait_for(f"w{number}", str(tmp_path / "t.sqlite"))
    holder = held(tmp_path / "t.sqlite")
    began = time.monotonic()
    with caplog.at_level(logging.WARNING):
        unstored_trials.replay_some(str(tmp_path / "t.sqlite"))
    assert time.monotonic() - began < 5
    assert [record.message.split(": ")[0] for record in caplog.records] == ["daybook"]
    holder.close()
    unstored_trials.replay_some(str(tmp_path / "t.sqlite"))
    assert waiting(home) == []


def test_what_goes_wrong_with_others_trials_fails_no_good_one(home, caplog):
    """A folder of waiting trials that is a file costs the copy, with a warning, and not the trial."""
    home.mkdir()
    (home / "unstored").write_text("")
    trials.keep(document("a"))
    assert ids() == ["a"]
    assert "no copy of trial a" in caplog.text


def test_without_room_for_a_copy_the_error_says_so(home, tmp_path):
    """When neither the store nor the copy was to be had the error tells both."""
    home.mkdir()
    (home / "unstored").write_text("")
    with pytest.raises(StoreError, match=r"unable to open.*no room for a copy"):
        trials.keep(document("a"), str(tmp_path / "missing" / "t.sqlite"))


@pytest.mark.parametrize("name", ["../../x", "a/b", ".hidden", "a" * 300, "größe \x00\n", "\ud800"])
def test_any_id_makes_a_file_of_the_folder(home, name):
    """An id that is no name of a file has one all the same, in the folder."""
    wait_for(name)
    assert len(waiting(home)) == 1
    [told] = replay()
    assert told.trial == name
    if "\ud800" not in name:  # which no database can hold
        assert told.stored


def test_a_killed_writers_litter_is_cleared(home):
    """A partial copy is removed once its writer must be gone, and not before."""
    wait_for("a")
    for name, age in (("old.json.1.part", 7200), ("new.json.1.part", 10)):
        (home / "unstored" / name).write_text('{"sto')
        os.utime(home / "unstored" / name, (time.time() - age,) * 2)
    replay()
    assert waiting(home) == ["new.json.1.part"]


def _replay_at(start, told) -> None:
    start.wait()
    told.put([each.stored for each in replay()])


@pytest.mark.slow
def test_processes_at_once_store_each_once(home):
    """Four processes that replay the same hundred trials at once store each once, and none fails."""
    for number in range(100):
        wait_for(f"w{number:03}")
    spawn = multiprocessing.get_context("spawn")
    start, told = spawn.Barrier(4), spawn.Queue()
    processes = [spawn.Process(target=_replay_at, args=(start, told)) for _ in range(4)]
    for process in processes:
        process.start()
    answers = [told.get(timeout=60) for _ in processes]
    for process in processes:
        process.join(20)
    assert all(all(answer) for answer in answers)
    assert sum(map(len, answers)) >= 100
    assert ids() == [f"w{number:03}" for number in range(100)]
    assert waiting(home) == []


def test_a_locked_table_of_postgresql_is_waited_for_so_long(postgresql, home, monkeypatch):
    """PostgreSQL waits for a lock for ever by itself: here as long as SQLite does, then the trial waits."""
    trials.keep(document("l1"), postgresql)
    holder = TrialStore(postgresql)._engine.connect()
    holder.exec_driver_sql("LOCK TABLE trials IN EXCLUSIVE MODE")
    monkeypatch.setattr(trials, "LOCK_SECONDS", 0.3)
    with pytest.raises(StoreError, match=r"lock timeout.*the trial waits"):
        trials.keep(document("l2"), postgresql)
    monkeypatch.setattr(trials, "LOCK_SECONDS", 20)
    timer = threading.Timer(0.5, holder.close)
    timer.start()
    trials.keep(document("l3"), postgresql)
    timer.join()
    assert set(ids(postgresql)) >= {"l1", "l2", "l3"}


def test_the_command_says_what_became_of_each(home, tmp_path):
    """Replay tells each trial and exits with 1 while one is left, with 0 when none is, in words and as JSON."""

    def call(*arguments: str):
        return CliRunner().invoke(replay_command, arguments)

    assert (call().exit_code, call().stdout) == (0, "no trial waits for its store\n")
    assert (call("--json").exit_code, json.loads(call("--json").stdout)) == (0, [])
    wait_for("a\x1b[31m")
    wait_for("b", str(tmp_path / "missing" / "t.sqlite"))
    done = call()
    assert done.exit_code == 1
    assert "\x1b" not in done.stdout
    assert any(line.split()[:2] == ["b", "waits"] for line in done.stdout.splitlines())
    (tmp_path / "missing").mkdir()
    done = call("--json")
    [told] = json.loads(done.stdout)
    assert done.exit_code == 0
    assert (told["trial"], told["stored"]) == ("b", True)
    assert isinstance(call("--store", "mysql://host/db").exception, StoreError)
