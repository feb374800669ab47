"""Downloads against real servers on the loopback interface, one behaviour of a server each."""

import hashlib
import json
import logging
import os
import pty
import re
import resource
import socket
import subprocess
import sys
import termios
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from helpers.downloads import fetch, masked
from helpers.exceptions import SourceError

REPOSITORY = Path(__file__).resolve().parents[1]
BODY = bytes(range(256)) * 200
SHA256 = hashlib.sha256(BODY).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Notes each request and leaves the answer to the function that the site has for its path."""

    def do_GET(self):
        """Answer one request."""
        self.server.requests.append(self)
        self.server.answers[self.path.partition("?")[0]](self)

    def send(self, status, body=b"", **headers):
        """Send a whole answer; Content-Length is the body's unless one is given."""
        self.send_response(status)
        for name, value in ({"Content_Length": len(body)} | headers).items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        """Keep the test output free of access logs."""


class Site(ThreadingHTTPServer):
    """A server on a free port whose answers a test chooses path by path."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.requests, self.closing = {}, [], threading.Event()

    def url(self, path, answer=None, user=""):
        """The address of a path, which gives this answer from now on."""
        self.answers[path] = answer or self.answers.get(path)
        return f"http://{user}127.0.0.1:{self.server_port}{path}"

    def sent(self, name):
        """What each request so far had in this header."""
        return [request.headers[name] for request in self.requests]


@pytest.fixture
def site(monkeypatch):
    """A running server."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


def plain(body=BODY, **headers):
    """Answer with the whole body, whatever the request says."""
    return lambda request: request.send(200, body, **headers)


def versioned(body=BODY, etag='"v1"', at_most=None):
    """Answer as a full server does, by ETag and Range, and hang up after at_most bytes."""

    def answer(request):
        if request.headers["If-None-Match"] == etag:
            return request.send(304, ETag=etag)
        start = re.match(r"bytes=(\d+)-", request.headers["Range"] or "")
        if not start or request.headers["If-Range"] != etag:
            return request.send(200, body[:at_most], ETag=etag, Content_Length=len(body))
        start = int(start[1])
        rest, span = body[start:], f"bytes {start}-{len(body) - 1}/{len(body)}"
        return request.send(206, rest[:at_most], ETag=etag, Content_Length=len(rest), Content_Range=span)

    return answer


def trickle(first, every=0.02):
    """Announce the body, send its first bytes, then a byte now and then until the test ends, at most 100."""

    def answer(request):
        request.send(200, BODY[:first], ETag='"v1"', Content_Length=len(BODY))
        for _ in range(100):
            if not request.server.closing.wait(every):
                request.wfile.write(b"x")

    return answer


def interrupt(site, folder, path="/log.csv", **kwargs):
    """Leave the first 3,000 bytes (1,000 in each of 3 tries) of the body as an unfinished download."""
    url = site.url(path, versioned(at_most=1000, **kwargs))
    with pytest.raises(SourceError, match="is incomplete after 3 tries"):
        fetch(url, folder)
    site.requests.clear()
    return url


def files(folder, suffix):
    """The contents of the files in folder whose names end so."""
    return [path.read_bytes() for path in folder.iterdir() if path.name.endswith(suffix)]


def test_download_and_record(site, tmp_path):
    """A download makes the folder, keeps the name's end, and stands beside a record of its origin and checksum."""
    url = site.url("/a/incident%20log.csv", versioned())
    path = fetch(url, tmp_path / "made")
    assert path.read_bytes() == BODY
    assert path == tmp_path / "made" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-incident_log.csv"
    record = json.loads(path.with_name(path.name + ".json").read_text())
    assert record.pop("fetched_at").endswith("+00:00")
    assert record == {"url": url, "etag": '"v1"', "last_modified": None, "sha256": SHA256, "size": len(BODY)}
    assert not files(tmp_path / "made", ".part")


@pytest.mark.parametrize("path", ["/", "/%2e%2e%2fetc", "/..%5Cetc", "/" + "x" * 400 + ".csv"])
def test_names_stay_in_the_folder(site, tmp_path, path):
    """No address leads to a file outside the folder or to a name that is too long."""
    assert fetch(site.url(path, plain()), tmp_path).parent == tmp_path


