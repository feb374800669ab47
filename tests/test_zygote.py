"""The zygote as a process: what it imports, what it forks, and what is left of it and of its runs when it ends."""

import json
import os
import signal
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from helpers import prefect_server, runs
from helpers.exceptions import RunError
from helpers.zygote import _is_installed
from helpers.zygote_process import ZygoteProcess

pytestmark = [pytest.mark.slow]
SLEEPS = "import subprocess, time; subprocess.Popen(['sleep', '300']); time.sleep(300)"


def start(modules: set[str] = frozenset()) -> ZygoteProcess:
    """A zygote that has imported all."""
    zygote = ZygoteProcess(set(modules))
    wait_for(lambda: zygote.ended() == [] and zygote.is_ready)
    return zygote


def wait_for(condition, seconds: float = 60.0):
    """Wait until something is so; what it is."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come")


def fork(zygote: ZygoteProcess, notebook: Path, key: str = "a", environment: dict | None = None, **given) -> int:
    """Have a run forked; its process id."""
    asked = {"id": key, "notebook": str(notebook), "given": given, "options": {}, "environment": environment or {}}
    return zygote.fork(asked)


def outputs(said: dict) -> list:
    """What each code cell of a run put out: the last value, evaluated, or None."""
    assert said["code"] == 0, said["outcome"]["error"]
    [path] = Path(said["outcome"]["folder"]).glob("*.ipynb")
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    values = [[o.data["text/plain"] for o in cell.outputs if o.output_type == "execute_result"] for cell in cells]
    return [eval(value[0]) if value else None for value in values]


def one(zygote: ZygoteProcess, notebook: Path, **options) -> list:
    """Run a notebook to its end; what its cells put out."""
    fork(zygote, notebook, **options)
    [said] = wait_for(zygote.ended)
    return outputs(said)


@pytest.fixture(scope="module")
def served(server_url):
    """A zygote for several tests; each run gets the test's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PREFECT_API_URL", server_url)
        for name, value in prefect_server.environment().items():
            patch.setenv(name, value)
        zygote = start({"numpy.random", "pandas", "prefect_dask", "sklearn.metrics"})
    yield zygote
    zygote.close()


@pytest.fixture
def zygote(served, home, prefect, monkeypatch):
    """The module's zygote, with the environment of the test."""
    told = {"DAYBOOK_HOME": str(home), "PREFECT_API_URL": prefect}
    real = served.fork
    monkeypatch.setattr(served, "fork", lambda asked: real(asked | {"environment": told | asked["environment"]}))
    return served


def test_a_zygote_has_one_thread_and_no_connection(zygote):
    """After all imports there is one Python thread, and no socket of the internet."""
    process = psutil.Process(zygote.pid)
    assert not zygote.threaded
    assert process.net_connections("inet") == []
    # BLAS starts threads of its own, which it ends before a fork and starts again after it.
    allowed = 1 + 2 * psutil.cpu_count()
    assert process.num_threads() <= allowed


def test_no_run_sees_what_another_did(zygote, write_nb, monkeypatch):
    """Variables, modules' state, the environment, its holes and the working directory begin anew in each run."""
    dirty = write_nb(
        [
            "import os, sys, math, pandas\nmine = 1; math.pi = 3; pandas.mine = 1; sys.path.append('/mine')",
            "os.environ['MINE'] = '1'; del os.environ['PATH']; os.chdir('/'); import builtins; builtins.mine = 1",
        ],
        name="dirty.ipynb",
    )
    looks = write_nb(
        [
            "import os, sys, math, pandas, builtins",
            "'mine' in globals(), math.pi, hasattr(pandas, 'mine'), '/mine' in sys.path, hasattr(builtins, 'mine')",
            "os.environ.get('MINE'), 'PATH' in os.environ, os.getcwd()",
        ],
        name="looks.ipynb",
    )
    one(zygote, dirty)
    *_, state, environment = one(zygote, looks)
    assert state == (False, 3.141592653589793, False, False, False)
    assert environment == (None, True, os.getcwd())


