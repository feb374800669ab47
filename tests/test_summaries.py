"""The document that a trial leaves."""

import json

import pandas as pd
import pytest

from helpers import metrics, summaries
from helpers.models import PriorityHeuristic
from helpers.run_context import now
from helpers.tickets import TicketBatch
from helpers.trials import TrialStore

HOUR = 3600.0


def _summary(hours: list[float], notes: list[str] | None = None, **columns) -> dict:
    """The summary of a batch whose tickets took so many hours, each predicted as 24."""
    events = pd.DataFrame({"number": range(len(hours)), **columns})
    batch = TicketBatch(events, "sample", "a" * 64, 7, 500, 12, 3, notes or [])
    actuals = pd.Series(hours) * HOUR
    predictions = actuals * 0 + 24 * HOUR
    scores = {name: metrics.score(actuals, predictions, metric) for name, metric in metrics.METRICS.items()}
    return summaries.trial_summary("trial-1", batch, actuals, predictions, scores, PriorityHeuristic())


def test_the_documents_shape():
    """A summary has the seed's keys, with the numbers of four tickets that are known by hand."""
    summary = _summary([12, 20, 24, 44], priority=["2 - High", "2 - High", None, "4 - Lower"])
    assert set(summary) == {"id", "data", "seed", "source", "source_sha256", "model", "model_version"}
    assert {name: summary[name] for name in summary if name != "data"} == {
        "id": "trial-1",
        "seed": 7,
        "source": "sample",
        "source_sha256": "a" * 64,
        "model": "priority",
        "model_version": "1",
    }
    data = summary["data"]
    # Predicted 24 h throughout: off by 12, 4, 0 and -20 hours. The mean is 25 h, and the squares about it are
    # 169, 25, 1 and 361.
    assert data["metrics"] == pytest.approx(
        {"MAE": 9 * HOUR, "MedAE": 8 * HOUR, "MSE": 140 * HOUR**2, "R2": 1 - 560 / 556}
    )
    assert data["target"] == {"mean": 25 * HOUR, "median": 22 * HOUR, "min": 12 * HOUR, "max": 44 * HOUR}
    assert (data["num_obs"], data["num_default_guess"]) == (4, 2)
    assert (data["num_available"], data["num_left_out"], data["num_outside"], data["notes"]) == (500, 12, 3, [])
    assert sum(data["errors"]["counts"]) == 4
    assert [(group["group"], group["num_obs"]) for group in data["by_priority"]] == [
        ("2 - High", 2),
        ("4 - Lower", 1),
        (None, 1),
    ]


def test_json_gives_the_same_document():
    """A summary is JSON: it comes back equal, without NaN."""
    for summary in (_summary([12, 20], priority=["2 - High", None]), _summary([12], priority=[None])):
        assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_a_batch_without_priority_has_no_groups():
    """A model that needs no priority leaves a summary without the errors by priority."""
    batch = TicketBatch(pd.DataFrame({"number": [1]}), "sample", "a" * 64, 1, 1, 0)
    model = type("Model", (), {"name": "m", "version": "2", "num_default_guess": lambda self, events: 0})()
    summary = summaries.trial_summary("t", batch, pd.Series([HOUR]), pd.Series([HOUR]), {"MAE": 0.0}, model)
    assert "by_priority" not in summary["data"]
    assert (summary["model"], summary["model_version"]) == ("m", "2")


def test_notes_say_what_is_not_defined():
    """A batch's notes are kept, and a metric that is not defined is noted."""
    summary = _summary([12], notes=["batch_size is larger than the log"], priority=["2 - High"])
    assert summary["data"]["metrics"]["R2"] is None
    assert summary["data"]["notes"] == ["batch_size is larger than the log", "R2 is not defined for 1 event"]


def test_a_document_is_fit_for_the_store():
    """With the run's facts and the time now a summary is what the store takes and gives back."""
    facts = ("run", "flow_run", "notebook", "scheduled_at")
    provenance = dict.fromkeys(facts) | {"started_at": now(), "parameters": {"seed": 7}, "versions": {}}
    document = summaries.trial_document(_summary([12], priority=["2 - High"]), provenance)
    assert document["started_at"] <= document["finished_at"] <= now()
    assert TrialStore().write(document)
    assert TrialStore().documents() == [document]
