"""Generated logs: the same bytes however they are made, and nothing left of what is stopped."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers import log_making
from helpers.exceptions import ParameterError, SourceError
from helpers.log_making import make
from helpers.ticket_log import read_log
from helpers.ticket_sample import CHUNK, make_log, make_typed_log


def digest(folder: Path) -> str:
    """Of the bytes of all files in the order of their names."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.iterdir()))).hexdigest()


def test_log_is_that_of_the_sample_in_order(tmp_path):
    """The parts, one after the other, are the generator's log, split at whole chunks, whatever the row groups."""
    steps = []
    log = make(2 * CHUNK + 30, tmp_path / "log", workers=1, incidents_per_file=CHUNK, report=lambda *s: steps.append(s))
    paths = sorted((tmp_path / "log").iterdir())
    assert [path.name for path in paths] == [f"part-{place:05d}.parquet" for place in range(3)]
    text = [
        c.cast(pa.string()) for c in pa.concat_tables(read_log(path) for path in paths).select(["number", "vendor"])
    ]
    expected = make_typed_log(2 * CHUNK + 30)
    assert text == [expected[column].cast(pa.string()) for column in ("number", "vendor")]
    assert (log.files, log.events, log.folder) == (3, len(expected), tmp_path / "log")
    assert log.bytes == sum(path.stat().st_size for path in paths)
    assert steps == [(read_log(paths[0]).num_rows, CHUNK / (2 * CHUNK + 30)), steps[1], (len(expected), 1)]


def test_row_groups_are_of_five_chunks(tmp_path):
    """A part is written 25,000 incidents at a time, which is what a worker holds."""
    make(6 * CHUNK, tmp_path / "log")
    with pq.ParquetFile(tmp_path / "log" / "part-00000.parquet") as file:
        metadata, second = file.metadata, file.read_row_group(1, columns=["number"])
    sizes = [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]
    assert sizes == [len(make_typed_log(5 * CHUNK)), len(make_typed_log(CHUNK, first_chunk=5))]
    assert second["number"][0].as_py() == f"INC{45 + 5 * CHUNK:07d}"


def test_csv_parts_are_the_text(tmp_path):
    """A CSV part is the sample's text with its header."""
    make(50, tmp_path / "log", format="csv", seed=9)
    lines = (tmp_path / "log" / "part-00000.csv").read_text().splitlines()
    assert lines[1:] == [",".join(row.values()) for row in make_log(50, seed=9).to_pylist()]


def test_bytes_are_pinned(tmp_path):
    """A small log has one digest on every Python; that of Parquet changes with pyarrow, which its footer names."""
    assert pa.__version__ == "26.0.1", "pin the digest of the new version"
    make(CHUNK + 3, tmp_path / "parquet")
    make(CHUNK + 3, tmp_path / "csv", format="csv")
    # As written on Python 3.11 with numpy 2.4.6, and on 3.13.
    assert digest(tmp_path / "parquet") == "3f23ed2b812fd541d7a7494b069b5e802f4e20008e6746f3a9794be7d50a23f0"
    assert digest(tmp_path / "csv") == "a47ad8b26b02b6d24133bf3deb396753d5db850bd7752808fb11aae574e0fbc4"


@pytest.mark.slow
def test_bytes_are_the_same_for_any_number_of_workers(tmp_path):
    """Two processes write what one does, and the seed makes the difference."""
    for name, workers, seed in (("one", 1, 5), ("two", 2, 5), ("other", 1, 6)):
        make(3 * CHUNK, tmp_path / name, seed=seed, workers=workers, incidents_per_file=CHUNK)
    assert len(list((tmp_path / "two").iterdir())) == 3
    assert digest(tmp_path / "one") == digest(tmp_path / "two") != digest(tmp_path / "other")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"incidents": 0}, "--incidents is 0; give a number from 1 to 1,000,000,000"),
        ({"incidents": -1}, "--incidents is -1; "),
        ({"incidents": 10**9 + 1}, "--incidents is 1000000001; "),
        ({"seed": -1}, "--seed is -1; give a whole number from 0 on"),
        ({"workers": 0}, "--workers is 0; give a number from 1 to 1,000"),
        ({"format": "xml"}, "--format is 'xml'; give parquet or csv"),
        ({"incidents_per_file": CHUNK + 1}, "--incidents-per-file is 5001; give a multiple of 5,000"),
        ({"incidents_per_file": 0}, "--incidents-per-file is 0; "),
        ({"incidents": 10**9, "incidents_per_file": CHUNK}, "which makes 200,000 files; give more, for 100,000"),
    ],
)
def test_number_that_makes_no_log_is_refused(tmp_path, given, said):
    """What cannot be made is refused before anything is written."""
    with pytest.raises(ParameterError) as caught:
        make(**({"incidents": 10, "out": tmp_path / "log"} | given))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_log_too_large_for_the_disk_is_refused(tmp_path, monkeypatch):
    """The free space is compared with what the log will need."""
    monkeypatch.setattr(log_making, "EVENT_BYTES", {"parquet": 10**15})
    with pytest.raises(SourceError, match="are needed and"):
        make(10, tmp_path / "log")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("end", ["interrupt", "terminate", "kill a worker", "kill", "full disk"])
def test_nothing_is_left_of_a_log_that_is_stopped(tmp_path, end):
    """Ctrl-C, SIGTERM, a lost worker and a full disk end it in one line, with no file and no process left."""
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n" if end == "full disk" else ""
    code = f"{limit}if __name__ == '__main__':\n    from helpers.command_line import main\n    main()"
    (tmp_path / "start.py").write_text(code)
    command = [sys.executable, "start.py", "tickets", "make", "--incidents", "9000000", "--out", "logs/log"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    started = subprocess.Popen(
        [*command, "--workers", "2"], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    part, limit_at = tmp_path / "logs" / "log.part", time.monotonic() + 30
    while started.poll() is None and not any(part.glob("*")) and time.monotonic() < limit_at:
        time.sleep(0.02)
    below = psutil.Process(started.pid).children(recursive=True) if started.poll() is None else []
    if end == "interrupt":
        os.killpg(started.pid, signal.SIGINT)
    elif end == "kill a worker":
        max(below, key=lambda process: process.memory_info().rss).kill()
    elif end != "full disk":
        (started.terminate if end == "terminate" else started.kill)()
    said = started.communicate(timeout=30)[1]
    assert not psutil.wait_procs(below, timeout=10)[1]
    lines = [line for line in said.splitlines() if "events written" not in line]
    expected = {
        "interrupt": (130, "daybook: stopped; nothing is left of the log"),
        "terminate": (143, "daybook: stopped; nothing is left of the log"),
        "kill a worker": (2, "daybook: a process that wrote the log was killed, perhaps for its memory; "),
        "full disk": (2, f"daybook: {tmp_path}/logs/log: cannot be written (File too large); "),
    }
    if end == "kill":
        assert not lines
        # Only what nothing can prevent is left, and the next log of this name takes its place.
        make(10, tmp_path / "logs" / "log")
        assert [path.name for path in (tmp_path / "logs").iterdir()] == ["log"]
        return
    code, begin = expected[end]
    assert started.returncode == code
    assert len(lines) == 1
    assert lines[0].startswith(begin)
    assert not (tmp_path / "logs").exists()
