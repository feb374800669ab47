"""The dashboard as a process: what it answers, whom it refuses, and that nothing leads out of the run folders."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from browser import chromium, dashboard_process, violations, wait_until, watched
from conftest import free_port
from dashboard_home import RUNS, add_run, make_home
from reverse_proxy import reverse_proxy

pytestmark = pytest.mark.slow

DAYBOOK = str(Path(sys.executable).with_name("daybook"))
CANARY = "c4nary-in-the-environment"
SECRETS = {
    "DAYBOOK_DASHBOARD_TOKEN": CANARY,
    "DAYBOOK_STORE": f"postgresql+psycopg://me:{CANARY}@127.0.0.1:1/trials",
    "PREFECT_API_KEY": CANARY,
    "PREFECT_API_URL": f"http://me:{CANARY}@127.0.0.1:1/api",
    "PREFECT_API_AUTH_STRING": f"me:{CANARY}",
}
LARGE_BYTES = 200 << 20


class Dashboard:
    """A dashboard that is up.

    Attributes
    ----------
    address : str
        Of its pages, with a slash at the end.
    """

    def __init__(self, home: Path, address: str, process: subprocess.Popen, log: Path):
        self.home, self.address, self.process, self.log = home, address, process, log
        self.netloc = urlsplit(address).netloc

    def raw(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict, bytes]:
        """Ask for a path as it stands: clients tidy it up otherwise."""
        connection = http.client.HTTPConnection(self.netloc, timeout=10)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def websocket(self, path: str, **headers: str) -> int:
        """The status with which a page that wants a websocket is answered: 101 when it gets one."""
        asked = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Protocol": "bokeh, token"}
        key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}
        return self.raw(path, **asked, **key, **headers)[0]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A dashboard on a home with two runs and their trials."""
    folder = tmp_path_factory.mktemp("plain")
    make_home(folder / "home")
    with dashboard_process(folder / "home", log=folder / "log") as (address, process):
        yield Dashboard(folder / "home", address, process, folder / "log")


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A dashboard with a token, a prefix, a proxy before it, a store that is down, and secrets in its environment."""
    folder, port = tmp_path_factory.mktemp("guarded"), free_port()
    make_home(folder / "home", str(folder / "other.sqlite"))
    arguments = ("--prefix", "/watch", "--origin", f"localhost:{port}")
    with dashboard_process(folder / "home", *arguments, log=folder / "log", **SECRETS) as (address, process):
        found = Dashboard(folder / "home", address, process, folder / "log")
        with reverse_proxy(port, address):
            found.proxied = f"http://localhost:{port}/watch/"
            yield found


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all tests."""
    with chromium() as found:
        yield found


def test_every_page_says_what_browsers_may_do_with_it(plain):
    """Scripts only from here and with a nonce that is another one each time; no frame elsewhere; no sniffing."""
    policies = set()
    for page in ("trials", "trial?id=trial-0", "runs", "now", f"run?id={RUNS[0]}", "nothing", "trial?id=nothing"):
        answer = requests.get(plain.address + page, timeout=10)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "frame-ancestors 'self'" in answer.headers["Content-Security-Policy"]
        assert "Server" not in answer.headers
        head = answer.text[: answer.text.index("<title>")]
        assert "script-src 'self' 'nonce-" in head
        assert "unsafe-eval" not in answer.text
        policies.add(head)
        for script in answer.text.split("<script")[1:]:
            assert script.startswith((' nonce="', ' type="application/json"')), script[:80]
        assert " onload=" not in answer.text
        assert " onclick=" not in answer.text
    assert len(policies) == 7


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", ""])
def test_a_foreign_host_name_is_refused(plain, host):
    """A page elsewhere whose name leads to loopback reads nothing: on no address."""
    for path in ("/trials", "/runs", f"/files/{RUNS[0]}/run.log", "/assets/live.js", "/login"):
        status, _, body = plain.raw(path, Host=host)
        assert status == 403
        assert b"--origin" in body
        assert b"tiny" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_the_dashboard_is_read_only(plain, method):
    """Any method that changes is refused, wherever."""
    for path in ("/trials", "/runs", f"/files/{RUNS[0]}/run.log"):
        assert plain.raw(path, method)[0] == 405


