"""The trial store in SQLite and in PostgreSQL: what is written is read back, once, whatever happens around it."""

import copy
import json
import multiprocessing
import os
import signal
import sqlite3
import threading
import time

import pandas as pd
import pytest
import sqlalchemy as sa
from conftest import free_port

from helpers import trials
from helpers.exceptions import StoreError
from helpers.run_context import RunContext
from helpers.trials import TrialStore

DOCUMENT = {
    "id": "trial-0",
    "run": "20260101T000000Z-tiny-00000000",
    "notebook": "tiny.ipynb",
    "source": "sample",
    "source_sha256": "a" * 64,
    "model": "priority",
    "model_version": "1",
    "scheduled_at": "2026-01-01T00:00:00+00:00",
    "started_at": "2026-01-01T00:00:01.500+00:00",
    "finished_at": "2026-01-01T00:00:02.250+00:00",
    "seed": 7,
    "data": {
        "num_obs": 3,
        "metrics": {"MAE": 3600.0, "MedAE": 0.1 + 0.2, "MSE": 1e300, "R2": -0.5},
        "notes": ["größer – 'quoted' \"twice\" \\ \u0000 %s :x"],
        "by_priority": [{"group": None, "actual": [0.0, -1.5]}],
    },
}


def _document(number: int, **changes) -> dict:
    """The document of a trial of its own; the number is its time, id and run."""
    facts = {"id": f"trial-{number}", "run": f"run-{number}", "finished_at": f"2026-01-01T00:{number:02}:00.000+00:00"}
    return copy.deepcopy(DOCUMENT) | facts | changes


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """The URL of a store that does not exist yet, in each of the databases."""
    if request.param == "sqlite":
        return str(tmp_path / "store ?#%20.sqlite")
    server = request.getfixturevalue("postgresql")
    name = f"trials_{os.getpid()}_{time.monotonic_ns()}"
    with sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool).connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    return server.removesuffix("postgres") + name


def _execute(url: str, statement: str) -> list:
    with TrialStore(url)._engine.begin() as connection:
        result = connection.exec_driver_sql(statement)
        return result.fetchall() if result.returns_rows else []


def test_reads_back_what_was_written(url):
    """A document comes back equal, with its floats to the last bit and its text in any script, by any later process."""
    assert TrialStore(url).write(DOCUMENT) is True
    assert TrialStore(url).documents() == [DOCUMENT]


def test_read_gives_a_typed_table(url):
    """The table is indexed by trial, its times are UTC timestamps, and its metrics floats."""
    TrialStore(url).write(DOCUMENT)
    table = TrialStore(url).read()
    assert table.index.tolist() == ["trial-0"]
    row = table.loc["trial-0"]
    for name in ("scheduled_at", "started_at", "finished_at"):
        assert table[name].dtype == pd.DatetimeTZDtype(table[name].dt.unit, "UTC")
        assert row[name] == pd.Timestamp(DOCUMENT[name])
    assert (row["MAE"], row["MedAE"], row["MSE"], row["R2"]) == (3600.0, 0.1 + 0.2, 1e300, -0.5)
    assert (row["source"], row["model"], row["seed"], row["num_obs"]) == ("sample", "priority", 7, 3)


def test_read_of_trials_by_hand_of_one_event(url):
    """Trials that have no scheduled time, no run and no R² are read with the same types; any number is kept."""
    for number in range(2):
        document = _document(number, run=None, scheduled_at=None)
        document["data"]["metrics"]["R2"] = None
        assert TrialStore(url).write(document)
    table = TrialStore(url).read()
    assert len(table) == 2
    assert table["R2"].dtype == float
    assert table["scheduled_at"].dt.tz is not None
    assert table[["R2", "scheduled_at", "run"]].isna().all(axis=None)


def test_the_same_id_changes_nothing(url):
    """A trial that is written twice is kept as it was first."""
    assert TrialStore(url).write(_document(1))
    assert TrialStore(url).write(_document(1, run="run-2", seed=8)) is False
    assert TrialStore(url).documents() == [_document(1)]


def test_the_same_run_changes_nothing(url):
    """A run stores one trial: another one of the same run is not kept, so that a retry does not count twice."""
    assert TrialStore(url).write(_document(1))
    assert TrialStore(url).write(_document(1, id="trial-2", seed=8)) is False
    assert TrialStore(url).documents() == [_document(1)]


