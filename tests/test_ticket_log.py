"""Reading an event log: what is accepted comes out equal however it was saved, what is not is refused in one line.

The log that the tests vary is the first 40 incidents of the embedded sample, 276 events.
"""

import io
import os
import random
import re
import struct
import tracemalloc
import zipfile
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet
import pytest

from helpers import ticket_log, ticket_sample
from helpers.exceptions import SourceError
from helpers.ticket_log import COLUMNS, COUNT, FLAG, TEXT, TIME, read_log
from helpers.ticket_sources import cached_log

TIMES = [column for column, kind in COLUMNS.items() if kind == TIME]
SAMPLE = [list(row.values()) for row in ticket_sample.make_log(40).to_pylist()]


def rows_with(column: str = "", value: str = "", row: int = 5) -> list[list[str]]:
    """Header and rows of the log, with one value replaced; rows are counted from 1 below the header."""
    rows = [list(COLUMNS), *(list(values) for values in SAMPLE)]
    if column:
        rows[row][rows[0].index(column)] = value
    return rows


def as_csv(rows: list[list[str]], separator: str = ",", end: str = "\n") -> bytes:
    """The rows as CSV text in UTF-8."""
    return "".join(separator.join(row) + end for row in rows).encode()


def as_zip(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


PUBLISHED = as_csv(rows_with())


@pytest.fixture
def read(tmp_path):
    """Read a log of these bytes."""

    def write_and_read(content: bytes, name: str = "log.csv") -> pa.Table:
        (tmp_path / name).write_bytes(content)
        return read_log(tmp_path / name)

    return write_and_read


@pytest.fixture
def refused(tmp_path, home):
    """What is said when a log of these bytes is asked for, without the path; it is one line, and nothing is cached."""

    def write_and_ask(content: bytes | None, name: str = "log.csv") -> str:
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError) as caught:
            cached_log(str(tmp_path / name))
        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith(f"{tmp_path / name}: ")
        assert not [path for path in home.glob("cache/*") if path.suffix in (".parquet", ".part")]
        return message.removeprefix(f"{tmp_path / name}: ")

    return write_and_ask


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> pa.Table:
    """The log as read from a CSV in the published form."""
    path = tmp_path_factory.mktemp("log") / "log.csv"
    path.write_bytes(PUBLISHED)
    return read_log(path)


def test_values_are_those_of_the_text(published):
    """Every value of the typed table is its text's: parsed here by Python alone, row by row."""
    as_python = {
        TEXT: str,
        COUNT: int,
        FLAG: {"true": True, "false": False}.__getitem__,
        TIME: lambda text: datetime.strptime(text, "%d/%m/%Y %H:%M").replace(tzinfo=UTC),
    }
    convert = [as_python[kind] for kind in COLUMNS.values()]
    expected = [
        [None if text == "?" else to_value(text) for to_value, text in zip(convert, row, strict=True)] for row in SAMPLE
    ]
    assert published.schema.equals(pa.schema(COLUMNS))
    assert [list(row.values()) for row in published.to_pylist()] == expected


# Zip archives


def test_zip_of_one_csv_is_read_whatever_it_is_called(read, published):
    """The CSV inside is read from any folder and under any file name, and what macOS adds beside it is ignored."""
    content = as_zip(("data/", b""), ("data/Log.CSV", PUBLISHED), ("__MACOSX/data/._Log.csv", b"\0"), ("a.txt", b""))
    assert read(content, "log").equals(published)
    assert read(as_zip(("log.csv", PUBLISHED), method=zipfile.ZIP_STORED), "log.zip").equals(published)


def test_not_a_zip_is_refused(refused):
    """A file that is named .zip and is none, such as a server's error page, is not read as CSV."""
    assert "not a zip archive" in refused(b"<html>Not found</html>", "log.zip")