def test_head_answers_as_get_without_the_body(plain):
    """For pages, documents and files."""
    for path in ("/runs", "/trials", f"/files/{RUNS[0]}/run.log"):
        status, headers, body = plain.raw(path, "HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["content-length"]) > 0


def test_no_page_elsewhere_may_embed_a_document(plain):
    """Bokeh's own scripts for that answer any origin, with the session in them."""
    for path in ("/trials/autoload.js?bokeh-autoload-element=1", "/trials/metadata"):
        status, headers, _ = plain.raw(path, Origin="http://evil.example")
        assert status == 404
        assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    ("origin", "is_taken"),
    [("http://{}", True), ("http://evil.example", False), ("null", False), (None, False), ("https://{}", True)],
)
def test_only_own_pages_may_open_a_websocket(plain, origin, is_taken):
    """Told by the origin, exactly; without one it is no browser."""
    headers = {"Origin": origin.format(plain.netloc)} if origin else {}
    assert plain.websocket("/trials/ws", **headers) == (101 if is_taken else 403)


def test_files_of_runs_are_sent_as_what_they_are(plain):
    """A report in a sandbox, a log as text, a notebook to be kept."""
    _, headers, body = plain.raw(f"/files/{RUNS[0]}/tiny.html")
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["content-security-policy"].startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in headers["content-security-policy"]
    assert b"Report" in body
    for name in ("run.log", "run.json", "trial.json"):
        assert plain.raw(f"/files/{RUNS[0]}/{name}")[1]["content-type"] == "text/plain; charset=utf-8"
    assert plain.raw(f"/files/{RUNS[0]}/tiny.ipynb")[1]["content-disposition"] == "attachment"
    assert plain.raw(f"/files/{RUNS[0]}/run.log")[2] == b"one\n<b>two</b>\n"


@pytest.mark.parametrize(
    "path",
    [
        "/files/{run}/../trials.sqlite",
        "/files/{run}/../../home/trials.sqlite",
        "/files/../trials.sqlite",
        "/files/{run}/..%2ftrials.sqlite",
        "/files/{run}/..%2Fescape.html",
        "/files/{run}/%2e%2e%2fescape.html",
        "/files/%2e%2e/escape.html",
        "/files/{run}%2f../{run}/run.log",
        "/files/{run}/..%252fescape.html",
        "/files/{run}/%252e%252e%252fescape.html",
        "/files/{run}/..%5cescape.html",
        "/files/{run}/..\\escape.html",
        "/files/{run}/run.log%00.html",
        "/files/{run}/%00",
        "/files/{run}/%ff.html",
        "/files/{run}/run.lock",
        "/files/{run}/linked.html",
        "/files/{run}/",
        "/files/{run}",
        "/files//{run}/run.log",
        "/files/{run}/folder.html",
        "/files/{linked}/run.log",
        "/files/cache/page.html",
        "//etc/hostname",
        "/assets/../pages.py",
        "/assets/%2e%2e/pages.py",
        "/assets/..%2fpages.py",
        "/assets//etc/hostname",
        "/static/..%2f..%2fserver.py",
    ],
)
def test_no_address_leads_out_of_the_run_folders(plain, path):
    """Neither a step up in any writing, nor a link, nor a file or folder of another kind."""
    home, linked = plain.home, RUNS[0].replace("tiny", "linked")
    if not (home / linked).exists():
        (home / "cache").mkdir()
        for place in (home / "escape.html", home / "cache" / "page.html", home / RUNS[0] / "run.lock"):
            place.write_text("out")
        (home / RUNS[0] / "folder.html").mkdir()
        os.symlink(home / "escape.html", home / RUNS[0] / "linked.html")
        os.symlink(home / RUNS[1], home / linked)
    status, _, body = plain.raw(path.format(run=RUNS[0], linked=linked))
    assert status in (403, 404) if path.startswith(("/assets", "/static")) else status == 404
    assert body != b"out"
    assert b"SQLite format" not in body
    assert b"import" not in body


