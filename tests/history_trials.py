"""Trials for tests of histories: documents with what a chart shows, and nothing else."""

import copy
from datetime import UTC, datetime, timedelta

import numpy as np

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3600.0


def trial(number: int, mae_hours: float | None = 100.0, **facts) -> dict:
    """The document of a trial by hand, at the hour of its number."""
    at = (BEGIN + timedelta(hours=number)).isoformat(timespec="milliseconds")
    mae = None if mae_hours is None else mae_hours * HOUR
    given = {
        "id": f"trial-{number}",
        "run": f"run-{number}",
        "notebook": "tiny.ipynb",
        "source": "sample",
        "source_sha256": "a" * 64,
        "model": "priority",
        "model_version": "1",
        "scheduled_at": None,
        "started_at": at,
        "finished_at": at,
        "parameters": {"batch_size": 1000, "seed": number},
        "data": {
            "num_obs": 1000,
            "metrics": {"MAE": mae, "MedAE": 50 * HOUR, "MSE": (200 * HOUR) ** 2, "R2": -0.125},
            "standard_errors": {"MAE": 2 * HOUR, "MedAE": HOUR, "MSE": HOUR**2, "R2": 0.01},
        },
    }
    return copy.deepcopy(given) | facts


def trials(number: int, outside: tuple[int, ...] = (), **facts) -> list[dict]:
    """Trials of each hour around 100 h, the same each time; some far above."""
    values = np.random.default_rng(1).normal(100, 2, number)
    return [trial(place, 300.0 if place in outside else float(values[place]), **facts) for place in range(number)]
