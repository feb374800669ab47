"""What goes on now: as it is read from files, and in a real browser beside a real run on a real cluster."""

import json
import socket
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nbformat
import pytest

from helpers import run_index, runs, served_state
from helpers.dashboard import now_page, now_status
from tests import browser

HOSTILE = "<img src=x onerror=\"document.title='now'\">"
PAGES = ("runs", "runs/live", "now", "now/live", "now/schedules")
REPOSITORY = Path(__file__).resolve().parents[1]


def at(seconds: float) -> str:
    """A time so many seconds from now."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def going(**facts) -> runs.RunRecord:
    """A run that is going in this process."""
    record = runs.RunRecord("a.ipynb", {"n": 1}, schedule="nightly")
    record.update(state="running", started_at=at(-75), cells=20, cells_done=12, **facts)
    return record


def read() -> dict:
    """What the page shows."""
    index = run_index.RunIndex()
    index.refresh()
    return now_status.NowStatus(index).read()


def test_an_empty_home():
    """Nothing runs, is scheduled or wrong."""
    now = read()
    assert (now["going"], now["schedules"], now["wrong"], now["waiting"], now["last"]) == ([], [], [], 0, None)
    assert 0 < now["free_bytes"] <= now["total_bytes"]


def test_a_run_that_is_going_and_the_one_that_ended_last():
    """With twelve cells of twenty done the thirteenth is running; its cluster is linked while something answers."""
    with socket.create_server(("127.0.0.1", 0)) as dask:
        ended = runs.RunRecord("b.ipynb", {})
        ended.finish("failed", "no")
        record = going(progress="scored 12 of 40")
        place = {"host": "127.0.0.1", "port": dask.getsockname()[1]}
        (record.folder / "dask-dashboard.json").write_text(json.dumps(place))
        now = read()
        [one] = now["going"]
        assert (one.cell, one.row.facts["progress"], one.row.duration) == (13, "scored 12 of 40", "1 min 15 s")
        assert one.dask == f"http://127.0.0.1:{place['port']}/status"
        assert now["last"].facts["run"] == ended.run
    assert read()["going"][0].dask is None
    record.finish("completed")
    assert read()["going"] == []


def test_a_schedule_with_odd_facts_is_shown():
    """Ticks that are no times are left out, and the others stand in their order; no address but a page's is linked."""
    served_state.write("odd", {"name": "odd", "next": "soon", "schedule": 5, "page": "javascript:alert(1)"})
    served_state.write(
        "nightly", {"name": "nightly", "next": [at(90), "never", at(30)], "page": "http://127.0.0.1:1/d"}
    )
    with served_state.lock("schedule-nightly"):
        nightly, odd = read()["schedules"]
    assert [tick.text for tick in nightly.next] == sorted(tick.text for tick in nightly.next)
    assert (len(nightly.next), nightly.page, nightly.state) == (2, "http://127.0.0.1:1/d", "serving")
    assert (odd.next, odd.ticks, odd.page, odd.state) == ([], "5", None, "died")


def test_many_browsers_ask_once(monkeypatch):
    """What was read is good for a second: ten browsers do not look at all schedules ten times."""
    asked = []
    status = now_status.schedule_status.status
    monkeypatch.setattr(now_status.schedule_status, "status", lambda *given: asked.append(1) or status(*given))
    index = run_index.RunIndex()
    for _ in range(10):
        now_status.status_of(index).read()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("url", "sources"),
    [
        ("http://10.0.0.5:8787/individual-progress", ["http://10.0.0.5:8787"]),
        ("/proxy/8787/individual-progress", []),  # of the dashboard's own origin
        ("http://a;script-src *:1/x", []),
    ],
)
def test_what_the_plots_page_may_frame(url, sources):
    """The origins of its plots alone, and none that would say more in the page's policy."""
    assert now_page._origins([("Progress", url)]) == sources