def test_truncated_zip_is_refused(refused):
    """A zip cut at any place is refused."""
    content = as_zip(("log.csv", PUBLISHED))
    for size in (2, 3, 100, len(content) // 2, len(content) - 30, len(content) - 1):
        assert "damaged or truncated zip" in refused(content[:size], "log.zip")


def test_flipped_bits_never_make_another_log(read, published):
    """A zip with one bit flipped is refused, or reads equal because the bit does not matter."""
    content = as_zip(("log.csv", as_csv(rows_with()[:30])))
    expected, rng, num_refused = read(content, "log.zip"), random.Random(1), 0
    directory = list(range(content.rindex(b"PK\1\2"), len(content)))
    for place in [*rng.choices(range(len(content)), k=120), *directory]:
        damaged = bytearray(content)
        damaged[place] ^= 1 << rng.randrange(8)
        try:
            table = read(bytes(damaged), "log.zip")
        except SourceError:
            num_refused += 1
        else:
            assert table.equals(expected)
    # The CSV is all but the 100 bytes of names and headers, and its CRC notices every one of its bits.
    assert num_refused > 100


def test_wrong_checksum_in_a_zip_is_refused(refused):
    """A stored member with one letter changed still is readable text, and is refused by its CRC."""
    content = as_zip(("log.csv", PUBLISHED), method=zipfile.ZIP_STORED).replace(b"Caller", b"Galler", 1)
    assert "Bad CRC-32 for file 'log.csv'" in refused(content, "log.zip")


def test_encrypted_zip_is_refused(refused):
    """A zip with a password is refused with the advice to make one without."""
    content = bytearray(as_zip(("log.csv", PUBLISHED)))
    for header, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(header) + flags] |= 1  # bit 0 of the general purpose flags: encrypted
    message = refused(bytes(content), "log.zip")
    assert "is encrypted" in message
    assert message.endswith("zip it again, without a password")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_that_expands_without_limit_is_refused(refused, method):
    """Methods whose decompressor cannot be told where to stop are refused, whatever the size in the header."""
    message = refused(as_zip(("log.csv", PUBLISHED), method=method), "log.zip")
    assert "not compressed by deflate" in message


@pytest.mark.parametrize(
    ("members", "found"),
    [
        ([], "0 found (no CSV)"),
        ([("log.parquet", b"PAR1")], "0 found (no CSV)"),
        ([("a.csv", PUBLISHED), ("b.csv", PUBLISHED)], "2 found (a.csv, b.csv)"),
    ],
)
def test_zip_without_one_csv_is_refused(refused, members, found):
    """A zip with no CSV or several is refused, and the message says what is there."""
    assert found in refused(as_zip(*members), "log.zip")


@pytest.mark.parametrize(
    "member",
    [
        *("../log.csv", "a/../../log.csv", "/etc/log.csv", ".", "log\n.csv"),
        *("C:\\log.csv", "C:log.csv", "..\\log.csv", "\\\\host\\a.csv"),
    ],
)
def test_unsafe_member_path_is_refused(refused, member):
    """A zip with a path that leaves the folder, or breaks a line of output, is refused though the CSV is fine."""
    message = refused(as_zip((member, PUBLISHED)), "log.zip")
    assert message == f"member {member!r} has an unsafe path; zip the CSV by its plain name"


def test_zip_that_expands_beyond_the_limit_is_refused(read, refused, monkeypatch):
    """A CSV one byte larger than the limit is refused by the size in its header, and the remedy is named."""
    monkeypatch.setattr(ticket_log, "MAX_EXPANDED_BYTES", len(PUBLISHED) - 1)
    message = refused(as_zip(("log.csv", PUBLISHED)), "log.zip")
    assert f"log.csv expands to more than {len(PUBLISHED) - 1:,} bytes" in message
    assert "DAYBOOK_MAX_EXPANDED_BYTES" in message
    monkeypatch.setattr(ticket_log, "MAX_EXPANDED_BYTES", len(PUBLISHED))
    assert read(as_zip(("log.csv", PUBLISHED)), "log.zip").num_rows == len(SAMPLE)


def test_header_that_lies_about_the_size_is_refused(refused, monkeypatch):
    """A zip whose header understates what comes out is refused, and no more than a piece or two is ever expanded."""
    content = bytearray(as_zip(("log.csv", bytes(50_000_000))))
    for header, size in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<I", content, content.index(header) + size, 1000)  # the uncompressed size
    monkeypatch.setattr(ticket_log, "MAX_EXPANDED_BYTES", 2000)
    tracemalloc.start()
    assert "damaged or truncated zip" in refused(bytes(content), "log.zip")
    assert tracemalloc.get_traced_memory()[1] < 3 * ticket_log.PIECE_BYTES  # of 50 MB
    tracemalloc.stop()


