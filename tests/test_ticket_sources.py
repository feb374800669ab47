"""Sources and the typed cache in front of them: parsed once, written whole or not at all, without credentials."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from helpers import ticket_log, ticket_sample, ticket_sources
from helpers.exceptions import SourceError
from helpers.log_partitions import read_partition
from helpers.ticket_log import COLUMNS
from helpers.ticket_sources import cached_log, partitioned, read_columns, with_partitions

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> bytes:
    """The first 40 incidents of the sample as a CSV."""
    path = tmp_path_factory.mktemp("log") / "log.csv"
    pa.csv.write_csv(ticket_sample.make_log(40), path, pa.csv.WriteOptions(quoting_style="none", quoting_header="none"))
    return path.read_bytes()


@pytest.fixture
def log_file(tmp_path, published) -> Path:
    """The log in a file of the test's own."""
    (tmp_path / "log.csv").write_bytes(published)
    return tmp_path / "log.csv"


@pytest.fixture
def parsed(monkeypatch) -> list[Path]:
    """The files that have been parsed so far, in order."""
    paths, read_log = [], ticket_log.read_log
    monkeypatch.setattr(ticket_log, "read_log", lambda path, name=None: paths.append(path) or read_log(path, name))
    return paths


@pytest.fixture
def site(monkeypatch):
    """Serve files from a dict of paths on loopback; `requested` holds the paths asked for."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.requested.append(self.path)
            content = server.files.get(self.path)
            self.send_response(200 if content is not None else 404)
            self.send_header("Content-Length", str(len(content or b"")))
            self.send_header("ETag", f'"{hashlib.md5(content or b"").hexdigest()}"')
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *args):
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.requested = {}, []
        server.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def cached_files(home: Path) -> list[str]:
    """The suffixes of what is in the cache, but for locks."""
    return sorted(path.suffix for path in home.glob("cache/*") if path.suffix != ".lock")


# The cache


def test_log_is_parsed_once(log_file, parsed):
    """The second call finds what the first one parsed, in the same file, untouched."""
    first = cached_log(str(log_file))
    written = first.path.stat()
    assert cached_log(str(log_file)) == first
    assert parsed == [log_file]
    assert (first.path.stat().st_ino, first.path.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)


def test_cache_goes_by_content(log_file, tmp_path, parsed):
    """The same bytes under another name are the same log; other bytes under the same name are another one."""
    first = cached_log(str(log_file))
    (tmp_path / "copy").write_bytes(log_file.read_bytes())
    assert cached_log(str(tmp_path / "copy")).path == first.path
    assert len(parsed) == 1
    log_file.write_bytes(log_file.read_bytes().replace(b"Caller", b"Galler"))
    assert cached_log(str(log_file)).path != first.path
    assert len(parsed) == 2


def test_cached_log_says_what_it_is(log_file):
    """The source as asked for, the digest of its bytes, and a Parquet file of the parsed log, times in milliseconds."""
    log = cached_log(str(log_file))
    assert log.source == str(log_file)
    assert log.sha256 == hashlib.sha256(log_file.read_bytes()).hexdigest()
    table = pa.parquet.read_table(log.path)
    assert table.schema.field("closed_at").type == pa.timestamp("ms", tz="UTC")
    assert table.cast(pa.schema(COLUMNS)).equals(ticket_log.read_log(log_file))


def test_only_the_columns_asked_for_are_read(log_file, monkeypatch):
    """Two columns of 36 are decoded: the others may be damaged and nobody notices."""
    log = cached_log(str(log_file))
    metadata = pa.parquet.read_metadata(log.path).row_group(0)
    content = bytearray(log.path.read_bytes())
    for place in range(metadata.num_columns):
        column = metadata.column(place)
        if column.path_in_schema not in ("priority", "closed_at"):
            start = column.dictionary_page_offset or column.data_page_offset
            content[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    log.path.write_bytes(content)
    monkeypatch.setattr(ticket_log, "read_log", None)  # healing would hide the difference
    assert read_columns(str(log_file), ["closed_at", "priority"])[1].column_names == ["closed_at", "priority"]
    with pytest.raises(TypeError, match="not callable"):
        read_columns(str(log_file), ["number"])


@pytest.mark.parametrize("damage", ["cut", "emptied", "one letter changed", "footer changed"])
def test_damaged_cache_is_parsed_again(log_file, parsed, damage):
    """A cached file that a crash or a disk damaged is replaced by parsing the source again."""
    log = cached_log(str(log_file))
    content = log.path.read_bytes()
    changed = {
        "cut": content[: len(content) // 2],
        "emptied": b"",
        "one letter changed": content.replace(b"Moderate", b"Maderote", 1),
        "footer changed": content[:-1000] + bytes(992) + content[-8:],
    }[damage]
    assert changed != content
    log.path.write_bytes(changed)
    _, table = read_columns(str(log_file), ["priority"])
    assert table.equals(ticket_log.read_log(log_file).select(["priority"]))
    assert len(parsed) == 3  # at first, to heal, and for the comparison
    assert log.path.read_bytes() == content


def test_cache_file_splits(tmp_path):
    """The cached file of a large log has row groups of 131,072 events, each of which is read alone."""
    table = ticket_log.with_schema(pa.table({c: pa.nulls(300_000, kind) for c, kind in COLUMNS.items()}))
    ticket_sources.write_table(table, tmp_path / "large.parquet")
    metadata = pa.parquet.read_metadata(tmp_path / "large.parquet")
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    assert sizes == [131_072, 131_072, 37_856]


def test_any_source_is_partitioned(log_file, tmp_path):
    """A file is the partitions of its typed cache, a directory those of its parts; both hold the same events."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part.csv").write_bytes(log_file.read_bytes())
    cached, parts = partitioned(str(log_file)), partitioned(str(tmp_path / "parts"))
    log = cached_log(str(log_file))
    assert (cached.source, cached.sha256, cached.num_rows) == (log.source, log.sha256, 276)
    assert [partition.path for partition in cached.partitions] == [str(log.path)]
    assert parts.source == str(tmp_path / "parts")
    expected = ticket_log.read_log(log_file)
    for partition in (*cached.partitions, *parts.partitions):
        assert read_partition(partition, list(COLUMNS)).equals(expected)
    assert partitioned("sample").num_rows == 28_448


