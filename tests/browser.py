"""A real browser for tests of pages: Chromium without a network, axe-core's rules, and screenshots."""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]
REPOSITORY = Path(__file__).resolve().parents[1]
SCREENSHOTS = REPOSITORY / "tests" / "screenshots"  # ignored by git; CI keeps it
WIDTHS = (360, 900, 1600)


@contextlib.contextmanager
def chromium():
    """A Chromium, or the test is skipped."""
    if not CHROMIUM:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


def watched(page) -> list[str]:
    """The problems that a page will say in its console, as they come."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    return problems


def violations(page) -> list[str]:
    """What axe-core finds wrong with contrast, labels and structure."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}" for one in found]


def wait_until(page, expression: str, seconds: float = 10.0) -> None:
    """Wait until JavaScript holds; playwright's own way evaluates it in the page, whose policy forbids that."""
    from playwright.sync_api import Error

    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(Error):  # the page is being left
            if page.evaluate(expression):
                return
        assert time.monotonic() < end, f"it did not come to be: {expression}"
        page.wait_for_timeout(50)


def shoot(page, name: str, schemes: tuple[str, ...] = ("light", "dark")) -> None:
    """Screenshots of a page at three widths, light and dark."""
    SCREENSHOTS.mkdir(exist_ok=True)
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(200)
            page.screenshot(path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=True)


@contextlib.contextmanager
def dashboard(home: Path, *arguments: str, log: Path | None = None, **environment: str) -> Iterator[str]:
    """`daybook dashboard` on a home; its address. What it says goes to the file `log`, or to the test's output."""
    with dashboard_process(home, *arguments, log=log, **environment) as (address, _):
        yield address


@contextlib.contextmanager
def dashboard_process(
    home: Path, *arguments: str, log: Path | None = None, **environment: str
) -> Iterator[tuple[str, subprocess.Popen]]:
    """`daybook dashboard` on a home; its address and its process."""
    variables = os.environ | {"DAYBOOK_HOME": str(home)} | environment
    command = [str(Path(sys.executable).with_name("daybook")), "dashboard", *arguments]
    with contextlib.ExitStack() as stack:
        errors = stack.enter_context(log.open("w")) if log else None
        process = stack.enter_context(
            subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, stderr=errors, text=True)
        )
        try:
            line = process.stdout.readline()
            address = re.search(r"http://\S+", line)
            assert address, f"the dashboard did not start: {line!r}, {log.read_text() if log else ''}"
            yield address[0], process
        finally:
            process.terminate()
            process.wait(20)