def test_newest_first(url):
    """Documents and table are in the order of their end, newest first, and `last` takes from the front."""
    store = TrialStore(url)
    for number in (3, 1, 4, 2):
        store.write(_document(number))
    assert [document["id"] for document in store.documents()] == ["trial-4", "trial-3", "trial-2", "trial-1"]
    assert [document["id"] for document in store.documents(last=2)] == ["trial-4", "trial-3"]
    assert store.read(last=3).index.tolist() == ["trial-4", "trial-3", "trial-2"]
    assert store.read(last=9).index.tolist() == store.read().index.tolist()


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    ("put", "where"),
    [
        (lambda d, x: d["data"]["metrics"].update(R2=x), r"trial\.data\.metrics\.R2"),
        (lambda d, x: d["data"]["by_priority"][0]["actual"].append(x), r"trial\.data\.by_priority\[0\]\.actual\[2\]"),
        (lambda d, x: d.update(parameters={"options": [{"x": (x,)}]}), r"trial\.parameters\.options\[0\]\.x\[0\]"),
        (lambda d, x: d.update(seed=x), r"trial\.seed"),
    ],
)
def test_nan_is_refused_by_name(tmp_path, bad, put, where):
    """NaN or infinity anywhere in a document is refused, with the place where it stands, and nothing is written."""
    document = _document(1)
    put(document, bad)
    with pytest.raises(StoreError, match=rf"^{where} is (nan|inf|-inf); the trial was not stored$"):
        TrialStore(str(tmp_path / "trials.sqlite")).write(document)
    assert not (tmp_path / "trials.sqlite").exists()


@pytest.mark.parametrize("fact", ["id", "run", "source_sha256", "model_version", "finished_at", "data"])
def test_a_missing_fact_is_refused(tmp_path, fact):
    """A document that lacks a fact is refused by the fact's name, and nothing is written."""
    document = _document(1)
    del document[fact]
    with pytest.raises(StoreError, match=f"^the trial lacks {fact}; it was not stored$"):
        TrialStore(str(tmp_path / "trials.sqlite")).write(document)
    assert not (tmp_path / "trials.sqlite").exists()


def test_a_store_that_is_not_there_holds_nothing(tmp_path):
    """Reading a file that is not there gives no trials, in a table with its columns, and makes no file."""
    store = TrialStore(str(tmp_path / "none.sqlite"))
    assert store.documents() == []
    assert store.read().empty
    assert {"source", "seed", "num_obs", "MAE", "R2"} < set(store.read().columns)
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_trials_holds_nothing(url):
    """Reading a database that has no tables gives no trials and makes none."""
    _execute(url, "SELECT 1")
    assert TrialStore(url).documents() == []
    assert TrialStore(url).read()["finished_at"].dt.tz is not None
    with TrialStore(url)._engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []


def test_the_default_store(home, tmp_path, monkeypatch):
    """Without a name trials go to the home's own file, or to the one in `DAYBOOK_STORE`."""
    TrialStore().write(_document(1))
    assert (home / "trials.sqlite").exists()
    monkeypatch.setenv("DAYBOOK_STORE", f"sqlite:///{tmp_path / 'named.sqlite'}")
    assert TrialStore().documents() == []
    TrialStore().write(_document(2))
    assert (tmp_path / "named.sqlite").exists()


def _write_many(url: str, process: int, start) -> None:
    start.wait()
    for number in range(25):
        store = TrialStore(url)
        assert store.write(_document(1, id=f"trial-{process}-{number}", run=f"run-{process}-{number}"))


@pytest.mark.slow
@pytest.mark.parametrize("exists", [False, True])
def test_processes_at_once_lose_nothing(url, exists):
    """Eight processes that write 25 trials each at once lose none, whether the store is there already or not."""
    if exists:
        TrialStore(url).write(DOCUMENT)
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(8)
    processes = [spawn.Process(target=_write_many, args=(url, number, start)) for number in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0] * 8
    found = {document["id"] for document in TrialStore(url).documents()}
    assert len(found) == 200 + exists
    assert {f"trial-{process}-{number}" for process in range(8) for number in range(25)} <= found


@pytest.fixture
def locked(tmp_path):
    """A SQLite store and a connection that holds its write lock."""
    path = tmp_path / "trials.sqlite"
    TrialStore(str(path)).write(_document(1))
    holder = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    yield path, holder
    holder.close()


def test_a_file_locked_for_too_long_is_one_line(locked, monkeypatch):
    """A file that another process keeps locked for longer than the limit is a `StoreError`; reading goes on."""
    monkeypatch.setattr(trials, "LOCK_SECONDS", 0.2)
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"trials\.sqlite: database is locked; nothing was written by this call$"):
        TrialStore(str(locked[0])).write(_document(2))
    assert 0.2 <= time.monotonic() - began < 5
    assert len(TrialStore(str(locked[0])).documents()) == 1