def test_the_secrets_of_one_run_are_not_in_anothers(zygote, write_nb):
    """What a run was told is in its own environment alone, and the zygote has none of it."""
    notebook = write_nb(["import os; sorted(os.environ.items())"], "n: int = 1\nstore: str = ''")
    # Both at once.
    fork(zygote, notebook.rename(notebook.with_name("a.ipynb")), "a", {"X": "of-a"}, store="postgresql://u:pw-a@h/d")
    fork(
        zygote,
        write_nb(["import os; sorted(os.environ.items())"], "n: int = 1\nstore: str = ''"),
        "b",
        store="sqlite://u:pw-b@h/d",
    )
    said: dict = {}
    wait_for(lambda: said.update({one["id"]: one for one in zygote.ended()}) or len(said) == 2)
    of_a, of_b = (str(outputs(said[run])[-1]) for run in "ab")
    assert "pw-a" in of_a
    assert "of-a" in of_a
    assert "pw-b" in of_b
    assert "pw-a" not in of_b
    assert "of-a" not in of_b
    assert "pw-" not in Path(f"/proc/{zygote.pid}/environ").read_text()


def test_random_numbers_differ(zygote, write_nb):
    """No two runs draw the same numbers, from whatever generator."""
    code = (
        "import random, uuid, numpy, tempfile, pandas\n"
        "[random.random(), numpy.random.random(), numpy.random.default_rng().random(), str(uuid.uuid4()),"
        " str(uuid.uuid1()), tempfile.mktemp(), int(pandas.Series(range(10**6)).sample(1).iloc[0])]"
    )
    notebook = write_nb([code])
    first, second, third = ([*one(zygote, notebook)[0]] for _ in range(3))
    for drawn in zip(first, second, third, strict=True):
        assert len(set(drawn)) == 3


def test_a_module_beside_the_notebook_is_imported_by_each_run(zygote, write_nb, tmp_path):
    """A module that is not installed is never kept: a change is there at once, and so is its own fresh state."""
    module = tmp_path / "beside_the_notebook.py"
    notebook = write_nb([f"import sys; sys.path.insert(0, {str(tmp_path)!r})", "import beside_the_notebook as b; b.n"])
    for n in (1, 2):
        module.write_text(f"n = {n}")
        fork(zygote, notebook)
        [said] = wait_for(zygote.ended)
        assert outputs(said)[-1] == n
        assert "beside_the_notebook" not in said["modules"]


def test_only_what_is_installed_is_imported_beforehand(tmp_path, monkeypatch):
    """Installed packages and these helpers are; modules of the working directory, and names of none, are not."""
    (tmp_path / "of_mine.py").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [_is_installed(name) for name in ("pandas.io", "json", "helpers.metrics")] == [True] * 3
    assert [_is_installed(name) for name in ("of_mine", "absent", "__main__", "")] == [False] * 4


@pytest.mark.usefixtures("prefect")
def test_a_module_of_the_working_directory_is_not_imported(tmp_path, monkeypatch):
    """A module that lies where `daybook serve` was started is not imported beforehand, though it could be."""
    (tmp_path / "of_mine.py").write_text("open('was-imported', 'w')")
    monkeypatch.chdir(tmp_path)
    start({"of_mine"}).close()
    assert not (tmp_path / "was-imported").exists()


def test_a_module_that_starts_a_thread_is_named(tmp_path, monkeypatch):
    """A module whose import starts a thread is named in the answer, and one that cannot be imported does no harm."""
    site = Path(sys.modules["pytest"].__file__).parents[1]
    module = site / f"daybook_test_{os.getpid()}.py"
    module.write_text("import threading, time\nthreading.Thread(target=time.sleep, args=[60], daemon=True).start()\n")
    try:
        zygote = start({module.stem, "antigravity_of_nobody", "this"})
        assert zygote.threaded == {module.stem}
        zygote.close()
    finally:
        module.unlink()


def test_how_a_run_ended_is_told(zygote, write_nb, home):
    """A completed, a failed and a refused run are told with their exit codes, as `daybook run` has them."""
    fork(zygote, write_nb(["1 / 0"]))
    [said] = wait_for(zygote.ended)
    assert (said["code"], said["outcome"]["state"]) == (1, "failed")
    assert "ZeroDivisionError" in said["outcome"]["error"]
    fork(zygote, write_nb(["1"], "n: int = 1"), nn=2)
    [said] = wait_for(zygote.ended)
    assert said["code"] == 2
    assert "did you mean 'n'" in said["refused"]
    assert "outcome" not in said
    [facts] = runs.listing()
    assert facts["state"] == "failed"


