"""A log as partitions: whatever its parts, read as one file is; what is wrong is said in one line, with the file."""

import contextlib
import itertools
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from conftest import free_port

from helpers import csv_ranges, log_partitions, parquet_row_groups, remote_files, ticket_sample
from helpers.exceptions import SourceError
from helpers.log_partitions import (
    DamagedFileError,
    PartitionedLog,
    is_partitioned,
    of_file,
    open_log,
    read_partition,
    read_pieces,
)
from helpers.ticket_log import COLUMNS, TEXT, read_log
from helpers.tickets import draw_batch

REPOSITORY = Path(__file__).resolve().parents[1]
RAW = ticket_sample.make_log(40)
N_EVENTS = 276  # of the first 40 incidents
NEEDED = ["sys_updated_at", "closed_at", "priority"]


def write_csv(table: pa.Table, path: Path) -> Path:
    """A log of text as one would be published."""
    pa.csv.write_csv(table, path, pa.csv.WriteOptions(quoting_style="none", quoting_header="none"))
    return path


@pytest.fixture(scope="module")
def typed(tmp_path_factory) -> pa.Table:
    """The log as one CSV file is read."""
    return read_log(write_csv(RAW, tmp_path_factory.mktemp("log") / "log.csv"))


def write_parquet(table: pa.Table, path: Path, rows: int = 30) -> Path:
    """A part as `daybook tickets make` writes it, in small row groups."""
    pa.parquet.write_table(table, path, row_group_size=rows, write_statistics=False, write_page_checksum=True)
    return path


