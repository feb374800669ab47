"""What stands on top of a report: the run, how it ended and why, its trial's metrics, its parameters."""

import json
import math
from pathlib import Path

from helpers.report_outputs import without_places
from helpers.terminal import is_number

NAMES = {"R2": "R²"}
ORDER = ("MAE", "MedAE", "MSE", "R2")
ENDS = {
    "completed": "The run completed.",
    "failed": "The run failed.",
    "crashed": "The run crashed.",
    "cancelled": "The run was cancelled.",
    "skipped": "The run was skipped.",
}


def read_trial(folder: Path) -> dict:
    """The document of a run's trial in its folder; empty where there is none that can be read."""
    try:
        trial = json.loads((folder / "trial.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return trial if isinstance(trial, dict) else {}


def facts(run: dict, trial: dict) -> dict:
    """What stands on top, as texts.

    Parameters
    ----------
    run : dict
        The facts of `run.json`; any may be missing.
    trial : dict
        The document of its trial; empty where there is none.

    Returns
    -------
    dict
        `state` (a sentence), `error`, `rows` (name and value of what the run was), `metrics` (see `metric_rows`),
        `size` (of the batch, a text) and `parameters` (name, value, and whether it was given to the run).
    """
    data = trial.get("data") if isinstance(trial.get("data"), dict) else {}
    error, state = run.get("error"), str(run.get("state") or "")
    return {
        "state": ENDS.get(state, f"State of the run: {state}." if state else ""),
        "is_completed": state == "completed",
        "error": without_places(str(error)) if error else "",
        "rows": _rows(run, trial),
        "metrics": metric_rows(data),
        "size": _size(data),
        "parameters": _parameters(run.get("parameters"), trial.get("parameters")),
    }


def metric_rows(data: dict) -> list[tuple[str, str, str, str]]:
    """A trial's metrics as texts.

    Parameters
    ----------
    data : dict
        The `data` of a trial's document: `metrics`, and `standard_errors` in newer ones, by name; MAE and MedAE in
        seconds, MSE in seconds squared.

    Returns
    -------
    list of tuple
        Name, value with unit, value in hours, standard error (of the MSE in seconds squared, else in hours); an empty
        text for what there is not.
    """
    metrics, errors = (
        data.get(part) if isinstance(data.get(part), dict) else {} for part in ("metrics", "standard_errors")
    )
    names = [*(name for name in ORDER if name in metrics), *sorted(set(metrics) - set(ORDER))]
    return [
        (NAMES.get(name, name), *_reading(name, metrics[name]), _uncertainty(name, errors.get(name))) for name in names
    ]


def _reading(name: str, value: object) -> tuple[str, str]:
    if not is_number(value):
        return "not defined", ""
    if name in ("MAE", "MedAE"):
        return f"{value:,.0f} s", f"{value / 3600:,.1f} h"
    if name == "MSE":
        return f"{value:.4g} s²", f"({math.sqrt(value) / 3600:,.1f} h)²" if value >= 0 else ""
    return (f"{value:.4f}" if name == "R2" else f"{value:,.6g}"), ""


def _uncertainty(name: str, error: object) -> str:
    if not is_number(error):
        return ""
    if name in ("MAE", "MedAE"):
        return f"± {error / 3600:,.1f} h"
    return f"± {error:.2g} s²" if name == "MSE" else f"± {error:,.2g}"


def _size(data: dict) -> str:
    number, available = data.get("num_obs"), data.get("num_available")
    if not is_number(number):
        return ""
    return f"n = {number:,}" + (f" of {available:,}" if is_number(available) else "") + " events"


def _rows(run: dict, trial: dict) -> list[tuple[str, str]]:
    """What the run was, as far as it is known."""
    model = " ".join(str(trial[part]) for part in ("model", "model_version") if trial.get(part))
    attempt = run.get("attempt")
    rows = {
        "run": run.get("run"),
        "notebook": run.get("notebook"),
        "schedule": run.get("schedule"),
        "tick": run.get("scheduled_at"),
        "attempt": attempt if is_number(attempt) and attempt > 1 else None,
        "started": run.get("started_at"),
        "trial": run.get("trial"),
        "source": trial.get("source"),
        "model": model,
    }
    return [(name, without_places(str(value))) for name, value in rows.items() if value]


def _parameters(given: object, used: object) -> list[tuple[str, str, bool]]:
    """The parameters that were given, then those that the trial says were used besides."""
    given, used = (values if isinstance(values, dict) else {} for values in (given, used))
    return [
        (str(name), without_places(_told(value)), name in given)
        for name, value in (given | {name: used[name] for name in used if name not in given}).items()
    ]


def _told(value: object) -> str:
    """A value as it is written in a parameters file; an empty text would not be seen without its quotes."""
    return value if isinstance(value, str) and value else json.dumps(value, default=str)
