"""The page of all trials in a real browser: live, chosen from, pointed at, tapped, zoomed, and safe to open."""

import contextlib
import json
import sqlite3
import time

import pytest
from browser import chromium, dashboard, shoot, violations, wait_until, watched
from dashboard_home import add_run
from history_trials import trial, trials

from helpers.trial_facts import FACTS
from helpers.trials import TrialStore

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=\"document.title='run'\">"
NEW_SECONDS = 5.0
RUN = "20260102T160000Z-tiny-00000040"
FIGURE = "Object.values(Bokeh.index).find((view) => view.model.name === 'history')"
SINGLES = f"{FIGURE}.model.renderers.find((one) => one.data_source.data.ring).data_source.data"
# Where a single point is on the page.
PLACE = f"""(told) => {{
  const view = {FIGURE}, data = {SINGLES};
  const row = [...data.parameters].findIndex((text) => text.includes(told));
  const canvas = view.canvas_view.el.getBoundingClientRect();
  return [
    canvas.x + view.frame.x_scale.compute(data.at[row]), canvas.y + view.frame.y_scale.compute(data.value[row]),
  ];
}}"""


def write(store: str, *documents: dict) -> None:
    """Store trials at once: the store's own way takes a transaction each."""
    TrialStore(store).write(documents[0])
    rows = [[one[fact] for fact in FACTS] + [one["data"]["num_obs"], json.dumps(one)] for one in documents[1:]]
    with contextlib.closing(sqlite3.connect(store)) as connection, connection:
        connection.executemany(f"INSERT INTO trials VALUES ({', '.join('?' * 12)})", rows)


def documents() -> list[dict]:
    """A model with few trials, a back-fill of it, one with many, and what is odd."""
    few = trials(60, outside=(40,), model="few")
    few[40]["run"] = RUN
    for document in few[:30]:
        document |= {"schedule": "backfill", "scheduled_at": document["finished_at"]}
    many = [one | {"id": f"m{number}", "run": f"m{number}"} for number, one in enumerate(trials(3000, model="many"))]
    odd = [
        trial(100, 90.0, model=HOSTILE, source=HOSTILE, notebook=HOSTILE, parameters={"note": HOSTILE}, run=None),
        trial(101, None, model="other", notebook="other.ipynb", run=None),
        trial(102, 80.0, model="other", finished_at="never", run=None),
    ]
    return [*few, *many, *odd]


@pytest.fixture(scope="module")
def watching(tmp_path_factory):
    """A dashboard of a store with trials, its address, and its home."""
    home = tmp_path_factory.mktemp("watched")
    write(str(home / "trials.sqlite"), *documents())
    add_run(home, RUN)
    with dashboard(home) as address:
        yield address, home


