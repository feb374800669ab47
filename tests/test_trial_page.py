"""The page of one trial, and of two, in a real browser: numbers, charts, and nothing that runs."""

import copy

import pytest
from browser import chromium, dashboard, shoot, violations, watched

from helpers import metrics, models, summaries, tickets
from helpers.dashboard import trial_page
from helpers.trials import TrialStore

HOSTILE = "<img src=x onerror=\"document.title='run'\">"
PROVENANCE = {
    "run": None,
    "notebook": "evaluate_ticket_model.ipynb",
    "parameters": {"batch_size": 500},
    "scheduled_at": "2026-11-20T02:00:00.000+00:00",
    "started_at": "2026-11-20T02:00:01.000+00:00",
    "schedule": None,
    "flow_run": None,
    "versions": {},
}


def trial_of(name: str, seed: int, batch_size: int = 500) -> dict:
    """A trial of the sample as a run stores it."""
    model = models.load("priority")
    batch = tickets.draw_batch("sample", batch_size, seed, model.columns)
    actuals, predictions = tickets.time_to_close(batch.events), model.predict(batch.events)
    scores = {key: metrics.score(actuals, predictions, metric) for key, metric in metrics.METRICS.items()}
    summary = summaries.trial_summary(name, batch, actuals, predictions, scores, model)
    return summaries.trial_document(summary, PROVENANCE)


@pytest.mark.parametrize(
    "data",
    [
        {"num_obs": 3},
        {"num_obs": 3, "metrics": {"accuracy": 0.5}, "errors": "none", "by_priority": 7},
        {"num_obs": 3, "metrics": None, "errors": {"edges": [0.0], "counts": []}, "notes": None},
        {"num_obs": 3, "metrics": {"MAE": None}, "predicted_actual": {"edges": [], "counts": [[1, 2, 3]]}},
    ],
)
def test_a_trial_of_another_kind_is_shown_as_what_it_is(data):
    """Another notebook's trial, or an old one, has its facts and metrics, and no charts that cannot be drawn."""
    trial = {"id": "a", "finished_at": "2026-11-20T02:00:00+00:00", "model": "m", "data": data}
    shown = trial_page.described(trial, {"id": "b"})
    assert shown["charts"] == {}
    assert shown["name"].startswith("2026-11-20 02:00, m")
    assert ("events", "3") in shown["facts"]


def test_the_page_shows_what_the_document_says():
    """Metrics with their standard errors, a table for each chart, and the parameters."""
    trial = trial_of("a", 1)
    shown = trial_page.described(trial)
    [mae, *_] = shown["metrics"]
    assert mae[2] == f"{trial['data']['metrics']['MAE'] / 3600:,.1f} h"
    assert mae[3] == f"± {trial['data']['standard_errors']['MAE'] / 3600:,.1f} h"
    assert [caption for caption, *_ in shown["tables"]] == [caption for caption, _ in trial_page.TABLES.values()]
    assert ("batch_size", "500") in shown["parameters"]
    assert len(shown["charts"]) == 6


def told_by_hovering(page, chart: str, text: str) -> bool:
    """Whether one of a chart's bars tells this when the pointer is on it."""
    figure = page.locator("figure", has=page.locator(f".root.{chart}"))
    figure.scroll_into_view_if_needed()
    box = figure.bounding_box()
    for down in range(40, int(box["height"]) - 40, 8):
        page.mouse.move(box["x"] + 0.55 * box["width"], box["y"] + down)
        page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + down)
        page.wait_for_timeout(30)
        if any(text in said for said in page.locator(".bk-tooltip-content").all_inner_texts()):
            return True
    return False


def test_what_cannot_be_drawn_takes_nothing_else_away():
    """One part of another kind costs its own chart or table; what the trial does not tell is said."""
    trial = trial_of("a", 1)
    whole = trial_page.described(trial)
    assert whole["untold"] == []
    odd = copy.deepcopy(trial)
    odd["data"]["predicted_actual"] = {"edges": [], "counts": [[1, 2, 3]]}
    del odd["data"]["by_state"]
    assert set(trial_page.described(trial, odd)["charts"]) == {*whole["charts"], "priority_against"}
    shown = trial_page.described(odd)
    assert len(shown["tables"]) == 2
    assert list(shown["charts"]) == ["errors", "priority", "by_priority"]
    assert shown["untold"] == [trial_page.CHARTS[name] for name in ("by_state", "target", "predictions")]


@pytest.mark.parametrize(("mae", "said"), [(3600.0 * 7, "0.0 h higher"), (3600.0, "6.0 h lower")])
def test_a_difference_is_held_against_chance(mae, said):
    """Two standard errors of 1 h and 2 h make 1.96 sqrt(5) = 4.4 h of difference; 6 h are more, none is not."""
    data = {"num_obs": 9, "metrics": {"MAE": mae}, "standard_errors": {"MAE": 3600.0}}
    other = {"num_obs": 9, "metrics": {"MAE": 7 * 3600.0}, "standard_errors": {"MAE": 7200.0}}
    found = trial_page.described({"id": "a", "data": data}, {"id": "b", "data": other})["difference"]
    assert said in found
    assert f"{'more' if mae == 3600 else 'no more'} than chance makes of two batches (4.4 h" in found
    assert trial_page.described({"id": "a", "data": data}, {"id": "b", "data": {}})["difference"] == ""


@pytest.mark.slow
def test_the_page_in_a_browser(home):
    """A trial is compared with another by keyboard, all passes axe-core, and names in the log do not run."""
    first, second = trial_of("first", 1), trial_of("second", 2)
    hostile = copy.deepcopy(trial_of("hostile", 3))
    hostile["source"] = hostile["model"] = HOSTILE
    hostile["parameters"] = {HOSTILE: HOSTILE}
    for groups in ("by_priority", "by_state"):
        hostile["data"][groups][0]["group"] = HOSTILE
    store = TrialStore()
    for trial in (first, second, hostile):
        store.write(trial)
    with dashboard(home) as address, chromium() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        problems = watched(page)
        page.goto(f"{address}trial?id=first")
        page.wait_for_selector("canvas")
        assert page.locator("figure canvas").count() >= 6
        page.get_by_label("Compare with").select_option("second")
        page.get_by_label("Compare with").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_url("**/trial?id=first&against=second")
        page.wait_for_selector("canvas")
        text = page.inner_text("main")
        for trial in (first, second):
            assert f"{trial['data']['metrics']['MAE']:,.0f} s" in text
        assert violations(page) == []
        shoot(page, "trial")
        for address_of in (page.url, f"{address}trial?id=hostile&against=first"):
            page.set_viewport_size({"width": 360, "height": 900})
            page.goto(address_of)
            page.wait_for_selector("canvas")
            assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.set_viewport_size({"width": 1400, "height": 900})
        assert told_by_hovering(page, "by_priority", HOSTILE)
        assert page.title() != "run"
        assert page.locator("img[src=x]").count() == 0
        assert HOSTILE in page.inner_text("main")
        assert problems == []
        page.goto(f"{address}trial?id=none-such")
        assert "no such trial" in page.inner_text("h1")
