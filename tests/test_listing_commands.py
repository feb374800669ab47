"""The commands that list."""

import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from helpers import runs
from helpers.command_line import app, main
from helpers.trials import TrialStore


def add_run(state: str, error: str | None = None, name: str = "n.ipynb") -> str:
    """A run of this home that ended so."""
    record = runs.RunRecord(name, {})
    record.update(state="running", started_at="2026-01-01T00:00:00.000+00:00")
    record.finish(state, error)
    return record.run


def refused(capsys, monkeypatch, *arguments: str) -> str:
    """The one line on stderr, after exit code 2, of a call in this process."""
    monkeypatch.setattr(sys, "argv", ["daybook", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    return line


def test_runs_lists_states_and_errors(home):
    """Runs lists each run's state and error, the newest first, in words or as JSON, at most as many as asked."""
    first, second = add_run("completed"), add_run("failed", "bad \x1b[2J\nthing")
    told = json.loads(CliRunner().invoke(app, ["runs", "--json"]).stdout)
    assert {facts["run"]: facts["state"] for facts in told} == {first: "completed", second: "failed"}
    assert set(told[0]) == {*runs.FIELDS, "folder"}
    words = CliRunner().invoke(app, ["runs"]).stdout
    assert r"bad \x1b[2J\nthing" in words
    assert len(words.splitlines()) == 3
    assert len(json.loads(CliRunner().invoke(app, ["runs", "--json", "--last", "1"]).stdout)) == 1
    assert CliRunner().invoke(app, ["runs", "--last", "0"]).exit_code == 2


def test_trials_of_an_empty_home_are_none(home):
    """A store that is not there yet has no trials, and is not made by looking."""
    assert json.loads(CliRunner().invoke(app, ["trials", "--json"]).stdout) == []
    assert len(CliRunner().invoke(app, ["trials", "--last", "3"]).stdout.splitlines()) == 1
    assert not (home / "trials.sqlite").exists()


@pytest.mark.parametrize("command", ["runs", "trials"])
def test_listing_imports_nothing_slow(home, command):
    """To list runs or trials neither Prefect nor Dask, pandas or Bokeh is imported."""
    slow = {"prefect", "dask", "distributed", "pandas", "bokeh", "papermill", "rich", "numpy"}
    code = (
        f"import sys; sys.argv = ['daybook', {command!r}]\n"
        "from helpers.command_line import main\nmain()\n"
        f"print(sorted({slow!r} & set(sys.modules)))"
    )
    code = code.replace("main()\n", "try: main()\nexcept SystemExit: pass\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_filters_of_runs_and_trials(home):
    """Options name states, notebooks, models and sources, more than one of each, for the table and for JSON."""
    add_run("completed")
    failed = add_run("failed", "no", "other.ipynb")
    arguments = ["runs", "--state", "failed", "--state", "crashed", "--notebook", "other"]
    assert [one["run"] for one in json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)] == [failed]
    assert failed in CliRunner().invoke(app, arguments).stdout.splitlines()[1]
    facts = {"notebook": "n.ipynb", "source_sha256": "", "model": "m", "model_version": "1", "scheduled_at": None}
    facts |= {"started_at": "2026-01-01T00:00:00+00:00", "finished_at": "2026-01-01T00:00:00+00:00"}
    for number, source in enumerate(("sample", "uci")):
        TrialStore().write(facts | {"id": source, "run": f"r{number}", "source": source, "data": {"num_obs": number}})
    arguments = ["trials", "--source", "uci", "--source", "x", "--model", "m", "--notebook", "n"]
    assert [one["id"] for one in json.loads(CliRunner().invoke(app, [*arguments, "--json"]).stdout)] == ["uci"]
    assert CliRunner().invoke(app, arguments).stdout.splitlines()[1].endswith("-      -        -   uci")
    assert len(CliRunner().invoke(app, ["trials", "--model", "n"]).stdout.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["runs", "--state", "broken"], "--state is 'broken'"),
        (["runs", "--watch"], "--watch needs a terminal"),
        (["trials", "--watch", "--json"], "give one of them"),
    ],
)
def test_what_cannot_be_listed_is_one_line(home, capsys, monkeypatch, arguments, said):
    """A state that is none, and watching where nobody watches, are one line and exit code 2."""
    assert said in refused(capsys, monkeypatch, *arguments)
