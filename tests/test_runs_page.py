"""The gallery of runs, and the page of one run, in a real browser."""

import json
import os
import re
import urllib.error
import urllib.request
from typing import NamedTuple

import pytest

from helpers import runs
from tests import browser

HOSTILE = "<img src=x onerror=\"document.title='run'\">"
ERROR = f"cell [7] ValueError: {HOSTILE}\nTraceback: {'long ' * 60}"
NEWEST_FIRST = ["missed", "skipped", "failed", "completed", "cancelled", "crashed", "unknown"]

pytestmark = pytest.mark.slow


class Gallery(NamedTuple):
    """A dashboard, its home, what it said while the home was empty, and a browser."""

    url: str
    home: str
    empty: str
    chromium: object


def get(url: str) -> str:
    """An answer as a text."""
    with urllib.request.urlopen(url) as answer:
        return answer.read().decode()


def fill(home) -> None:
    """Seven runs: one of each end, with data that want to be HTML, and what no run has written."""
    begin = {"scheduled_at": "2026-03-01T00:00:00+00:00", "notebook": "a.ipynb", "path": "notebooks/a.ipynb"}
    many = {"cells": 20, "cells_done": 7, "started_at": "2026-03-01T00:00:01+00:00"}
    failed = {"error": ERROR, "parameters": {HOSTILE: HOSTILE, "store": "postgresql://me:***@host/db"}}
    made = [
        {"state": ["odd"], "error": 5, "parameters": [1], "notebook": {"a": 1}, "seconds": "1", "started_at": 12},
        {"state": "crashed", "error": runs.CRASHED} | many,
        {"state": "cancelled", "notebook": f"{HOSTILE}.ipynb", "seconds": 70.0} | many,
        {"state": "completed", "seconds": 600.0, "trial": "t-1", "parameters": {"batch_size": 200}} | many,
        {"state": "failed", "seconds": 5.0, "schedule": "nightly", "attempt": 2} | failed | many,
        {"state": "skipped", "error": "the run before was still going", "schedule": "nightly"},
        {"state": "missed", "error": "the computer was off", "schedule": "nightly"},
    ]
    for place, facts in enumerate(made):
        folder = home / f".{place}"
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(begin | facts))
        (folder / "run.log").write_text(f"one\n\x1b[31m{HOSTILE}\n")
        (folder / "a.html").write_text("<p>report</p>")
        (folder / "trial.json").write_text('{"data": {"metrics": {"MAE": 7200.0}}}')
        folder.rename(home / f"2026030{place + 1}T000000Z-a-0000000{place}")


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    """One dashboard and one browser for all tests of this module."""
    home = tmp_path_factory.mktemp("gallery")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("DAYBOOK_", "PREFECT_"))]:
            patch.delenv(name)
        with browser.dashboard(home) as url, browser.chromium() as chromium:
            url = url.rstrip("/")
            empty = get(f"{url}/runs")
            fill(home)
            yield Gallery(url, str(home), empty, chromium)