@pytest.mark.parametrize("damage", ["cut", "emptied", "one letter changed", "footer changed"])
def test_damaged_cache_is_parsed_again_for_its_partitions(log_file, parsed, damage):
    """Whatever reads the partitions is called again when the cached file is damaged, and once otherwise."""
    log = cached_log(str(log_file))
    content = log.path.read_bytes()
    changed = {
        "cut": content[: len(content) // 2],
        "emptied": b"",
        "one letter changed": content.replace(b"Moderate", b"Maderote", 1),
        "footer changed": content[:-1000] + bytes(992) + content[-8:],
    }[damage]
    log.path.write_bytes(changed)
    table = with_partitions(str(log_file), lambda log: read_partition(log.partitions[0], ["priority"]))
    assert table.equals(ticket_log.read_log(log_file).select(["priority"]))
    assert len(parsed) == 3  # at first, to heal, and for the comparison
    assert log.path.read_bytes() == content
    assert with_partitions(str(log_file), lambda log: log.num_rows) == 276
    assert len(parsed) == 3


def test_damaged_part_is_not_mended(log_file, tmp_path):
    """A damaged part of a partitioned log is refused: nothing could make it again, and nothing removes it."""
    (tmp_path / "parts").mkdir()
    path = tmp_path / "parts" / "part.parquet"
    path.write_bytes(cached_log(str(log_file)).path.read_bytes().replace(b"Moderate", b"Maderote", 1))
    with pytest.raises(SourceError, match=r"part\.parquet: damaged or truncated Parquet file"):
        with_partitions(str(path.parent), lambda log: read_partition(log.partitions[0], ["priority"]))
    assert path.exists()


def test_refused_log_is_not_cached(log_file, home):
    """A log that is refused leaves nothing in the cache, and is read anew once it is mended."""
    good = log_file.read_bytes()
    log_file.write_bytes(good.replace(b"3 - Moderate", b"3 - Moderate,", 1))
    with pytest.raises(SourceError, match="fields instead of 36"):
        cached_log(str(log_file))
    assert cached_files(home) == []
    log_file.write_bytes(good)
    cached_log(str(log_file))
    assert cached_files(home) == [".parquet"]


def test_full_disk_leaves_nothing(log_file, home, monkeypatch):
    """A cache that cannot be written is one line with the reason, and leaves no part of a file."""

    def write_some(table, path, **options):
        Path(path).write_bytes(b"PAR1")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pa.parquet, "write_table", write_some)
    with pytest.raises(SourceError, match=r"cannot be written \(No space left on device\); free space"):
        cached_log(str(log_file))
    assert cached_files(home) == []


