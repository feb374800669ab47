"""Reading a log group by group: equal to reading it at once, down to the messages, and in bounded memory."""

import io
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers import ticket_log, ticket_log_groups
from helpers.exceptions import SourceError
from helpers.ticket_log import COLUMNS, read_log
from helpers.ticket_log_groups import read_groups
from helpers.ticket_sample import make_log, make_typed_log

ROWS = [list(row.values()) for row in make_log(120).to_pylist()]


def content(rows: list[list[str]] = ROWS, header: tuple[str, ...] = tuple(COLUMNS), end: str = "\n") -> bytes:
    """A CSV of these rows."""
    return "".join(",".join(row) + end for row in [list(header), *rows]).encode()


def rows_with(column: str, value: str, row: int) -> list[list[str]]:
    """The rows with one value replaced, counted from 1."""
    rows = [list(values) for values in ROWS]
    rows[row - 1][list(COLUMNS).index(column)] = value
    return rows


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """Pieces of 2,000 bytes, some six rows, so that a small log has many of them."""
    monkeypatch.setattr(ticket_log_groups, "PIECE_BYTES", 2_000)


@pytest.fixture
def groups(tmp_path):
    """Read a log of these bytes in groups of 100 rows."""

    def write_and_read(content: bytes, name: str = "log.csv") -> list[pa.Table]:
        (tmp_path / name).write_bytes(content)
        return [table for table, _ in read_groups(tmp_path / name, "the log", 100)]

    return write_and_read


