"""The folder of an exported site."""

import os

import pytest

from helpers.dashboard import DashboardError
from helpers.dashboard.site_folder import MARKER, replaced


def write(folder, text: str) -> None:
    """Export a site of one page."""
    with replaced(folder) as new:
        (new / "index.html").write_text(text)


def test_a_new_folder_is_made_with_those_above_it(tmp_path):
    """And nothing else is left beside it."""
    write(tmp_path / "a" / "site", "one")
    assert (tmp_path / "a" / "site" / "index.html").read_text() == "one"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["site"]


def test_an_earlier_export_is_replaced_whole(tmp_path):
    """What only the earlier one had is gone."""
    write(tmp_path / "site", "one")
    (tmp_path / "site" / "old.html").write_text("")
    write(tmp_path / "site", "two")
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == [MARKER, "index.html"]
    assert (tmp_path / "site" / "index.html").read_text() == "two"


def test_an_empty_folder_is_replaced(tmp_path):
    """As one makes it for the export."""
    (tmp_path / "site").mkdir()
    write(tmp_path / "site", "one")
    assert (tmp_path / "site" / "index.html").exists()


def test_files_of_others_stay(tmp_path):
    """A folder with anything else, and a file, are refused before anything is written."""
    (tmp_path / "thesis.txt").write_text("years")
    for place in (tmp_path, tmp_path / "thesis.txt"):
        with pytest.raises(DashboardError, match="give"):
            write(place, "one")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    assert (tmp_path / "thesis.txt").read_text() == "years"


def test_what_came_into_the_folder_meanwhile_stays(tmp_path):
    """It is looked at again before it is replaced."""

    def interfere() -> None:
        with replaced(tmp_path / "site"):
            (tmp_path / "site").mkdir()
            (tmp_path / "site" / "thesis.txt").write_text("years")

    with pytest.raises(DashboardError):
        interfere()
    assert (tmp_path / "site" / "thesis.txt").exists()


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_an_interrupted_export_leaves_the_earlier_one(tmp_path, interruption):
    """And nothing of its own."""
    write(tmp_path / "site", "one")

    def fail() -> None:
        with replaced(tmp_path / "site") as new:
            (new / "index.html").write_text("half")
            raise interruption

    with pytest.raises(interruption):
        fail()
    assert (tmp_path / "site" / "index.html").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_what_a_killed_export_left_goes_with_the_next(tmp_path):
    """Told by the process that wrote it; one that is being written stays."""
    dead, going = tmp_path / f"{MARKER}-4194305", tmp_path / f"{MARKER}-{os.getppid()}"  # Linux has no such high pid
    dead.mkdir()
    going.mkdir()
    write(tmp_path / "site", "one")
    assert not dead.exists()
    assert going.exists()


def test_a_link_to_a_folder_stays_a_link(tmp_path):
    """A web server's root may be one."""
    (tmp_path / "real").mkdir()
    (tmp_path / "site").symlink_to(tmp_path / "real")
    write(tmp_path / "site", "one")
    assert (tmp_path / "site").is_symlink()
    assert (tmp_path / "real" / "index.html").exists()