@pytest.mark.slow
def test_the_dashboard_imports_neither_prefect_nor_distributed():
    """With every page of runs asked for, while a cluster is up: each of them would take a second and 60 MB."""
    record = going()
    (record.folder / "dask-dashboard.json").write_text('{"host": "127.0.0.1", "port": 1}')
    code = f"""
import asyncio, sys
from helpers.dashboard.server import make_server
from helpers.dashboard.state import DashboardState
from helpers.trials import TrialStore
from tornado.httpclient import AsyncHTTPClient

async def ask():
    state = DashboardState(TrialStore())
    state.refresh()
    server = make_server(state)
    server.start()
    for page in {[*PAGES, f"run?id={record.run}", f"now/plots?run={record.run}"]!r}:
        answer = await AsyncHTTPClient().fetch(f"http://127.0.0.1:{{server.port}}/{{page}}")
        assert answer.code == 200 and b"<" in answer.body, page
asyncio.run(ask())
print(sorted({{"prefect", "distributed", "sklearn"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
    record.finish("completed")


@pytest.fixture
def waiting_notebook(tmp_path) -> Path:
    """The real notebook, which keeps its cluster until a file called `go` stands beside it."""
    nb = nbformat.read(REPOSITORY / "notebooks" / "evaluate_ticket_model.ipynb", as_version=4)
    close = next(place for place, cell in enumerate(nb.cells) if cell.source == "compute.close()")
    until = f"while not __import__('os').path.exists({str(tmp_path / 'go')!r}):\n    __import__('time').sleep(0.1)"
    nb.cells.insert(close, nbformat.v4.new_code_cell(until))
    nbformat.write(nb, tmp_path / "evaluate_ticket_model.ipynb")
    return tmp_path / "evaluate_ticket_model.ipynb"


def waiting_cell(notebook: Path) -> str:
    """How the page names the last cell but one."""
    cells = sum(cell.cell_type == "code" for cell in nbformat.read(notebook, as_version=4).cells)
    return f"cell {cells} of {cells + 1}"  # papermill adds one with the parameters that were given


def wait_for(locator, run: subprocess.Popen, said: Path) -> None:
    """Wait until it is on the page, as long as the run is going: else there is nothing to wait for."""
    for _ in range(600):
        if locator.count():
            return
        assert run.poll() is None, said.read_text()
        locator.page.wait_for_timeout(200)
    raise AssertionError(f"{locator} is not there: {locator.page.locator('main').inner_text()}\n{said.read_text()}")


@pytest.mark.slow
@pytest.mark.usefixtures("prefect")
def test_a_real_run_on_a_local_cluster(home, waiting_notebook):
    """It appears by itself, cell by cell, with Dask's plots drawn beside it; then it is gone, and they are."""
    served_state.write("nightly", {"name": "nightly", "next": [at(3600)], "schedule": f"every 1 h {HOSTILE}"})
    command = [str(Path(sys.executable).with_name("daybook")), "run", str(waiting_notebook), "-p", "cluster", "local"]
    with served_state.lock("schedule-nightly"), browser.dashboard(home) as url, browser.chromium() as chromium:
        page = chromium.new_page(viewport={"width": 1600, "height": 1000})
        problems = browser.watched(page)
        page.goto(f"{url}now")
        page.get_by_text("Nothing runs now.").wait_for()
        said = waiting_notebook.with_suffix(".log")
        with said.open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as run:
            try:
                wait_for(page.locator(".going progress"), run, said)
                wait_for(page.locator("#plots iframe"), run, said)
                plots = page.frame_locator("#plots iframe")
                for place in range(3):
                    wait_for(plots.frame_locator("iframe").nth(place).locator("canvas"), run, said)
                wait_for(page.get_by_text(waiting_cell(waiting_notebook)), run, said)
                page.evaluate("document.querySelector('#plots iframe').same = true")
                # Renewed at least once more: what a run has taken so far changes each second.
                before = page.locator("#now").inner_text()
                page.wait_for_function("before => document.getElementById('now').innerText !== before", arg=before)
                assert page.evaluate("document.querySelector('#plots iframe').same")
                assert urllib.request.urlopen(page.locator(".going a").nth(1).get_attribute("href")).status == 200
                assert page.locator("#schedules tbody tr").inner_text().count(HOSTILE) == 1
                page.get_by_text("answers, its page").wait_for(timeout=30_000)
                browser.shoot(page, "now")
                assert browser.violations(page) == []
                assert problems == []  # afterwards the plots say that their scheduler is gone
            finally:
                (waiting_notebook.parent / "go").touch()
        page.locator("#plots iframe").wait_for(state="detached", timeout=30_000)
        page.get_by_text("The last run ended just now").wait_for(timeout=30_000)
        assert page.locator(".state-completed").first.is_visible()
        assert page.title() == "Now – Daybook"
    assert run.returncode == 0