def test_a_large_file_does_not_enter_memory(plain):
    """200 MB of HTML pass through in pieces, also to a browser that goes away in the middle."""
    report = plain.home / RUNS[0] / "large.html"
    with report.open("wb") as file:
        file.truncate(LARGE_BYTES)
    process = psutil.Process(plain.process.pid)
    before = process.memory_info().rss
    answer = requests.get(f"{plain.address}files/{RUNS[0]}/large.html", stream=True, timeout=30)
    assert int(answer.headers["Content-Length"]) == LARGE_BYTES
    received, most = 0, before
    for piece in answer.iter_content(1 << 20):
        received += len(piece)
        most = max(most, process.memory_info().rss)
    assert received == LARGE_BYTES
    assert most - before < 30 << 20
    with requests.get(f"{plain.address}files/{RUNS[0]}/large.html", stream=True, timeout=30) as answer:
        next(answer.iter_content(1 << 16))
    assert requests.get(f"{plain.address}runs", timeout=10).ok
    report.unlink()


def test_an_unchanged_fragment_costs_nothing(plain):
    """It has a tag, by which a page that has it already is answered without it."""
    first = requests.get(f"{plain.address}runs/live", timeout=10)
    again = requests.get(f"{plain.address}runs/live", headers={"If-None-Match": first.headers["ETag"]}, timeout=10)
    assert (again.status_code, again.content) == (304, b"")


def test_reports_draw_and_reach_nothing(plain, browser):
    """In the sandbox scripts run and BokehJS comes from here; cookies, storage and other addresses are out of reach."""
    page = browser.new_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{plain.address}files/{RUNS[0]}/tiny.html")
    wait_until(page, "document.getElementById('said').textContent")
    said = page.inner_text("#said")
    assert said == "cookie SecurityError, storage SecurityError, parent none, fetch refused"
    page.goto(f"{plain.address}files/{RUNS[0]}/dask-report.html")
    wait_until(page, "document.body.textContent.includes('loaded')")
    assert "object" in page.inner_text("body") or "function" in page.inner_text("body")
    assert all(url.startswith(plain.address) for url in asked)
    page.close()


def test_pages_open_without_a_problem(plain, browser):
    """No console error, nothing asked of another host, names and contrast right; what is hostile is text."""
    page = browser.new_page(viewport={"width": 360, "height": 800})
    problems, asked = watched(page), []
    page.on("request", lambda request: asked.append(request.url))
    for name in ("trials", "trial?id=trial-1", "runs", f"run?id={RUNS[1]}"):
        with page.expect_response("**/health"):
            page.goto(plain.address + name)
        assert page.title().endswith("– Daybook")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
        assert problems == []
    assert "<img src=x" in page.inner_text("main")
    page.goto(f"{plain.address}nothing/deeper")
    assert page.inner_text("h1") == "There is no such page."
    assert violations(page) == []
    assert page.evaluate("getComputedStyle(document.querySelector('.masthead')).borderBottomStyle") == "solid"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    assert all(url.startswith(plain.address) for url in asked)
    page.close()


def test_charts_follow_the_colour_scheme_and_have_names(plain, browser):
    """Drawn anew when the scheme changes, while the page is open."""
    page = browser.new_page(color_scheme="light")
    problems = watched(page)
    page.goto(f"{plain.address}trial?id=trial-0")
    chart = page.get_by_role("img", name="Error").first
    chart.wait_for()
    ink = "canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data].join()"
    light = chart.evaluate(ink)
    page.emulate_media(color_scheme="dark")
    page.wait_for_timeout(300)
    assert chart.evaluate(ink) != light
    page.emulate_media(color_scheme="light")
    page.wait_for_timeout(300)
    assert chart.evaluate(ink) == light
    assert problems == []
    page.close()


