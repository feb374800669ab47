"""Runs of tiny notebooks in real kernels: what is left of each, however it ends."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from helpers import executed_notebook, runs
from helpers.exceptions import DaybookError, ParameterError
from helpers.execution import run_notebook
from helpers.run_progress import MIMETYPE

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect")]

DAYBOOK = [sys.executable, "-c", "from helpers.command_line import main; main()"]
SLEEPS = "import subprocess, time; subprocess.Popen(['sleep', '300'], start_new_session=True); time.sleep(300)"


def read(outcome) -> nbformat.NotebookNode:
    """The executed notebook of a run."""
    [path] = Path(outcome.folder).glob("*.ipynb")
    return nbformat.read(path, as_version=4)


def facts(outcome) -> dict:
    """A run's `run.json`."""
    return json.loads((Path(outcome.folder) / "run.json").read_text())


def of_run(run: str) -> list[psutil.Process]:
    """The live processes of a run's kernel, by the run's name in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("DAYBOOK_RUN") == run and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            pass
    return found


def assert_closed(home, outcome) -> None:
    """Nothing temporary, locked or alive is left of a run."""
    folder = Path(outcome.folder)
    assert folder.parent == home
    assert folder.name == outcome.run
    assert not [path for path in home.rglob("*") if path.name.endswith(".part") or path.name == "run.lock"]
    assert not [path for path in home.iterdir() if path.name.startswith(".")]
    assert of_run(outcome.run) == []


def test_a_completed_run_leaves_a_whole_folder(home, write_nb, capfd):
    """A run leaves run.json, the executed notebook, its HTML and its log; the terminal stays quiet."""
    folder_now = "json.loads(pathlib.Path(os.environ['DAYBOOK_RUN_FOLDER'], 'run.json').read_text())['progress']"
    note = f"display({{'{MIMETYPE}': {{'text': 'half'}}, 'text/plain': ''}}, raw=True)"
    waits = f"import json, pathlib, time\nfor _ in range(500):\n  if {folder_now}: break\n  time.sleep(.02)"
    cells = [f"import os; {note}; print('said', n * 2)\n{waits}\nprint('recorded', {folder_now})"]
    cells += ["os.system('echo from a program')", ""]
    notebook = write_nb(cells, "n: int = 1", name="a notebook.ipynb")
    seen = []
    outcome = run_notebook(notebook, {"n": "21"}, on_progress=lambda *progress: seen.append(progress), has_code=False)
    assert (outcome.state, outcome.exit_code, outcome.error) == ("completed", 0, None)
    assert_closed(home, outcome)
    folder = Path(outcome.folder)
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["a notebook.html", "a notebook.ipynb", "run.json", "run.log"]
    assert "said 42" in (folder / "run.log").read_text()
    assert "from a program" in (folder / "run.log").read_text()
    assert "said 42" in (folder / "a notebook.html").read_text()
    assert "from a program&#39;)" not in (folder / "a notebook.html").read_text()  # code, which was not asked for
    assert "recorded half" in (folder / "run.log").read_text()
    told = facts(outcome)
    assert (told["path"], told["progress"]) == (str(notebook.resolve()), None)
    assert told["parameters"] == {"n": 21}
    assert (told["cells_done"], told["cells"]) == (4, 5)  # the fifth is empty; papermill adds one of parameters
    assert told["versions"]["prefect"]
    assert told["seconds"] == outcome.seconds > 0
    assert (told["schedule"], told["attempt"], told["flow_run"]) == (None, 1, None)
    [run, kernel] = told["processes"]  # each with the time at which it started
    assert run == runs.identity(os.getpid())
    assert kernel[0] != os.getpid()
    assert seen[-1] == (4, 5)
    # papermill's and ipykernel's own words, such as a warning of a kernel that talks over TCP, are not for the person.
    assert capfd.readouterr().err == ""


def test_the_kernel_opens_no_port(write_nb):
    """The kernel's channels are Unix sockets, and what ipykernel opens besides is on loopback."""
    # ipykernel's thread for output has one port, which takes nothing without a secret of its own.
    code = "import psutil; {c.laddr.ip for c in psutil.Process().net_connections('inet')} - {'127.0.0.1'}"
    cells = [code, "import os; os.listdir(os.path.dirname(__import__('ipykernel').get_connection_file()))"]
    outcome = run_notebook(write_nb(cells), {})
    connections, files = (cell.outputs[0].data["text/plain"] for cell in read(outcome).cells)
    assert connections == "set()"
    assert "kernel-ipc-1" in files


