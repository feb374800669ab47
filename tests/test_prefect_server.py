"""The one Prefect server: real processes, each test in a home of its own or on the session's server."""

import http.server
import json
import subprocess
import sys
import threading
import time
import urllib.request

import psutil
import pytest
from conftest import free_port

from helpers import prefect_server
from helpers.exceptions import ServerError

START = "from helpers import prefect_server as s; print(s.start().pid)"


@pytest.fixture
def own_server(home):
    """Ends the server of this test's home."""
    yield
    prefect_server.stop()


def family(pid: int) -> list[psutil.Process]:
    """A process and what it has started."""
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


@pytest.mark.slow
def test_lives_once_in_a_home(home, own_server, monkeypatch):
    """Many who start at once get one server on loopback; it is found, stopped without a rest, and keeps its port."""
    callers = [subprocess.Popen([sys.executable, "-c", START], stdout=subprocess.PIPE) for _ in range(3)]
    pids = {int(caller.communicate(timeout=120)[0]) for caller in callers}
    assert len(pids) == 1
    assert all(caller.returncode == 0 for caller in callers)
    server = prefect_server.find()  # in a process that did not start it
    assert {server.pid} == pids
    assert prefect_server.start() == server

    with urllib.request.urlopen(f"{server.page}/ui-settings") as settings:
        assert json.load(settings)["api_url"] == server.url  # where its page, in a browser, asks

    members = family(server.pid)
    sockets = [c.laddr for m in members for c in m.net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert {address.ip for address in sockets} == {"127.0.0.1"}

    assert prefect_server.stop()
    assert psutil.wait_procs(members, timeout=1)[1] == []
    assert prefect_server.find() is None
    assert not prefect_server.stop()

    # A secret of the run that happens to start it stays out of what outlives the run.
    monkeypatch.setenv("DAYBOOK_SECRETS", json.dumps({"***": "s3cret"}))
    again = prefect_server.start()
    assert again.url == server.url
    assert "DAYBOOK_SECRETS" not in again.process.environ()


def record(home, pid: int, created: float, url: str) -> None:
    """Write a server's record by hand."""
    (home / "prefect").mkdir(parents=True)
    text = json.dumps({"pid": pid, "created": created, "url": url})
    (home / "prefect" / "server.json").write_text(text)


@pytest.mark.slow
def test_does_not_believe_the_record_of_a_dead_process(home, server_url):
    """A record whose process has ended is no server, also when something answers at its address."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    created = psutil.Process(child.pid).create_time()
    child.communicate()
    record(home, child.pid, created, server_url)
    assert prefect_server.find() is None


@pytest.mark.slow
def test_does_not_believe_or_stop_a_process_that_took_the_recorded_id(home, server_url):
    """A process id that belongs to another process by now is neither found nor ended."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        record(home, child.pid, psutil.Process(child.pid).create_time() - 60, server_url)
        assert prefect_server.find() is None
        assert not prefect_server.stop()
        assert child.poll() is None
    finally:
        child.communicate()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '"x"'])
def test_does_not_stumble_over_a_broken_record(home, text):
    """A record that was cut short, or is another's, is none."""
    (home / "prefect").mkdir(parents=True)
    (home / "prefect" / "server.json").write_text(text)
    assert prefect_server.find() is None
    assert not prefect_server.stop()


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/api", "nonsense", "http://"])
def test_an_address_that_does_not_answer_is_one_line(monkeypatch, url):
    """A named server that does not answer is a ServerError of one line, with the address and what to do."""
    monkeypatch.setenv("PREFECT_API_URL", url.format(port=free_port()))
    with pytest.raises(ServerError, match=r"PREFECT_API_URL=\S+ does not answer; start it, or unset") as error:
        prefect_server.connect()
    assert "\n" not in str(error.value)


def test_the_password_of_an_address_is_not_told(monkeypatch):
    """The line masks a password in the address."""
    monkeypatch.setenv("PREFECT_API_URL", f"http://me:s3cret@127.0.0.1:{free_port()}/api")
    with pytest.raises(ServerError) as error:
        prefect_server.environment()
    assert "s3cret" not in str(error.value)


