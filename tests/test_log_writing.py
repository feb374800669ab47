"""Writing a partitioned log: parts as they are specified, and a folder that appears whole or not at all."""

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from helpers.exceptions import ParameterError, SourceError
from helpers.log_writing import PartWriter, check_format, whole_folder
from helpers.ticket_log import COLUMNS, TEXT, TIME, read_log
from helpers.ticket_sample import make_typed_log


@pytest.fixture(scope="module")
def table() -> pa.Table:
    """A typed log of 100 incidents."""
    return make_typed_log(100)


def test_parquet_part_is_typed_small_and_checked(tmp_path, table):
    """A Parquet part has the typed columns, a row group a table, checksums, and statistics of closed_at alone."""
    with PartWriter(tmp_path, 7, "parquet") as writer:
        writer.write(table.slice(0, 300))
        writer.write(table.slice(300))
    path = tmp_path / "part-00007.parquet"
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        schema, metadata = file.schema_arrow, file.metadata
        groups = [metadata.row_group(place) for place in range(metadata.num_row_groups)]
    milliseconds = {c: pa.timestamp("ms", "UTC") if kind == TIME else kind for c, kind in COLUMNS.items()}
    assert schema.equals(pa.schema(milliseconds))
    assert [group.num_rows for group in groups] == [300, len(table) - 300]
    for column in (groups[0].column(place) for place in range(36)):
        assert column.is_stats_set == (column.path_in_schema == "closed_at")
        assert column.has_dictionary_page == (COLUMNS[column.path_in_schema] == TEXT)
    assert groups[1].column(35).statistics.max == pc.max(table["closed_at"].slice(300)).as_py()
    assert read_log(path).equals(table)
    damaged = bytearray(path.read_bytes())
    damaged[groups[0].column(0).data_page_offset + 60] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(SourceError, match="damaged"):
        read_log(path)


def test_csv_part_has_one_header(tmp_path, table):
    """A CSV part begins with a header, whatever the number of tables written to it."""
    with PartWriter(tmp_path, 0, "csv") as writer:
        for start in range(0, len(table), 100):
            writer.write(table.slice(start, 100))
    path = tmp_path / "part-00000.csv"
    assert path.read_text().count("sys_updated_at") == 1
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert read_log(path).equals(table)


def test_csv_values_are_quoted_where_they_need_it(tmp_path, table):
    """A comma, a quote or a line break in a value survives, as do seconds and missing values."""
    row = {column: [None] for column in COLUMNS}
    row |= {"number": ["INC1"], "vendor": ['a, "b"\nc'], "closed_at": [1_456_708_560 + 31], "active": [False]}
    odd = pa.table(row, schema=pa.schema({c: pa.string() if t == TEXT else t for c, t in COLUMNS.items()}))
    odd = odd.cast(pa.schema(COLUMNS))
    with PartWriter(tmp_path, 0, "csv") as writer:
        writer.write(table.slice(0, 3))
        writer.write(odd)
    # 2016-02-29 01:16:31 in UTC, by `date -u -d @1456708591`.
    assert "29/2/2016 01:16:31" in (tmp_path / "part-00000.csv").read_text()
    assert read_log(tmp_path / "part-00000.csv").slice(3).to_pylist() == odd.to_pylist()


def test_folder_appears_whole(tmp_path):
    """Until the block ends the folder has another name; its missing parents are made, an empty one is taken."""
    out = tmp_path / "a" / "b" / "log.v1"
    with whole_folder(out, 0) as folder:
        assert folder == out.with_name("log.v1.part")
        (folder / "part-00000.csv").write_text("x")
        assert not out.exists()
    assert [path.name for path in out.parent.iterdir()] == ["log.v1"]
    assert (out / "part-00000.csv").read_text() == "x"
    (tmp_path / "empty").mkdir()
    with whole_folder(tmp_path / "empty", 0) as folder:
        (folder / "part-00000.csv").write_text("y")
    assert (tmp_path / "empty" / "part-00000.csv").read_text() == "y"


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError(28, "No space left on device"), SourceError])
def test_nothing_is_left_of_a_failure(tmp_path, error):
    """Whatever ends the block early, neither the folder nor the parents made for it stay."""

    def write_half() -> None:
        with whole_folder(tmp_path / "a" / "log", 0) as folder:
            (folder / "part-00000.parquet").write_text("half")
            raise error

    with pytest.raises(SourceError if isinstance(error, OSError) else error) as caught:
        write_half()
    assert not list(tmp_path.iterdir())
    if isinstance(error, OSError):
        assert str(caught.value) == f"{tmp_path}/a/log: cannot be written (No space left on device); free space"


def test_folder_with_files_is_refused(tmp_path):
    """A folder that holds something is left as it is, and so is a file in its place."""
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "mine").write_text("x")
    with pytest.raises(SourceError, match="log: the folder is not empty; "), whole_folder(tmp_path / "log", 0):
        pass
    with pytest.raises(SourceError, match="mine: is a file; "), whole_folder(tmp_path / "log" / "mine", 0):
        pass
    assert [path.name for path in tmp_path.rglob("*")] == ["log", "mine"]


def test_what_a_killed_process_has_left_is_written_over(tmp_path):
    """Parts of a killed process go; any other file under the temporary name is somebody's and stops the writing."""
    part = tmp_path / "log.part"
    part.mkdir()
    (part / "part-00003.parquet").write_text("half")
    with whole_folder(tmp_path / "log", 0) as folder:
        assert not list(folder.iterdir())
    part.mkdir()
    (part / "thesis.tex").write_text("x")
    (tmp_path / "log").rmdir()
    said = r"log\.part: .* holds 'thesis.tex'; move it away"
    with pytest.raises(SourceError, match=said), whole_folder(tmp_path / "log", 0):
        pass
    assert (part / "thesis.tex").exists()


def test_folder_that_another_process_writes_is_refused(tmp_path):
    """Two processes never write one folder: the second is told of the first, whose parts stay."""
    with whole_folder(tmp_path / "log", 0) as folder:
        (folder / "part-00000.csv").write_text("x")
        with pytest.raises(SourceError, match="another process is writing there"), whole_folder(tmp_path / "log", 0):
            pass
    assert (tmp_path / "log" / "part-00000.csv").exists()


def test_too_little_space_is_said_before_anything_is_written(tmp_path):
    """A log that cannot fit is refused at once, and nothing is left."""
    with pytest.raises(SourceError, match=r"about 1,000,000,000,000 MB are needed and [\d,]+ MB are free"):  # noqa: SIM117
        with whole_folder(tmp_path / "a" / "log", 10**18):
            pytest.fail("nothing should be written")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["", " ", "a\0b", "s3://bucket/log"])
def test_name_that_is_no_folder_is_refused(out):
    """A remote address or no name at all is refused in one line."""
    with pytest.raises(ParameterError, match="--out is"), whole_folder(out, 0):
        pass


def test_format_that_is_none_is_refused():
    """Parquet and CSV are the formats."""
    check_format("parquet")
    check_format("csv")
    with pytest.raises(ParameterError, match="--format is 'xml'; give parquet or csv"):
        check_format("xml")