def test_a_part_is_renewed_under_the_persons_hands(plain, browser):
    """A new run appears by itself; what was opened stays open, what had the focus keeps it, a filter changes both."""
    page = browser.new_page()
    problems = watched(page)
    page.goto(f"{plain.address}runs")
    wait_until(page, "performance.getEntriesByType('resource').some(one => one.name.includes('runs/live'))")
    again = page.locator(f"#again-{RUNS[0]}")
    again.locator("summary").click()
    new = "20260103T000000Z-tiny-00000003"
    add_run(plain.home, new)
    page.locator(f"#run-{new}").wait_for(timeout=6000)
    assert again.get_attribute("open") is not None
    assert page.evaluate(f"document.querySelector('#again-{RUNS[0]} summary') === document.activeElement")
    page.get_by_label("Search").type("nothing-has-this")
    page.get_by_text("No run is like that").wait_for(timeout=3000)
    assert "q=nothing-has-this" in page.url
    assert problems == []
    page.close()


def test_a_page_says_when_the_server_is_away_and_comes_back_with_it(tmp_path, browser):
    """A document, whose charts belonged to the server before, is loaded again; the process ends quickly, with 0."""
    port = free_port()
    make_home(tmp_path / "home")
    page = browser.new_page()
    with dashboard_process(tmp_path / "home", "--port", str(port), log=tmp_path / "log") as (address, process):
        page.goto(f"{address}trials?metric=MedAE")
        wait_until(page, "window.Bokeh?.documents.length === 1")
        page.evaluate("window.isOld = true")
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
        assert time.monotonic() - began < 2
        page.get_by_text("Not connected since").wait_for(timeout=5000)
    assert (tmp_path / "log").read_text() == ""
    with dashboard_process(tmp_path / "home", "--port", str(port), log=tmp_path / "log"):
        wait_until(page, "window.isOld === undefined")
        assert page.url.endswith("metric=MedAE")
        assert not page.get_by_text("Not connected since").is_visible()
        assert (tmp_path / "log").read_text() == ""
    page.close()


