"""Converting a log: the same rows in the same order, in bounded memory, and nothing left of a failure."""

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from helpers import log_conversion
from helpers.exceptions import ParameterError, SourceError
from helpers.log_conversion import convert
from helpers.ticket_log import read_log
from helpers.ticket_sample import make_typed_log


def rows(folder) -> pa.Table:
    """The rows of all parts in the order of their names."""
    return pa.concat_tables(read_log(path) for path in sorted(folder.iterdir())).unify_dictionaries().combine_chunks()


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_converted_real_log_is_the_log(real_log, tmp_path, format):
    """The published zip, converted, has the rows that reading it at once gives."""
    steps = []
    log = convert(str(real_log), tmp_path / "log", format, lambda *step: steps.append(step))
    assert rows(tmp_path / "log").equals(read_log(real_log))
    assert (log.files, log.events, log.folder) == (1, 141_712, tmp_path / "log")
    assert [events for events, _ in steps] == [131_072, 141_712]


def test_sample_is_converted_to_what_is_made(tmp_path):
    """The source `sample` gives the generator's typed log."""
    convert("sample", tmp_path / "log")
    assert rows(tmp_path / "log").equals(make_typed_log())


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_parts_are_of_whole_row_groups(tmp_path, monkeypatch, format):
    """A part is full before the next one begins, and the last one has the rest."""
    monkeypatch.setattr(log_conversion, "GROUP_EVENTS", 5_000)
    monkeypatch.setattr(log_conversion, "PART_EVENTS", 10_000)
    log = convert("sample", tmp_path / "log", format)
    sizes = [len(read_log(path)) for path in sorted((tmp_path / "log").iterdir())]
    assert sizes == [10_000, 10_000, log.events - 20_000]
    assert rows(tmp_path / "log").equals(make_typed_log())
    again = convert(str(tmp_path / "log" / f"part-00001.{format}"), tmp_path / "again", "csv")
    assert again.events == 10_000
    assert rows(tmp_path / "again").to_pylist() == make_typed_log().slice(10_000, 10_000).to_pylist()


def test_nothing_is_left_of_a_source_that_is_damaged_in_the_middle(real_log, tmp_path, monkeypatch):
    """A zip that turns out damaged after the first row group leaves no folder."""
    monkeypatch.setattr(log_conversion, "GROUP_EVENTS", 20_000)
    content = bytearray(real_log.read_bytes())
    content[-5_000] ^= 255
    (tmp_path / "log.zip").write_bytes(content)
    steps = []
    with pytest.raises(SourceError, match=r"log\.zip: damaged or truncated zip"):
        convert(str(tmp_path / "log.zip"), tmp_path / "log", report=lambda *step: steps.append(step))
    assert steps
    assert [path.name for path in tmp_path.iterdir()] == ["log.zip"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("nowhere.csv", "nowhere.csv: No such file or directory; SOURCE is 'sample', 'uci', or the path or URL of one"),
        (".", ".: Is a directory; SOURCE is"),
        ("a\0b", "SOURCE is"),
        ("", "source is empty"),
        ("s3://me:s3cret@bucket/log.csv", "s3://***@bucket/log.csv is not an http(s) address"),
    ],
)
def test_source_that_is_no_file_is_refused(tmp_path, source, said):
    """A source that cannot be opened is named in one line, without its password, and no folder is made."""
    with pytest.raises(SourceError) as caught:
        convert(source, tmp_path / "log")
    assert said in str(caught.value)
    assert not [path for path in tmp_path.iterdir() if path.name != "home"]
    with pytest.raises(ParameterError, match="--format is 'xml'"):
        convert("sample", tmp_path / "log", "xml")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak memory is read from Linux's /proc")
def test_memory_is_bounded(real_log, tmp_path):
    """Four times the events need at most half as much memory again, which is what the allocator keeps or not."""
    convert(str(real_log), tmp_path / "one", "csv")
    header, _, lines = (tmp_path / "one" / "part-00000.csv").read_bytes().partition(b"\n")
    # Not the resource module's figure, which begins with the memory of the process that started this one.
    code = "import sys; from helpers.log_conversion import convert; convert(*sys.argv[1:]); "
    code += "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    peaks = []
    for copies in (1, 4):
        with (tmp_path / "log.csv").open("wb") as file:
            file.writelines([header, b"\n", *[lines] * copies])
        command = [sys.executable, "-c", code, str(tmp_path / "log.csv"), str(tmp_path / f"log-{copies}")]
        peaks.append(int(subprocess.run(command, capture_output=True, check=True, text=True).stdout))
    assert peaks[1] <= 1.5 * peaks[0]