def test_known_checksum_asks_nothing(site, tmp_path):
    """A published file that is there is used without a request, in whatever case its checksum is written."""
    url = site.url("/log.zip", plain())
    fetch(url, tmp_path, sha256=SHA256)
    assert fetch(url, tmp_path, sha256=SHA256.upper()).read_bytes() == BODY
    assert len(site.requests) == 1


def test_damaged_copy_is_fetched_again(site, tmp_path):
    """A copy whose size is no longer the recorded one is not used, published or not."""
    url = site.url("/log.zip", versioned())
    fetch(url, tmp_path, sha256=SHA256).write_bytes(BODY[:-1])
    assert fetch(url, tmp_path, sha256=SHA256).read_bytes() == BODY
    fetch(url, tmp_path).write_bytes(b"")
    assert fetch(url, tmp_path).read_bytes() == BODY


def test_wrong_checksum_is_refused(site, tmp_path):
    """A download with another checksum is refused with both checksums, and nothing of it stays."""
    with pytest.raises(SourceError, match=f"{SHA256} where {'0' * 64} is expected"):
        fetch(site.url("/log.zip", plain()), tmp_path, sha256="0" * 64)
    assert not [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")]


def test_unconditional_for_another_checksum(site, tmp_path):
    """A copy that has not the published checksum is not confirmed by the server's "not modified"."""
    url = site.url("/log.csv", versioned(b"old"))
    fetch(url, tmp_path)
    site.url("/log.csv", versioned())  # the same ETag for other bytes
    assert fetch(url, tmp_path, sha256=SHA256).read_bytes() == BODY


def test_revalidated_by_etag(site, tmp_path):
    """An unchanged file is not sent again, a changed one replaces the copy."""
    url = site.url("/log.csv", versioned())
    path = fetch(url, tmp_path)
    before = path.stat().st_mtime_ns
    assert fetch(url, tmp_path) == path
    assert path.stat().st_mtime_ns == before
    site.url("/log.csv", versioned(b"new", '"v2"'))
    assert fetch(url, tmp_path).read_bytes() == b"new"
    assert site.sent("If-None-Match") == [None, '"v1"', '"v1"']


def test_revalidated_by_date(site, tmp_path):
    """A server that gives a date alone is asked by that date."""
    date = "Wed, 01 Jan 2025 00:00:00 GMT"

    def answer(request):
        unchanged = request.headers["If-Modified-Since"] == date
        request.send(304 if unchanged else 200, b"" if unchanged else BODY, Last_Modified=date)

    url = site.url("/log.csv", answer)
    assert fetch(url, tmp_path) == fetch(url, tmp_path)
    assert site.sent("If-Modified-Since") == [None, date]


def test_no_validators(site, tmp_path):
    """A server without validators is asked for the whole file each time."""
    url = site.url("/log.csv", plain(b"one"))
    fetch(url, tmp_path)
    site.url("/log.csv", plain(b"two"))
    assert fetch(url, tmp_path).read_bytes() == b"two"


def test_never_silently_stale(tmp_path, site):
    """A server that fails is an error although an older copy is there, and the message names that copy."""
    url = site.url("/log.csv", versioned())
    path = fetch(url, tmp_path)
    site.url("/log.csv", lambda request: request.send(500))
    with pytest.raises(SourceError, match=rf"500 Internal Server Error.*older copy.*{re.escape(str(path))}$"):
        fetch(url, tmp_path)
    assert path.read_bytes() == BODY


def test_cut_connection_is_resumed_at_once(site, tmp_path):
    """A connection that ends early is taken up where it ended, within the same call."""
    url = site.url("/log.csv", versioned(at_most=20_000))
    assert fetch(url, tmp_path).read_bytes() == BODY
    assert site.sent("Range") == [None, "bytes=20000-", "bytes=40000-"]
    assert site.sent("If-Range") == [None, '"v1"', '"v1"']


def test_incomplete_after_three_tries(site, tmp_path):
    """After three tries an incomplete download is refused with counts, and the next call resumes it."""
    url = site.url("/log.csv", versioned(at_most=1000))
    with pytest.raises(SourceError, match=r"got 3,000 of 51,200 bytes"):
        fetch(url, tmp_path)
    assert files(tmp_path, ".part") == [BODY[:3000]]
    assert not files(tmp_path, ".csv")
    site.url("/log.csv", versioned())
    assert fetch(url, tmp_path).read_bytes() == BODY
    assert site.sent("Range")[-1] == "bytes=3000-"


def test_content_changed_before_resume(site, tmp_path):
    """Bytes of two versions are never joined: a file that changed in between starts over."""
    url = interrupt(site, tmp_path)
    site.url("/log.csv", versioned(BODY[::-1], '"v2"'))
    assert fetch(url, tmp_path).read_bytes() == BODY[::-1]
    assert site.sent("Range") == ["bytes=3000-"]


@pytest.mark.parametrize("span", ["bytes 2999-51199/51200", "bytes 3000-51199/51300", "nonsense"])
def test_wrong_range_starts_over(site, tmp_path, span):
    """A partial answer from another offset or of another size is not appended."""
    url = interrupt(site, tmp_path)

    def answer(request):
        partial = {"status": 206, "body": BODY[3000:], "Content_Range": span, "ETag": '"v1"'}
        request.send(**partial if request.headers["Range"] else {"status": 200, "body": BODY})

    site.url("/log.csv", answer)
    assert fetch(url, tmp_path).read_bytes() == BODY
    assert site.sent("Range") == ["bytes=3000-", None]


def test_range_of_another_version_starts_over(site, tmp_path):
    """A partial answer with another ETag, from a server that ignores If-Range, is not appended."""
    url = interrupt(site, tmp_path)

    def answer(request):
        partial = {"status": 206, "body": BODY[3000:], "Content_Range": "bytes 3000-51199/51200", "ETag": '"v2"'}
        request.send(**partial if request.headers["Range"] else {"status": 200, "body": BODY[::-1]})

    site.url("/log.csv", answer)
    assert fetch(url, tmp_path).read_bytes() == BODY[::-1]


def test_part_of_the_rest_is_not_the_whole(site, tmp_path):
    """A partial answer that ends before the file does is whole in itself and yet not taken for the file."""
    url = interrupt(site, tmp_path)

    def answer(request):
        start = int(request.headers["Range"][6:-1])
        span = f"bytes {start}-{start + 99}/{len(BODY)}"
        request.send(206, BODY[start : start + 100], ETag='"v1"', Content_Range=span)

    site.url("/log.csv", answer)
    with pytest.raises(SourceError, match="got 3,300 of 51,200 bytes"):
        fetch(url, tmp_path)


def test_range_not_satisfiable_starts_over(site, tmp_path):
    """An unfinished download that the server calls too long starts over."""
    url = interrupt(site, tmp_path)
    site.url("/log.csv", lambda r: r.send(416) if r.headers["Range"] else r.send(200, b"short"))
    assert fetch(url, tmp_path).read_bytes() == b"short"


def test_server_that_ignores_range(site, tmp_path):
    """A server that sends the whole file where the rest was asked for starts it over."""
    url = interrupt(site, tmp_path)
    site.url("/log.csv", plain(ETag='"v1"'))
    assert fetch(url, tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("etag", ['W/"v1"', ""])
def test_weak_validator_starts_over(site, tmp_path, etag):
    """Without a strong validator no range is asked for."""
    url = interrupt(site, tmp_path, etag=etag)
    site.url("/log.csv", versioned(etag=etag))
    assert fetch(url, tmp_path).read_bytes() == BODY
    assert site.sent("Range") == [None]


def test_no_answer_at_all(site, tmp_path):
    """A server that hangs up without an answer is one line."""
    with pytest.raises(SourceError, match=r"gave no usable answer in 3 tries \(Server disconnected"):
        fetch(site.url("/log.csv", lambda request: None), tmp_path)


def test_silent_server_stalls(site, tmp_path):
    """A server that falls silent is given up after stall_seconds, and what came is kept for the next call."""
    started = time.monotonic()
    with pytest.raises(SourceError, match=r"stalled: no byte for 0\.2 s"):
        fetch(site.url("/log.csv", trickle(first=5000, every=9)), tmp_path, stall_seconds=0.2)
    assert time.monotonic() - started < 3
    assert files(tmp_path, ".part") == [BODY[:5000]]


def test_dripping_server_stalls(site, tmp_path):
    """A server that sends a byte now and then counts as stalled."""
    with pytest.raises(SourceError, match=r"stalled: \d+ bytes in 0\.2 s"):
        fetch(site.url("/log.csv", trickle(first=0)), tmp_path, stall_seconds=0.2)


def test_slow_server_is_not_stalled(site, tmp_path):
    """A server that is slow but sends 1 kB in each window is waited for."""

    def answer(request):
        request.send(200, b"", Content_Length=len(BODY))
        for start in range(0, len(BODY), 5120):
            time.sleep(0.05)
            request.wfile.write(BODY[start : start + 5120])

    assert fetch(site.url("/log.csv", answer), tmp_path, stall_seconds=0.4).read_bytes() == BODY  # takes 0.5 s


def test_redirects(site, tmp_path):
    """A redirect is followed and the name stays that of the address given; a loop is one line."""
    site.url("/there.bin", plain())
    path = fetch(site.url("/log.csv", lambda r: r.send(302, Location="/there.bin")), tmp_path)
    assert path.read_bytes() == BODY
    assert path.suffix == ".csv"
    with pytest.raises(SourceError, match="redirects"):
        fetch(site.url("/loop", lambda r: r.send(302, Location="/loop")), tmp_path)


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (503, "Service Unavailable"), (204, "No Content")])
def test_status(site, tmp_path, status, reason):
    """Any answer other than the file is refused in one line with its code and reason, and nothing is kept."""
    url = site.url("/log.csv", lambda request: request.send(status, b""))
    with pytest.raises(SourceError) as error:
        fetch(url, tmp_path)
    assert str(error.value).startswith(f"{url} was refused by the server: {status} {reason};")
    assert "\n" not in str(error.value)
    assert not files(tmp_path, ".csv")