def test_a_taken_port_is_one_line(plain):
    """With what to do; exit code 2."""
    port = plain.netloc.rpartition(":")[2]
    done = subprocess.run([DAYBOOK, "dashboard", "--port", port], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Address already in use; give another --port" in done.stderr


def test_only_loopback_is_listened_on(plain):
    """The machine's other addresses do not answer."""
    listening = psutil.Process(plain.process.pid).net_connections("tcp")
    assert {one.laddr.ip for one in listening if one.status == psutil.CONN_LISTEN} == {"127.0.0.1"}


def test_without_the_token_nothing_is_told(guarded):
    """Each address answers with the login alone, and the websocket not at all; guesses fail."""
    for page in ("", "trials", "trial?id=trial-0", "runs", "runs/live", "now", "health", f"files/{RUNS[0]}/run.log"):
        answer = requests.get(guarded.proxied + page, timeout=10)
        if page:
            assert answer.status_code == 403, page
        assert "Log in" in answer.text
        assert "tiny" not in answer.text
    origin = f"http://{urlsplit(guarded.proxied).netloc}"
    assert guarded.websocket("/watch/trials/ws", Origin=origin) == 403
    cookie = f"daybook-{guarded.netloc.rpartition(':')[2]}"
    for value in ("", CANARY, "é"):
        headers = {"Cookie": f"{cookie}={value}".encode()}
        assert requests.get(f"{guarded.address}runs", headers=headers, timeout=10).status_code == 403
    assert requests.post(f"{guarded.proxied}login", data={"token": "wrong"}, timeout=10).status_code == 403


def test_with_the_token_all_works_behind_a_proxy(guarded, browser):
    """By keyboard, through the labelled field; the cookie is for these pages alone; documents have their socket."""
    page = browser.new_page()
    problems, sockets = watched(page), []
    page.on("websocket", lambda socket: sockets.append(socket))
    page.goto(f"{guarded.proxied}login")
    assert violations(page) == []
    page.get_by_label("Token").fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").get_by_text("That is not the token").wait_for()
    problems.clear()  # Chromium says of each 403 that it is one
    page.get_by_label("Token").fill(CANARY)
    page.keyboard.press("Enter")
    page.wait_for_url("**/watch/trials")
    wait_until(page, "window.Bokeh?.documents.length === 1")
    assert [one.url.split("?")[0] for one in sockets] == [f"{guarded.proxied.replace('http', 'ws')}trials/ws"]
    [cookie] = page.context.cookies()
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["path"] == "/watch/"
    assert CANARY not in cookie["value"]
    assert page.get_by_role("alert").inner_text().startswith("store postgresql+psycopg://me:***@127.0.0.1:1/trials")
    for name in ("runs", "now", f"run?id={RUNS[0]}"):
        page.goto(guarded.proxied + name)
        assert "Log in" not in page.inner_text("h1")
    assert problems == []
    page.close()


def test_the_printed_link_lets_in(guarded):
    """As a made token is handed over: by the address, which the page leaves at once."""
    visitor = requests.Session()
    answer = visitor.get(f"{guarded.address}login?token={CANARY}", timeout=10)
    assert CANARY not in answer.text
    assert 'content="0;url=trials"' in answer.text
    assert visitor.get(f"{guarded.address}runs", timeout=10).ok


def test_secrets_of_the_environment_are_nowhere(guarded):
    """Neither in a page, a fragment, a file or an asset, nor in what the server logs and prints."""
    visitor = requests.Session()
    visitor.get(f"{guarded.address}login?token={CANARY}", timeout=10)
    pages = ["trials", "trial?id=trial-0", "runs", "runs/live", "now", "now/live", "health", "nothing", "login"]
    pages += [f"run?id={RUNS[0]}", *(f"files/{RUNS[0]}/{path.name}" for path in (guarded.home / RUNS[0]).iterdir())]
    for page in pages:
        answer = visitor.get(guarded.address + page, timeout=10)
        assert CANARY not in answer.text + str(answer.headers), page
    visitor.get(f"{guarded.address}nothing?token={CANARY}", timeout=10)
    assert CANARY not in guarded.log.read_text()


def test_a_made_token_is_printed_once_in_the_link(home, tmp_path):
    """Where not only this machine might ask, as far as the host's name tells; the log does not have it."""
    name = socket.gethostname()
    try:
        is_safe = socket.gethostbyname(name).startswith("127.")
    except OSError:
        is_safe = False
    if not is_safe or name == "localhost":
        pytest.skip("this machine's name does not lead to loopback, and tests listen nowhere else")
    make_home(home)
    with dashboard_process(home, "--host", name, log=tmp_path / "log") as (link, _):
        address, _, token = link.partition("login?token=")
        assert len(token) >= 24
        assert requests.get(f"{address}runs", timeout=10).status_code == 403
        visitor = requests.Session()
        assert visitor.get(link, timeout=10).ok
        assert "tiny" in visitor.get(f"{address}runs", timeout=10).text
    assert token not in (tmp_path / "log").read_text()


def test_a_store_that_does_not_answer_holds_up_neither_pages_nor_the_end(home, tmp_path):
    """A database that takes connections and says nothing: runs are shown at once, and SIGTERM ends it within 2 s."""
    make_home(home)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(8)
        store = f"postgresql+psycopg://me@127.0.0.1:{silent.getsockname()[1]}/trials"
        with dashboard_process(home, log=tmp_path / "log", DAYBOOK_STORE=store) as (address, process):
            with pytest.raises(requests.Timeout):
                requests.get(f"{address}trial?id=trial-0", timeout=1)
            began = time.monotonic()
            shown = requests.get(f"{address}runs", timeout=10).text
            assert time.monotonic() - began < 2
            assert RUNS[0] in shown
            assert "The trials are still being read." in shown
            began = time.monotonic()
            process.terminate()
            assert process.wait(30) == 0
            assert time.monotonic() - began < 2
