"""A home for tests of the dashboard: runs with files of each kind, and trials."""

import json
from pathlib import Path

from helpers.trials import TrialStore

RUNS = [f"2026010{day}T000000Z-tiny-0000000{day}" for day in (1, 2)]
HOSTILE = "<img src=x onerror=\"document.title='run'\">"
# Says in its text what a page in the sandbox can reach.
REPORT = """<!DOCTYPE html><html lang="en"><title>Report</title><p id="said"></p><script>
const said = [];
const tries = {
  cookie: () => document.cookie, storage: () => localStorage.length, parent: () => parent.document.title + top.origin,
};
for (const [name, call] of Object.entries(tries)) {
  try { said.push(name + " " + (parent === window && name === "parent" ? "none" : call() ?? "")); }
  catch (error) { said.push(name + " " + error.name); }
}
fetch("../../health").then(() => said.push("fetch"), () => said.push("fetch refused")).finally(
  () => { document.getElementById("said").textContent = said.join(", "); });
</script></html>"""
DASK_REPORT = """<!DOCTYPE html><html lang="en"><head><title>Dask Performance Report</title>
<link rel="shortcut icon" href="https://docs.dask.org/en/latest/_static/images/favicon.ico" />
<script src="https://cdn.bokeh.org/bokeh/release/bokeh-3.9.2.min.js"></script>
<script src="https://cdn.bokeh.org/bokeh/release/bokeh-widgets-3.9.2.min.js"></script>
</head><body><script>document.body.append(typeof Bokeh.Models, " loaded")</script></body></html>"""


def make_home(home: Path, url: str = "") -> None:
    """Fill a home with two runs, and a store with their trials."""
    home.mkdir(parents=True, exist_ok=True)
    store = TrialStore(url or str(home / "trials.sqlite"))
    for number, run in enumerate(RUNS):
        trial = trial_of(f"trial-{number}", run, number)
        add_run(
            home, run, trial=trial["id"], error=HOSTILE if number else None, state="failed" if number else "completed"
        )
        (home / run / "trial.json").write_text(json.dumps(trial))
        store.write(trial)


def add_run(home: Path, run: str, **facts) -> None:
    """Add a finished run."""
    times = dict.fromkeys(("started_at", "finished_at"), f"{run[:4]}-{run[4:6]}-{run[6:8]}T00:00:00.000+00:00")
    given = {"run": run, "notebook": "tiny.ipynb", "state": "completed", "parameters": {"a": 1}, "seconds": 1.0}
    hidden = home / f".{run}"
    hidden.mkdir()
    (hidden / "run.json").write_text(json.dumps(given | times | facts))
    (hidden / "run.log").write_text("one\n<b>two</b>\n")
    (hidden / "tiny.html").write_text(REPORT)
    (hidden / "tiny.ipynb").write_text("{}")
    (hidden / "dask-report.html").write_text(DASK_REPORT)
    hidden.rename(home / run)


def trial_of(trial: str, run: str | None, number: int) -> dict:
    """A trial with the least that a store takes, and a distribution of errors to be drawn."""
    time = f"2026-01-0{number + 1}T00:00:00.000+00:00"
    return {
        "id": trial,
        "run": run,
        "notebook": "tiny.ipynb",
        "source": "sample",
        "source_sha256": "0",
        "model": "priority",
        "model_version": "1",
        "scheduled_at": None,
        "started_at": time,
        "finished_at": time,
        "seed": 1,
        "parameters": {"note": HOSTILE},
        "data": {
            "num_obs": 10,
            "metrics": {"MAE": 3600.0 * (number + 1), "MedAE": 1800.0, "MSE": 2e7, "R2": 0.5},
            "errors": {"edges": [-86400.0 * 9, -86400.0, 0.0, 86400.0, 86400.0 * 9], "counts": [1, 4, 3, 2]},
        },
    }