def test_a_file_locked_for_a_moment_is_waited_for(locked):
    """A file that is free again within the limit is written to."""
    timer = threading.Timer(0.5, locked[1].execute, ["COMMIT"])
    timer.start()
    assert TrialStore(str(locked[0])).write(_document(2))
    timer.join()
    assert len(TrialStore(str(locked[0])).documents()) == 2


def _assert_is_secret(caught, *secrets: str) -> None:
    shown = f"{caught.value}|{caught.value!r}"
    assert "\n" not in str(caught.value)
    assert not [secret for secret in secrets if secret in shown]


@pytest.mark.parametrize("call", [lambda store: store.write(DOCUMENT), lambda store: store.documents()])
def test_a_database_that_is_down_is_one_line(call):
    """A server that does not answer is named without the password, on writing and on reading."""
    store = TrialStore(f"postgresql+psycopg://me:s3cret%21@127.0.0.1:{free_port()}/db?password=s3cret")
    with pytest.raises(StoreError, match=r"^store postgresql\+psycopg://me:\*\*\*@127\.0\.0\.1.*refused") as caught:
        call(store)
    _assert_is_secret(caught, "s3cret")
    assert "s3cret" not in f"{store}{store!r}"


def test_a_wrong_password_is_one_line(postgresql):
    """A password that the server does not take appears in no message."""
    # The server trusts every user that exists, so the one that is refused does not.
    url = postgresql.replace("daybook:s3cret", "nobody:wr0ng")
    with pytest.raises(StoreError, match=r'"nobody" does not exist') as caught:
        TrialStore(url).write(DOCUMENT)
    _assert_is_secret(caught, "wr0ng")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql+pymysql://me:s3cret@host/db", "mysql is not supported"),
        ("nothing://me:s3cret@host/db", "nothing is not supported"),
        ("postgresql://me:s3cret@host:port/db", "is no URL"),
        ("://me:s3cret@host", "is no URL"),
        ("postgresql+psycopg://me:s3@cret@host/db", "has an @ too many"),
        ("sqlite://", "is no file that keeps trials"),
        ("sqlite:///:memory:", "is no file that keeps trials"),
        ("sqlite:///file:x?mode=memory&uri=true", "is no file that keeps trials"),
    ],
)
def test_what_is_no_store_is_refused_at_once(url, message):
    """Another database, a malformed URL, an @ in a password, and a store in memory are refused in one line."""
    with pytest.raises(StoreError, match=message) as caught:
        TrialStore(url)
    _assert_is_secret(caught, "s3cret", "s3@", "cret")


@pytest.mark.parametrize("driver", ["pg8000", "nothing"])
def test_a_driver_that_is_not_installed_is_one_line(driver):
    """A driver that is not there is named, with the one to use."""
    with pytest.raises(StoreError, match=driver) as caught:
        TrialStore(f"postgresql+{driver}://me:s3cret@127.0.0.1/db").documents()
    _assert_is_secret(caught, "s3cret")


def test_a_masked_url_is_revealed(postgresql, monkeypatch):
    """A store that a run knows as `***` is opened with the password from the environment, and shown without it."""
    masked = postgresql.replace("s3cret", "***")
    monkeypatch.setenv("DAYBOOK_SECRETS", json.dumps({masked: postgresql}))
    store = TrialStore(masked)
    assert store.url.password == "s3cret"
    assert str(store) == masked


def test_a_newer_schema_is_refused(url):
    """A store that a later daybook made is neither read nor written."""
    store = TrialStore(url)
    store.write(_document(1))
    _execute(url, "INSERT INTO daybook_schema (version) VALUES (2)")
    for call in (lambda: TrialStore(url).documents(), lambda: TrialStore(url).write(_document(2))):
        with pytest.raises(StoreError, match="has schema 2, this daybook knows 1; update daybook"):
            call()
    assert _execute(url, "SELECT count(*) FROM trials") == [(1,)]


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    """A file that is no database is refused in one line and not changed."""
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to have what would be a header of one\n" * 20)
    before = path.read_bytes()
    for call in (lambda: TrialStore(str(path)).documents(), lambda: TrialStore(str(path)).write(DOCUMENT)):
        with pytest.raises(StoreError, match=r"notes\.txt: file is not a database"):
            call()
    assert path.read_bytes() == before


