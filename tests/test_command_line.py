"""The command line: in this process where no other is needed, else as a person calls it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from helpers import runs
from helpers.command_line import app, main

DAYBOOK = [sys.executable, "-c", "from helpers.command_line import main; main()"]


def call(*arguments: str, **options) -> subprocess.CompletedProcess:
    """Call daybook as a person does."""
    return subprocess.run([*DAYBOOK, *arguments], capture_output=True, text=True, timeout=120, **options)


def refused(capsys, monkeypatch, *arguments: str) -> str:
    """The one line on stderr, after exit code 2, of a call in this process."""
    monkeypatch.setattr(sys, "argv", ["daybook", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("daybook: ")
    return line


def add_run(state: str, error: str | None = None, name: str = "n.ipynb") -> str:
    """A run of this home that ended so."""
    record = runs.RunRecord(name, {})
    record.update(state="running", started_at="2026-01-01T00:00:00.000+00:00")
    record.finish(state, error)
    return record.run


@pytest.mark.slow
@pytest.mark.usefixtures("prefect")
def test_run_prints_its_outcome_as_json_last(write_nb, tmp_path):
    """run --json ends stdout with one line of JSON; -p goes before -f, whose values are typed; --report has no code."""
    (tmp_path / "p.yaml").write_text("n: 2\ntext: from the file\n")
    notebook = write_nb(["assert (n, text) == (3, 'from the file'); print('noise')"], "n: int = 1\ntext: str = ''")
    arguments = ["-f", str(tmp_path / "p.yaml"), "-p", "n", "3", "--json", "--report"]
    done = call("run", str(notebook), *arguments, cwd=tmp_path)
    told = json.loads(done.stdout.splitlines()[-1])
    assert list(told) == ["run", "state", "folder", "trial", "seconds", "error"]
    assert (told["state"], told["trial"], told["error"], done.returncode) == ("completed", None, None, 0)
    assert "noise" not in done.stdout
    report = (Path(told["folder"]) / "tiny.html").read_text()
    assert "noise" in report
    assert "print(" not in report
    [line for line in done.stderr.splitlines() if line.startswith("cell 3/3 done")]
    assert all(line.startswith("cell ") for line in done.stderr.splitlines())


@pytest.mark.slow
@pytest.mark.usefixtures("prefect")
def test_a_failed_run_is_told_without_control_characters(write_nb):
    """A failed run says so in words, exits with 1, and sends nothing of its error's escapes to the terminal."""
    done = call("run", str(write_nb(["raise ValueError('\\x1b[31mred\\x07')"])))
    assert done.returncode == 1
    assert "failed in" in done.stdout
    assert r"ValueError: \x1b[31mred\x07 (in cell [1])" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-p", "numbr", "1"], "did you mean 'number'"),
        (["-p", "number", "many"], "a whole number is expected"),
        (["-p", "number", "1", "-p", "number", "2"], "given twice"),
        (["-p", "a=1;import os", "1"], "is not a name"),
        (["--scheduled-at", "tomorrow"], "--scheduled-at is 'tomorrow'"),
        (["--scheduled-at", "2016-02-29T01:16:00"], "--scheduled-at"),
        (["-f", "absent.yaml"], "absent.yaml"),
    ],
)
def test_what_is_refused_leaves_no_folder(home, write_nb, capsys, monkeypatch, arguments, said):
    """A parameter that is refused is one line and exit code 2, and no run is recorded."""
    notebook = write_nb(["1"], "number: int = 1")
    assert said in refused(capsys, monkeypatch, "run", notebook, *arguments)
    assert runs.listing() == []


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2", "1: 2", "word", b"\xff\xfe\x00"])
def test_a_file_of_parameters_that_is_none_is_refused(write_nb, tmp_path, capsys, monkeypatch, text):
    """Bad YAML, or YAML that is no mapping of names, is one line with the file's name."""
    file = tmp_path / "p.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert "p.yaml: " in refused(capsys, monkeypatch, "run", write_nb(["1"]), "-f", file)


def test_a_refusal_with_json_is_json_too(home, capsys, monkeypatch):
    """run --json prints JSON with the error also when nothing could start."""
    monkeypatch.setattr(sys, "argv", ["daybook", "run", "absent.ipynb", "--json"])
    with pytest.raises(SystemExit):
        main()
    told = json.loads(capsys.readouterr().out)
    assert (told["state"], told["run"]) == ("failed", None)
    assert "absent.ipynb" in told["error"]


def test_a_reader_that_has_had_enough_is_no_error(home):
    """`daybook runs | head -1` prints no traceback."""
    for error in ("x" * 60_000, "x" * 60_000, "little"):  # more than a pipe holds
        add_run("failed", error)
    command = f"'{sys.executable}' -c '{DAYBOOK[2]}' runs"
    done = subprocess.run(["sh", "-c", f"{command} | head -1"], capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("state")
    assert done.stderr == ""
    # Little output is written at the end only, when the reader may be gone already.
    done = subprocess.run(["sh", "-c", f"{command} --last 1 | true"], capture_output=True, text=True, timeout=30)
    assert done.stderr == ""


def test_a_home_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, write_nb):
    """A home that is a file, or lies below one, is one line and exit code 2."""
    (tmp_path / "file").touch()
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "file" / "home"))
    for arguments in (["runs"], ["run", str(write_nb(["1"]))], ["server", "start"]):
        done = call(*arguments)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert "file/home" in done.stderr


@pytest.mark.slow
def test_doctor_says_what_is_wrong_and_how_to_mend_it(home, monkeypatch, prefect):
    """Doctor exits with 1 and a line that mends when something is wrong; a home that cannot be made is not its end."""
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    monkeypatch.setenv("SATURN_BASE_URL", "http://127.0.0.1:1/")
    done = call("doctor")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    wrong = [number for number, line in enumerate(lines) if line.startswith("WRONG")]
    assert {lines[number].split(":")[0] for number in wrong} >= {"WRONG Prefect server", "WRONG Saturn Cloud"}
    assert all(lines[number + 1].startswith("      mend: ") for number in wrong)
    assert any(line.startswith("ok    home: ") for line in lines)
    (home.parent / "file").touch()
    monkeypatch.setenv("DAYBOOK_HOME", str(home.parent / "file" / "home"))
    done = call("doctor")
    assert done.returncode == 1
    assert "WRONG home: cannot be written" in done.stdout
    assert done.stderr == ""


def test_server_status_of_a_home_without_one(home):
    """Without a server, status exits with 1 and says how to start one, and stop says that there was none."""
    result = CliRunner().invoke(app, ["server", "status"])
    assert (result.exit_code, "daybook server start" in result.stdout) == (1, True)
    assert CliRunner().invoke(app, ["server", "stop"]).stdout == "no local Prefect server was up\n"


@pytest.mark.slow
def test_server_starts_tells_and_stops(home):
    """Server start prints the page's address, status finds it with its memory, stop ends it."""
    try:
        started = call("server", "start")
        page = started.stdout.split()[-1]
        assert page.startswith("http://127.0.0.1:")
        status = call("server", "status")
        assert page in status.stdout
        assert status.returncode == 0
    finally:
        stopped = call("server", "stop")
    assert stopped.stdout == "stopped\n"
    assert call("server", "status").returncode == 1