def parts_of(table: pa.Table, folder: Path, n_parts: int, kind: str = "parquet") -> Path:
    """A directory of so many parts, nearly alike in size."""
    folder.mkdir(parents=True)
    bounds = [len(table) * place // n_parts for place in range(n_parts + 1)]
    for place, (start, stop) in enumerate(itertools.pairwise(bounds)):
        part = table.slice(start, stop - start)
        write = write_parquet if kind == "parquet" else write_csv
        write(part, folder / f"part-{place:05d}.{kind}")
    return folder


@pytest.fixture
def folder(tmp_path, typed) -> Path:
    """The log in three parts of Parquet."""
    return parts_of(typed, tmp_path / "log", 3)


@pytest.fixture
def csv_folder(tmp_path) -> Path:
    """The log in three parts of CSV."""
    return parts_of(RAW, tmp_path / "csv", 3, "csv")


@pytest.fixture
def small_ranges(monkeypatch) -> None:
    """CSV cut into ranges of some 30 events, parsed some 8 at a time; line ends looked for in blocks of 100 bytes."""
    monkeypatch.setattr(csv_ranges, "RANGE_BYTES", 10_000)
    monkeypatch.setattr(csv_ranges, "PIECE_BYTES", 2_500)


def set_most_rows(monkeypatch, number: int) -> None:
    """Let a partition have so many events at most, whatever the log."""
    monkeypatch.setattr(log_partitions, "MIN_ROWS", number)
    monkeypatch.setattr(log_partitions, "MAX_ROWS", number)


def read_all(log: PartitionedLog, columns: list[str] | None = None) -> pa.Table:
    """The log's events in one table, of one chunk and one dictionary a column."""
    tables = [read_partition(partition, columns or list(COLUMNS)) for partition in log.partitions]
    return pa.concat_tables(tables).unify_dictionaries().combine_chunks()


def refused(source) -> str:
    """What opening and reading a log is refused with, which is one line."""
    with pytest.raises(SourceError) as caught:
        read_all(open_log(str(source)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


# What is a partitioned log


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("sample", False),
        ("uci", False),
        ("https://host/log*.csv?x=1", False),
        ("http://host/log.parquet", False),
        ("s3://bucket/log", True),
        ("gs://bucket/*.parquet", True),
        ("memory://log.csv", True),
        ("", False),
        ("absent.csv", False),
        ("absent-*.csv", True),
    ],
)
def test_partitioned_sources_are_told_from_others(source, expected):
    """Remote URLs but those of the web, and globs, are partitioned logs."""
    assert is_partitioned(source) == expected


def test_directory_is_partitioned_and_a_file_is_not(folder, monkeypatch):
    """A directory is a log in parts, also by a home; a file is none, though its name has a glob's letters."""
    assert is_partitioned(str(folder))
    assert not is_partitioned(str(folder / "part-00000.parquet"))
    odd = folder / "log[1].parquet"
    odd.write_bytes(b"")
    assert not is_partitioned(str(odd))
    monkeypatch.setenv("HOME", str(folder.parent))
    assert is_partitioned("~/log")
    assert open_log("~/log/part-*").num_rows == N_EVENTS


# What is read


@pytest.mark.parametrize("n_parts", [1, 3, 40])
@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_parts_are_read_as_one_file_is(tmp_path, typed, n_parts, kind, small_ranges):
    """A log in parts of either kind has the events, order, columns and types of the log in one file."""
    folder = parts_of(typed if kind == "parquet" else RAW, tmp_path / "log", n_parts, kind)
    log = open_log(str(folder))
    assert read_all(log).equals(typed)
    assert log.num_rows == (N_EVENTS if kind == "parquet" else None)
    assert len({partition.path for partition in log.partitions}) == n_parts


def test_glob_and_single_file_are_logs(folder, typed):
    """A glob's matches and one file are read alike, in the order of their names."""
    assert read_all(open_log(f"{folder}/part-0000[12].parquet")).num_rows == 184
    single = open_log(f"{folder}/part-00001.parquet")
    assert read_all(single, NEEDED).equals(typed.slice(92, 92).select(NEEDED).unify_dictionaries())


def test_columns_come_as_asked_for(folder, csv_folder):
    """Only the columns asked for come, in the order asked for, typed as the layout says."""
    wanted = ["closed_at", "priority", "active", "sys_mod_count"]
    for source in (folder, csv_folder):
        for partition in open_log(str(source)).partitions:
            table = read_partition(partition, wanted)
            assert table.schema.equals(pa.schema([(column, COLUMNS[column]) for column in wanted]))


def test_other_columns_are_not_decoded(folder):
    """Of a Parquet part with damage in other columns the needed ones are read."""
    path = folder / "part-00001.parquet"
    content, metadata = bytearray(path.read_bytes()), pa.parquet.read_metadata(path)
    for group in range(metadata.num_row_groups):
        for place in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(place)
            if chunk.path_in_schema not in NEEDED:
                start = min(filter(None, (chunk.dictionary_page_offset, chunk.data_page_offset)))
                content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
    path.write_bytes(content)
    log = open_log(str(folder))
    assert read_all(log, NEEDED).num_rows == N_EVENTS
    with pytest.raises(DamagedFileError, match=r"part-00001\.parquet: damaged or truncated Parquet file"):
        read_all(log, ["number"])


def test_partitions_are_ranges_of_row_groups(typed, tmp_path, monkeypatch):
    """A partition has as many row groups as stay within the limit, at least one, and the file's rows before it."""
    set_most_rows(monkeypatch, 100)
    path = write_parquet(typed, tmp_path / "log.parquet", rows=45)  # six of 45 and one of 6
    log = of_file(path, "the log", "0" * 64)
    ranges = [(p.start, p.stop, p.first_row, p.num_rows) for p in log.partitions]
    assert ranges == [(0, 2, 0, 90), (2, 4, 90, 90), (4, 7, 180, 96)]
    assert (log.source, log.sha256, log.num_rows) == ("the log", "0" * 64, N_EVENTS)
    assert [len(piece) for piece in read_pieces(log.partitions[2], NEEDED)] == [45, 45, 6]
    assert read_all(log).equals(typed)
    set_most_rows(monkeypatch, 10)
    assert len(of_file(path, "", "").partitions) == 7


def test_limits_are_those_of_the_design():
    """A partition has at most a million events or 64 MB of CSV, and of a small log what a worker is worth."""
    assert (log_partitions.MIN_ROWS, log_partitions.MAX_ROWS) == (131_072, 1_048_576)
    assert csv_ranges.RANGE_BYTES == 64 * 2**20


def test_small_logs_are_shared(typed, tmp_path, monkeypatch):
    """A log is cut into four or more, down to the least size of a partition."""
    path = write_parquet(typed, tmp_path / "log.parquet", rows=20)
    monkeypatch.setattr(log_partitions, "MIN_ROWS", 20)
    # 276 events in 14 row groups: a quarter is 69 events, which three row groups do not exceed.
    assert [p.num_rows for p in of_file(path, "", "").partitions] == [60, 60, 60, 60, 36]
    monkeypatch.setattr(log_partitions, "MIN_ROWS", 200)
    assert [p.num_rows for p in of_file(path, "", "").partitions] == [200, 76]


def test_large_row_group_is_read_in_pieces(typed, tmp_path, monkeypatch):
    """A row group larger than a partition ought to be is decoded some rows at a time."""
    monkeypatch.setattr(parquet_row_groups, "MAX_PIECE_ROWS", 100)
    monkeypatch.setattr(parquet_row_groups, "PIECE_ROWS", 50)
    log = of_file(write_parquet(typed, tmp_path / "log.parquet", rows=1000), "", "")
    assert [len(piece) for piece in read_pieces(log.partitions[0], NEEDED)] == [50] * 5 + [26]
    assert read_all(log).equals(typed)


def test_partition_has_one_dictionary(typed, tmp_path):
    """A table of several row groups has one dictionary a column, so that pandas and comparisons take it."""
    (partition,) = of_file(write_parquet(typed, tmp_path / "log.parquet"), "", "").partitions
    table = read_partition(partition, ["caller_id"])
    first, *others = [chunk.dictionary for chunk in table["caller_id"].chunks]
    assert len(others) == 10
    assert all(other.equals(first) for other in others)


def test_footer_larger_than_the_tail(typed, tmp_path):
    """A Parquet file of so many row groups that its footer is larger than 64 kB is read."""
    path = write_parquet(typed, tmp_path / "log.parquet", rows=1)
    assert int.from_bytes(path.read_bytes()[-8:-4], "little") > 2 * 65_536
    assert read_all(open_log(f"{tmp_path}/*.parquet")).equals(typed)


def test_csv_is_cut_at_line_ends(tmp_path, typed, small_ranges):
    """The ranges of a CSV file are whole lines, of nearly the wanted size, and leave no byte out."""
    path = write_csv(RAW, tmp_path / "log.csv")
    content = path.read_bytes()
    log = open_log(f"{tmp_path}/*.csv")
    bounds = [(partition.start, partition.stop) for partition in log.partitions]
    assert bounds[0][0] == content.index(b"\n") + 1
    assert bounds[-1][1] == len(content)
    assert [start for start, _ in bounds[1:]] == [stop for _, stop in bounds[:-1]]
    assert all(content[stop - 1 : stop] == b"\n" for _, stop in bounds)
    assert max(stop - start for start, stop in bounds) < 10_000 * 1.2
    assert len(list(read_pieces(log.partitions[1], NEEDED))) > 2
    assert read_all(log).equals(typed)


@pytest.mark.parametrize("end", ["\r\n", "\n\n", ""])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_csv_as_spreadsheets_save_it(tmp_path, typed, end, separator, small_ranges):
    """Semicolons, tabs, a byte order mark, other line ends and blank lines do not matter to ranges either."""
    text = write_csv(RAW, tmp_path / "plain").read_text().replace(",", separator)
    text = text.replace("\n", end) if end else text.rstrip("\n")
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.csv").write_bytes(text.encode("utf-8-sig"))
    assert read_all(open_log(f"{tmp_path}/log")).equals(typed)


def test_line_break_inside_quotes(tmp_path, small_ranges, monkeypatch):
    """A quoted line break is read where the file is whole; a cut through it is refused with what to do."""
    lines = write_csv(RAW, tmp_path / "plain").read_text().splitlines()
    folder = tmp_path / "log"
    folder.mkdir()
    broken = [re.sub(r"(?<=,)\d - Moderate(?=,)", lambda m: '"' + "x\n" * 150 + m[0] + '"', line) for line in lines]
    (folder / "a.csv").write_text("\n".join(broken) + "\n")
    assert "fields instead of 36" in refused(folder)
    assert refused(folder).endswith("`daybook tickets convert` the log, which reads it whole")
    monkeypatch.setattr(csv_ranges, "RANGE_BYTES", 2**20)
    table = read_all(open_log(str(folder)))
    assert len(table) == N_EVENTS
    assert table["impact"].unique().to_pylist().count("x\n" * 150 + "2 - Moderate") <= 1
    assert any("\n" in text for text in table["priority"].unique().to_pylist())


def test_line_break_inside_quotes_of_a_late_piece(tmp_path, monkeypatch):
    """What the slower way reads again is not given twice."""
    monkeypatch.setattr(csv_ranges, "PIECE_BYTES", 2_500)
    path = write_csv(RAW, tmp_path / "log.csv")
    lines = path.read_text().splitlines()
    # So many that a piece ends at one of them.
    lines[100:] = [line.replace("3 - Moderate", '"3 - Mod\nerate"') for line in lines[100:]]
    path.write_text("\n".join(lines) + "\n")
    table = read_all(open_log(f"{tmp_path}/*.csv"))
    assert table.equals(read_log(path))
    assert "3 - Mod\nerate" in table["priority"].to_pylist()


def test_types_that_mean_the_same_are_read_alike(tmp_path, typed):
    """Times in s, ms, us and as another zone's, plain text and dictionaries, and wider numbers are the same log."""
    folder = tmp_path / "log"
    folder.mkdir()
    kinds = {
        "a": {"closed_at": pa.timestamp("ms", tz="UTC")},
        "b": {"closed_at": pa.timestamp("us", tz="UTC"), "priority": pa.string(), "sys_mod_count": pa.int64()},
        "c": {"closed_at": pa.timestamp("ns", tz="Europe/Berlin"), "priority": pa.large_string()},
        "d": {"closed_at": pa.timestamp("us"), "sys_mod_count": pa.float64()},
    }
    for place, (name, other) in enumerate(kinds.items()):
        part = typed.slice(place * 69, 69)
        for column, kind in other.items():
            values = part[column].cast(pa.string()) if COLUMNS[column] == TEXT else part[column]
            part = part.set_column(part.schema.get_field_index(column), column, values.cast(kind))
        write_parquet(part, folder / f"{name}.parquet")
    assert read_all(open_log(str(folder))).equals(typed)


@pytest.mark.parametrize("use_dictionary", [True, False])
def test_parquet_of_text_is_converted(tmp_path, typed, use_dictionary):
    """A Parquet log that holds the CSV's text, `?` included, becomes the typed log."""
    folder = tmp_path / "log"
    folder.mkdir()
    table = RAW if not use_dictionary else pa.table({c: RAW[c].dictionary_encode() for c in RAW.column_names})
    for place in range(2):
        pa.parquet.write_table(table.slice(place * 138, 138), folder / f"{place}.parquet", row_group_size=60)
    assert read_all(open_log(str(folder))).equals(typed)


def test_partition_crosses_to_a_worker(folder, csv_folder):
    """A partition is small when pickled, and equal afterwards."""
    for source in (folder, csv_folder):
        for partition in open_log(str(source)).partitions:
            assert len(pickle.dumps(partition)) < 2_000
            assert pickle.loads(pickle.dumps(partition)) == partition


def test_bare_worker_can_read(csv_folder):
    """Reading partitions and drawing from them imports nothing but pandas, pyarrow, fsspec and what they need."""
    program = (
        "import sys\n"
        "from helpers import tickets, ticket_draws\n"
        "from helpers.log_partitions import open_log, read_partition\n"
        "read_partition(open_log(sys.argv[1]).partitions[0], ['closed_at'])\n"
        "import fsspec.core\n"
        "files = {n.split('.')[0]: getattr(m, '__file__', None) or '' for n, m in list(sys.modules.items())}\n"
        "print(*(name for name, file in files.items() if 'site-packages' in file))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(csv_folder)], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert {"numpy", "pandas", "pyarrow", "fsspec"} <= set(done.stdout.split())
    needed_by_these = {"dateutil", "six", "pytz", "cloudpickle"}  # the last if it is there
    extensions = {name for name in done.stdout.split() if name.startswith(("_", "numpy.", "pandas."))}
    assert set(done.stdout.split()) - extensions <= {"numpy", "pandas", "pyarrow", "fsspec"} | needed_by_these


@pytest.mark.slow
def test_memory_is_bounded_by_the_row_group(typed, tmp_path, monkeypatch):
    """Reading a partition of 40 row groups piece by piece holds no more Arrow memory than one of 4."""
    set_most_rows(monkeypatch, 1_000_000)

    def peak(n_groups: int) -> int:
        table = pa.concat_tables([typed] * (20 * n_groups))
        path = write_parquet(table, tmp_path / f"{n_groups}.parquet", rows=20 * N_EVENTS)
        (partition,) = of_file(path, "", "").partitions
        before, most = pa.total_allocated_bytes(), 0
        for _ in read_pieces(partition, NEEDED):
            most = max(most, pa.total_allocated_bytes() - before)
        return most

    assert peak(40) < 1.2 * peak(4)


# The fingerprint


def test_fingerprint_is_of_the_log_not_of_its_place(folder, tmp_path):
    """A copy elsewhere, written at another time, has the same fingerprint, however it is named."""
    shutil.copytree(folder, tmp_path / "copy")
    for file in (tmp_path / "copy").iterdir():
        os.utime(file, (1, 1))
    expected = open_log(str(folder)).sha256
    assert re.fullmatch("[0-9a-f]{64}", expected)
    for source in (tmp_path / "copy", f"{tmp_path}/copy/", f"{tmp_path}/copy/*.parquet", f"file://{tmp_path}/copy"):
        assert open_log(str(source)).sha256 == expected


def test_fingerprint_is_of_the_size_too(tmp_path):
    """Two files of one name that end alike for more than 64 kB are told apart by their sizes."""
    path = write_csv(RAW, tmp_path / "log.csv")
    header, _, rest = path.read_text().split("\n", 2)
    assert len(rest) > 65_536
    before = open_log(f"{tmp_path}/*.csv").sha256
    path.write_text(f"{header}\n{rest}")
    assert open_log(f"{tmp_path}/*.csv").sha256 != before


@pytest.mark.parametrize("change", ["renamed", "one part less", "other values", "longer"])
def test_fingerprint_tells_logs_apart(folder, csv_folder, change):
    """Another name, number, end or size of the parts is another log."""
    before = open_log(str(csv_folder)).sha256
    last = csv_folder / "part-00002.csv"
    text = last.read_text()
    match change:
        case "renamed":
            last.rename(csv_folder / "part-00003.csv")
        case "one part less":
            last.unlink()
        case "other values":
            last.write_text(text.replace("3 - Moderate", "2 - Moderate"))
        case "longer":
            last.write_text(text.rstrip("\n"))
    assert open_log(str(csv_folder)).sha256 != before
    assert open_log(str(folder)).sha256 != before


# What is refused


def test_empty_sources_are_refused(tmp_path):
    """An empty directory, one of ignored files alone, and a glob without a match are refused by their names."""
    (tmp_path / "empty").mkdir()
    what = "no .parquet or .csv file is there; give a directory or a glob that holds a log"
    assert refused(tmp_path / "empty") == f"{tmp_path}/empty: {what}"
    for name in (".hidden.csv", "_SUCCESS", "_metadata.parquet"):
        (tmp_path / "empty" / name).write_text("x")
    assert refused(tmp_path / "empty") == f"{tmp_path}/empty: {what}"
    assert refused(tmp_path / "none-*.csv") == f"{tmp_path}/none-*.csv: {what}"
    assert "empty/absent.csv: it is not there" in refused(tmp_path / "empty" / "absent.csv")


def test_ignored_files_do_not_matter(folder, typed):
    """Hidden files, and those that begin with an underscore, are not of the log."""
    (folder / ".part-00001.parquet.crc").write_bytes(b"crc")
    (folder / "_SUCCESS").write_bytes(b"")
    (folder / "_delta_log").mkdir()
    assert read_all(open_log(str(folder))).equals(typed)


def test_mixtures_are_refused(folder, csv_folder):
    """Parquet beside CSV, and a file that is neither, are refused with both names or its own."""
    shutil.copy(csv_folder / "part-00001.csv", folder)
    said = refused(folder)
    assert said.startswith(f"{folder}: it holds Parquet and CSV (")
    assert f"{folder}/part-00001.csv" in said
    (folder / "notes.txt").write_text("x")
    assert refused(folder).startswith(f"{folder}/notes.txt: neither .parquet nor .csv; ")


def test_parts_without_events_are_passed_over(folder, csv_folder, typed):
    """A part that is a header or an empty table alone has no partition; a log of such parts alone is refused."""
    header = (csv_folder / "part-00000.csv").read_text().split("\n")[0] + "\n"
    (csv_folder / "part-00003.csv").write_text(header)
    write_parquet(typed.slice(0, 0), folder / "part-00003.parquet")
    for source in (folder, csv_folder):
        assert len(open_log(str(source)).partitions) == 3
        for part in sorted(source.iterdir())[:3]:
            part.unlink()
        assert refused(source) == f"{source}: there is no event in its 1 files; give a log with events"


def test_other_columns_are_refused_with_the_file(folder, csv_folder, typed):
    """A part with a column more, or less, is named, as is the column."""
    path = folder / "part-00002.parquet"
    write_parquet(typed.append_column("extra", typed["priority"]), path)
    assert f"{path}: its columns are not the first part's: 'extra' is in {path} and not in {folder}/part-0" in refused(
        folder
    )
    write_parquet(typed.drop_columns(["priority"]), path)
    assert refused(folder).startswith(f"{path}: column 'priority' is missing (35 of the 36 are there)")
    path = csv_folder / "part-00001.csv"
    lines = path.read_text().split("\n", 1)
    path.write_text(lines[0].replace("priority", "prio") + "\n" + lines[1])
    assert refused(csv_folder).startswith(f"{path}: column 'priority' is missing")
    path.write_text(lines[0] + ",extra\n" + lines[1])
    assert f"'extra' is in {path} and not in" in refused(csv_folder)
    path.write_text(lines[1])
    assert refused(csv_folder).startswith(f"{path}: column 'number' is missing (0 of the 36 are there)")


def test_other_types_are_refused_with_both(folder, typed):
    """A part whose column has another type is named, with the column and both types."""
    path, place = folder / "part-00001.parquet", typed.schema.get_field_index("closed_at")
    as_text = pa.compute.strftime(typed["closed_at"], "%d/%m/%Y %H:%M")
    write_parquet(typed.set_column(place, "closed_at", as_text), path)
    first = f"{folder}/part-00000.parquet holds timestamp[ms, tz=UTC]"
    assert refused(folder) == f"{path}: column 'closed_at' holds string where {first}; write the parts alike"
    write_parquet(typed.set_column(place, "closed_at", typed["sys_mod_count"]), path)
    assert refused(folder).startswith(f"{path}: column 'closed_at' holds int32 where time is expected; ")


def test_column_without_a_value_is_of_any_type(folder, typed):
    """A part in which a column has no value at all fits those in which it has."""
    place = typed.schema.get_field_index("caused_by")
    part = typed.slice(92, 92).set_column(place, "caused_by", pa.nulls(92))
    write_parquet(part, folder / "part-00001.parquet")
    table = read_all(open_log(str(folder)), ["caused_by", "number"])
    assert table["caused_by"].slice(92, 92).null_count == 92
    assert table["number"].equals(typed["number"])


@pytest.mark.parametrize("columns", [NEEDED, ["number"]])
def test_part_that_vanishes_is_named(folder, columns):
    """A part that is gone when it is read is one line with its name."""
    log = open_log(str(folder))
    Path(log.partitions[1].path).unlink()
    with pytest.raises(SourceError, match=r"part-00001\.parquet: it is not there, seen from .*keep a log in place"):
        read_partition(log.partitions[1], columns)
    assert len(read_partition(log.partitions[2], columns)) == 92


@pytest.mark.parametrize("kind", ["parquet", "csv"])
@pytest.mark.parametrize("change", ["replaced", "shorter", "longer"])
def test_part_that_is_replaced_is_named(tmp_path, typed, kind, change):
    """A part that is another file when it is read, of the same size or not, is refused."""
    folder = parts_of(typed if kind == "parquet" else RAW, tmp_path / "log", 3, kind)
    log = open_log(str(folder))
    path = Path(log.partitions[1].path)
    content = path.read_bytes()
    other = {
        "replaced": content[:-40] + bytes([content[-40] ^ 1]) + content[-39:],
        "shorter": content[:-1],
        "longer": content + b"\n",
    }
    path.write_bytes(other[change])
    with pytest.raises(SourceError, match=rf"part-00001\.{kind}: it has changed since the log was opened; keep it"):
        read_partition(log.partitions[1], NEEDED)


@pytest.mark.parametrize("damage", ["cut", "no footer", "empty", "text", "footer"])
def test_damaged_parquet_is_refused_when_opened(folder, damage):
    """A Parquet part that is truncated, overwritten or none at all is named."""
    path = folder / "part-00001.parquet"
    content = path.read_bytes()
    path.write_bytes(
        {
            "cut": content[: len(content) // 2],
            "no footer": content[:-1],
            "empty": b"",
            "text": b"number,active\n1,true\n" * 10,
            "footer": content[:-3000] + bytes(2000) + content[-1000:],
        }[damage]
    )
    assert refused(folder).startswith(f"{path}: damaged or truncated Parquet file (")


def test_page_that_fails_its_checksum_is_refused(folder):
    """A letter changed in a page is noticed, though the file can be decoded."""
    path = folder / "part-00002.parquet"
    content = path.read_bytes()
    assert b"3 - Moderate" in content
    path.write_bytes(content.replace(b"3 - Moderate", b"3 - Maderote"))
    assert re.search(r"part-00002\.parquet: damaged or truncated Parquet file \(.*CRC", refused(folder))


def test_damage_without_checksums_is_refused(typed, tmp_path):
    """Of a file whose writer made no checksums, text that is not UTF-8 is noticed."""
    path = tmp_path / "log.parquet"
    pa.parquet.write_table(typed, path, compression="none", write_statistics=False)
    path.write_bytes(path.read_bytes().replace(b"3 - Moderate", b"\xff - Moderate"))
    said = refused(f"{tmp_path}/*.parquet")
    assert said.startswith(f"{path}: damaged or truncated Parquet file (")
    assert "Invalid UTF8 sequence" in said


def test_what_is_no_csv_is_refused(csv_folder, folder):
    """An empty CSV part, one in another encoding, and a Parquet file called CSV are named."""
    path = csv_folder / "part-00001.csv"
    text = path.read_text()
    path.write_bytes(b"")
    assert refused(csv_folder) == f"{path}: the file is empty; write or copy it again"
    path.write_bytes(text.replace("number", "nümber").encode("latin-1"))
    assert refused(csv_folder).startswith(f"{path}: not a text file in UTF-8; ")
    shutil.copy(folder / "part-00001.parquet", path)
    assert refused(csv_folder).startswith(f"{path}: not a CSV file, though it is named one; ")


def test_bad_values_of_csv_are_named_by_row(tmp_path, small_ranges):
    """A value that cannot be is refused with file, column, row of the range, and value."""
    path = tmp_path / "log" / "a.csv"
    path.parent.mkdir()
    lines = write_csv(RAW, tmp_path / "plain").read_text().splitlines()
    place = list(COLUMNS).index("closed_at")

    def write(row: int, value: str) -> None:
        fields = lines[row].split(",")
        fields[place] = value
        path.write_text("\n".join([*lines[:row], ",".join(fields), *lines[row + 1 :]]) + "\n")

    write(12, "31/4/2016 10:00")  # beyond the first piece of the first range
    assert refused(path).startswith(f"{path}: column 'closed_at', row 12: '31/4/2016 10:00' is not 31/12/2016 23:59")
    write(200, "nonsense")
    said = refused(path)
    found = re.fullmatch(
        rf"{path}, from byte ([\d,]+) on: column 'closed_at', row (\d+): 'nonsense' is not .*; mend the value", said
    )
    rest = path.read_bytes()[int(found[1].replace(",", "")) :].decode().split("\n")
    assert rest[int(found[2]) - 1].split(",")[place] == "nonsense"
    write(3, "1/1/2016 00:00")
    assert re.search(r"a\.csv: column 'closed_at', row 3: 2016-01-01T00:00:00\+00:00 is before sys_", refused(path))
    path.write_text("\n".join([*lines[:5], lines[5] + ",1", *lines[6:]]) + "\n")
    assert re.search(r"a\.csv: row 5 has 37 fields instead of 36: .*may be truncated$", refused(path))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("sys_mod_count", -1, "-1 is negative; mend it"),
        ("closed_at", 1, "1970-01-01T00:00:01+00:00 is before sys_updated_at 2016-"),
        ("opened_at", -5, "'1969-12-31 23:59:55.000Z' is not a time from 1970 on in whole seconds; mend the value"),
        ("opened_at", 253_402_300_800, "'10000-01-01 00:00:00.000Z' is not a time from 1970 on in whole seconds"),
    ],
)
def test_bad_values_of_parquet_are_named_by_row(tmp_path, typed, monkeypatch, column, value, message):
    """A typed value that cannot be is refused with file, column, the row in the file, and value."""
    set_most_rows(monkeypatch, 100)
    kind = typed.schema.field(column).type
    values = typed[column].cast(pa.int64() if pa.types.is_timestamp(kind) else kind).to_pylist()
    values[235] = value  # in the second row group of the third partition
    place = typed.schema.get_field_index(column)
    table = typed.set_column(place, column, pa.array(values, pa.int64()).cast(kind))
    path = write_parquet(table, tmp_path / "log.parquet", rows=30)
    assert refused(f"{tmp_path}/*.parquet").startswith(f"{path}: column {column!r}, row 236: {message}")


def test_fraction_of_a_second_is_refused(tmp_path, typed):
    """A time that is no whole second would be cut, and is refused."""
    place = typed.schema.get_field_index("opened_at")
    values = typed["opened_at"].cast(pa.timestamp("ms", "UTC")).cast(pa.int64()).to_pylist()
    values[7] += 1
    times = pa.array(values, pa.int64()).cast(pa.timestamp("ms", "UTC"))
    write_parquet(typed.set_column(place, "opened_at", times), tmp_path / "log.parquet")
    said = refused(f"{tmp_path}/*.parquet")
    assert re.search(r"column 'opened_at', row 8: '.*\.001Z' is not a time from 1970 on in whole seconds", said)


@pytest.mark.slow
def test_no_right_to_read_is_said(folder):
    """A part that this user may not read is named, with what to do."""
    with tempfile.TemporaryDirectory() as place:  # the test's own folder is closed to others
        log = shutil.copytree(folder, Path(place) / "log")
        for path in (Path(place), log, *log.iterdir()):
            path.chmod(0o755)
        (log / "part-00001.parquet").chmod(0)
        program = (
            "import os, sys\n"
            "from helpers.log_partitions import open_log\n"
            "os.geteuid() or os.seteuid(65534)\n"  # root may read everything
            "open_log(sys.argv[1])"
        )
        done = subprocess.run([sys.executable, "-c", program, str(log)], capture_output=True, text=True, cwd=REPOSITORY)
        assert f"SourceError: {log}/part-00001.parquet: no right to read it; mend its rights" in done.stderr


# Remote logs


@pytest.fixture
def memory(folder) -> Iterator[str]:
    """The log in fsspec's memory."""
    files = fsspec.filesystem("memory")
    for path in folder.iterdir():
        files.pipe(f"/bucket/log/{path.name}", path.read_bytes())
    yield "memory://bucket/log"
    files.rm("/bucket", recursive=True)


def test_remote_log_is_the_local_one(memory, folder, typed):
    """A directory, a glob and a file of a remote store are read as they are here, with the same fingerprint."""
    log = open_log(memory)
    assert read_all(log).equals(typed)
    assert (log.source, log.sha256) == (memory, open_log(str(folder)).sha256)
    assert read_all(open_log(f"{memory}/*.parquet")).equals(typed)
    assert open_log(f"{memory}/part-00000.parquet").num_rows == 92
    assert log.partitions[0].name == "memory:///bucket/log/part-00000.parquet"


def test_remote_csv_is_read(memory, csv_folder, typed, small_ranges):
    """CSV of a remote store is cut and read as here."""
    files = fsspec.filesystem("memory")
    for path in csv_folder.iterdir():
        files.pipe(f"/bucket/csv/{path.name}", path.read_bytes())
    log = open_log("memory://bucket/csv")
    assert len(log.partitions) > 3
    assert read_all(log).equals(typed)


def test_remote_part_is_watched(memory):
    """A part of a remote store that is replaced, grows, or vanishes after the opening is refused by its name."""
    files, log = fsspec.filesystem("memory"), open_log(memory)
    path = log.partitions[1].path
    content = files.cat_file(path)
    for other in (content[:-50], content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]):
        files.pipe(path, other)
        with pytest.raises(SourceError, match=r"part-00001\.parquet: it has changed since the log was opened"):
            read_partition(log.partitions[1], NEEDED)
    files.rm(path)
    with pytest.raises(SourceError, match=r"part-00001\.parquet: it is not there"):
        read_partition(log.partitions[1], NEEDED)


