"""The files of runs: which are known, and that no name leads anywhere else."""

import os

import pytest

from helpers.run_files import RunFile, RunFileError, files_of, path_of

RUN = "20260101T000000Z-tiny-0123abcd"


@pytest.fixture
def run(home):
    """A run folder with a file of each kind, and others."""
    folder = home / RUN
    folder.mkdir(parents=True)
    for name in ("tiny.ipynb", "tiny.html", "dask-report.html", "run.log", "trial.json", "run.json"):
        (folder / name).write_text(name)
    return folder


def test_files_are_those_a_person_looks_at_the_report_first(run):
    """Each has its kind and size; what a run keeps for itself, hidden files and folders are none."""
    for name in ("run.lock", ".tiny.html", "secrets.txt", "run.json.12.part", "a\nb.html", "x.HTML"):
        (run / name).write_text("")
    (run / "folder.html").mkdir()
    found = [(file.kind, file.name, file.bytes) for file in files_of(run)]
    assert found == [
        ("report", "tiny.html", 9),
        ("dask", "dask-report.html", 16),
        ("log", "run.log", 7),
        ("notebook", "tiny.ipynb", 10),
        ("trial", "trial.json", 10),
        ("facts", "run.json", 8),
    ]


def test_a_folder_that_is_gone_has_no_files(home):
    """Retention removes folders while pages show them."""
    assert files_of(home / RUN) == []


def test_a_file_is_found_by_its_run_and_name_while_the_run_goes_and_afterwards(run):
    """The folder has another name until the run has finished."""
    assert path_of(RUN, "run.log") == run / "run.log"
    part = run.rename(run.with_name(f"{RUN}.part"))
    assert path_of(RUN, "run.log") == part / "run.log"


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (RUN, "../trials.sqlite"),
        (RUN, ".."),
        (RUN, "."),
        (RUN, ""),
        (RUN, "%2e%2e/trials.sqlite"),
        (RUN, "..\\trials.html"),
        (RUN, "run.log\0.html"),
        (RUN, "run.lock"),
        (RUN, "missing.html"),
        (RUN, "/etc/hostname.html"),
        ("..", "run.log"),
        ("", "run.log"),
        ("cache", "page.html"),
        (f"{RUN}/..", "run.log"),
        (f"{RUN}.part", "run.log"),
        (RUN.upper(), "run.log"),
    ],
)
def test_any_other_name_is_refused(run, home, of, name):
    """Neither a way out of the folder, nor a file that is not shown, nor a folder that is no run."""
    (home / "trials.sqlite").write_text("")
    (home / "trials.html").write_text("")
    (home / "cache").mkdir()
    (home / "cache" / "page.html").write_text("")
    (run / "run.lock").write_text("")
    with pytest.raises(RunFileError):
        path_of(of, name)


def test_a_link_is_no_file_of_a_run(run, home):
    """A notebook can make one to any file of the machine, or to another folder under a run's name."""
    (home / "secret").write_text("")
    os.symlink(home / "secret", run / "linked.html")
    os.symlink(run, home / RUN.replace("tiny", "linked"))
    assert "linked.html" not in [file.name for file in files_of(run)]
    with pytest.raises(RunFileError):
        path_of(RUN, "linked.html")
    with pytest.raises(RunFileError):
        path_of(RUN.replace("tiny", "linked"), "run.log")


def test_an_address_holds_any_name():
    """What has a meaning in an address is quoted."""
    assert RunFile("a b%#?é.html", "report", 1).address(RUN) == f"files/{RUN}/a%20b%25%23%3F%C3%A9.html"