def zipped(content: bytes) -> bytes:
    """A zip of this CSV."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.csv", content)
    return buffer.getvalue()


def as_parquet(table: pa.Table) -> bytes:
    """The table as a Parquet file."""
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=70)
    return buffer.getvalue()


@pytest.mark.parametrize("make", [content, lambda: content(end="\r\n"), lambda: content(end="\r"),
                                  lambda: zipped(content()), lambda: as_parquet(make_typed_log(120)),
                                  lambda: as_parquet(make_log(120))])  # fmt: skip
def test_groups_are_the_log(groups, make, monkeypatch):
    """Each group but the last has 100 rows and is, dictionaries and all, what the same rows read alone would be."""
    monkeypatch.setattr(ticket_log_groups, "LONGEST_LINE", 10_000)
    found = groups(make())
    assert [len(table) for table in found] == [100] * (len(ROWS) // 100) + [len(ROWS) % 100]
    whole = make_typed_log(120)
    for place, table in enumerate(found):
        assert table.schema.equals(whole.schema)
        assert table.to_pylist() == whole.slice(100 * place, 100).to_pylist()
        assert table["number"].chunk(0).dictionary.equals(table["number"].cast(pa.string()).unique())


def test_share_grows_to_one(tmp_path):
    """The share of the file that is read grows with each group, and ends with 1."""
    for name, held in (("a.csv", content()), ("b.zip", zipped(content())), ("c", as_parquet(make_typed_log(120)))):
        (tmp_path / name).write_bytes(held)
        shares = [share for _, share in read_groups(tmp_path / name, name, 100)]
        assert shares == sorted(shares)
        assert 0 < shares[0] < 1 == shares[-1]


def test_quoted_line_breaks_are_kept_wherever_a_piece_ends(groups):
    """A value of many lines, in a column that is read or in one that is not, is one value in any place."""
    comment = '"' + "\n".join(f"line {place}, of twenty" for place in range(20)) + '"'
    header = (*COLUMNS, "comments")
    found = pa.concat_tables(groups(content([[*row, comment] for row in ROWS], header)))
    assert found.to_pylist() == make_typed_log(120).to_pylist()
    rows = rows_with("vendor", '"a ""b"",\nc"', 321)
    assert pa.concat_tables(groups(content(rows)))["vendor"][320].as_py() == 'a "b",\nc'


def test_quote_that_is_none_is_text(groups, monkeypatch):
    """A stray quote, after which everything seems quoted, costs memory up to a limit and changes nothing."""
    monkeypatch.setattr(ticket_log_groups, "LONGEST_LINE", 10_000)
    found = pa.concat_tables(groups(content(rows_with("vendor", '24" monitor', 50))))
    assert found["vendor"][49].as_py() == '24" monitor'
    assert found.drop_columns("vendor").to_pylist() == make_typed_log(120).drop_columns("vendor").to_pylist()


def test_endless_line_is_refused(groups, monkeypatch):
    """A file without line breaks is not read into memory whole."""
    monkeypatch.setattr(ticket_log_groups, "LONGEST_LINE", 10_000)
    with pytest.raises(SourceError, match=r"^the log: a line is longer than 10,000 bytes; the file may be damaged$"):
        groups(content(ROWS[:3]) + b"x" * 100_000)


@pytest.mark.parametrize("row", [3, 432, len(ROWS)])
@pytest.mark.parametrize("wrap", [bytes, zipped])
@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("opened_at", "31/4/2016 10:00"),
        ("sys_mod_count", "row 7"),
        ("reopen_count", "-1"),
        ("closed_at", "1/1/2016 00:00"),
        ("active", "yes"),
        ("vendor", "a,b"),
        ("category", "caf\udce9"),
    ],
)
def test_message_is_that_of_reading_the_log_at_once(groups, tmp_path, column, value, row, wrap):
    """What is wrong is said with the same words, of the row of the whole file."""
    lines = "".join(",".join(values) + "\n" for values in [list(COLUMNS), *rows_with(column, value, row)])
    name = "log.zip" if wrap is zipped else "log.csv"
    with pytest.raises(SourceError) as grouped:
        groups(wrap(lines.encode(errors="surrogateescape")), name)
    with pytest.raises(SourceError) as at_once:
        read_log(tmp_path / name, "the log")
    assert str(grouped.value) == str(at_once.value)
    assert f"row {row}" in str(grouped.value)


def test_message_names_the_row_of_a_parquet_file(groups):
    """Rows are counted in the whole file, whatever its row groups."""
    table = make_log(120)
    values = table["opened_at"].to_pylist()
    values[211] = "x"
    place = table.schema.get_field_index("opened_at")
    with pytest.raises(SourceError, match=r"^the log: column 'opened_at', row 212: 'x' is not"):
        groups(as_parquet(table.set_column(place, "opened_at", pa.array(values))))


BAD = [b"", content([]), content(header=tuple(COLUMNS)[1:]), zipped(content())[:-30]]
BAD += [as_parquet(make_typed_log(5))[:-9], as_parquet(make_typed_log(5).slice(0, 0))]


@pytest.mark.parametrize("bad", BAD)
def test_file_that_is_no_log_is_refused_as_at_once(groups, tmp_path, bad):
    """Empty, headless, truncated and foreign files are refused with the message of reading them at once."""
    with pytest.raises(SourceError) as grouped:
        groups(bad)
    with pytest.raises(SourceError) as at_once:
        read_log(tmp_path / "log.csv", "the log")
    assert str(grouped.value) == str(at_once.value)


def test_damage_in_the_middle_of_a_zip_is_told(groups):
    """A zip whose data does not fit its checksum is refused, though its first rows could be read."""
    whole = bytearray(zipped(content()))
    whole[len(whole) // 2] ^= 255
    with pytest.raises(SourceError, match="damaged or truncated zip"):
        groups(bytes(whole), "log.zip")


def test_zip_that_expands_too_far_is_refused(groups, monkeypatch):
    """The limit on what a zip expands to holds here, too."""
    monkeypatch.setattr(ticket_log, "MAX_EXPANDED_BYTES", 10_000)
    with pytest.raises(SourceError, match="expands to more than 10,000 bytes; set DAYBOOK_MAX_EXPANDED_BYTES"):
        groups(zipped(content()), "log.zip")