def test_ranges_of_a_part_that_is_gone(memory):
    """Column chunks of a part that vanishes after its footer was read are refused by name."""
    files, path = remote_files.connect(memory)
    with pytest.raises(SourceError, match="memory:///bucket/log/absent: it is not there"):
        files.read_ranges(f"{path}/absent", [(0, 10), (20, 30)])


def test_unknown_scheme_and_missing_package_are_said(monkeypatch):
    """A scheme that fsspec does not know, and one whose package is missing, are one line each."""
    remote_files.file_system.cache_clear()
    assert refused("nowhere://host/log") == (
        "nowhere://host/log: cannot be read (Protocol not known: nowhere); check the address and the network"
    )
    for scheme, package in (("gs", "gcsfs"), ("s3", "s3fs")):
        for module in (package, f"{package}.core"):
            monkeypatch.setitem(sys.modules, module, None)  # as an import sees one that is not installed
        monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, scheme, raising=False)
        said = refused(f"{scheme}://bucket/log")
        expected = f"the package that reads it is not installed; pip install {package}, on workers too"
        assert said == f"{scheme}://bucket/log: {expected}"


def test_failures_are_one_line_without_credentials():
    """What a driver says is put into one line, and its URLs are masked."""
    with pytest.raises(SourceError) as caught, remote_files.failures("the log"):
        raise RuntimeError("no answer from\nftp://me:s3cret@host/log")
    said = "the log: cannot be read (no answer from ftp://me:***@host/log); check the address and the network"
    assert str(caught.value) == said