@pytest.fixture
def page(gallery):
    """A page that has said no problem in its console at the end."""
    context = gallery.chromium.new_context(viewport={"width": 1600, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.problems = browser.watched(page)
    page.goto(f"{gallery.url}/runs")
    page.locator(".runs tbody tr").nth(6).wait_for()
    yield page
    assert page.problems == []
    context.close()


def states(page) -> list[str]:
    """The states of the rows, as shown, from top to bottom."""
    return page.locator(".runs tbody tr").evaluate_all(
        "rows => rows.map(row => row.querySelector('.state').textContent.trim().split(/\\s+/).pop())"
    )


def wait_for_states(page, *expected: str) -> None:
    """Wait until the rows are these."""
    script = """expected => JSON.stringify([...document.querySelectorAll('.runs tbody tr .state')]
        .map(one => one.textContent.trim().split(/\\s+/).pop())) === JSON.stringify(expected)"""
    page.wait_for_function(script, arg=list(expected), timeout=8000)


def test_an_empty_home_says_what_to_do_next(gallery):
    """There is a command to copy instead of an empty table."""
    assert "daybook run notebooks/" in gallery.empty
    assert "<table" not in gallery.empty


def test_the_gallery(gallery, page):
    """Every run is a row, the newest first; data are text whatever they hold; axe finds nothing at any width."""
    wait_for_states(page, *NEWEST_FIRST[:-1], '["odd"]')
    text = page.locator("#runs").inner_text()
    assert text.count(HOSTILE) >= 4  # the error, a parameter's name and value, a notebook's name
    assert page.locator("img").count() == 0
    assert page.title() == "Runs – Daybook"
    for width in browser.WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.violations(page) == []
    page.emulate_media(color_scheme="dark")
    assert browser.violations(page) == []
    browser.shoot(page, "runs")


def test_a_row_says_why_and_links_what_there_is(page):
    """The first line of the error, the whole of it on demand, files, trial, and a command that is copied."""
    row = page.locator("tr", has=page.locator(".state-failed"))
    assert row.locator("pre").is_hidden()
    row.locator(".why summary").click()
    assert row.locator("pre").inner_text() == ERROR
    assert row.locator("[data-label=Cells]").inner_text().strip() == "7 of 20"
    assert row.locator("[data-label=Notebook]").inner_text().endswith("nightly, attempt 2")
    links = row.locator(".files a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    run = "20260305T000000Z-a-00000004"
    assert links == [f"files/{run}/{name}" for name in ("a.html", "run.log", "trial.json", "run.json")]
    row.get_by_text("Run again").click()
    row.get_by_role("button", name="Copy the command").click()
    row.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == row.locator("code").inner_text()
    assert "*** stands for a secret" in row.inner_text()
    completed = page.locator("tr", has=page.locator(".state-completed"))
    assert completed.locator(".files a").first.get_attribute("href") == "trial?id=t-1"


def test_filters_by_keyboard(page):
    """Tab reaches each control; typing filters the rows and the address without a reload, which then shows the same."""
    page.evaluate("window.same = true")
    page.locator("select[name=state]").focus()
    page.keyboard.type("did")
    wait_for_states(page, "missed", "skipped", "failed", "cancelled", "crashed")
    for _ in range(3):
        page.keyboard.press("Tab")
    page.keyboard.type("VALUEERROR cell")
    wait_for_states(page, "failed")
    assert page.evaluate("window.same")
    assert page.locator("input[type=search]").evaluate("one => one === document.activeElement")
    assert page.locator("[role=status]").first.inner_text() == "1 run"
    page.reload()
    wait_for_states(page, "failed")
    page.get_by_role("link", name="Clear").click()
    wait_for_states(page, *NEWEST_FIRST[:-1], '["odd"]')


def test_no_run_is_like_that(page):
    """Where a filter leaves nothing, the way back is said."""
    page.locator("input[type=search]").fill("nothing like it")
    page.get_by_text("No run is like that.").wait_for()
    page.get_by_role("link", name="Show all runs").click()
    page.locator(".runs tbody tr").nth(6).wait_for()


def test_sorting_by_mouse_and_keyboard(page):
    """A heading sorts downwards, then upwards; runs that took no time stand last; what was chosen stays chosen."""
    page.get_by_role("link", name="Took").click()
    wait_for_states(page, "completed", "cancelled", "failed", "missed", "skipped", "crashed", '["odd"]')
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "descending"
    page.get_by_role("link", name="Took").focus()
    page.keyboard.press("Enter")
    page.locator("th[aria-sort=ascending]").wait_for()
    assert states(page)[:3] == ["failed", "cancelled", "completed"]
    page.locator("select[name=notebook]").select_option("a.ipynb")
    wait_for_states(page, "failed", "completed", "missed", "skipped", "crashed")
    assert "sort=duration" in page.url


def test_a_run_appears_goes_on_and_ends_by_itself(gallery, page, monkeypatch):
    """Within seconds and without a reload; what the person has opened stays open, and the focus where it is."""
    monkeypatch.setenv("DAYBOOK_HOME", gallery.home)
    opened = page.locator("tr", has=page.locator(".state-failed")).locator(".why")
    opened.locator("summary").click()
    opened.locator("summary").focus()
    record = runs.RunRecord("live.ipynb", {"n": 1})
    record.update(state="running", started_at=runs.now(), cells=20, cells_done=3, progress=f"scored 12 {HOSTILE}")
    try:
        row = page.locator("tr", has_text="live.ipynb")
        row.get_by_text("3 of 20").first.wait_for(timeout=8000)
        assert row.locator("progress").get_attribute("value") == "3"
        assert f"scored 12 {HOSTILE}" in row.inner_text()
    finally:
        folder = record.finish("completed")
    row.locator(".state-completed").wait_for(timeout=8000)
    assert opened.get_attribute("open") is not None
    assert opened.locator("summary").evaluate("one => one === document.activeElement")
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    row.wait_for(state="detached", timeout=8000)


def test_without_javascript(gallery):
    """The form has a button, and the address says all of it."""
    context = gallery.chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{gallery.url}/runs")
    page.locator("select[name=schedule]").select_option("nightly")
    page.locator("input[type=search]").fill("still going")
    page.get_by_role("button", name="Show").click()
    assert page.locator(".runs tbody tr").count() == 1
    assert page.locator(".state").inner_text().endswith("skipped")
    assert page.locator("select[name=schedule]").input_value() == "nightly"
    assert page.get_by_role("button", name="Copy").count() == 0
    context.close()


def test_the_page_of_a_run(gallery, page):
    """Its error in full, its trial's metrics, its log and its facts are text; the runs beside it are linked."""
    page.goto(f"{gallery.url}/run?id=20260305T000000Z-a-00000004")
    assert page.locator("pre.why").inner_text() == ERROR
    assert page.locator("pre.log").inner_text() == f"one\n\\x1b[31m{HOSTILE}"
    assert page.locator("td", has_text="7,200 s").count() == 1
    assert page.locator("td", has_text=HOSTILE).count() == 1
    assert page.locator("img").count() == 0
    assert browser.violations(page) == []
    browser.shoot(page, "run")
    page.get_by_role("link", name="Run before").click()
    assert page.locator(".state-completed").count() == 1
    page.get_by_role("link", name="All runs of this notebook").click()
    wait_for_states(page, "missed", "skipped", "failed", "completed", "crashed")


@pytest.mark.parametrize("address", ["run?id=20200101T000000Z-a-00000009", "run?id=../x", "run", "run?id=%3Cb%3E"])
def test_a_run_that_is_not_there(gallery, address):
    """An old link is answered with what may have become of the run."""
    with pytest.raises(urllib.error.HTTPError) as raised:
        get(f"{gallery.url}/{address}")
    said = raised.value.read().decode()
    assert raised.value.code == 404
    assert "removes its old runs" in said
    assert "<b>" not in said


@pytest.mark.parametrize("query", ["state=%00&page=x&sort=<b>&order=1", "page=99999999", "q=" + "x" * 5000])
def test_an_odd_address_is_answered(gallery, query):
    """What an address cannot mean is left out, and what it says is text."""
    shown = get(f"{gallery.url}/runs?{query}")
    assert "<h1>Runs</h1>" in shown
    assert not re.search(r"<b>", shown)
