"""Files of schedules: what they give, and that each mistake is named with its file and line."""

from pathlib import Path

import pytest

from helpers import served_notebooks
from helpers.exceptions import ParameterError, ScheduleError
from helpers.policies import Policies
from helpers.schedules import Schedule

CELL = "source: str = 'sample'  # where events come from\nbatch_size: int = 1000  # tickets"


@pytest.fixture
def notebook(write_nb) -> Path:
    """A notebook of two parameters, beside which the file of schedules is written."""
    return write_nb(["print(source)"], parameters=CELL)


@pytest.fixture
def read(notebook):
    """Read these lines as a file of schedules."""

    def from_text(text: str) -> list[served_notebooks.ServedNotebook]:
        path = notebook.parent / "schedules.yaml"
        path.write_text(text, encoding="utf-8")
        return served_notebooks.from_file(path)

    return from_text


def test_a_file_of_two(read, notebook):
    """Each entry gives a notebook with its schedule, policies and checked parameters, in the file's order."""
    nightly, minutely = read("""
schedules:
  - name: nightly
    notebook: tiny.ipynb
    parameters: {source: uci, batch_size: 0}
    cron: "0 2 * * *"
    timezone: Europe/Berlin
    overlap: queue
    retries: 2
    retry-delay: 30s
    keep: 100
    notify: ["json://localhost:8080/"]
  - notebook: ./tiny.ipynb
    every: 60s
    parameters:
""")
    assert nightly == served_notebooks.ServedNotebook(
        "nightly",
        notebook.resolve(),
        {"source": "uci", "batch_size": 0},
        Schedule(cron="0 2 * * *", timezone="Europe/Berlin"),
        Policies(overlap="queue", retries=2, retry_delay=30.0, keep=100, notify=("json://localhost:8080/",)),
    )
    assert minutely.name == "tiny"
    assert minutely == served_notebooks.from_options(notebook, {}, Schedule(every=60.0), Policies())


def test_defaults_are_shared_and_overridden(read):
    """What stands in 'defaults' holds for every entry that does not say otherwise; an interval needs no zone."""
    text = "defaults: {timezone: Asia/Tokyo, keep: 7, missed: all}\nschedules:\n"
    text += "- {name: a, notebook: tiny.ipynb, cron: '0 6 * * *'}\n"
    text += "- {name: b, notebook: tiny.ipynb, cron: '0 6 * * *', timezone: UTC, keep: 3}\n"
    text += "- {name: c, notebook: tiny.ipynb, every: 60}\n"
    a, b, c = read(text)
    assert [s.schedule.timezone for s in (a, b, c)] == ["Asia/Tokyo", "UTC", "UTC"]
    assert [s.policies.keep for s in (a, b, c)] == [7, 3, 7]
    assert {s.policies.missed for s in (a, b, c)} == {"all"}