@pytest.mark.slow
def test_killed_while_writing_leaves_nothing_that_counts(log_file, home):
    """A process killed in the middle of writing leaves no file that the next one takes for the log."""
    # The child writes the whole file, then kills itself before the rename, as late as it can be.
    program = (
        "import os, signal, sys, pyarrow.parquet as parquet\n"
        "from helpers import ticket_sources\n"
        "write = parquet.write_table\n"
        "def write_and_die(table, path, **options):\n"
        "    write(table.slice(0, 100), path, **options)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "parquet.write_table = write_and_die\n"
        "ticket_sources.cached_log(sys.argv[1])\n"
    )
    child = subprocess.run([sys.executable, "-c", program, str(log_file)], cwd=REPOSITORY, check=False)
    assert child.returncode == -signal.SIGKILL
    assert ".parquet" not in cached_files(home)
    assert read_columns(str(log_file), ["number"])[1].num_rows == 276


@pytest.mark.slow
def test_processes_that_start_at_once_share_the_parse(log_file, home, tmp_path):
    """Of three processes that ask at once one parses, and all get the same file."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from helpers import ticket_log, ticket_sources\n"
        "read_log = ticket_log.read_log\n"
        "def slow(path, name):\n"
        "    print('parsed', flush=True)\n"
        "    time.sleep(0.5)\n"  # long enough for the others to arrive
        "    return read_log(path, name)\n"
        "ticket_log.read_log = slow\n"
        "ready = Path(sys.argv[2], sys.argv[3])\n"
        "ready.touch()\n"
        "while len(list(ready.parent.iterdir())) < 3:\n"
        "    time.sleep(0.01)\n"
        "print(ticket_sources.cached_log(sys.argv[1]).path)\n"
    )
    (tmp_path / "ready").mkdir()
    command = [sys.executable, "-c", program, str(log_file), str(tmp_path / "ready")]
    children = [
        subprocess.Popen([*command, str(place)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
        for place in range(3)
    ]
    printed = [child.communicate(timeout=60)[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0, 0]
    assert sum("parsed" in lines for lines in printed) == 1
    assert {lines[-1] for lines in printed} == {str(path) for path in home.glob("cache/*.parquet")}


# The sample


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> ticket_sources.CachedLog:
    """The sample in a home of this module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAYBOOK_HOME", str(tmp_path_factory.mktemp("home")))
        return cached_log("sample")


def test_sample_is_a_log_in_the_layout(sample):
    """The sample has at least 5,000 incidents, the layout's columns in their order, and closed tickets alone."""
    assert list(ticket_sample.COLUMN_ORDER) == list(COLUMNS)
    table = pa.parquet.read_table(sample.path)
    assert table.column_names == list(COLUMNS)
    assert table.cast(pa.schema(COLUMNS))["number"].type == table["number"].type
    assert len(table["number"].unique()) >= 5_000
    assert table["closed_at"].null_count == 0
    assert table["priority"].value_counts().to_pylist()[0]["values"] == "3 - Moderate"


def test_sample_is_the_same_in_every_home(sample, home):
    """The sample has one digest wherever it is made, so trials on it can be compared."""
    # Also on every Python and NumPy that the lock allows, which this literal tells: trials are compared by it.
    assert sample.sha256 == "1d64168b2bea7d83abd6c8a2b08e5c2daa5645d2cde10db9c08747ab8c9cf803"
    again = cached_log("sample")
    assert again.path.is_relative_to(home)
    assert again.sha256 == sample.sha256
    assert again.path.read_bytes() == sample.path.read_bytes()


def test_sample_needs_no_network(monkeypatch):
    """The sample is made without opening a socket."""

    def refuse(*args):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr("socket.socket", refuse)
    assert cached_log("sample").source == "sample"


# The published log


def test_uci_is_fetched_once_and_checked(site, published, monkeypatch, tmp_path):
    """`uci` is the zip at the published address, asked for once and read from its copy afterwards."""
    with zipfile.ZipFile(tmp_path / "log.zip", "w") as archive:
        archive.writestr("incident_event_log.csv", published)
    site.files["/log.zip"] = (tmp_path / "log.zip").read_bytes()
    monkeypatch.setattr(ticket_sources, "UCI_URL", f"http://{site.address}/log.zip")
    monkeypatch.setattr(ticket_sources, "UCI_SHA256", hashlib.sha256(site.files["/log.zip"]).hexdigest())
    log = cached_log("uci")
    assert (log.source, log.sha256) == ("uci", ticket_sources.UCI_SHA256)
    assert cached_log("uci") == log
    assert site.requested == ["/log.zip"]


