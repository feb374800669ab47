"""What retention removes, what it never removes, and what a crash in the middle leaves."""

import json
import multiprocessing
import os
import signal
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from helpers import retention, runs
from helpers.retention import prune

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STATES = {"c": "completed", "f": "failed", "x": "crashed", "k": "cancelled", "s": "skipped", "m": "missed"}


def add(home, age: float, state: str = "c", schedule: str | None = "nightly", notebook: str = "n.ipynb") -> str:
    """The folder of a run that began so many days before `NOW`."""
    home.mkdir(exist_ok=True)
    time_ = NOW - timedelta(days=age)
    name = f"{time_:%Y%m%dT%H%M%SZ}-n-{len(list(home.iterdir())):08x}"
    (home / name / "deep").mkdir(parents=True)
    (home / name / "deep" / "file").write_text("x" * 100)
    facts = {"run": name, "state": STATES[state], "schedule": schedule, "notebook": notebook}
    (home / name / "run.json").write_text(json.dumps(facts))
    return name


def row(home, states: str, **options) -> list[str]:
    """Runs of these states, one a day, the newest first; their names."""
    return [add(home, age, state, **options) for age, state in enumerate(states)]


def prune_nightly(keep=None, keep_days=None, at=NOW) -> list[str]:
    """What retention removes of one schedule."""
    return prune(keep, keep_days, schedule="nightly", at=at)


def left(home) -> set[str]:
    """All that is in the home."""
    return {path.name for path in home.iterdir()}


@pytest.mark.parametrize(
    ("states", "keep", "kept"),
    [
        ("cccc", 2, "11.."),
        ("cccc", 4, "1111"),
        ("cccc", 9, "1111"),
        ("cfxkc", 4, "1111."),  # every executed run counts
        ("scsmcsc", 2, "11111.."),  # the records of ticks before the oldest kept run go with the others
        ("sss", 1, "111"),  # without an executed run nothing is too old
        ("ffcfc", 2, "111.."),  # the newest completed run stays: nothing newer shows how it should look
        ("fffcf", 1, "1..1."),
    ],
)
def test_so_many_executed_runs_stay(home, states, keep, kept):
    """The newest N executed runs stay, with what lies between them, and the newest completed one; the rest goes."""
    names = row(home, states)
    expected = {name for name, mark in zip(names, kept, strict=True) if mark == "1"}
    removed = prune_nightly(keep)
    assert left(home) == expected
    assert removed == [name for name in names if name not in expected]
    assert prune_nightly(keep) == []


@pytest.mark.parametrize(
    ("states", "days", "kept"),
    [
        ("cccc", 1.5, "11.."),
        ("cccc", 2.0, "111."),  # to the second: what began exactly so long ago stays
        ("fsmcc", 0.5, "1..1."),  # ticks that did not run go by their age; the newest completed run stays
        ("ffff", 1.5, "11.."),
        ("c", 0.0, "1"),
    ],
)
def test_what_began_longer_ago_goes(home, states, days, kept):
    """Folders of runs and of ticks that are older than the limit go, but for the newest completed run's."""
    names = row(home, states)
    prune_nightly(None, days)
    assert left(home) == {name for name, mark in zip(names, kept, strict=True) if mark == "1"}


def test_either_limit_is_enough(home):
    """With both limits a folder goes that is beyond one of them."""
    names = row(home, "ccccc")
    prune_nightly(4, 1.5)
    assert left(home) == set(names[:2])
    assert prune_nightly(1, 100.0) == [names[1]]


def test_without_a_limit_nothing_goes(home):
    """Without a limit nothing is removed, nor even looked at."""
    assert prune_nightly() == []
    assert not home.exists()


def test_another_schedules_folders_stay(home):
    """Runs of other schedules, runs by hand, runs of another notebook and what is no run stay, however old."""
    others = row(home, "ccc", schedule="hourly") + row(home, "ccc", schedule=None)
    mine = row(home, "cc")
    foreign = row(home, "c", notebook="other.ipynb")
    (home / "unstored").mkdir()
    (home / "trials.sqlite").touch()
    assert prune(1, None, schedule="nightly", notebook="n.ipynb", at=NOW) == mine[1:]
    assert left(home) == {*others, mine[0], *foreign, "unstored", "trials.sqlite"}
    assert sorted(prune(1, None, at=NOW)) == sorted(others[4:])


