"""Trials as a person reads them in a terminal: a table, and the trend of each series."""

import os
from collections import defaultdict

from helpers.exceptions import StoreError
from helpers.sparklines import sparkline
from helpers.terminal import cut, hours, is_number, moment, number, printable, table_lines
from helpers.trials import TrialStore

HEAD = ["finished (UTC)", "source", "model", "events", "MAE h", "MedAE h", "R2", "trial"]
SERIES = 5  # that are shown, those with the most trials
POINTS = 40  # of a series, the newest; fewer where the terminal is narrow


class TrialListing:
    """The newest trials of a store, of some models, sources or notebooks.

    Parameters
    ----------
    store : TrialStore
    last : int, optional
        At most so many.
    **facts : list of str
        The values of `model`, `source` or `notebook` to which the trials are limited.
    """

    def __init__(self, store: TrialStore, last: int | None = None, **facts: list[str]):
        self.store = store
        self.last = last
        self.facts = {name: values for name, values in facts.items() if values}
        self._seen: object = None
        self._documents: list[dict] = []

    def documents(self, last: int | None = None) -> list[dict]:
        """The trials' documents, newest first.

        Raises
        ------
        StoreError
            When the store cannot be read.
        """
        try:
            return self.store.documents(last or self.last, **self.facts)
        except (ValueError, TypeError) as error:
            raise StoreError(f"store {self.store}: a trial's document is no JSON ({error}); remove its row") from None

    def lines(self, width: int | None = None, height: int | None = None, colours: bool = False) -> list[str]:
        """The table; on a terminal, whose width is given, with each series' trend above it."""
        documents = self._current(height) if height else self.documents()
        rows = [_row(document) for document in documents]
        if width is None:
            return table_lines(HEAD, rows)
        trends = trend_lines(documents, width)
        return [*trends, *table_lines(HEAD, rows, width)][:height]

    def _current(self, height: int) -> list[dict]:
        """As many documents as are seen; a SQLite file that has not changed is not read again."""
        stamp = (height, *map(_stamp, (self.store.url.database, f"{self.store.url.database}-wal")))
        if self.store.dialect != "sqlite" or stamp != self._seen:
            self._documents, self._seen = self.documents(min(self.last or height, height)), stamp
        return self._documents


def trend_lines(documents: list[dict], width: int) -> list[str]:
    """For each series the trend of the MAE over the trials, in the order of their ticks.

    Parameters
    ----------
    documents : list of dict
        Trials' documents in any order; a series is what one notebook says of one model on one source.
    width : int
        Cells of the terminal.

    Returns
    -------
    list of str
        None for a series that has but one trial.
    """
    series = defaultdict(list)
    for one in sorted(documents, key=lambda one: str(_get(one, "scheduled_at") or _get(one, "finished_at") or "")):
        mae = _metrics(one).get("MAE")
        if is_number(mae):
            series[tuple(str(_get(one, name)) for name in ("model", "source", "notebook"))].append(mae)
    ranked = sorted((found for found in series.items() if len(found[1]) > 1), key=lambda found: -len(found[1]))
    lines = []
    for (model, source, notebook), values in ranked[:SERIES]:
        shown = values[-min(POINTS, max(width // 3, 2)) :]
        told = f"MAE h  {sparkline(shown)}  {hours(shown[0])} … {hours(shown[-1])} ({len(shown)})"
        lines.append(cut(printable(f"{told}  {model}, {source}, {notebook}"), width))
    if len(ranked) > SERIES:
        lines.append(f"and {len(ranked) - SERIES} more series")
    return [*lines, ""] if lines else []


def _row(document: dict) -> list[str]:
    metrics = _metrics(document)
    model = " ".join(str(_get(document, name)) for name in ("model", "model_version") if _get(document, name))
    return [
        moment(_get(document, "finished_at")),
        str(_get(document, "source") or "-"),
        model or "-",
        number(_data(document).get("num_obs"), ","),
        hours(metrics.get("MAE")),
        hours(metrics.get("MedAE")),
        number(metrics.get("R2"), ".4f"),
        str(_get(document, "id") or "-"),
    ]


def _get(document: object, name: str) -> object:
    return document.get(name) if isinstance(document, dict) else None


def _data(document: object) -> dict:
    data = _get(document, "data")
    return data if isinstance(data, dict) else {}


def _metrics(document: object) -> dict:
    metrics = _data(document).get("metrics")
    return metrics if isinstance(metrics, dict) else {}


def _stamp(path: str) -> tuple | None:
    try:
        told = os.stat(path)
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size, told.st_ino