# Files that are no log


def test_empty_file_is_refused(refused):
    """A file of no bytes is called empty."""
    assert refused(b"").startswith("the file is empty")


def test_directory_is_refused(tmp_path, refused):
    """A folder given for a file is named as one."""
    (tmp_path / "logs").mkdir()
    assert refused(None, "logs").startswith("Is a directory; source is 'sample', 'uci', a path or a URL")


@pytest.mark.parametrize("name", ["absent.csv", "a\0b.csv", "a" * 300])
def test_path_that_cannot_be_opened_is_refused(refused, name):
    """A path that is not there, or cannot be, is refused with the kinds of source that there are."""
    assert "source is 'sample', 'uci', a path or a URL" in refused(None, name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_file_without_permission_is_refused(tmp_path, refused):
    """A file that may not be read is refused as such."""
    (tmp_path / "log.csv").write_bytes(PUBLISHED)
    (tmp_path / "log.csv").chmod(0)
    assert "Permission denied" in refused(None)


@pytest.mark.parametrize("seed", range(5))
def test_binary_garbage_is_refused(refused, seed):
    """Random bytes named .csv are refused."""
    assert "UTF-8" in refused(b"\xff" + random.Random(seed).randbytes(5000))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32"])
def test_other_unicode_encodings_are_refused(refused, encoding):
    """UTF-16, which spreadsheets call "Unicode text", is refused, with a byte order mark or without."""
    assert re.search("UTF-8|column 'number' is missing", refused(PUBLISHED.decode().encode(encoding)))


def test_latin_1_is_refused_by_its_value(refused):
    """The first value that is not UTF-8 is named by column and row, also when its row has too few fields."""
    rows = rows_with("caller_id", "Zoë", row=7)
    expected = "column 'caller_id', row 7: 'Zoë' is not in UTF-8; save the file as UTF-8"
    assert refused(as_csv(rows).decode().encode("latin-1")) == expected
    rows[7] = rows[7][:20]
    assert refused(as_csv(rows).decode().encode("latin-1")) == expected


def test_utf_8_is_kept(read):
    """Letters beyond ASCII come out as they went in."""
    assert read(as_csv(rows_with("caller_id", "Zoë 東京")))["caller_id"][4].as_py() == "Zoë 東京"


# Rows and columns


@pytest.mark.parametrize("column", ["number", "priority", "closed_at"])
def test_missing_column_is_refused(refused, column):
    """A log without one of the columns is refused by the column's name."""
    place = list(COLUMNS).index(column)
    rows = [row[:place] + row[place + 1 :] for row in rows_with()]
    assert f"column {column!r} is missing (35 of the 36 are there)" in refused(as_csv(rows))


def test_doubled_column_is_refused(refused):
    """A column that is there twice is refused: it is not known which one is meant."""
    rows = [[*row, row[1]] for row in rows_with()]
    assert "column 'incident_state' is there 2 times" in refused(as_csv(rows))


def test_further_and_reordered_columns_are_accepted(read, published):
    """Columns in another order, and further ones, even doubled or with the delimiter in their name, do not matter."""
    rows = [[*row[::-1], "x", "x"] for row in rows_with()]
    rows[0][-2:] = ['"a,b"', '"a,b"']
    assert read(as_csv(rows)).equals(published)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_header_alone_is_refused(refused, end):
    """A log of no events is refused."""
    message = refused(as_csv(rows_with()[:1], end="") + end.encode())
    assert message == "there is no row below the header; give a log with events"


@pytest.mark.parametrize("n_fields", [1, 35, 37])
@pytest.mark.parametrize("row", [1, 7, len(SAMPLE)])
def test_row_with_another_number_of_fields_is_refused(refused, n_fields, row):
    """A row with too few or too many fields is refused by its number, with both numbers of fields."""
    rows = rows_with()
    rows[row] = (rows[row] + ["x"])[:n_fields]
    assert f"row {row} has {n_fields} fields instead of 36: 'INC" in refused(as_csv(rows))


def test_truncated_csv_is_refused_wherever_it_is_cut(refused):
    """A CSV cut inside its last row is refused, even if what is missing is the last digit of a minute."""
    last = len(PUBLISHED.splitlines()[-1]) + 1
    assert "fields instead of 36" in refused(PUBLISHED[: -last + 40])
    for missing in (2, 3, 5, 9):
        assert f"column 'closed_at', row {len(SAMPLE)}: " in refused(PUBLISHED[:-missing])


def test_last_line_needs_no_line_break(read, published):
    """A file without a line break at its end is whole."""
    assert read(PUBLISHED[:-1]).equals(published)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ('"Caller ""x"""', 'Caller "x"'),
        ('Caller "x"', 'Caller "x"'),
        ('"Caller, x"', "Caller, x"),
        ('"Caller\nx"', "Caller\nx"),
        ('"Caller\r\nx,\n"', "Caller\r\nx,\n"),
    ],
)
def test_quotes_delimiters_and_line_breaks_inside_a_value_are_kept(read, published, written, value):
    """A text value in quotes may hold quotes, the delimiter and line breaks; no other value changes."""
    table = read(as_csv(rows_with("caller_id", written)))
    assert table["caller_id"][4].as_py() == value
    assert table.drop_columns("caller_id").equals(published.drop_columns("caller_id"))


