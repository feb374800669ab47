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
from conftest import free_port

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOK = "evaluate_ticket_model.ipynb"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]

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
    if not CHROMIUM:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser.new_context(viewport={"width": 1400, "height": 900}).new_page()
        browser.close()


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


def test_notebook_runs_cell_by_cell_with_its_dask_dashboard(lab, page, tmp_path):
    """Each cell runs without an error, the charts show offline, and the link opens the live Dask dashboard."""
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
    run_until(page, "show(trial_plots.trial_charts")

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
    run_until(page, "compute.close()")
    assert page.locator("[data-mime-type='application/vnd.jupyter.error']").count() == 0
    assert page.locator("text=get notified about official").count() == 0
    assert problems == []
