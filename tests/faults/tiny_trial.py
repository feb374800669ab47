"""A `daybook serve` of a tiny notebook, and cells that store a trial without a flow in a fraction of a second."""

import uuid
from collections.abc import Callable
from pathlib import Path

from serve_process import Serve

TRIAL = """
from helpers import trials
from helpers.run_context import current, now
context = current()
told = {name: getattr(context, name) for name in ("run", "notebook", "scheduled_at", "schedule", "flow_run")}
told |= {"parameters": {}, "started_at": now(), "versions": {}}
made = {"source": "tiny", "source_sha256": "0" * 64, "model": "none", "model_version": "1"}
made |= {"data": {"num_obs": 1, "metrics": {"MAE": 0.0, "MedAE": 0.0, "MSE": 0.0, "R2": None}}}
"""
STORE = "trials.keep({'id': trials.trial_id(told), **made, **told, 'finished_at': now()})"


def serve_of(write_nb: Callable, code: list[str], *options: str, parameters: str = "", url: str | None) -> Serve:
    """A `Serve` of a notebook of these cells, with a name of its own: tests share a Prefect server."""
    notebook: Path = write_nb(code, "", f"n{uuid.uuid4().hex[:8]}.ipynb")
    journal = f"journal: str = {str(notebook.with_suffix('.journal'))!r}"
    return Serve(write_nb(code, f"{journal}\n{parameters}", notebook.name), *options, url=url)