def test_uci_with_another_checksum_is_refused(site, published, monkeypatch, home):
    """Bytes that are not the published ones are refused, and neither they nor a table are kept."""
    site.files["/log.zip"] = published
    monkeypatch.setattr(ticket_sources, "UCI_URL", f"http://{site.address}/log.zip")
    with pytest.raises(SourceError, match=f"has the SHA-256 .* where {ticket_sources.UCI_SHA256} is expected"):
        cached_log("uci")
    assert cached_files(home) == []


def test_published_address_and_checksum_are_those_of_the_real_log(real_log):
    """The checksum in the code is the real zip's, and the one CSV inside has its published digest."""
    assert ticket_sources.UCI_URL.startswith("https://archive.ics.uci.edu/")
    assert hashlib.sha256(real_log.read_bytes()).hexdigest() == ticket_sources.UCI_SHA256
    with zipfile.ZipFile(real_log) as archive:
        (member,) = archive.namelist()
        digest = hashlib.sha256(archive.read(member)).hexdigest()
    assert digest == "fd184bbfd62329cfe093e99da2ea7071905f2ead91900b448eb2635870821bef"


# Paths and URLs


def test_csv_at_a_url_is_read(site, published, parsed):
    """A CSV at an http address is fetched and parsed; asked for again, it is revalidated and not parsed."""
    site.files["/log.csv"] = published
    url = f"http://{site.address}/log.csv"
    log = cached_log(f" {url}\n")
    assert log.source.strip() == url
    assert log.sha256 == hashlib.sha256(published).hexdigest()
    assert cached_log(url).path == log.path
    assert len(parsed) == 1


def test_credentials_are_in_no_source(site, published):
    """A URL's password and signature are used for the request, and replaced in the log's source."""
    site.files["/log.csv?sig=hush"] = published
    log = cached_log(f"http://me:s3cret@{site.address}/log.csv?sig=hush")
    assert log.source == f"http://me:***@{site.address}/log.csv?sig=***"
    assert site.requested == ["/log.csv?sig=hush"]


@pytest.mark.parametrize("content", [None, b"no log", b"PK\3\4", b"PAR1", b""])
def test_credentials_are_in_no_message(site, content, home):
    """Whatever is wrong with a URL's file, the message has neither password nor signature, and names the address."""
    if content is not None:
        site.files["/log.csv?sig=hush"] = content
    with pytest.raises(SourceError) as caught:
        cached_log(f"http://me:s3cret@{site.address}/log.csv?sig=hush")
    assert f"{site.address}/log.csv" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "hush" not in str(caught.value)
    assert ".parquet" not in cached_files(home)


@pytest.mark.parametrize("scheme", ["ftp", "s3", "sftp", "file", "postgresql+psycopg"])
def test_other_scheme_is_refused_without_its_password(scheme):
    """A URL that is not http(s) is refused as such, not looked for as a path, and its password is left out."""
    with pytest.raises(SourceError, match=r"is not an http\(s\) address") as caught:
        cached_log(f"{scheme}://me:s3cret@host/log.csv")
    assert "s3cret" not in str(caught.value)


def test_masked_source_is_revealed(site, published, monkeypatch):
    """A worker that is told the masked address finds what it stands for in its environment."""
    site.files["/log.csv"] = published
    masked = f"http://me:***@{site.address}/log.csv"
    monkeypatch.setenv("DAYBOOK_SECRETS", f'{{"{masked}": "http://me:s3cret@{site.address}/log.csv"}}')
    log = cached_log(masked)
    assert log.source == masked
    assert log.sha256 == hashlib.sha256(published).hexdigest()


@pytest.mark.parametrize("source", ["", "  ", "\n"])
def test_empty_source_is_refused(source):
    """An empty source is not the current folder."""
    with pytest.raises(SourceError, match="source is empty; give 'sample', 'uci', a path or a URL"):
        cached_log(source)


def test_path_may_begin_with_a_home(log_file, monkeypatch):
    """`~` is the user's home; one of an unknown user is a path that is not there."""
    monkeypatch.setenv("HOME", str(log_file.parent))
    assert cached_log("~/log.csv").sha256 == hashlib.sha256(log_file.read_bytes()).hexdigest()
    with pytest.raises(SourceError, match="No such file or directory"):
        cached_log("~nobody-of-this-name/log.csv")


def test_relative_path_is_of_the_current_folder(log_file, monkeypatch):
    """A relative path is looked for where the process runs."""
    monkeypatch.chdir(log_file.parent)
    assert cached_log("log.csv").source == "log.csv"
    assert cached_log(os.path.join(".", "log.csv")).path.exists()