def test_a_failing_cell_ends_the_run(home, write_nb):
    """A cell that raises fails the run in one line; its error is in the notebook and the cells after it did not run."""
    outcome = run_notebook(write_nb(["1 + 1", "raise ValueError('no such\\nthing')", "open('after', 'w')"]), {})
    assert (outcome.state, outcome.exit_code) == ("failed", 1)
    assert outcome.error == "ValueError: no such (in cell [2])"
    assert_closed(home, outcome)
    first, *_, last = [cell for cell in read(outcome).cells if cell.cell_type == "code"]
    assert first.outputs[0].data["text/plain"] == "2"
    assert last.execution_count is None
    assert last.outputs == []
    [error] = [o for cell in read(outcome).cells for o in cell.get("outputs", []) if o.output_type == "error"]
    assert error.evalue == "no such\nthing"
    assert facts(outcome)["cells_done"] == 1
    assert (Path(outcome.folder) / "tiny.html").exists()


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("import sys; sys.exit(0)", "cell [2] ended the notebook with SystemExit(0)"),
        ("quit()", "cell [2] ended the notebook with quit() or exit()"),
        ("raise SystemExit", "cell [2] ended the notebook with SystemExit()"),
    ],
)
def test_a_cell_that_ends_the_interpreter_fails_the_run(home, write_nb, cell, said):
    """An exit in the middle is a failure that says so, not the success that exit code 0 promises."""
    outcome = run_notebook(write_nb(["1", cell, "3"]), {})
    assert (outcome.state, outcome.error) == ("failed", said)
    assert read(outcome).cells[-1].execution_count is None
    assert_closed(home, outcome)


@pytest.mark.parametrize("cell", ["import os; os.kill(os.getpid(), 9)", "import os; os._exit(0)"])
def test_a_kernel_that_dies_fails_the_run(home, write_nb, cell):
    """A kernel killed, or ended behind Python's back in the last cell, is a failure within 10 s that says so."""
    code = "import subprocess; child = subprocess.Popen(['sleep', '300'], start_new_session=True)"
    began = time.monotonic()
    outcome = run_notebook(write_nb([code, cell]), {})
    assert time.monotonic() - began < 10
    assert outcome.state == "failed"
    assert "kernel died" in outcome.error
    assert [cell.metadata.papermill.status for cell in read(outcome).cells] == ["completed", "failed"]
    assert_closed(home, outcome)


def test_the_limit_ends_a_cell_that_never_ends(home, write_nb):
    """A run past its limit fails, says the limit, and leaves nothing running that its kernel started."""
    began = time.monotonic()
    outcome = run_notebook(write_nb([SLEEPS, "2"]), {}, timeout=3)
    assert time.monotonic() - began < 15
    assert (outcome.state, outcome.error) == ("failed", "the run took longer than its limit of 3 s and was ended")
    assert_closed(home, outcome)


def test_the_limit_ends_what_a_local_cluster_left(home, write_nb):
    """A run past its limit leaves none of its cluster's workers."""
    cells = ["from helpers import clusters; c = clusters.connect('local', {'n_workers': 1, 'threads_per_worker': 1})"]
    outcome = run_notebook(write_nb([*cells, "while True: pass"]), {}, timeout=8)
    assert "limit of 8 s" in outcome.error
    assert_closed(home, outcome)


def test_the_limit_is_the_whole_runs(home, write_nb):
    """Cells that each keep the limit fail the run when they pass it together."""
    outcome = run_notebook(write_nb(["import time"] + ["time.sleep(0.4)"] * 10), {}, timeout=2.5)
    assert outcome.state == "failed"
    assert "limit of 2.5 s" in outcome.error
    assert 1 <= facts(outcome)["cells_done"] <= 6


