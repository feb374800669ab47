"""Tables of trials for tests of charts: as `trial_history` makes them, without a store."""

import json

from helpers.trial_columns import METRICS, TrialColumns
from helpers.trial_history import trials_table


def columns_of(document: dict) -> TrialColumns:
    """What a store's columns are of a trial's document."""
    data = document["data"]
    facts = [document[name] for name in TrialColumns._fields[:8]]
    numbers = [
        tuple(float("nan") if data.get(part, {}).get(name) is None else data[part][name] for name in METRICS)
        for part in ("metrics", "standard_errors")
    ]
    return TrialColumns(*facts, data["num_obs"], document.get("schedule"), json.dumps(document["parameters"]), *numbers)


def table_of(documents: list[dict]):
    """The history's table of some trials."""
    return trials_table([columns_of(document) for document in documents])