def test_what_answers_without_being_http_is_not_healthy():
    """Something else on the port, such as an SSH server, is no healthy server and no traceback."""

    class Rude(http.server.BaseHTTPRequestHandler):
        def handle(self):
            self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")

    with http.server.HTTPServer(("127.0.0.1", 0), Rude) as rude:
        threading.Thread(target=rude.handle_request, daemon=True).start()
        assert not prefect_server.is_healthy(f"http://127.0.0.1:{rude.server_port}/api")


@pytest.mark.slow
def test_a_named_server_is_used_and_none_started(prefect, home):
    """With PREFECT_API_URL a flow uses that server, and this home gets none."""
    code = """
        from helpers import prefect_server
        prefect_server.connect()
        from prefect import flow
        from prefect.settings import PREFECT_API_URL
        print(flow(lambda: 7, name="seven")(), PREFECT_API_URL.value())
    """
    code = "\n".join(line.strip() for line in code.splitlines())
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["7", prefect]
    assert not (home / "prefect" / "server.json").exists()


@pytest.mark.slow
def test_without_an_address_a_flow_starts_no_server_of_its_own(home, server_url):
    """With daybook's settings but no address, Prefect fails at once instead of starting one more server."""
    code = "from prefect import flow; flow(lambda: 7, name='seven')()"
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), **prefect_server.SETTINGS, "PREFECT_HOME": str(home / "prefect")}
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0
    assert "PREFECT_API_URL" in done.stderr
    assert time.monotonic() - began < 20


def test_a_setting_of_the_persons_own_stands(prefect, monkeypatch):
    """What the person has set in the environment is not overwritten."""
    monkeypatch.setenv("PREFECT_SERVER_ANALYTICS_ENABLED", "true")
    settings = prefect_server.environment()
    assert settings["PREFECT_SERVER_ANALYTICS_ENABLED"] == "true"
    assert settings["PREFECT_SERVER_ALLOW_EPHEMERAL_MODE"] == "false"
    assert settings["PREFECT_API_URL"] == prefect


@pytest.mark.slow
def test_a_server_that_cannot_start_says_its_last_words(home, monkeypatch):
    """A server that ends while it starts is a ServerError with the last line of its log."""
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", "nonsense://nowhere")
    with pytest.raises(ServerError, match=r"ended with code \d+: .+; see .+server\.log"):
        prefect_server.start()
    assert prefect_server.find() is None


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"/api/health": True, "/api/admin/version": "2.20.4"}, "is version 2.20.4, this daybook speaks to 3.x"),
        ({"/api/health": True, "/api/admin/version": {"detail": "no"}}, "does not say its version"),
        ({"/api/health": True}, "does not say its version"),
        ({}, "does not answer"),
    ],
)
def test_a_server_of_another_version_is_refused(monkeypatch, answers, said):
    """A named server of another major version, or none of Prefect's, is one line that names it and both versions."""

    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path in answers else 404)
            self.end_headers()
            self.wfile.write(json.dumps(answers.get(self.path)).encode())

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/api"
        monkeypatch.setenv("PREFECT_API_URL", url)
        with pytest.raises(ServerError) as refused:
            prefect_server.environment()
        server.shutdown()
    assert said in str(refused.value)
    assert f"PREFECT_API_URL={url}" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_prefect_that_was_imported_before_is_told(prefect):
    """Whoever imports Prefect before it is connected speaks to the home's server, and starts none of its own."""
    code = "import prefect.context, psutil; from helpers import prefect_server; import os; "
    code += "url = os.environ.pop('PREFECT_API_URL'); prefect.context.refresh_global_settings_context(); "
    code += "os.environ['PREFECT_API_URL'] = url; prefect_server.connect(); "
    code += "from prefect.client.orchestration import get_client; client = get_client(sync_client=True); "
    code += "client.hello(); print(client.api_url, len(psutil.Process().children(recursive=True)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"{prefect}/", "0"]
