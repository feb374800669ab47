"""Watching 100,000 trials and 20,000 runs, beside 100 and 20, in a real browser: `make benchmark`."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from urllib.request import urlopen

import psutil

from helpers import metrics, models, runs, summaries, tickets, trials
from tests.benchmarks.evaluation import DAYBOOK
from tests.browser import chromium, dashboard_process, wait_until

SMALL, LARGE = (100, 20), (100_000, 20_000)  # trials, runs
ROUNDS = int(os.environ.get("DAYBOOK_BENCHMARK_ROUNDS", 5))
BROWSERS = 10
BATCHES = 50  # drawn and scored; the other trials repeat them at other times
SOURCES = ("sample", "uci", "runs/large")
LISTINGS = 5


def documents(number: int) -> Iterator[dict]:
    """Trials of batches of the sample, one a minute up to now, of three sources."""
    model = models.load("priority")
    scored = []
    for seed in range(1, BATCHES + 1):
        batch = tickets.draw_batch("sample", 200, seed, model.columns)
        actuals, predictions = tickets.time_to_close(batch.events), model.predict(batch.events)
        scores = {name: metrics.score(actuals, predictions, metric) for name, metric in metrics.METRICS.items()}
        scored.append(summaries.trial_summary("", batch, actuals, predictions, scores, model))
    begin = datetime.now(UTC) - timedelta(minutes=number)
    for place in range(number):
        at = (begin + timedelta(minutes=place)).isoformat(timespec="milliseconds")
        yield (
            scored[place % BATCHES]
            | {
                "id": str(uuid.UUID(int=place + 1)),
                "run": f"run-{place}",
                "notebook": "evaluate_ticket_model.ipynb",
                "source": SOURCES[place % len(SOURCES)],
                "parameters": {"batch_size": 200, "seed": place % BATCHES + 1},
                "schedule": None,
                "versions": {"dask": "2026.8.0", "pandas": "3.1.1", "scikit-learn": "1.9.1"},
            }
            | dict.fromkeys(("scheduled_at", "started_at", "finished_at"), at)
        )


def make_home(home: Path, n_trials: int, n_runs: int) -> None:
    """A home with so many trials, and run folders with their `run.json`."""
    os.environ["DAYBOOK_HOME"] = str(home)
    made = documents(n_trials)
    trials.TrialStore().write(next(made))  # makes the tables
    facts = (*trials.FACTS, "num_obs", "document")
    rows = ([one[fact] for fact in trials.FACTS] + [one["data"]["num_obs"], json.dumps(one)] for one in made)
    with contextlib.closing(sqlite3.connect(home / "trials.sqlite")) as store, store:
        store.executemany(f"INSERT INTO trials ({', '.join(facts)}) VALUES ({', '.join('?' * len(facts))})", rows)
    record = runs.RunRecord("evaluate_ticket_model.ipynb", {"source": "sample", "batch_size": 200})
    record.finish("completed")
    pattern = record.facts | {"cells": 20, "cells_done": 20, "seconds": 3.0}
    begin = datetime.now(UTC) - timedelta(minutes=n_runs)
    for place in range(1, n_runs):
        at = begin + timedelta(minutes=place)
        run = f"{at:%Y%m%dT%H%M%SZ}-evaluate_ticket_model-{place:08x}"
        times = dict.fromkeys(("scheduled_at", "started_at", "finished_at"), at.isoformat(timespec="milliseconds"))
        failed = {"state": "failed", "error": f"cell [7] ValueError: no. {place}"} if place % 10 == 0 else {}
        (home / run).mkdir()
        (home / run / "run.json").write_text(json.dumps(pattern | times | failed | {"run": run}))


@contextlib.contextmanager
def watched_home(home: Path) -> Iterator[tuple[str, psutil.Process, float]]:
    """The dashboard of a home: its address, its process, and the seconds until it had read all."""
    began = time.perf_counter()
    with dashboard_process(home) as (address, process):
        while json.loads(urlopen(f"{address}health").read())["problem"]:
            time.sleep(0.05)
        yield address, psutil.Process(process.pid), time.perf_counter() - began


def first_paint(browser, address: str) -> float:
    """Seconds from asking for the trials to the drawn chart, in a browser that has nothing cached."""
    page = browser.new_context().new_page()
    began = time.perf_counter()
    page.goto(f"{address}trials")
    wait_until(page, "!!window.Bokeh?.documents[0]?.is_idle")
    seconds = time.perf_counter() - began
    page.context.close()
    return seconds


def filtered(page, label: str, values: list[str], seen: str) -> float:
    """Median seconds from a choice to what it changes on the page."""
    taken = []
    for value in values * ROUNDS:
        before = page.inner_html(seen)
        began = time.perf_counter()
        page.get_by_label(label).first.select_option(value)
        while page.inner_html(seen) == before:
            page.wait_for_timeout(5)
        taken.append(time.perf_counter() - began)
    return median(taken)


def new_trial(browser, home: Path, address: str, process: psutil.Process) -> None:
    """What a trial costs that is stored while browsers look: until it is there, bytes, CPU."""
    received: list[int] = []
    pages = [browser.new_page() for _ in range(BROWSERS)]
    pages[0].on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    for page in pages:
        page.goto(f"{address}trials")
        page.wait_for_selector("canvas")
    pages[0].wait_for_timeout(3000)
    print(f"  memory with {BROWSERS} browsers    {process.memory_info().rss / 2**20:6.0f} MB (aim 400)")
    taken, sizes = [], []
    for number in range(3):
        received.clear()
        [document] = documents(1)
        before = [page.inner_html("#reading") + page.inner_html("#latest") for page in pages]
        trials.TrialStore(str(home / "trials.sqlite")).write(document | {"id": f"new-{number}", "run": f"new-{number}"})
        began = time.perf_counter()
        for page, shown in zip(pages, before, strict=True):
            while page.inner_html("#reading") + page.inner_html("#latest") == shown:
                page.wait_for_timeout(20)
        taken.append(time.perf_counter() - began)
        pages[0].wait_for_timeout(300)
        sizes.append(sum(received))
    print(
        f"  a new trial, in all {BROWSERS}      {max(taken):6.2f} s at most (aim 5), {median(sizes):,.0f} bytes to each"
    )
    for page in pages:
        page.close()


def listings(home: Path) -> None:
    """The commands that only read, beside an import that they cannot do without."""
    environment = os.environ | {"DAYBOOK_HOME": str(home)}
    base = [sys.executable, "-c", "import sqlalchemy"]
    commands = {
        "import sqlalchemy": base,
        "runs --last 20": [str(DAYBOOK), "runs", "--last", "20"],
        "trials --last 20": [str(DAYBOOK), "trials", "--last", "20"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(LISTINGS):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, env=environment, check=True, capture_output=True)
            taken[name].append(time.perf_counter() - began)
    least = median(taken.pop("import sqlalchemy"))
    for name, seconds in taken.items():
        print(f"  daybook {name:18s} {median(seconds):6.2f} s, {median(seconds) / least:.1f} times the import (aim 3)")


def main() -> None:
    """Make both homes, and look at them in turn."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        homes = [Path(folder, name) for name in ("small", "large")]
        for home, size in zip(homes, (SMALL, LARGE), strict=True):
            home.mkdir()
            make_home(home, *size)
        small, large = (stack.enter_context(watched_home(home)) for home in homes)
        browser = stack.enter_context(chromium())
        paints: dict[str, list[float]] = {"small": [], "large": []}
        for _ in range(ROUNDS):
            for name, (address, *_) in (("small", small), ("large", large)):
                paints[name].append(first_paint(browser, address))
        address, process, started = large
        few, many = median(paints["small"]), median(paints["large"])
        print(f"{LARGE[0]:,} trials and {LARGE[1]:,} runs, beside {SMALL[0]} and {SMALL[1]}")
        print(f"  until all is read          {started:6.2f} s from the command on, {small[2]:.2f} s of the few")
        print(f"  first paint                {many:6.2f} s, {few:.2f} s of the few: ratio {many / few:.2f} (aim 1.5)")
        page = browser.new_page()
        page.goto(f"{address}trials")
        page.wait_for_selector("canvas")
        page.wait_for_timeout(1000)
        took = filtered(page, "Source", ["uci", "sample"], "#latest")
        print(f"  a filter of the trials     {took:6.3f} s (aim 0.3)")
        page.goto(f"{address}runs")
        took = filtered(page, "State", ["failed", "completed"], "[data-live]")
        print(f"  a filter of the runs       {took:6.3f} s (aim 0.3)")
        page.close()
        print(f"  memory of the server       {process.memory_info().rss / 2**20:6.0f} MB (aim 400)")
        new_trial(browser, homes[1], address, process)
        listings(homes[1])


if __name__ == "__main__":
    main()