def test_a_killed_run_is_told_at_once(zygote, write_nb, home):
    """kill -9 of a run's process is told within 2 s, whatever its kernel does; the kernel ends when it can."""
    pid = fork(zygote, write_nb(["1", SLEEPS]))
    folder = wait_for(lambda: next((f for f in home.glob("*.part") if _cells_done(f)), None))
    [_, [kernel, _]] = json.loads((folder / "run.json").read_text())["processes"]
    os.kill(kernel, signal.SIGSTOP)
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    [said] = wait_for(zygote.ended, 5)
    assert time.monotonic() - began < 2
    assert said == {"id": "a", "code": -9}
    os.kill(kernel, signal.SIGCONT)
    wait_for(lambda: not psutil.pid_exists(kernel), 3)
    left = [p for p in psutil.process_iter() if _of_run(p, folder.name.removesuffix(".part"))]
    assert [p.name() for p in left] == ["sleep"]
    assert runs.close_crashed() == [folder.name.removesuffix(".part")]
    wait_for(lambda: not left[0].is_running())


def test_what_a_kernel_has_forked_ends_with_its_run(zygote, write_nb, home):
    """A process that a forked kernel forked, which has neither its name nor its run's in the environment, is ended."""
    code = (
        "import multiprocessing as m, time; p = m.get_context('fork').Process(target=time.sleep, args=[300]); p.start()"
    )
    home.mkdir(exist_ok=True)
    notebook = write_nb([code, f"open({str(home / 'child')!r}, 'w').write(str(p.pid))", "time.sleep(300)"])
    pid = fork(zygote, notebook)
    child = int(wait_for(lambda: (home / "child").exists() and (home / "child").read_text()))
    os.kill(pid, signal.SIGKILL)
    wait_for(zygote.ended)
    assert psutil.pid_exists(child)
    assert len(runs.close_crashed()) == 1
    wait_for(lambda: not psutil.pid_exists(child), 5)


@pytest.mark.usefixtures("prefect")
def test_the_end_of_stdin_ends_all(write_nb, home):
    """When whoever started a zygote is gone, it, its runs and their kernels are gone within 5 s."""
    zygote = start()
    fork(zygote, write_nb(["1", "while True: pass"]))
    folder = wait_for(lambda: next((f for f in home.glob("*.part") if _cells_done(f)), None))
    pids = [zygote.pid, *(pid for pid, _ in json.loads((folder / "run.json").read_text())["processes"])]
    assert len(pids) == 3
    began = time.monotonic()
    zygote._process.stdin.close()
    zygote._process.wait(5)
    wait_for(lambda: not any(map(psutil.pid_exists, pids)), 5)
    assert time.monotonic() - began < 5
    assert runs.listing()[0]["state"] == "crashed"


@pytest.mark.usefixtures("prefect")
def test_a_killed_zygote_is_noticed(write_nb, home):
    """After kill -9 of the zygote its runs are ended and told, and a fork says that it does not answer."""
    zygote = start()
    fork(zygote, write_nb(["1", SLEEPS]))
    folder = wait_for(lambda: next((f for f in home.glob("*.part") if _cells_done(f)), None))
    os.kill(zygote.pid, signal.SIGKILL)
    assert wait_for(zygote.ended) == [{"id": "a", "code": -9}]
    with pytest.raises(RunError, match="did not answer"):
        fork(zygote, write_nb(["1"]))
    zygote.close()
    assert wait_for(runs.close_crashed, 5) == [folder.name.removesuffix(".part")]
    wait_for(lambda: not [p for p in psutil.process_iter() if _of_run(p, folder.name.removesuffix(".part"))])


def _cells_done(folder: Path) -> int:
    try:
        return json.loads((folder / "run.json").read_text())["cells_done"] or 0
    except OSError:
        return 0


def _of_run(process: psutil.Process, run: str) -> bool:
    try:
        return process.environ().get("DAYBOOK_RUN") == run and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