@pytest.mark.parametrize("where", ["missing/trials.sqlite", "file/trials.sqlite", "folder"])
def test_a_file_that_cannot_be_made_is_one_line(tmp_path, where):
    """A store in a folder that is not there, under a file, or that is itself a folder is one line."""
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError, match="unable to open database file; nothing was written") as caught:
        TrialStore(str(tmp_path / where)).write(DOCUMENT)
    assert str(caught.value).endswith(f"; make its folder {tmp_path / 'missing'}") == where.startswith("missing")


@pytest.mark.parametrize("changes", [{"model": "\ud800"}, {"data": DOCUMENT["data"] | {"num_obs": 2**70}}])
def test_a_value_that_the_driver_refuses_is_one_line(url, changes):
    """Half a character, and a number beyond the column's, are a `StoreError` too."""
    with pytest.raises(StoreError, match=r"nothing was written by this call$") as caught:
        TrialStore(url).write(_document(1, **changes))
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_rights_is_one_line(tmp_path):
    """A folder in which nothing may be made is one line."""
    (tmp_path / "mine").mkdir(mode=0o500)
    with pytest.raises(StoreError, match="unable to open database file"):
        TrialStore(str(tmp_path / "mine" / "trials.sqlite")).write(DOCUMENT)


def test_a_store_that_may_only_be_read_is_one_line(postgresql, tmp_path):
    """A database in which the user may write nothing says so in one line."""
    url = f"{postgresql}?options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(StoreError, match="read-only transaction; nothing was written") as caught:
        TrialStore(url).write(DOCUMENT)
    _assert_is_secret(caught, "s3cret")


def _write_for_ever(url: str) -> None:
    number = 0
    while True:
        TrialStore(url).write(_document(1, id=f"trial-{os.getpid()}-{number}", run=f"run-{os.getpid()}-{number}"))
        number += 1


@pytest.mark.slow
def test_a_killed_writer_leaves_a_whole_store(url):
    """Writers that are killed in the middle leave a store that is read and written, without half a row."""
    spawn = multiprocessing.get_context("spawn")
    for wait in (0.0, 0.01, 0.05):
        writer = spawn.Process(target=_write_for_ever, args=(url,))
        before = len(TrialStore(url).documents())
        writer.start()
        limit = time.monotonic() + 30
        while len(TrialStore(url).documents()) == before and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(wait)
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        documents = TrialStore(url).documents()
        assert len(documents) > before
        # Every row is a whole document that is equal to what was written.
        assert all(d | {"id": 0, "run": 0} == _document(1) | {"id": 0, "run": 0} for d in documents)
    assert TrialStore(url).write(_document(2))
    if url.endswith(".sqlite"):
        assert _execute(url, "PRAGMA integrity_check") == [("ok",)]


def _prepare_and_die(url: str, statement: str) -> None:
    """Die at the first statement of this kind, with the ones before it done."""

    def die(connection, cursor, sql, *arguments):
        if sql.lstrip().startswith(statement):
            os.kill(os.getpid(), signal.SIGKILL)

    sa.event.listen(sa.Engine, "before_cursor_execute", die)
    TrialStore(url).write(DOCUMENT)


@pytest.mark.slow
@pytest.mark.parametrize("statement", ["CREATE INDEX", "INSERT INTO daybook_schema", "INSERT INTO trials"])
def test_a_process_killed_while_it_makes_the_store(url, statement):
    """A process that is killed between making the tables and the first trial leaves what the next one completes."""
    maker = multiprocessing.get_context("spawn").Process(target=_prepare_and_die, args=(url, statement))
    maker.start()
    maker.join(60)
    assert maker.exitcode == -signal.SIGKILL
    assert TrialStore(url).documents() == []
    assert TrialStore(url).write(DOCUMENT)
    assert TrialStore(url).documents() == [DOCUMENT]


def test_keep_by_hand_leaves_the_store_alone(home):
    """Without a run the trial is in the store, and nothing else is left."""
    trials.keep(_document(1))
    assert TrialStore().documents() == [_document(1)]
    assert [path.name for path in home.rglob("*") if path.suffix in (".json", ".part")] == []


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    """The folder of a run that this process belongs to."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name, value in RunContext("run-1", folder, "tiny.ipynb").environment().items():
        monkeypatch.setenv(name, value)
    return folder


def test_keep_in_a_run_writes_both(run_folder):
    """In a run the trial is in the store and, equal, in the run's folder, without a partial file beside it."""
    trials.keep(_document(1))
    assert json.loads((run_folder / "trial.json").read_text()) == _document(1)
    assert TrialStore().documents() == [_document(1)]
    assert [path.name for path in run_folder.iterdir()] == ["trial.json"]