def start_run(notebook, *arguments) -> tuple[subprocess.Popen, Path]:
    """`daybook run` in a process of its own, and its folder once its first cell is done."""
    home = Path(os.environ["DAYBOOK_HOME"])
    before = set(home.glob("*.part"))
    process = subprocess.Popen(
        [*DAYBOOK, "run", str(notebook), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for folder in set(home.glob("*.part")) - before:
            if json.loads((folder / "run.json").read_text())["cells_done"]:
                return process, folder
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


@pytest.mark.parametrize(("number", "said"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C")])
def test_a_cancelled_run_is_recorded(home, write_nb, number, said):
    """SIGTERM and Ctrl-C end a run within 15 s as cancelled, and everything that it started."""
    process, folder = start_run(write_nb(["1", SLEEPS]))
    time.sleep(0.5)
    began = time.monotonic()
    process.send_signal(number)
    output, error = process.communicate(timeout=30)
    assert time.monotonic() - began < 15
    assert process.returncode == 130
    assert f"cancelled by {said}" in output
    assert "Traceback" not in error
    [told] = runs.listing()
    assert (told["state"], told["run"]) == ("cancelled", folder.name.removesuffix(".part"))
    assert of_run(told["run"]) == []
    assert not list(home.glob("*.part"))
    assert not (Path(told["folder"]) / "run.lock").exists()


def test_a_killed_run_is_called_crashed_and_closed_by_the_next(home, write_nb):
    """After kill -9 the run is listed as crashed, its kernel ends, and the next run closes it and what it left."""
    process, folder = start_run(write_nb(["1", SLEEPS]))
    time.sleep(0.5)
    [facts_before] = runs.listing()
    assert facts_before["state"] == "running"
    process.kill()
    process.communicate()
    [told] = runs.listing()
    assert told["state"] == "crashed"
    assert "without finishing" in told["error"]
    deadline = time.monotonic() + 10
    while len(of_run(told["run"])) > 1 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [left.name() for left in of_run(told["run"])] == ["sleep"]  # the kernel itself is gone
    outcome = run_notebook(write_nb(["1"], name="next.ipynb"), {})
    assert outcome.state == "completed"
    assert_closed(home, outcome)
    assert of_run(told["run"]) == []
    assert runs.read(folder.with_name(told["run"]))["state"] == "crashed"


def test_a_second_run_of_a_notebook_is_skipped_or_waits(home, write_nb):
    """While a run of a notebook is going another is skipped and recorded, or waits for its turn; others go on."""
    notebook = write_nb(["1", "import time; time.sleep(8)"])
    process, _ = start_run(notebook)
    queued = subprocess.Popen([*DAYBOOK, "run", str(notebook), "--overlap", "queue", "--json"], stdout=subprocess.PIPE)
    stopped = subprocess.Popen(
        [*DAYBOOK, "run", str(notebook), "--overlap", "queue"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 10
    while len(list(home.glob("*.part"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    outcome = run_notebook(notebook, {})
    assert (outcome.state, outcome.exit_code) == ("skipped", 3)
    assert facts(outcome)["state"] == "skipped"
    assert run_notebook(write_nb(["1"], name="other.ipynb"), {}).state == "completed"
    assert process.poll() is None
    stopped.send_signal(signal.SIGTERM)
    assert b"cancelled by SIGTERM" in stopped.communicate(timeout=15)[0]
    assert stopped.returncode == 130
    process.communicate(timeout=30)
    told = json.loads(queued.communicate(timeout=30)[0].splitlines()[-1])
    assert (process.returncode, queued.returncode, told["state"]) == (0, 0, "completed")
    states = {facts["run"]: facts for facts in runs.listing()}
    assert sorted(facts["state"] for facts in states.values()) == ["cancelled", *["completed"] * 3, "skipped"]
    first = min((f for f in states.values() if f["notebook"] == notebook.name), key=lambda f: f["run"])
    assert states[told["run"]]["started_at"] >= first["finished_at"]


def test_names_and_values_of_any_kind(tmp_path, monkeypatch, write_nb):
    """Spaces, braces, quotes and other scripts are kept, in the names of folders and the values of parameters."""
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "a {home} of 'ünï' \"kind\""))
    text = 'it\'s "q"\n{x} \\n ✓ 票'
    given = {"text": text, "deep": {"a": {"b": [1, None, text]}}, "n": 3}
    (tmp_path / "my {dir}").mkdir()
    notebook = write_nb(["[text, deep, n]"], "text: str = ''\ndeep: dict = {}\nn: float = 0.5", name="é {0} 'x'.ipynb")
    notebook = notebook.rename(tmp_path / "my {dir}" / notebook.name)
    outcome = run_notebook(notebook, given)
    assert (outcome.state, outcome.error) == ("completed", None)
    assert eval(read(outcome).cells[-1].outputs[0].data["text/plain"]) == [text, given["deep"], 3.0]
    assert (Path(outcome.folder) / "é {0} 'x'.html").exists()


def test_a_secret_reaches_the_kernel_alone(home, write_nb):
    """A password in a URL is in no file of the run and nothing printed, and yet the kernel can reveal it."""
    url = "postgresql+psycopg://u:s3cret@127.0.0.1:1/db"
    before, after = url.split("s3cret")
    cells = ["from helpers.masking import reveal", f"assert reveal(store) == {before!r} + 's3' + 'cret' + {after!r}"]
    cells += ["print(store)", "raise OSError(f'no {store}')"]
    notebook = write_nb(cells, "n: int = 1\nstore: str = ''")
    command = [*DAYBOOK, "run", str(notebook), "-p", "store", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "OSError" in done.stdout
    assert "u:***@127.0.0.1" in done.stdout
    for text in (done.stdout, done.stderr):
        assert "s3cret" not in text
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) >= 4
    assert not [path for path in files if b"s3cret" in path.read_bytes()]


def test_a_kernel_that_is_not_installed_is_one_line(home, write_nb):
    """A notebook of a kernel that is not there fails with one line, and so does one of a language unknown here."""
    notebook = write_nb(["1"])
    nb = nbformat.read(notebook, as_version=4)
    nb.metadata.kernelspec.name = "no-such-kernel"
    nbformat.write(nb, notebook)
    outcome = run_notebook(notebook, {})
    assert outcome.state == "failed"
    assert outcome.error.startswith("no kernel named 'no-such-kernel' is installed")
    assert_closed(home, outcome)


def test_a_kernel_that_does_not_start_is_one_line(home, write_nb, tmp_path, monkeypatch):
    """A notebook whose kernel's command ends at once fails with one line."""
    spec = {"argv": [sys.executable, "-c", "exit(3)", "{connection_file}"], "display_name": "x", "language": "python"}
    (folder := tmp_path / "jupyter" / "kernels" / "broken").mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebook = write_nb(["1"])
    nb = nbformat.read(notebook, as_version=4)
    nb.metadata.kernelspec.name = "broken"
    nbformat.write(nb, notebook)
    outcome = run_notebook(notebook, {})
    assert outcome.error.startswith("the kernel 'broken' did not start: Kernel died")
    assert "\n" not in outcome.error
    assert_closed(home, outcome)


def test_a_flood_of_output_stays_small_in_the_notebook(write_nb):
    """Of 40 MB printed the notebook keeps the beginning and the end and says so; the log has all of it."""
    cells = ["print('first')\nfor i in range(40): print('y' * 1_000_000)\nprint('last')", "print('small')"]
    outcome = run_notebook(write_nb(cells), {})
    assert outcome.state == "completed"
    big, small = read(outcome).cells
    text = "".join(output.text for output in big.outputs)
    assert text.startswith("first\nyyy")
    assert text.endswith("yyy\nlast\n")
    # 40 lines of a million and a line feed, "first\n" and "last\n", less what is kept of the beginning and the end.
    left_out = 40 * 1_000_001 + 6 + 5 - 2 * executed_notebook.KEPT_CHARACTERS
    assert f"{left_out:,} characters are left out here; run.log has them" in text
    assert [output.text for output in small.outputs] == ["small\n"]
    folder = Path(outcome.folder)
    assert (folder / "tiny.ipynb").stat().st_size < 200_000
    assert (folder / "run.log").stat().st_size >= 40 * 1_000_001


def test_output_of_any_size_is_kept_in_order():
    """Text up to both ends' size is kept whole; beyond it, exactly the middle is left out."""
    kept = executed_notebook.KEPT_CHARACTERS
    stream = executed_notebook.Stream("stdout")
    assert stream.beginning("a" * kept) == "a" * kept
    assert stream.end.text == ""
    assert stream.beginning("b" * kept) == ""
    assert stream.end.text == "b" * kept
    stream.beginning("c")
    assert stream.end.text.endswith("b" * (kept - 1) + "c")
    assert "… 1 characters are left out" in stream.end.text


def test_a_reader_never_sees_half_a_notebook(home, write_nb):
    """Whoever reads the executed notebook while it runs sees valid JSON each time."""
    notebook = write_nb([f"print('x' * 40_000, {n})" for n in range(30)])
    n_read, broken, ended = 0, [], threading.Event()

    def look():
        nonlocal n_read
        while not ended.is_set():
            for path in home.glob("*/tiny.ipynb"):
                try:
                    json.loads(path.read_text())
                    n_read += 1
                except FileNotFoundError:
                    pass  # the folder got its final name
                except ValueError as error:
                    broken.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    outcome = run_notebook(notebook, {})
    ended.set()
    reader.join()
    assert outcome.state == "completed"
    assert n_read > 30
    assert broken == []


def test_a_run_that_cannot_start_leaves_nothing(home, write_nb):
    """A parameter that is refused leaves no folder."""
    with pytest.raises(ParameterError, match="did you mean 'number'"):
        run_notebook(write_nb(["1"], "number: int = 1"), {"numbr": "2"})
    with pytest.raises(DaybookError, match="no such notebook"):
        run_notebook(home / "absent.ipynb", {})
    assert runs.listing() == []


def test_a_full_disk_is_one_line(write_nb):
    """When the run's files cannot be written any more, the run ends with one line and not in success."""
    # A limit on the size of files stands in for the disk's end: writing beyond it fails with an OSError too.
    limited = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)); "
    cells = [f"print('x' * 20_000, {n})" for n in range(6)]
    command = [sys.executable, "-c", limited + DAYBOOK[2], "run", str(write_nb(cells))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode not in (0, 3)
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stdout + done.stderr
    [told] = runs.listing()
    assert told["state"] in ("failed", "crashed")
    assert of_run(told["run"]) == []
