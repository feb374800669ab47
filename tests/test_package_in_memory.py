"""Importing a package from its sources: real modules in this process, under a name that nothing else has."""

import importlib
import os
import pickle
import pkgutil
import sys
import time
import traceback

import psutil
import pytest

from helpers.package_in_memory import SentPackage, digest_of, files_of, install, supply

PACKAGE = "a_parcel"
FILES = {
    "__init__.py": b'"""A parcel."""\n',
    "exceptions.py": b"class DaybookError(Exception):\n    pass\n",
    "numbers.py": b"from a_parcel.inner import deep\nANSWER = 1\ndef fail():\n    raise ValueError(ANSWER)  # here\n",
    "inner/__init__.py": b"",
    "inner/deep.py": b"DEPTH = 2\n",
    "notes.yml": b"a: 1\n",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    """No trace of the package stays in this process; `tmp_path` is where it would be installed."""
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


def sent(**changed: bytes) -> SentPackage:
    """The package, with modules of other contents."""
    files = FILES | {f"{name}.py": content for name, content in changed.items()}
    return SentPackage(PACKAGE, files, digest_of(files), "/at/the/senders/a_parcel")


def write(folder, files=FILES, seconds_ago: float = 1e6) -> None:
    """Install the package, long ago."""
    for name, content in files.items():
        path = folder / PACKAGE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        os.utime(path, (time.time() - seconds_ago,) * 2)
    importlib.invalidate_caches()


def numbers():
    """The package's module."""
    return importlib.import_module(f"{PACKAGE}.numbers")


def test_modules_data_and_source_lines_come_from_memory():
    """Where nothing is installed modules are imported, data read, and a traceback shows the line."""
    assert install(sent()) is True
    assert (numbers().ANSWER, numbers().deep.DEPTH) == (1, 2)
    assert pkgutil.get_data(PACKAGE, "notes.yml") == b"a: 1\n"
    with pytest.raises(FileNotFoundError):
        pkgutil.get_data(PACKAGE, "other.yml")
    try:
        numbers().fail()
    except ValueError:
        shown = traceback.format_exc()
    assert 'File "/at/the/senders/a_parcel/numbers.py", line 4, in fail' in shown
    assert "raise ValueError(ANSWER)  # here" in shown
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"{PACKAGE}.absent")


def test_source_lines_are_those_that_were_sent(tmp_path):
    """Another file where the sender has his does not show in a traceback."""
    write(tmp_path / "elsewhere", FILES | {"numbers.py": b"# line\n" * 9})
    install(SentPackage(PACKAGE, FILES, digest_of(FILES), str(tmp_path / "elsewhere" / PACKAGE)))
    with pytest.raises(ValueError, match="1") as error:
        numbers().fail()
    assert "raise ValueError(ANSWER)  # here" in "".join(traceback.format_exception(error.value))


def test_the_same_installed_is_left_alone(tmp_path):
    """With the same digest in its files an installed package stays, loaded or not, and no finder is added."""
    write(tmp_path)
    before = list(sys.meta_path)
    assert install(sent()) is False
    loaded = numbers()
    assert install(sent()) is False
    assert numbers() is loaded
    assert sys.meta_path == before


def test_an_older_installed_copy_is_replaced(tmp_path):
    """Loaded modules of another copy are dropped, and the one that was sent is imported."""
    write(tmp_path)
    assert numbers().ANSWER == 1
    assert install(sent(numbers=b"ANSWER = 5\n")) is True
    assert numbers().ANSWER == 5


def test_a_newer_sent_copy_replaces_the_older_and_the_same_does_not():
    """Of copies that were sent the last one counts, and no other stays among the finders."""
    install(sent())
    loaded = numbers()
    assert install(pickle.loads(pickle.dumps(sent()))) is True
    assert numbers() is loaded
    install(sent(numbers=b"ANSWER = 5\n"))
    assert numbers().ANSWER == 5
    install(sent())
    assert numbers().ANSWER == 1
    assert [type(finder).__name__ for finder in sys.meta_path].count("SentPackage") == 1


def test_files_that_were_edited_after_they_were_loaded_count_as_another_copy(tmp_path):
    """A process that holds the old code under the new files is given the new, once."""
    write(tmp_path)
    numbers()
    edited = FILES | {"numbers.py": b"ANSWER = 5\n"}
    began = psutil.Process().create_time()
    write(tmp_path, edited, seconds_ago=time.time() - began - 0.5)
    assert install(sent(numbers=b"ANSWER = 5\n")) is True
    assert (loaded := numbers()).ANSWER == 5
    assert install(sent(numbers=b"ANSWER = 5\n")) is True
    assert numbers() is loaded


def test_files_that_were_edited_after_they_were_compared_count_as_another_copy(tmp_path):
    """The digest of what was loaded is remembered, whatever the files' times say."""
    write(tmp_path)
    install(sent())
    numbers()
    write(tmp_path, FILES | {"numbers.py": b"ANSWER = 5\n"})
    assert install(sent(numbers=b"ANSWER = 5\n")) is True
    assert numbers().ANSWER == 5


@pytest.mark.parametrize(
    "files",
    [{"__init__.py": b""}, {"theirs.py": b""}, {"__init__.py": b"", "exceptions.py": b"class Theirs(Exception): pass"}],
    ids=["package", "namespace", "with exceptions"],
)
def test_somebody_elses_package_is_refused_and_stays(tmp_path, files):
    """Another package of this name is one line with its folder, and goes on to be imported."""
    write(tmp_path, files)
    before = list(sys.meta_path)
    with pytest.raises(ImportError, match=f"another package called {PACKAGE} is there, in .*{PACKAGE}; ") as error:
        install(sent())
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)
    assert sys.meta_path == before


def test_a_folder_of_this_name_is_no_package(tmp_path):
    """A folder without Python in the working directory does not stand in the way."""
    (tmp_path / PACKAGE).mkdir()
    (tmp_path / PACKAGE / "data.csv").touch()
    assert install(sent()) is True
    assert numbers().ANSWER == 1


def test_what_is_carried(tmp_path):
    """Sources and data are carried, with subpackages; caches, hidden files and others are not."""
    write(tmp_path, FILES | {"__pycache__/x.py": b"", ".hidden/y.py": b"", "inner/.z.py": b"", "big.parquet": b""})
    assert files_of(tmp_path / PACKAGE) == FILES
    assert len(pickle.dumps(sent(numbers=b"#" * 10_000))) < 2_000


def test_the_digest_knows_names_contents_and_their_bounds():
    """Any difference is another digest; the order of the files is none."""
    all_different = [{"a": b"b"}, {"b": b"b"}, {"a": b"c"}, {"a": b"b", "c": b""}, {"a": b"", "b": b""}, {"ab": b""}]
    assert len({digest_of(files) for files in all_different}) == len(all_different)
    assert digest_of({"a": b"1", "b": b"2"}) == digest_of({"b": b"2", "a": b"1"})


def test_somebody_elses_package_is_supplied_only_where_it_is_not_installed(tmp_path):
    """A third package is imported from memory where it is absent, and the installed one stays whatever its content."""
    assert supply(sent()) is True
    loaded = numbers()
    assert supply(sent()) is True
    assert numbers() is loaded
    assert supply(sent(numbers=b"ANSWER = 5\n")) is True
    assert numbers().ANSWER == 5
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "SentPackage"]
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]
    write(tmp_path)
    assert supply(sent(numbers=b"ANSWER = 5\n")) is False
    assert numbers().ANSWER == 1