def test_keep_outlives_a_store_that_is_down(run_folder, home):
    """With a store that does not answer the trial is in the run's folder, waits, and the failure is still told."""
    with pytest.raises(StoreError, match=r"refused.*; the trial waits, `daybook replay` stores it") as caught:
        trials.keep(_document(1), f"postgresql+psycopg://me:s3cret@127.0.0.1:{free_port()}/db")
    _assert_is_secret(caught, "s3cret")
    assert json.loads((run_folder / "trial.json").read_text()) == _document(1)
    [waiting] = (home / "unstored").iterdir()
    assert json.loads(waiting.read_text())["trial"] == _document(1)


def test_keep_refuses_nan_before_anything_is_written(run_folder, home):
    """A trial with a NaN is neither in the run's folder nor in the store."""
    with pytest.raises(StoreError, match=r"trial\.seed is nan"):
        trials.keep(_document(1, seed=float("nan")))
    assert list(run_folder.iterdir()) == []
    assert TrialStore().documents() == []


def test_repr_shows_no_path(tmp_path):
    """In a notebook a store shows its file's name, or its URL without the password."""
    assert repr(TrialStore(str(tmp_path / "trials.sqlite"))) == "<TrialStore trials.sqlite>"
    assert repr(TrialStore("postgresql+psycopg://me:s3cret@host/db")) == (
        "<TrialStore postgresql+psycopg://me:***@host/db>"
    )


TICK = {
    "run": "run-1",
    "notebook": "tiny.ipynb",
    "schedule": "nightly",
    "scheduled_at": "2026-01-01T00:00:00.000+00:00",
    "parameters": {"source": "sample", "batch_size": 10, "options": {"a": 1, "b": 2}, "store": "here"},
}


def test_documents_of_certain_facts(url):
    """Documents can be asked for by facts, each one of several values, in the order as without."""
    store = TrialStore(url)
    changes = [{"notebook": "a.ipynb"}, {}, {"scheduled_at": "2026-01-02"}, {"scheduled_at": None}]
    for number, facts in enumerate(changes):
        store.write(_document(number, **facts))
    ticks = [DOCUMENT["scheduled_at"], "2026-01-02"]
    found = store.documents(notebook=["tiny.ipynb"], scheduled_at=ticks)
    assert [document["id"] for document in found] == ["trial-2", "trial-1"]
    assert len(store.documents(notebook=["a.ipynb", "tiny.ipynb"])) == 4
    assert store.documents(scheduled_at=[]) == []
    assert len(store.documents(scheduled_at=[f"tick {number}" for number in range(10_000)] + ticks)) == 3


def test_trials_by_hand_have_names_of_their_own():
    """Without a tick no two trials have one id."""
    by_hand = TICK | {"scheduled_at": None}
    assert len({trials.trial_id(by_hand) for _ in range(100)}) == 100


def test_a_tick_has_one_trial():
    """A retry of a tick, in another run, with another store, notation or order of the parameters, has the same id."""
    first = trials.trial_id(TICK)
    again = {"run": "run-2", "scheduled_at": "2026-01-01T01:00:00+01:00", "started_at": "2026-01-02"}
    swapped = {"store": "there", "options": {"b": 2, "a": 1}, "batch_size": 10, "source": "sample"}
    assert trials.trial_id(TICK | again | {"parameters": swapped}) == first
    # A fixed function of them: a trial can be found again years later.
    assert first == "d2a59e09-480c-5afb-9370-b7fb87fb7b74"


@pytest.mark.parametrize(
    "changes",
    [
        {"notebook": "other.ipynb"},
        {"schedule": "hourly"},
        {"schedule": None},
        {"scheduled_at": "2026-01-01T00:01:00.000+00:00"},
        {"parameters": TICK["parameters"] | {"batch_size": 11}},
        {"parameters": {"source": "sample"}},
    ],
)
def test_another_tick_is_another_trial(changes):
    """Another notebook, schedule, time or parameter gives another id."""
    assert trials.trial_id(TICK | changes) != trials.trial_id(TICK)


def test_a_trial_without_a_schedule_has_an_id():
    """A one-shot of cron's, with a tick and no schedule's name, has a fixed id as well."""
    one_shot = {name: value for name, value in TICK.items() if name != "schedule"}
    assert trials.trial_id(one_shot) == trials.trial_id(TICK | {"schedule": None})