def test_credentials_are_kept_out(monkeypatch, folder):
    """A password is in no message, name or repr; a worker finds it in its environment, and says where it does not."""
    plain, shown = "ftp://me:s3cret@127.0.0.1:1/log", "ftp://me:***@127.0.0.1:1/log"
    said = refused(plain)
    assert said.startswith(shown)
    assert "s3cret" not in said
    assert refused(shown) == f"{shown}: its password is not known here; set DAYBOOK_SECRETS for the workers, too"
    monkeypatch.setenv("DAYBOOK_SECRETS", json.dumps({shown: plain}))
    assert refused(shown) == said


def test_credentials_travel_only_where_nobody_else_tells_them(monkeypatch, folder, typed):
    """A partition holds the URL with its password when no run has told the environment, and not when one has."""
    plain, shown = "memory://me:s3cret@bucket/log", "memory://me:***@bucket/log"
    files = fsspec.filesystem("memory")
    for path in folder.iterdir():
        files.pipe(f"/me:s3cret@bucket/log/{path.name}", path.read_bytes())
    alone = open_log(plain)
    assert {(partition.source, partition.url) for partition in alone.partitions} == {(shown, plain)}
    monkeypatch.setenv("DAYBOOK_SECRETS", json.dumps({shown: plain}))
    told = open_log(shown)
    assert {(partition.source, partition.url) for partition in told.partitions} == {(shown, "")}
    assert read_all(alone).equals(typed)
    assert read_all(told).equals(typed)
    files.rm("/me:s3cret@bucket", recursive=True)