@pytest.fixture(scope="module")
def browser():
    """A Chromium for all of these tests."""
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(watching, browser):
    """Opens the page with a query; what its console says is empty at the end."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    problems = watched(page)

    def go(query: str = "", address: str = watching[0]):
        page.goto(f"{address}trials{query}")
        wait_until(page, f"!!window.Bokeh && {FIGURE}?.has_finished() === true")
        return page

    yield go
    page.close()
    assert problems == []


def _reading(page) -> str:
    return page.inner_text("#reading")


def _wait_for(page, text: str, place: str = "#reading", seconds: float = NEW_SECONDS) -> float:
    begin = time.monotonic()
    wait_until(page, f"document.querySelector('{place}').innerText.includes({json.dumps(text)})", seconds)
    return time.monotonic() - begin


def test_it_says_whether_the_model_holds(opened):
    """The sentence, the chart and the table agree; axe finds nothing wrong; nothing hostile runs."""
    page = opened("?model=few")
    assert _reading(page).startswith("MAE ")
    assert _reading(page).strip().endswith(": as usual.")
    assert "1 was outside what was usual" in page.inner_text("#notes")
    assert page.evaluate(f"{SINGLES}.at.length") == 60
    assert page.locator("#latest tbody tr").count() == 20
    assert page.title() == "Trials – Daybook"
    assert violations(page) == []
    shoot(page, "trials")


def test_many_trials_and_hostile_ones(opened):
    """All trials are drawn as few points, which the page says; names that are HTML are texts; axe finds nothing."""
    page = opened()
    notes = page.inner_text("#notes")
    assert "That is the latest of 3,063 trials." in notes
    assert "3,061 trials are drawn as" in notes
    assert "1 has no MAE" in notes
    assert "1 has no time" in notes
    assert page.locator("img").count() == 0
    assert HOSTILE in page.locator("select[name=model] option").all_inner_texts()
    assert violations(page) == []
    shoot(page, "trials-many", schemes=("light",))
    assert page.title() == "Trials – Daybook"


def test_a_new_trial_appears(opened, watching):
    """A trial that is stored is on the page within 5 s, without a reload, and not much more than it was sent."""
    page = opened("?model=few")
    page.evaluate("() => { window.before = true; }")
    number = page.evaluate(f"{SINGLES}.at.length")
    received = []
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on("Network.webSocketFrameReceived", lambda event: received.append(event["response"]["payloadData"]))
    store = TrialStore(str(watching[1] / "trials.sqlite"))
    store.write(trial(200, 321.0, model="few"))
    assert _wait_for(page, "MAE 321.0 h") < NEW_SECONDS
    assert "above what is usual" in _reading(page)
    assert page.evaluate(f"{SINGLES}.at.length") == number + 1
    assert page.evaluate("() => window.before")
    assert sum(map(len, received)) < 25_000
    # A clock that went back: it finished long before the others.
    store.write(trial(201, 111.0, model="few", finished_at="2020-01-01T00:00:00.000+00:00"))
    wait_until(page, f"{SINGLES}.at.length === {number + 2}", NEW_SECONDS)
    assert "MAE 321.0 h" in _reading(page)


def test_another_metric_and_unit(opened):
    """What is chosen changes the sentence, the chart and the address at once, and opens again from there."""
    page = opened("?model=few")
    page.select_option("select[name=unit]", "seconds")
    _wait_for(page, " s, usual")
    page.select_option("select[name=metric]", "R2")
    _wait_for(page, "R2 -0.1250, usual -0.1250 to -0.1250: as usual.")
    assert page.evaluate(f"{FIGURE}.model.left[0].axis_label") == "R², variance explained"
    page.select_option("select[name=source]", HOSTILE)
    _wait_for(page, "No trial is of this choice")
    page.select_option("select[name=model]", "")
    _wait_for(page, "R2 -0.1250, nothing is usual yet")
    assert page.evaluate("location.search").startswith("?metric=R2&unit=seconds&source=%3Cimg")
    page.reload()
    assert page.input_value("select[name=metric]") == "R2"
    _wait_for(page, "R2 -0.1250, nothing is usual yet")
    assert page.title() == "Trials – Daybook"


def test_pointing_and_tapping(opened):
    """Pointing at a trial tells its parameters and range; tapping it opens its run."""
    page = opened("?model=few")
    page.mouse.move(*page.evaluate(PLACE, '"seed":40'))
    tip = page.locator(".bk-tooltip-content").first
    tip.wait_for()
    assert '"seed":40' in tip.inner_text()
    assert "300.0 h ± 2.0 h" in tip.inner_text()
    assert "ABOVE" in tip.inner_text()
    place = page.evaluate(PLACE, '"seed":40')
    page.mouse.click(*place)
    page.wait_for_url(f"**/run?id={RUN}")


def test_a_hostile_trial_is_pointed_at(opened):
    """Texts of a trial that are HTML are told as they are, and do not run."""
    page = opened("?metric=MAE&notebook=%3Cimg%20src%3Dx%20onerror%3D%22document.title%3D%27run%27%22%3E")
    page.mouse.move(*page.evaluate(PLACE, "onerror"))
    tip = page.locator(".bk-tooltip-content").first
    tip.wait_for()
    assert tip.inner_text().count("<img src=x onerror=") == 4  # model, source, notebook, parameters
    assert page.title() == "Trials – Daybook"


def test_zooming_in_shows_single_trials(opened):
    """Where many trials are one point, those that came into view have points of their own."""
    page = opened("?model=many")
    before = page.evaluate(f"{SINGLES}.at.length")
    assert before < 500
    box = page.evaluate(f"{FIGURE}.canvas_view.el.getBoundingClientRect().toJSON()")
    left, top, width = box["x"], box["y"], box["width"]
    page.mouse.move(left + 0.4 * width, top + 150)
    page.mouse.down()
    page.mouse.move(left + 0.5 * width, top + 160, steps=4)
    page.mouse.up()
    wait_until(page, f"{SINGLES}.at.length > {before} + 200", NEW_SECONDS)
    page.locator("css=.bk-tool-icon-reset, .bk-ResetTool").first.click()
    wait_until(page, f"{SINGLES}.at.length === {before}", NEW_SECONDS)


def test_a_store_of_a_newer_schema(opened, watching):
    """The page says that the store is newer, keeps what it showed, and goes on when that is mended."""
    page = opened("?model=many")
    path = watching[1] / "trials.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE daybook_schema SET version = 9")
        connection.commit()
        _wait_for(page, "has schema 9, this daybook knows 1; update daybook", "#problem", 10)
        assert _reading(page).startswith("MAE ")
        connection.execute("UPDATE daybook_schema SET version = 1")
        connection.commit()
    page.wait_for_selector("#problem", state="hidden", timeout=10_000)


def test_an_empty_store(browser, tmp_path, opened):
    """An empty store says what to do next, and shows its first trial by itself."""
    with dashboard(tmp_path / "empty") as address:
        page = opened("", address)
        assert "There are no trials yet." in _reading(page)
        assert "make run" in _reading(page)
        assert violations(page) == []
        TrialStore(str(tmp_path / "empty" / "trials.sqlite")).write(trial(0))
        _wait_for(page, "MAE 100.0 h, nothing is usual yet")
        assert page.evaluate(f"{FIGURE}.model.visible")
        assert page.evaluate(f"{SINGLES}.at.length") == 1
        page.goto("about:blank")