def test_compressed_answer_is_refused(site, tmp_path):
    """A server that compresses although it was asked not to is refused, for its bytes are not the file's."""
    with pytest.raises(SourceError, match="sent compressed only"):
        fetch(site.url("/log.csv", plain(Content_Encoding="gzip")), tmp_path)
    assert site.sent("Accept-Encoding") == ["identity"]
    assert fetch(site.url("/log.csv.gz", plain(Content_Encoding="gzip")), tmp_path).read_bytes() == BODY


@pytest.mark.parametrize("url", ["ftp://u:secret@example.org/log.csv", "file:///etc/hosts", "log.csv", ""])
def test_other_schemes_are_refused(tmp_path, url):
    """What is not an http(s) address is refused before anything is written."""
    with pytest.raises(SourceError, match=r"not an http\(s\) address") as error:
        fetch(url, tmp_path / "absent")
    assert "secret" not in str(error.value)
    assert not (tmp_path / "absent").exists()


@pytest.mark.parametrize("url", ["http://", "http://h:99999/x", "http://[::1/x", "https://user:secret/more@h/x"])
def test_malformed_addresses(tmp_path, url):
    """An address that cannot be taken apart is refused without repeating what may be its password."""
    with pytest.raises(SourceError, match="no valid host or port") as error:
        fetch(url, tmp_path)
    assert "secret" not in str(error.value)