def test_line_breaks_inside_values_do_not_split_a_large_log(read):
    """A log of several megabytes is parsed in blocks, and none of them begins inside a value."""
    place = list(COLUMNS).index("caller_id")
    rows = [[*row[:place], '"' + "Caller\n" * 200 + '"', *row[place + 1 :]] for row in SAMPLE] * 6
    table = read(as_csv([list(COLUMNS), *rows]))
    assert table["caller_id"].unique().to_pylist() == ["Caller\n" * 200]
    assert len(table) == 6 * len(SAMPLE)


def test_quote_that_is_never_closed_is_refused(refused):
    """A quote that swallows the rest of the file is refused at its row."""
    assert "row 5 has 8 fields instead of 36" in refused(as_csv(rows_with("caller_id", '"Caller')))


def test_empty_field_is_a_missing_value(read, published):
    """An empty field means the same as `?` in a column of any kind, as pandas writes it."""
    emptied = as_csv([["" if value == "?" else value for value in row] for row in rows_with()])
    assert read(emptied).equals(published)
    for column in ("caller_id", "reopen_count", "active", "opened_at"):
        assert read(as_csv(rows_with(column, "")))[column].to_pylist().count(None) == (
            published[column].to_pylist().count(None) + 1
        )


# Dates

SAVED_AGAIN = {
    "with seconds": "{d}/{m}/{Y} {H:02}:{M:02}:00",
    "padded": "{d:02}/{m:02}/{Y} {H:02}:{M:02}",
    "hour unpadded": "{d}/{m}/{Y} {H}:{M:02}",
    "two-digit year": "{d:02}/{m:02}/{y:02} {H:02}:{M:02}",
    "two-digit year, seconds": "{d}/{m}/{y:02} {H:02}:{M:02}:00",
    "hyphens": "{d:02}-{m:02}-{Y} {H:02}:{M:02}",
    "hyphens, unpadded": "{d}-{m}-{Y} {H}:{M:02}:00",
    "dots": "{d:02}.{m:02}.{Y} {H:02}:{M:02}",
    "dots, two-digit year": "{d:02}.{m:02}.{y:02} {H:02}:{M:02}",
    "ISO": "{Y}-{m:02}-{d:02} {H:02}:{M:02}:00",
    "ISO to the minute": "{Y}-{m:02}-{d:02} {H:02}:{M:02}",
    "ISO with T": "{Y}-{m:02}-{d:02}T{H:02}:{M:02}:00",
    "ISO with milliseconds": "{Y}-{m:02}-{d:02} {H:02}:{M:02}:00.000",
    "ISO in UTC": "{Y}-{m:02}-{d:02}T{H:02}:{M:02}:00Z",
    "ISO with offset": "{Y}-{m:02}-{d:02} {H:02}:{M:02}:00+00:00",
    "AM/PM": "{d}/{m}/{Y} {I}:{M:02} {p}",
    "AM/PM, seconds": "{d:02}/{m:02}/{Y} {I:02}:{M:02}:00 {p}",
    "AM/PM, two-digit year": "{d:02}/{m:02}/{y:02} {I:02}:{M:02} {p}",
}