HEAD = "schedules:\n  - notebook: tiny.ipynb\n"  # lines 1 and 2


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("", 1, "is empty"),
        ("# nothing yet\n", 1, "is empty"),
        ("schedules: [\n", 2, "is not YAML"),
        ("a: b: c\n", 1, "is not YAML"),
        ("just text\n", 1, "a mapping is expected"),
        ("- notebook: tiny.ipynb\n", 1, "a mapping is expected"),
        ("\nschedules: []\n", 2, "holds no list"),
        ("schedules: {notebook: tiny.ipynb}\n", 1, "holds no list"),
        ("schedules:\n  - tiny.ipynb\n", 2, "a mapping is expected"),
        ("defaults: {keep: 1}\n", 1, "there is no list 'schedules'"),
        ("schedule:\n  - notebook: tiny.ipynb\n", 1, "unknown key 'schedule'; did you mean 'schedules'"),
        ("defaults:\n  keeps: 1\n" + HEAD, 2, "unknown key 'keeps'; did you mean 'keep'"),
        ("defaults:\n  keep: 0\n" + HEAD, 2, "keep is 0"),
        ("defaults:\n  timezone: Berlin\n" + HEAD + "    cron: '* * * * *'\n", 2, "did you mean 'Europe/Berlin'"),
        ("schedules:\n  - every: 60s\n", 2, "has no 'notebook'"),
        ("schedules:\n  - every: 60s\n    notebook: gone.ipynb\n", 3, "there is no notebook"),
        ("schedules:\n  - every: 60s\n    notebook: 5\n", 3, "'notebook' is int; it takes text"),
        ("schedules:\n  - every: 60s\n    notebook: schedules.yaml\n", 3, "there is no notebook '"),
        (HEAD, 2, "none given"),
        (HEAD + "    every: 60s\n    cron: '* * * * *'\n", 2, "every and cron given"),
        (HEAD + "    every: 60x\n", 3, "every is '60x'"),
        (HEAD + "    cron: '61 * * * *'\n", 3, "the minute is '61'"),
        (HEAD + "    overlap: skip\n    rrule: FREQ=DALY\n", 4, "FREQ is 'DALY'"),
        (HEAD + "    cron: '* * * * *'\n    timezone: Europe/Berln\n", 4, "did you mean 'Europe/Berlin'"),
        (HEAD + "    every: 60s\n    overlaps: skip\n", 4, "unknown key 'overlaps'; did you mean 'overlap'?"),
        (HEAD + "    every: 60s\n    overlap: wait\n", 4, "overlap is 'wait'"),
        (HEAD + "    every: 60s\n    retry_delay: 20s\n    retry_cap: 5s\n", 5, "retry_cap (5 s) is below"),
        (HEAD + "    every: 60s\n    notify: ['nothing://token']\n", 4, "notify has 'nothing://***'"),
        (HEAD + "    every: 60s\n    every: 30s\n", 4, "the key 'every' is there twice"),
        (HEAD + "    every: 60s\n    retry-cap: 1h\n    retry_cap: 1h\n", 5, "is there twice"),
        (
            HEAD + "    every: 60s\n    parameters: {source: a,\n      source: b}\n",
            5,
            "the key 'source' is there twice",
        ),
        (HEAD + "    every: 60s\n    parameters: [1]\n", 4, "'parameters' is list; it takes a mapping"),
        (HEAD + "    every: 60s\n    parameters: {1: 2}\n", 4, "a name that is not text"),
        (HEAD + "    every: 60s\n    parameters:\n      source: uci\n      batch: 5\n", 6, "no parameter 'batch'"),
        (HEAD + "    every: 60s\n    parameters:\n      batch_size: many\n", 5, "'batch_size' is 'many'"),
        (HEAD + "    every: 60s\n    parameters:\n      source: 2027-01-01\n", 5, "'source' is '2027-01-01'"),
        (HEAD + "    every: 60s\n    keep: !!python/object:os.system {}\n", 4, "is no plain value"),
        (HEAD + "    every: 60s\n    name: a b\n", 4, "the name 'a b' is not fit"),
        (HEAD + "    every: 60s\n    name: ../a\n", 4, "the name '../a' is not fit"),
        (HEAD + "    every: 60s\n    name: 5\n", 4, "'name' is int"),
        (HEAD + "    every: 60s\n  - notebook: tiny.ipynb\n    every: 5m\n", 4, "the schedule in line 2 too"),
    ],
)
def test_mistakes_are_named_with_file_and_line(read, text, line, message):
    """Every mistake is one line that begins with the file and the line that it is in."""
    with pytest.raises(ScheduleError) as refusal:
        read(text)
    said = str(refusal.value)
    assert f"schedules.yaml:{line}: " in said
    assert message in said
    assert "\n" not in said


def test_a_file_that_cannot_be_read(tmp_path):
    """A missing file, a folder and bytes that are no text are one line each."""
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    for path, message in [("gone.yaml", "No such file"), (".", "Is a directory"), ("bytes.yaml", "not text in UTF-8")]:
        with pytest.raises(ScheduleError, match=message):
            served_notebooks.from_file(tmp_path / path)


def test_a_file_that_holds_itself(read):
    """An anchor within itself is refused where a value is expected, not followed for ever."""
    with pytest.raises(ScheduleError, match=r"schedules\.yaml:5: "):
        read(HEAD + "    every: 60s\n    parameters: &a\n      source: *a\n")


def test_secrets_stay_within(read):
    """A password in a parameter is kept for the run, and shown neither in words nor in a refusal."""
    secret = "postgresql://me:s3cret@host/db"
    (served,) = read(HEAD + f"    every: 60s\n    parameters: {{source: '{secret}'}}\n")
    assert served.parameters == {"source": secret}
    assert "s3cret" not in repr(served)
    with pytest.raises(ScheduleError) as refusal:
        read(HEAD + f"    every: 60s\n    parameters: {{batch_size: '{secret}'}}\n")
    assert "s3cret" not in str(refusal.value)


def test_from_options_refuses(notebook, tmp_path):
    """By hand the same is refused: a notebook that is gone, a name that is not fit, a parameter that is unknown."""
    schedule = Schedule(every=60.0)
    with pytest.raises(ScheduleError, match="there is no notebook"):
        served_notebooks.from_options(tmp_path / "gone.ipynb", {}, schedule, Policies())
    spaced = notebook.rename(tmp_path / "my notebook.ipynb")
    with pytest.raises(ScheduleError, match="letters, digits"):
        served_notebooks.from_options(spaced, {}, schedule, Policies())
    with pytest.raises(ParameterError, match="no parameter 'batch'"):
        served_notebooks.from_options(spaced, {"batch": 1}, schedule, Policies(), name="mine")
    assert served_notebooks.from_options(spaced, {"batch_size": "5"}, schedule, Policies(), "mine").parameters == {
        "batch_size": 5
    }
