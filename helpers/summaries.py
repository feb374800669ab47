"""The trial summary: the document that a trial leaves, in the seed's shape with what makes it comparable added."""

import pandas as pd

from helpers import metrics
from helpers.group_means import batch_means
from helpers.models import Model
from helpers.prediction_histogram import batch_prediction_histogram
from helpers.run_context import now
from helpers.scoring import ScoredLog
from helpers.standard_errors import batch_standard_errors
from helpers.tickets import TicketBatch


def trial_summary(
    trial_id: str, batch: TicketBatch, actuals: pd.Series, predictions: pd.Series, scores: dict, model: Model
) -> dict:
    """Collect a trial in one JSON-ready document.

    Parameters
    ----------
    trial_id : str
        Unique.
    batch : TicketBatch
    actuals, predictions : Series of float, seconds, of shape (n_events,)
    scores : dict of str to float or None
        By the names of `metrics.METRICS`.
    model : Model
        That made the predictions.

    Returns
    -------
    dict
        `id`; `data` with `num_obs`, `metrics`, `target` (mean, median, min, max, seconds), `num_default_guess`,
        `num_available`, `num_left_out`, `num_outside` (see `tickets.TicketBatch`), `notes`, `errors` (see
        `metrics.error_distribution`), `standard_errors` (see `standard_errors.standard_errors`), `predicted_actual`
        (see `prediction_histogram`), and where the batch has these columns `by_priority` (see `metrics.errors_by`)
        and `by_state` (see `group_means`); `seed`, `source`, `source_sha256`, `model` and
        `model_version`.
    """
    data = {
        "num_obs": len(actuals),
        "metrics": scores,
        "target": {how: float(actuals.agg(how)) for how in ("mean", "median", "min", "max")},
        "num_default_guess": model.num_default_guess(batch.events),
        "num_available": batch.num_available,
        "num_left_out": batch.num_left_out,
        "num_outside": batch.num_outside,
        "notes": batch.notes,
        "errors": metrics.error_distribution(actuals, predictions),
        "standard_errors": batch_standard_errors(actuals, predictions, scores),
        "predicted_actual": batch_prediction_histogram(actuals, predictions),
    }
    if "priority" in batch.events:
        data["by_priority"] = metrics.errors_by(batch.events["priority"], actuals, predictions)
    if "incident_state" in batch.events:
        data["by_state"] = batch_means(batch.events["incident_state"], actuals, predictions)
    return _summary(trial_id, data, batch, model)


def scored_summary(trial_id: str, scored: ScoredLog, model: Model) -> dict:
    """The same document of a log that was scored partition by partition.

    Parameters
    ----------
    trial_id : str
        Unique.
    scored : ScoredLog
        See `scoring.score_log`.
    model : Model
        That made the predictions.

    Returns
    -------
    dict
        As `trial_summary` gives it for all events at once.
    """
    return _summary(trial_id, scored.data, scored, model)


def _summary(trial_id: str, data: dict, batch: TicketBatch | ScoredLog, model: Model) -> dict:
    undefined = [
        f"{name} is not defined for {data['num_obs']} event" for name, v in data["metrics"].items() if v is None
    ]
    return {
        "id": trial_id,
        "data": data | {"notes": [*data["notes"], *undefined]},
        "seed": batch.seed,
        "source": batch.source,
        "source_sha256": batch.source_sha256,
        "model": model.name,
        "model_version": model.version,
    }


def trial_document(summary: dict, provenance: dict) -> dict:
    """The summary as it is stored: with the run that made it (see `run_context.provenance`) and the time now."""
    return {**summary, **provenance, "finished_at": now()}
