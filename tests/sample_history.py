"""A store with a history, for the notebook that shows one: the same trials of the embedded sample each time."""

from datetime import UTC, datetime, timedelta

from helpers import metrics, models, summaries, tickets
from helpers.trials import TrialStore

FIRST = datetime(2016, 3, 15, tzinfo=UTC)
NUMBER, BACKFILLED = 36, 12
EVERY, WINDOW = timedelta(days=3), timedelta(days=14)
BATCH_SIZE = 300


def write_sample_history() -> None:
    """Store a trial each third day, of tickets closed in the two weeks before; the first ones are back-filled."""
    store, model = TrialStore(), models.load("priority")
    for number in range(NUMBER):
        end = FIRST + number * EVERY
        window = {"closed_from": (end - WINDOW).isoformat(), "closed_to": end.isoformat()}
        batch = tickets.draw_batch("sample", BATCH_SIZE, number + 1, model.columns, **window)
        actuals, predictions = tickets.time_to_close(batch.events), model.predict(batch.events)
        scores = {name: metrics.score(actuals, predictions, metric) for name, metric in metrics.METRICS.items()}
        summary = summaries.trial_summary(f"trial-{number}", batch, actuals, predictions, scores, model)
        at = end.isoformat(timespec="milliseconds")
        provenance = {
            "run": f"run-{number}",
            "flow_run": None,
            "notebook": "evaluate_ticket_model.ipynb",
            "parameters": {"source": "sample", "batch_size": BATCH_SIZE, **window},
            "scheduled_at": at,
            "schedule": "backfill" if number < BACKFILLED else "every-third-day",
            "started_at": at,
            "versions": {},
        }
        store.write(summaries.trial_document(summary, provenance) | {"finished_at": at})
