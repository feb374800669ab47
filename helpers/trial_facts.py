"""What a trial's document must say, and must not hold, to be stored."""

import math

from helpers.exceptions import StoreError

FACTS = (
    "id",
    "run",
    "notebook",
    "source",
    "source_sha256",
    "model",
    "model_version",
    "scheduled_at",
    "started_at",
    "finished_at",
)


def refuse_unfit(document: dict) -> None:
    """Refuse a document that no store takes: one that lacks a fact, or holds a NaN.

    Parameters
    ----------
    document : dict
        With `FACTS`, any of which may be None, and `data` with `num_obs`.

    Raises
    ------
    StoreError
        With the names of the facts, or the place of the NaN.
    """
    missing = [fact for fact in (*FACTS, "data") if fact not in document]
    if not missing and (not isinstance(document["data"], dict) or "num_obs" not in document["data"]):
        missing = ["data.num_obs"]
    if missing:
        raise StoreError(f"the trial lacks {', '.join(missing)}; it was not stored")
    _refuse_nan(document)


def _refuse_nan(value, where: str = "trial") -> None:
    """Refuse a NaN or an infinity anywhere in a document, by name: databases and JSON disagree on what they are."""
    if isinstance(value, dict):
        for key, item in value.items():
            _refuse_nan(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for position, item in enumerate(value):
            _refuse_nan(item, f"{where}[{position}]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise StoreError(f"{where} is {value}; the trial was not stored")
