"""The notebook as a person walks through it: `daybook lab` in a real browser."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from browser import SCREENSHOTS, chromium
from conftest import free_port

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOK = "evaluate_ticket_model.ipynb"
pytestmark = pytest.mark.slow


@pytest.fixture
def lab(tmp_path, prefect):
    """The address of a JupyterLab that `daybook lab` started on a copy of the notebooks."""
    shutil.copytree(REPOSITORY / "notebooks", tmp_path / "notebooks", ignore=shutil.ignore_patterns(".*"))
    port = free_port()
    arguments = ["--no-browser", f"--port={port}", "--allow-root", "--IdentityProvider.token=t"]
    arguments += [f"--ServerApp.root_dir={tmp_path / 'notebooks'}"]
    environment = os.environ | {
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "s"),
    }
    command = [str(Path(sys.executable).with_name("daybook")), "lab", *arguments]
    with (tmp_path / "lab.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture
def page():
    """A page of a real Chromium, and no network."""
    with chromium() as browser:
        yield browser.new_context(viewport={"width": 1400, "height": 900}).new_page()


def open_notebook(page, address: str) -> None:
    """Open the notebook in Lab, which takes a few seconds to answer."""
    for _ in range(60):
        with contextlib.suppress(Exception):
            page.goto(f"{address}/lab/tree/{NOTEBOOK}?token=t")
            break
        time.sleep(0.5)
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_selector("text=Python 3 (ipykernel) | Idle", timeout=60_000)


def run_until(page, text: str) -> None:
    """Run the selected cell and those below, one by one as a person does, through the one with this text."""
    for _ in range(60):
        active = page.locator(".jp-Notebook .jp-Cell.jp-mod-active").inner_text()
        page.keyboard.press("Shift+Enter")
        page.wait_for_function("() => !document.body.innerText.includes('[*]')", timeout=90_000)
        if text in active:
            return
    raise AssertionError(f"no cell with {text}")


def connect_by_search(page) -> None:
    """One click on the magnifying glass in Dask's pane finds the cluster of the notebook."""
    page.locator("[data-id='dask-dashboard-launcher']").click()
    assert page.locator(".dask-DaskSidebar button", has_text="Task Stream").count() == 0
    page.locator("jp-button[title='Auto-detect dashboard URL']").click()
    page.wait_for_selector(".dask-DaskSidebar button:has-text('Task Stream')", timeout=20_000)
    page.locator("[data-id='filebrowser']").click()


def dock_plots(page):
    """One click on the notebook's toolbar docks Dask's plots beside it; the frame of the task stream."""
    page.locator(".jp-NotebookPanel-toolbar [data-jp-item-name='daskPlots'] jp-button").click()
    page.wait_for_selector("#jp-main-dock-panel .lm-TabBar-tab:has-text('Progress')", timeout=20_000)
    (stream,) = [frame for frame in page.frames if frame.url.endswith("/individual-task-stream")]
    stream.wait_for_selector(".bk-Figure", timeout=20_000)
    notebook = page.locator(".jp-Notebook").bounding_box()
    assert stream.frame_element().bounding_box()["x"] >= notebook["x"] + notebook["width"]
    return stream


# How many tasks a task stream shows, as its plot knows them: what it draws is not text.
NUM_TASKS = "() => Math.max(0, ...[...Bokeh.documents[0]._all_models.values()].map(m => m.get_length?.() ?? 0))"


def open_dashboard(page):
    """The tile in the launcher opens Daybook's dashboard in a tab of Lab; its frame, once its page is live."""
    page.locator("[data-command='launcher:create']").first.click()
    tile = page.locator(".jp-LauncherCard", has_text="Daybook")
    assert tile.locator("img").evaluate("image => image.complete && image.naturalWidth > 0")
    tile.click()
    frame = page.wait_for_selector("iframe[src*='/daybook/']", timeout=20_000).content_frame()
    frame.wait_for_url(re.compile(r"/daybook/trials"), timeout=60_000)
    frame.wait_for_function("() => window.Bokeh?.documents.length > 0", timeout=20_000)
    return frame


def test_notebook_runs_cell_by_cell_with_its_dask_dashboard(lab, page, tmp_path):
    """Each cell runs, charts show offline, one click docks Dask's live plots beside it, a tile opens the dashboard."""
    SCREENSHOTS.mkdir(exist_ok=True)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    open_notebook(page, lab)
    line = page.locator(".jp-CodeCell .cm-line", has_text="cluster: str")
    line.click()
    page.keyboard.press("Home")
    page.keyboard.press("Shift+End")
    page.keyboard.type('cluster: str = "local"')
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Escape")
    run_until(page, "clusters.connect(cluster")
    connect_by_search(page)
    stream = dock_plots(page)
    assert stream.evaluate(NUM_TASKS) < 9
    run_until(page, "show(trial_plots.trial_charts")
    stream.wait_for_function(f"() => ({NUM_TASKS})() >= 9", timeout=20_000)  # the flow's tasks; nobody has reloaded it
    page.screenshot(path=SCREENSHOTS / "lab-dask-plots.png")

    cell = page.locator(".jp-CodeCell", has_text="clusters.connect(cluster")
    link = cell.locator("a", has_text="Dask dashboard").get_attribute("href")
    assert re.fullmatch(r"/proxy/\d+/status", link)
    dashboard = page.context.new_page()
    dashboard.goto(lab + link)
    # Its plots come over a websocket, which the proxy has to carry too; their titles are drawn, so not text.
    dashboard.wait_for_selector("canvas", timeout=20_000)
    dashboard.wait_for_timeout(1000)
    dashboard.screenshot(path=tmp_path / "dashboard.png")
    dashboard.close()

    page.locator(".jp-CodeCell", has_text="show(trial_plots").scroll_into_view_if_needed()
    page.wait_for_selector(".jp-CodeCell canvas", timeout=20_000)
    page.screenshot(path=tmp_path / "lab.png")
    dashboard = open_dashboard(page)
    page.screenshot(path=SCREENSHOTS / "lab-launcher.png")
    assert dashboard.locator("h1").inner_text() == "Trials"
    page.locator(".lm-TabBar-tab", has_text=NOTEBOOK).click()
    run_until(page, "compute.close()")
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert page.locator("text=get notified about official").count() == 0
    assert problems == []