# A real S3 server


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """The address of an S3 server on loopback, stopped at the end."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=free_port(), verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3(s3_server, monkeypatch, folder) -> str:
    """The log in a bucket, its server and the credentials told by the environment alone."""
    set_s3(monkeypatch, s3_server)
    files = fsspec.filesystem("s3")
    files.invalidate_cache()
    with contextlib.suppress(FileExistsError):
        files.mkdir("daybook")
    for path in folder.iterdir():
        files.pipe(f"daybook/log/{path.name}", path.read_bytes())
    return "s3://daybook/log"


def set_s3(monkeypatch, address: str) -> None:
    """Tell boto of a server, and nothing of the developer's own."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    settings = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "daybook",
        "AWS_SECRET_ACCESS_KEY": "hush",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    forget_connections()


def forget_connections() -> None:
    """Let the next use of a URL look into the environment again, which a process does once."""
    remote_files.file_system.cache_clear()
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.mark.slow
def test_log_on_s3_is_the_local_one(s3, folder, typed):
    """Parts on a real S3 server are opened, read and drawn from as the same files here."""
    log, local = open_log(s3), open_log(str(folder))
    assert (log.source, log.sha256, log.num_rows) == (s3, local.sha256, N_EVENTS)
    assert read_all(log).equals(typed)
    assert read_all(open_log(f"{s3}/*.parquet"), NEEDED).equals(typed.select(NEEDED))
    batch, expected = draw_batch(s3, 50, seed=3), draw_batch(str(folder), 50, seed=3)
    assert batch.events.equals(expected.events)
    assert "hush" not in repr(log) + str(pickle.dumps(log))