def test_refused_connection(tmp_path, monkeypatch):
    """A port on which nothing listens is one line."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(SourceError, match="refused the connection"):
        fetch(f"http://127.0.0.1:{port}/log.csv", tmp_path)


@pytest.mark.parametrize(
    ("host", "reason"), [("daybook.invalid", "has a host that is not found"), ("two..dots", "cannot be fetched")]
)
def test_unknown_host(tmp_path, monkeypatch, host, reason):
    """A host without an address is one line; .invalid never has one (RFC 2606), and an empty label never can."""
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(SourceError, match=f"^http://{host}/log.csv {reason}"):
        fetch(f"http://{host}/log.csv", tmp_path)


def test_tls_error(site, tmp_path):
    """A server without TLS behind an https address is one line."""
    with pytest.raises(SourceError, match="no secure connection"):
        fetch(site.url("/log.csv", plain()).replace("http:", "https:"), tmp_path)


def test_full_disk(site, tmp_path):
    """A disk that takes no more is one line, and what was written makes room again."""
    url = site.url("/log.csv", versioned())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # stands for the full disk: writes fail from here on
    try:
        with pytest.raises(SourceError, match=r"cannot be kept in .*: File too large; check the folder's free space"):
            fetch(url, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not files(tmp_path, ".part")
    assert fetch(url, tmp_path).read_bytes() == BODY


def test_folder_that_cannot_be_made(site, tmp_path):
    """A folder whose place is taken by a file is one line."""
    (tmp_path / "taken").write_text("")
    with pytest.raises(SourceError, match="cannot be kept in"):
        fetch(site.url("/log.csv", plain()), tmp_path / "taken")


def test_credentials_work_and_appear_nowhere(site, tmp_path, caplog):
    """Credentials are sent to their host; neither they nor query values are in a file, a message or a log."""
    caplog.set_level(logging.INFO)
    answers = {"Basic dXNlcjpzZWNyZXQ=": (200, BODY)}  # base64 of user:secret
    url = site.url("/log.csv", lambda r: r.send(*answers.get(r.headers["Authorization"], (401,))), user="user:secret@")
    path = fetch(url + "?token=hidden", tmp_path)
    assert path.read_bytes() == BODY
    answers.clear()
    with pytest.raises(SourceError, match="401 Unauthorized") as error:
        fetch(url + "?token=hidden", tmp_path)
    seen = b"".join(p.name.encode() + p.read_bytes() for p in tmp_path.iterdir() if p != path).decode()
    for word in ("user:", "secret", "hidden"):
        assert word not in seen + str(error.value) + caplog.text
    assert "***@127.0.0.1" in seen


def test_credentials_stay_with_their_host(site, tmp_path):
    """A redirect to another origin is not given the credentials."""
    elsewhere = site.url("/there", plain()).replace("127.0.0.1", "localhost")
    fetch(site.url("/log.csv", lambda r: r.send(302, Location=elsewhere), user="user:secret@"), tmp_path)
    assert [bool(value) for value in site.sent("Authorization")] == [True, False]


def test_masked():
    """Credentials, query values and the fragment are masked, the rest is kept."""
    assert masked("https://a:b@h:8/p@q/x?k=v&flag#f") == "https://***@h:8/p@q/x?k=***&***"
    assert masked("http://h/x.csv") == "http://h/x.csv"


FETCH = """
import sys
from pathlib import Path
from helpers.downloads import fetch
import httpx, filelock
print("ready", flush=True)
print(fetch(sys.argv[1], Path(sys.argv[2])).stat().st_size)
"""


def start_fetch(url, folder, **kwargs):
    """A process that says "ready", fetches, and prints the size of what it got."""
    command = [sys.executable, "-c", FETCH, url, str(folder)]
    return subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, **kwargs)


def test_two_processes_download_once(site, tmp_path):
    """Of two processes that fetch one address at once, one downloads and the other uses what it got."""
    both_run = threading.Event()

    def answer(request):
        both_run.wait(20)
        time.sleep(0.3)  # for the second to come from its "ready" to the lock
        request.send(200, BODY)  # no validators: the second would have to download the whole

    processes = [start_fetch(site.url("/log.csv", answer), tmp_path) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    both_run.set()
    assert [process.communicate(timeout=20)[0] for process in processes] == [f"{len(BODY)}\n"] * 2
    assert len(site.requests) == 1


def test_progress_bar_for_a_terminal(site, tmp_path, capsys):
    """A terminal sees the file's name and its bytes on stderr; a log file sees nothing."""
    url = site.url("/log.csv", plain())
    fetch(url, tmp_path)
    assert capsys.readouterr().err == ""
    terminal, stderr = pty.openpty()
    termios.tcsetwinsize(stderr, (24, 80))
    process = start_fetch(url, tmp_path, stderr=stderr)
    process.communicate(timeout=20)
    os.close(stderr)  # with this end open, reading where nothing was written would wait for ever
    assert re.search(rb"log\.csv: 100%.*51\.2k/51\.2k", os.read(terminal, 10_000))
    os.close(terminal)
