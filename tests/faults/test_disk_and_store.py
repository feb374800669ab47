"""A full disk, a store that is locked or down, a home that may only be read: one clear error, and nothing is lost."""

import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from helpers import trials
from helpers.trials import TrialStore

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect")]

DOCUMENT = {
    **{"id": "trial-0", "run": "run-0", "notebook": "tiny.ipynb", "flow_run": None, "scheduled_at": None},
    **{"source": "tiny", "source_sha256": "0" * 64, "model": "none", "model_version": "1"},
    **{"started_at": "2026-01-01T00:00:00.000+00:00", "finished_at": "2026-01-01T00:00:01.000+00:00"},
    "data": {"num_obs": 1, "metrics": {"MAE": 0.0, "MedAE": 0.0, "MSE": 0.0, "R2": None}},
}
DAYBOOK = [sys.executable, "-c", "from helpers.command_line import main; main()"]
# Two lines: IPython takes a cell of the line `store: str = ''` alone for its magic command %store.
PARAMETERS = "n: int = 1\nstore: str = ''"
KEEP = f"""from helpers import run_context, trials
run = run_context.current().run
trials.keep({DOCUMENT!r} | {{"id": f"trial-{{run}}", "run": run}}, store)"""
FILL = """import contextlib, os
with contextlib.suppress(OSError), open(os.path.join(os.environ["DAYBOOK_HOME"], "filler"), "wb", buffering=0) as file:
    while file.write(bytes(1024)):
        pass"""