def test_what_goes_on_or_cannot_be_read_stays(home):
    """A run that is going, one that begins, and a record that is broken or gone stay: nobody knows whose it is."""
    names = row(home, "cccccc")
    (home / names[1]).rename(home / f"{names[1]}.part")
    (home / names[2]).rename(home / f".{names[2]}")
    (home / names[3] / "run.json").write_text('{"state": "comp')
    (home / names[4] / "run.json").unlink()
    assert prune_nightly(1) == [names[5]]
    assert left(home) == {names[0], f"{names[1]}.part", f".{names[2]}", names[3], names[4]}


def test_a_real_run_in_progress_is_left_alone(home):
    """A run's own folder survives the strictest limit until it is finished, and then is pruned as any other."""
    record = runs.RunRecord("n.ipynb", {}, schedule="nightly")
    record.update(state="running")
    assert prune_nightly(1, 0.0, at=datetime.now(UTC) + timedelta(days=9)) == []
    assert record.finish("failed").exists()
    assert prune_nightly(None, 1.0, at=datetime.now(UTC) + timedelta(days=9)) == [record.run]
    assert runs.listing() == []


def test_symbolic_links_are_not_followed(home, tmp_path):
    """A link in the place of a run is left alone, and what a run's folder links to outlives it."""
    names = row(home, "cc")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (home / names[1] / "link").symlink_to(outside)
    linked = "20200101T000000Z-n-ffffffff"
    (home / linked).symlink_to(home / names[0])
    (home / f"{retention.GONE}link").symlink_to(outside)
    assert prune_nightly(1) == [names[1]]
    assert left(home) == {names[0], linked, f"{retention.GONE}link"}
    assert (outside / "precious").exists()


def test_what_an_interrupted_deletion_left_goes_the_next_time(home):
    """A folder that was hidden and half deleted is finished, also when nothing else is to go, and never listed."""
    names = row(home, "cc")
    (home / names[1]).rename(home / f"{retention.GONE}{names[1]}")
    assert [facts["run"] for facts in runs.listing()] == [names[0]]
    assert prune_nightly(5) == []
    assert left(home) == {names[0]}


def _prune_and_die(number: int) -> None:
    """Die at the n-th file that is deleted."""
    count = 0

    def die(event, arguments):
        nonlocal count
        if event in ("os.remove", "os.rename", "os.rmdir"):
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(die)
    prune_nightly(1)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3, 4, 6, 9])
def test_killed_in_the_middle(home, number):
    """Whenever retention is killed, every folder that is seen is whole, and the next time finishes."""
    names = row(home, "ccc")
    process = multiprocessing.get_context("spawn").Process(target=_prune_and_die, args=(number,))
    process.start()
    process.join(30)
    assert process.exitcode == -signal.SIGKILL
    for facts in runs.listing():
        assert facts["state"] == "completed"
        assert (home / facts["run"] / "deep" / "file").exists()
    prune_nightly(1)
    assert left(home) == {names[0]}


def _prune_often(start) -> None:
    start.wait()
    for keep in range(60, 0, -1):
        prune_nightly(keep)


@pytest.mark.slow
def test_processes_at_once(home):
    """Three processes that prune the same home at once do not disturb each other."""
    names = row(home, "c" * 60)
    spawn = multiprocessing.get_context("spawn")
    start = spawn.Barrier(3)
    processes = [spawn.Process(target=_prune_often, args=(start,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    prune_nightly(1)
    assert left(home) == {names[0]}


def test_a_folder_that_cannot_be_removed_is_one_line(home, capsys):
    """A folder that cannot be renamed, here for a file of its hidden name, is said in one line and fails nothing."""
    names = row(home, "ccc")
    (home / f"{retention.GONE}{names[1]}").touch()
    assert prune_nightly(1) == []
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"daybook: {home / names[1]} could not be removed: ")


@pytest.mark.slow
def test_thousands_of_folders_cost_little(home, capsys):
    """Among 20,000 folders of another schedule a prune costs tens of milliseconds once each record was read."""
    home.mkdir()
    for number in range(20_000):
        folder = home / f"{NOW - timedelta(minutes=number):%Y%m%dT%H%M%SZ}-n-{number:08x}"
        folder.mkdir()
        schedule = "nightly" if number % 100 == 0 else "minutely"
        (folder / "run.json").write_text(
            json.dumps(dict.fromkeys(runs.FIELDS) | {"state": "completed", "schedule": schedule, "notebook": "n.ipynb"})
        )
    took = []
    for _ in range(4):
        began = time.perf_counter()
        assert prune_nightly(200) == []
        took.append(time.perf_counter() - began)
    with capsys.disabled():
        print(f"\n20,000 folders: first prune {took[0] * 1000:.0f} ms, then {min(took[1:]) * 1000:.0f} ms")
    assert min(took[1:]) < took[0] / 3
    assert len(prune_nightly(150)) == 50