@pytest.mark.slow
def test_s3_says_what_is_missing(s3, s3_server):
    """A bucket, a folder or a part that is not there is one line with its address."""
    assert refused("s3://no-such-bucket/log").startswith("s3://no-such-bucket/log: it is not there, seen from ")
    assert refused("s3://daybook/other").startswith("s3://daybook/other: it is not there, seen from ")
    assert refused("s3://daybook/other/*").startswith("s3://daybook/other/*: no .parquet or .csv file is there; ")
    log = open_log(s3)
    # By somebody else: what was listed once must not be taken for what is there.
    fsspec.filesystem("s3", skip_instance_cache=True).rm("daybook/log/part-00001.parquet")
    assert open_log(s3).num_rows == N_EVENTS - 92
    with pytest.raises(SourceError, match=r"s3://daybook/log/part-00001\.parquet: it is not there"):
        read_partition(log.partitions[1], NEEDED)


@pytest.mark.slow
def test_s3_refuses_a_stranger(s3, s3_server):
    """Credentials that the server does not know are one line that says so."""

    def check_credentials(after_requests: str) -> None:
        address, text = f"{s3_server}/moto-api/reset-auth", {"Content-Type": "text/plain"}
        request = urllib.request.Request(address, after_requests.encode(), text, method="POST")
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()

    check_credentials("0")
    try:
        said = refused(s3)
    finally:
        check_credentials("inf")
    assert said.startswith("s3://daybook/log: no right to read it (")
    assert said.endswith("; mend its rights or the credentials")
    assert "hush" not in said


@pytest.mark.slow
def test_s3_without_a_server_is_said_soon(s3, monkeypatch):
    """Without a server, and without any credentials, it is one line in some seconds."""
    log = open_log(s3)
    set_s3(monkeypatch, f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    for read in (lambda: open_log(s3), lambda: read_partition(log.partitions[0], NEEDED)):
        with pytest.raises(
            SourceError, match=r"s3://daybook/log.*: cannot be read \(Could not connect to the endpoint"
        ):
            read()
    assert time.monotonic() - began < 15  # botocore alone takes 10 s for each
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    forget_connections()
    assert "(Unable to locate credentials)" in refused(s3)