def call(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """Call daybook as a person does."""
    called = [*DAYBOOK, *map(str, arguments)]
    return subprocess.run(called, capture_output=True, text=True, timeout=120, env=os.environ | environment)


def said(done: subprocess.CompletedProcess) -> str:
    """The one line on stderr, but for the progress."""
    [line] = [line for line in done.stderr.splitlines() if not line.startswith("cell ")]
    return line


def stored(url: str = "") -> list[str]:
    """The runs whose trials are in a store."""
    return sorted(document["run"] for document in TrialStore(url).documents())


def listed() -> list[dict]:
    """The runs as `daybook runs` has them, newest first."""
    return json.loads(call("runs", "--json").stdout)


def waiting(home: Path) -> list[str]:
    """The files of trials that wait."""
    return sorted(os.listdir(home / "unstored")) if (home / "unstored").exists() else []


def assert_nothing_is_half_written(home: Path) -> None:
    """Every JSON document and notebook below is whole, and nothing partial is left of what is finished."""
    for path in home.rglob("*"):
        if "prefect" in path.parts:
            continue
        if path.suffix in (".json", ".ipynb"):
            json.loads(path.read_text())
        assert not (path.name.endswith(".part") and path.is_file()), path
        assert not (path.parent == home and path.name.startswith(".")), path


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 3 MB, unmounted at the end."""
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"mounting a tmpfs needs CAP_SYS_ADMIN: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def small_home(small_disk, monkeypatch):
    """A `DAYBOOK_HOME` on it."""
    monkeypatch.setenv("DAYBOOK_HOME", str(small_disk))
    return small_disk


def fill(folder: Path) -> Path:
    """Fill a file system to its last block."""
    filler = folder / "filler"
    subprocess.run(["dd", "if=/dev/zero", f"of={filler}", "bs=1k"], capture_output=True)
    assert shutil.disk_usage(folder).free == 0
    return filler


@pytest.fixture
def tiny(write_nb):
    """A notebook that stores one trial."""
    return write_nb(["1 + 1", KEEP], PARAMETERS)


def test_a_disk_that_is_full_before_the_start(small_home, tiny):
    """On a full disk a run does not begin: one line with the file and what to do, nothing left; then the next works."""
    filler = fill(small_home)
    done = call("run", tiny)
    assert done.returncode == 2
    assert said(done).startswith("daybook: No space left on device: ")
    assert "make room" in said(done)
    filler.unlink()
    assert listed() == []
    assert_nothing_is_half_written(small_home)
    assert call("run", tiny).returncode == 0
    assert [run["state"] for run in listed()] == ["completed"]
    assert len(stored()) == 1


@pytest.mark.parametrize("where", ["before the trial", "after the trial", "in a cell of its own"])
def test_a_disk_that_fills_in_the_middle(small_home, write_nb, tiny, where):
    """A run that fills the disk ends with one line; what it leaves is whole and closed as crashed by the next one."""
    cells = {
        "before the trial": [f"{FILL}\n{KEEP}"],
        "after the trial": [f"{KEEP}\n{FILL}"],
        "in a cell of its own": [FILL, KEEP],
    }[where]
    full = write_nb(["print('before')", *cells], PARAMETERS, name="full.ipynb")
    done = call("run", full)
    assert done.returncode == 2
    assert "No space left on device" in said(done)
    assert "make room" in said(done)
    [run] = listed()
    assert (run["state"], bool(run["error"])) == ("crashed", True)
    assert_nothing_is_half_written(small_home)
    # As long as there is no room the next run does not begin, and says why.
    assert call("run", tiny).returncode == 2
    (small_home / "filler").unlink()
    assert call("run", tiny).returncode == 0
    assert [run["state"] for run in listed()] == ["completed", "crashed"]
    assert [path for path in small_home.iterdir() if path.name.endswith(".part")] == []
    assert_nothing_is_half_written(small_home)
    whole = [where == "after the trial", True]
    assert len(stored()) == sum(whole)
    assert call("replay").returncode == 0


def test_a_store_on_a_full_disk(home, small_disk, tiny):
    """A store whose disk is full fails the run in one line; its trial waits, and is replayed once there is room."""
    store = str(small_disk / "trials.sqlite")
    fill(small_disk)
    done = call("run", tiny, "-p", "store", store)
    assert done.returncode == 1
    [run] = listed()
    assert run["state"] == "failed"
    assert "full" in run["error"]
    assert "the trial waits, `daybook replay` stores it" in run["error"]
    assert len(waiting(home)) == 1
    assert call("replay").returncode == 1
    (small_disk / "filler").unlink()
    assert call("replay").returncode == 0
    assert stored(store) == [run["run"]]
    assert waiting(home) == []
    assert sqlite3.connect(store).execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_store_that_fills_up(home, small_disk, tiny):
    """A store with trials whose disk fills keeps those, and takes the new one once there is room, by the next run."""
    store = str(small_disk / "trials.sqlite")
    assert call("run", tiny, "-p", "store", store).returncode == 0
    fill(small_disk)
    assert call("run", tiny, "-p", "store", store).returncode == 1
    assert len(waiting(home)) == 1
    (small_disk / "filler").unlink()
    assert call("run", tiny, "-p", "store", store).returncode == 0
    assert stored(store) == sorted(run["run"] for run in listed())
    assert waiting(home) == []


@pytest.fixture
def locked(tmp_path):
    """A SQLite store that another process keeps locked until its stdin is closed."""
    path = tmp_path / "trials.sqlite"
    TrialStore(str(path)).write(DOCUMENT)
    code = (
        "import sqlite3, sys\n"
        f"holder = sqlite3.connect({str(path)!r}, isolation_level=None)\n"
        "holder.execute('BEGIN IMMEDIATE')\nprint('locked', flush=True)\nsys.stdin.read()\n"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "locked\n"
    yield str(path), holder
    holder.kill()
    holder.wait()
    holder.stdout.close()


def test_a_store_locked_for_a_while(home, locked, tiny):
    """A store that another process releases within the limit takes the trial as if nothing had been."""
    store, holder = locked

    def release() -> None:
        limit = time.monotonic() + 60
        while not waiting(home) and time.monotonic() < limit:
            time.sleep(0.05)
        time.sleep(2)  # in which the run waits for the lock
        holder.stdin.close()

    releasing = threading.Thread(target=release)
    releasing.start()
    done = call("run", tiny, "-p", "store", store, "--json", DAYBOOK_STORE_LOCK_SECONDS="20")
    releasing.join()
    assert done.returncode == 0
    assert json.loads(done.stdout)["seconds"] > 2
    assert len(stored(store)) == 2
    assert waiting(home) == []


@pytest.mark.parametrize("by", ["replay", "the next run"])
def test_a_store_locked_for_longer(home, locked, tiny, by):
    """A store locked beyond the limit fails the run in one line; the trial waits, then is there once."""
    store, holder = locked
    done = call("run", tiny, "-p", "store", store, DAYBOOK_STORE_LOCK_SECONDS="1")
    assert done.returncode == 1
    [run] = listed()
    assert "database is locked" in run["error"]
    assert run["trial"] is None
    assert "replay" in run["error"]
    folder = home / run["run"]
    assert json.loads((folder / "trial.json").read_text())["run"] == run["run"]
    told = call("replay", "--json", DAYBOOK_STORE_LOCK_SECONDS="1")
    assert told.returncode == 1
    [one] = json.loads(told.stdout)
    assert (one["stored"], "database is locked" in one["why"]) == (False, True)
    holder.stdin.close()
    holder.wait(10)
    if by == "replay":
        assert call("replay").returncode == 0
    else:
        assert call("run", tiny, "-p", "store", store).returncode == 0
    assert run["run"] in stored(store)
    assert len(stored(store)) == (2 if by == "replay" else 3)
    assert waiting(home) == []
    assert_nothing_is_half_written(home)


class _PostgreSQL:
    """A server that can be stopped and started."""

    def __init__(self, programs: Path, folder: Path):
        self.programs, self.folder = programs, folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        # The server refuses to run as root.
        self.prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        self.url = f"postgresql+psycopg://daybook:s3cret@127.0.0.1:{self.port}/postgres"
        self.call("initdb", "-D", str(folder / "data"), "-A", "trust", "-U", "daybook", "-E", "UTF8", "--no-sync")

    def call(self, program: str, *arguments: str) -> None:
        called = [*self.prefix, str(self.programs / program), *arguments]
        subprocess.run(called, check=True, capture_output=True, cwd="/")

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off"
        data, log = str(self.folder / "data"), str(self.folder / "log")
        self.call("pg_ctl", "-D", data, "-w", "-o", options, "-l", log, "start")

    def stop(self) -> None:
        self.call("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")


@pytest.fixture
def database():
    """A PostgreSQL server of the test's own, started."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
        Path(shutil.which("initdb") or "/nowhere/initdb").parent
    ]
    if not (found[-1] / "initdb").exists():
        pytest.skip("PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)")
    folder = Path("/tmp") / f"daybook-store-{os.getpid()}"  # a socket's path must be short
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
    try:
        server = _PostgreSQL(found[-1], folder)
        server.start()
        yield server
        if (folder / "data" / "postmaster.pid").exists():
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("by", ["replay", "the next run"])
def test_a_database_that_is_down(home, database, tiny, by):
    """A database that is down fails the run in one line without the password; the trial waits, then is there once."""
    assert call("run", tiny, "-p", "store", database.url).returncode == 0
    database.stop()
    done = call("run", tiny, "-p", "store", database.url)
    assert done.returncode == 1
    run = listed()[0]
    assert "refused" in run["error"]
    assert "replay" in run["error"]
    assert call("replay", "--store", database.url).returncode == 1
    database.start()
    told = call("replay", "--json")
    assert "give the whole URL with --store" in json.loads(told.stdout)[0]["why"]
    if by == "replay":
        assert call("replay", "--store", database.url).returncode == 0
    else:
        assert call("run", tiny, "-p", "store", database.url).returncode == 0
    assert stored(database.url) == sorted(run["run"] for run in listed())
    assert waiting(home) == []
    for path in home.rglob("*"):
        assert not path.is_file() or b"s3cret" not in path.read_bytes(), path


def test_a_home_that_may_only_be_read(small_home, tiny, tmp_path, caplog):
    """In a read-only home no run begins, in one line; a trial by hand goes to a store elsewhere, with a warning."""
    subprocess.run(["mount", "-o", "remount,ro", str(small_home)], check=True)
    done = call("run", tiny)
    assert done.returncode == 2
    assert "Read-only file system" in said(done)
    assert call("replay").stdout == "no trial waits for its store\n"
    trials.keep(DOCUMENT, str(tmp_path / "trials.sqlite"))
    assert len(stored(str(tmp_path / "trials.sqlite"))) == 1
    assert "no copy of trial" in caplog.text


def test_a_stores_folder_that_is_not_there(home, tiny, tmp_path):
    """A store in a folder that does not exist fails the run with the folder's name; the trial waits until it does."""
    store = tmp_path / "missing" / "trials.sqlite"
    assert call("run", tiny, "-p", "store", str(store)).returncode == 1
    [run] = listed()
    assert f"make its folder {store.parent}" in run["error"]
    store.parent.mkdir()
    assert call("replay").returncode == 0
    assert stored(str(store)) == [run["run"]]