def written(moment: datetime, form: str) -> str:
    """A time in one of these forms; written by hand, as strftime pads and depends on the platform."""
    parts = {"d": moment.day, "m": moment.month, "Y": moment.year, "y": moment.year % 100}
    twelve = {"I": moment.hour % 12 or 12, "p": "AM" if moment.hour < 12 else "PM"}
    return form.format(**parts, **twelve, H=moment.hour, M=moment.minute)


def rewritten(form: str, change=lambda text: text) -> list[list[str]]:
    """Header and rows of the log with every date in this form, and every other value changed by a function."""
    places = {list(COLUMNS).index(column) for column in TIMES}
    rows = rows_with()
    return [rows[0]] + [
        [
            written(datetime.strptime(text, "%d/%m/%Y %H:%M"), form) if i in places and text != "?" else change(text)
            for i, text in enumerate(row)
        ]
        for row in rows[1:]
    ]


@pytest.mark.parametrize("form", SAVED_AGAIN.values(), ids=SAVED_AGAIN)
def test_dates_that_a_spreadsheet_wrote_are_read(read, published, form):
    """A log whose dates a spreadsheet wrote in its own form is the same log."""
    assert read(as_csv(rewritten(form))).equals(published)


@pytest.mark.parametrize("separator", [",", ";", "\t"], ids=["comma", "semicolon", "tab"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize(("quote", "mark"), [("", b""), ("", b"\xef\xbb\xbf"), ('"', b"\xef\xbb\xbf")])
def test_log_saved_again_by_a_spreadsheet_is_the_same(read, published, separator, end, quote, mark):
    """Delimiter, line ends, quotes, byte order mark, TRUE and FALSE and another form of date change nothing."""
    as_upper = {"true": "TRUE", "false": "FALSE"}
    plain = [[f"{quote}{value}{quote}" for value in row] for row in rows_with()]
    assert read(mark + as_csv(plain, separator, end)).equals(published)
    changed = rewritten(SAVED_AGAIN["dots"], lambda text: as_upper.get(text, text))
    saved = [[f"{quote}{value}{quote}" for value in row] for row in changed]
    assert read(mark + as_csv(saved, separator, end)).equals(published)


@pytest.mark.parametrize(
    "text",
    [
        "2/29/2016 01:16",  # month first
        "13/13/2016 01:16",
        "31/4/2016",
        "31/4/2016 01:16",  # pyarrow alone reads the first of May
        "29/2/2015",
        "29/2/2015 00:00",  # and the first of March
        "29/2/2016",
        "0/2/2016 01:16",
        "29/2/0016 01:16",
        "29/2/216 01:16",
        "29/2/1969 01:16",
        "29/2/2016 25:00",
        "29/2/2016 24:00",
        "29/2/2016 01:60",
        "29/2/2016 01:1",  # of 01:16 in a truncated file
        "29/2/2016 01:16:5",
        "29/2/2016 13:16 PM",
        "29/2/2016 01:16 UTC",
        "29-2-16 01:16",  # or the 16th of 2029
        "16-02-29 01:16",
        "2016-02-29",
        "2016-02-29 01:16:00.5",
        "2016-02-29T01:16:00+01:00",
        "42429.0527777778",  # the spreadsheet's own number of the day
        "now",
        "today",
        "NaT",
        "nan",
        "Februar",
    ],
)
def test_date_that_is_none_is_refused(refused, text):
    """What is no date, or could be two, is refused by column, row and value, with the forms that are accepted."""
    message = refused(as_csv(rows_with("resolved_at", text, row=9)))
    assert message.startswith(f"column 'resolved_at', row 9: {text!r} is not 31/12/2016 23:59")
    assert "day first" in message
    assert "2016-12-31" in message


def test_dates_are_never_read_month_first(read):
    """Random times over seventy years round trip in every form, so none comes out with day and month exchanged."""
    rng = random.Random(20160229)
    forms = [*SAVED_AGAIN.values(), "{d}/{m}/{Y} {H:02}:{M:02}"]
    for form in forms:
        # A two-digit year means 1970 to 2068, as in POSIX.
        moments = [datetime(1970, 1, 1) + timedelta(minutes=rng.randrange(60 * 24 * 365 * 70)) for _ in SAMPLE]
        rows = rows_with()
        place = list(COLUMNS).index("opened_at")
        for row, moment in zip(rows[1:], moments, strict=True):
            row[place] = written(moment.replace(year=min(moment.year, 2068)), form)
        expected = [moment.replace(year=min(moment.year, 2068), tzinfo=UTC) for moment in moments]
        assert read(as_csv(rows))["opened_at"].to_pylist() == expected


# Flags and counts


@pytest.mark.parametrize("text", ["yes", "1", "0", "WAHR", "VRAI", "t", "none"])
def test_flag_in_another_spelling_is_refused(refused, text):
    """A flag that is neither true nor false is refused by its value."""
    message = refused(as_csv(rows_with("active", text)))
    assert message == f"column 'active', row 5: {text!r} is not true or false; mend the value"


@pytest.mark.parametrize("text", ["TRUE", "True", "true", " true ", '"true"'])
def test_flag_is_read_in_any_case(read, text):
    """True is true in capitals, between spaces and in quotes."""
    assert read(as_csv(rows_with("knowledge", text)))["knowledge"][4].as_py() is True


@pytest.mark.parametrize(
    "text", ["1.5", "1e3", "1,5", "+1", "0x10", "--1", "1_000", "٣", "²", "one", "2147483648", "9" * 20, "9" * 5000]
)
def test_count_that_is_no_whole_number_is_refused(refused, text):
    """A count that is not written in digits, or does not fit 32 bits, is refused by its value's first 60 characters."""
    message = refused(as_csv(rows_with("sys_mod_count", text), separator=";"))
    assert message.startswith(f"column 'sys_mod_count', row 5: {text[:60]!r} is not a whole number to 2147483647; mend")


@pytest.mark.parametrize(("text", "count"), [("3", 3), (" 3", 3), ('"3 "', 3), ("03", 3), ("2147483647", 2**31 - 1)])
def test_count_is_read_in_digits(read, text, count):
    """A count may have spaces and zeros before it, and be as large as 32 bits hold."""
    assert read(as_csv(rows_with("sys_mod_count", text)))["sys_mod_count"][4].as_py() == count


@pytest.mark.parametrize("column", ["reassignment_count", "reopen_count", "sys_mod_count"])
def test_negative_count_is_refused(refused, column):
    """A negative count is refused at its row."""
    assert refused(as_csv(rows_with(column, "-1"))) == f"column {column!r}, row 5: -1 is negative; mend it"


def test_ticket_closed_before_its_last_update_is_refused(refused):
    """A close before the last update is refused at its row with both times; one in the same minute is not."""
    rows = rows_with("sys_updated_at", "2/3/2016 10:01", row=9)
    rows[9][list(COLUMNS).index("closed_at")] = "2/3/2016 10:00"
    assert refused(as_csv(rows)) == (
        "column 'closed_at', row 9: 2016-03-02T10:00:00+00:00 is before sys_updated_at 2016-03-02T10:01:00+00:00; "
        "mend it"
    )


# Parquet


def as_parquet(table: pa.Table, **options) -> bytes:
    """The table as a Parquet file."""
    buffer = io.BytesIO()
    pa.parquet.write_table(table, buffer, **options)
    return buffer.getvalue()


def retyped(table: pa.Table, **types: pa.DataType) -> pa.Table:
    """The table with other types for all columns of a kind: text, count, flag, time."""
    kinds = {TEXT: "text", COUNT: "count", FLAG: "flag", TIME: "time"}
    fields = [(column, types.get(kinds[kind], kind)) for column, kind in COLUMNS.items()]
    return table.cast(pa.schema(fields))


@pytest.mark.parametrize("options", [{}, {"row_group_size": 50}, {"compression": "none", "use_dictionary": False}])
def test_parquet_as_typed_is_the_same_log(read, published, options):
    """A typed Parquet log reads equal, whatever its row groups, compression and encodings."""
    assert read(as_parquet(published, **options), "log.parquet").equals(published)


def test_parquet_of_text_is_the_same_log(read, published):
    """A Parquet log that holds the CSV's text reads equal, dictionary-encoded or not."""
    text = ticket_sample.make_log(40)
    for kind in (pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int16(), pa.string())):
        content = as_parquet(text.cast(pa.schema(dict.fromkeys(COLUMNS, kind))), row_group_size=100)
        assert read(content, "log").equals(published)


@pytest.mark.parametrize(
    "types",
    [
        {"text": pa.large_string(), "count": pa.int64(), "time": pa.timestamp("ns")},
        {"text": pa.string(), "count": pa.uint8(), "time": pa.timestamp("us")},
        {"count": pa.float64(), "time": pa.timestamp("ns", tz="UTC")},
        {"count": pa.float32(), "time": pa.timestamp("ms", tz="Europe/Lisbon")},  # the same instants in another zone
    ],
    ids=["pandas 3", "naive, small", "float counts", "another zone"],
)
def test_parquet_in_other_types_is_the_same_log(read, published, types):
    """Wider types, and times in another unit or zone, are cast; times without a zone are UTC."""
    naive = {"time": pa.timestamp("s")} if types["time"].tz is None else {}
    assert read(as_parquet(retyped(retyped(published, **naive), **types)), "log.parquet").equals(published)


def test_parquet_that_pandas_wrote_is_the_same_log(read, tmp_path):
    """A frame of pandas, with its index, nanoseconds, unused categories and counts that are NaN, reads equal."""
    expected = read(as_csv(rows_with("reopen_count", "?")))
    frame = expected.to_pandas()
    assert np.isnan(frame["reopen_count"][4])
    frame["priority"] = (
        frame["priority"]
        .cat.add_categories("5 - None")
        .cat.reorder_categories(["5 - None", *frame["priority"].cat.categories])
    )
    frame["closed_at"] = frame["closed_at"].astype("datetime64[ns, UTC]")
    frame["number"] = frame["number"].astype(str)
    frame.set_index(pd.RangeIndex(7, 7 + len(frame), name="row")).to_parquet(tmp_path / "log.parquet")
    assert read_log(tmp_path / "log.parquet").equals(expected)


def test_parquet_with_nan_for_a_missing_count_is_read(read, published):
    """NaN among counts is a missing value also where the writer did not make it one."""
    counts = published["reopen_count"].cast(pa.float64()).to_numpy(zero_copy_only=False).copy()
    counts[4] = np.nan
    place = published.schema.get_field_index("reopen_count")
    table = published.set_column(place, "reopen_count", pa.array(counts, from_pandas=False))
    assert read(as_parquet(table), "log")["reopen_count"].to_pylist()[3:6] == [0, None, 0]


def with_value(table: pa.Table, column: str, kind: pa.DataType, value, row: int = 5) -> pa.Table:
    """The table with a column of another type and one other value in it."""
    values = table[column].cast(kind).to_pylist()
    values[row - 1] = value
    return table.set_column(table.schema.get_field_index(column), column, pa.array(values, kind))


@pytest.mark.parametrize(
    ("column", "kind", "value", "said"),
    [
        (
            "opened_at",
            pa.timestamp("ms", "UTC"),
            datetime(2016, 2, 29, 1, 16, 0, 500_000, UTC),
            "01:16:00.500Z' is not",
        ),
        ("opened_at", pa.timestamp("us", "UTC"), datetime(1969, 12, 31, 23, 59, tzinfo=UTC), "is not a time from 1970"),
        ("opened_at", pa.timestamp("us", "UTC"), 2**62, "is not a time from 1970 on"),
        ("sys_mod_count", pa.float64(), 1.5, "'1.5' is not a whole number"),
        ("sys_mod_count", pa.float64(), float("inf"), "'inf' is not a whole number"),
        ("sys_mod_count", pa.int64(), 2**31, "'2147483648' is not a whole number to 2147483647"),
        ("sys_mod_count", pa.string(), "x", "'x' is not a whole number"),
        ("opened_at", pa.string(), "2/29/2016 01:16", "'2/29/2016 01:16' is not 31/12/2016 23:59"),
    ],
)
def test_parquet_value_that_would_be_changed_is_refused(refused, published, column, kind, value, said):
    """A value that cannot be kept exactly, such as half a second, is refused by column, row and value."""
    if column == "opened_at" and pa.types.is_string(kind):
        published = published.set_column(9, "opened_at", pc.strftime(published["opened_at"], "%d/%m/%Y %H:%M"))
    message = refused(as_parquet(with_value(published, column, kind, value)), "log.parquet")
    assert message.startswith(f"column {column!r}, row 5: ")
    assert said in message


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [("opened_at", pa.int64(), "timestamp[s, tz=UTC]"), ("active", pa.int8(), "bool"), ("number", pa.binary(), "text")],
)
def test_parquet_column_of_another_type_is_refused(refused, published, column, kind, expected):
    """A column of a type that does not say what is meant is refused by both types."""
    values = published[column].cast(pa.string() if column == "number" else published.schema.field(column).type)
    place = published.schema.get_field_index(column)
    content = as_parquet(published.set_column(place, column, values.cast(kind)))
    assert f"column {column!r} holds {kind} where {expected} is expected" in refused(content, "log.parquet")


