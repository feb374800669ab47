"""Whether the Prefect server answers."""

import http.server
import json
import socketserver
import threading
import time

import psutil
import pytest

from helpers.dashboard import prefect_health
from helpers.home import subfolder


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers as Prefect's server does to `health`."""

    def do_GET(self):
        """Say that all is well."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture
def server():
    """The address of a server's API."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_address[1]}/api"
        listening.shutdown()


def test_a_home_without_a_server():
    """Nothing is known, and no page is linked."""
    assert prefect_health.ask() == prefect_health.Health(False, None, None)


def test_a_named_server(server, monkeypatch):
    """The server that the environment names, whether it answers, and its page."""
    monkeypatch.setenv("PREFECT_API_URL", server)
    assert prefect_health.ask() == prefect_health.Health(True, True, server.removesuffix("/api"))


def test_the_server_of_this_home(server):
    """The one that this home has started, as long as its process is there."""
    me = psutil.Process()
    record = {"pid": me.pid, "created": me.create_time(), "url": server}
    (subfolder("prefect") / "server.json").write_text(json.dumps(record))
    assert prefect_health.ask() == prefect_health.Health(True, True, server.removesuffix("/api"))
    (subfolder("prefect") / "server.json").write_text(json.dumps(record | {"created": 1.0}))
    assert not prefect_health.ask().is_known


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://prefect.example/api/", "https://prefect.example"),
        ("https://me:s3cret@prefect.example/api", None),
        ("https://api.prefect.cloud/api/accounts/1/workspaces/2", None),
        ("javascript:alert(1)/api", None),
    ],
)
def test_the_page_of_a_server_is_linked_without_secrets(url, page, monkeypatch):
    """An address with a password in it, and one from which no page can be told, are not linked."""
    monkeypatch.setattr(prefect_health.prefect_server, "is_healthy", lambda _: False)
    monkeypatch.setenv("PREFECT_API_URL", url)
    assert prefect_health.ask() == prefect_health.Health(True, False, page)


def test_a_page_that_is_named(monkeypatch):
    """Prefect's own variable says where the page is; not with a token in it."""
    monkeypatch.setattr(prefect_health.prefect_server, "is_healthy", lambda _: True)
    monkeypatch.setenv("PREFECT_API_URL", "https://api.prefect.cloud/api/accounts/1/workspaces/2")
    for page, linked in (
        ("https://app.example/w", "https://app.example/w"),
        ("https://app.example/?token=s3cret", None),
    ):
        monkeypatch.setenv("PREFECT_UI_URL", page)
        assert prefect_health.ask().page == linked


def test_a_server_that_is_away_delays_nobody(monkeypatch):
    """What was known last is answered at once, and many who want to know ask once."""
    asked, may_answer = [], threading.Event()

    def ask():
        asked.append(1)
        may_answer.wait(10)
        return prefect_health.Health(True, False)

    monkeypatch.setattr(prefect_health, "ask", ask)
    health = prefect_health.PrefectHealth()
    began = time.monotonic()
    assert [health.seen().answers for _ in range(20)] == [None] * 20
    assert time.monotonic() - began < 1
    may_answer.set()
    while health.seen().answers is None:
        assert time.monotonic() - began < 10
        time.sleep(0.01)
    assert (health.seen().answers, len(asked)) == (False, 1)