def test_parquet_in_another_layout_is_refused(refused, published):
    """Missing columns, doubled ones and an empty table are refused as they are in a CSV."""
    assert "column 'vendor' is missing" in refused(as_parquet(published.drop_columns("vendor")), "log.parquet")
    doubled = published.append_column("vendor", published["vendor"])
    assert "column 'vendor' is there 2 times" in refused(as_parquet(doubled), "log.parquet")
    assert "there is no row" in refused(as_parquet(published.slice(0, 0)), "log.parquet")


def test_damaged_parquet_is_refused(refused, published):
    """A Parquet file that is cut, or whose pages do not have their checksum, is refused."""
    content = as_parquet(published, write_page_checksum=True, compression="none")
    for size in (4, 8, 100, len(content) // 2, len(content) - 1):
        assert "damaged or truncated Parquet file" in refused(content[:size], "log.parquet")
    changed = content.replace(b"Caller", b"Galler", 1)
    assert "damaged or truncated Parquet file" in refused(changed, "log.parquet")


def test_parquet_text_that_is_not_utf_8_is_refused(refused, published):
    """Text whose bytes are no text is refused here, and not when a batch is shown."""
    bytes_alone = pa.array([b"Zo\xeb"] * len(published)).view(pa.string())
    table = published.set_column(published.schema.get_field_index("vendor"), "vendor", bytes_alone)
    assert "Invalid UTF8" in refused(as_parquet(table), "log.parquet")


# The published log


@pytest.fixture(scope="module")
def real(real_log) -> pd.DataFrame:
    """The published log."""
    return read_log(real_log).to_pandas()


def test_real_log_has_its_published_size(real):
    """The published log has 141,712 events of 24,918 incidents, 2 to 58 each."""
    assert real.shape == (141_712, 36)
    sizes = real["number"].value_counts()
    assert (len(sizes), sizes.min(), sizes.max()) == (24_918, 2, 58)


def test_real_log_has_its_labels(real):
    """Priorities and states have their published counts; no ticket is `4 - Lower`."""
    # Counted in the CSV with grep.
    assert real["priority"].value_counts().to_dict() == {
        "3 - Moderate": 132_452,
        "4 - Low": 4_030,
        "2 - High": 2_972,
        "1 - Critical": 2_258,
    }
    assert real["incident_state"].value_counts().head(3).to_dict() == {
        "Active": 38_716,
        "New": 36_407,
        "Resolved": 25_751,
    }


def test_real_log_has_its_dates(real):
    """Times span the published year: read month first, the first of them would be in January."""
    spans = {column: [str(real[column].min().date()), str(real[column].max().date())] for column in TIMES}
    assert spans["opened_at"] == ["2016-02-29", "2017-02-16"]
    assert spans["closed_at"] == ["2016-02-29", "2017-02-18"]


def test_real_log_has_its_missing_values(real):
    """Each column lacks its published share of values."""
    shares = real.isna().mean()
    expected = {
        "sys_created_at": 0.375,
        "cmdb_ci": 0.997,
        "problem_id": 0.984,
        "u_symptom": 0.233,
        "assigned_to": 0.194,
    }
    expected |= {"assignment_group": 0.1, "opened_by": 0.034, "resolved_at": 0.022, "closed_at": 0, "priority": 0}
    assert shares[list(expected)].round(3).to_dict() == expected
