"""The trials of a store as columns, with what is usual for each metric, kept up to date by reading what is new."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from helpers import usual_range
from helpers.exceptions import StoreError
from helpers.trial_columns import METRICS, TrialColumns
from helpers.trials import TrialStore

if TYPE_CHECKING:
    import pandas as pd  # 0.6 s, paid by the first refresh

SERIES = ("notebook", "source", "model", "model_version")
BACKFILL = "backfill"  # the name of the schedule of trials that fill a gap
MARGIN = timedelta(minutes=10)  # that a trial may take from its end to the store, before all ids are compared
_PART = 10_000  # rows that are Python's objects at a time, which take ten times a column's room
_MOST_PIECES = 100
_TEXTS = ("run", *SERIES, "schedule", "scheduled_at", "finished_at", "parameters")


class TrialHistory:
    """The trials of a store.

    Parameters
    ----------
    store : TrialStore

    Attributes
    ----------
    table : DataFrame of shape (n_trials, n_columns)
        Indexed by trial id, in the order of their times; see `trials_table`. Replaced, never changed in place: who has
        it keeps what they have.
    problem : str or None
        Why it is not up to date: one line, without secrets. The table stays what it was.
    has_read : bool
        Whether the store was read at least once: an empty table says nothing before.
    """

    def __init__(self, store: TrialStore):
        self._store = store
        self._census: tuple[int, str] = (0, "")
        self._table: pd.DataFrame | None = None
        self._series: dict[tuple, int] = {}
        self._additions = 0
        self.problem: str | None = None
        self.has_read = False

    @property
    def table(self) -> "pd.DataFrame":
        """The trials as they were at the last refresh."""
        if self._table is None:
            self._table = trials_table([])
        return self._table

    def refresh(self) -> list[str]:
        """Read what is new.

        Returns
        -------
        list of str
            The ids of the new trials, in the order of their times.
        """
        try:
            census = self._store.census()
            new = self._read(census) if census != self._census or not self.has_read else []
        except StoreError as error:
            self.problem = str(error)
            return []
        self._census, self.has_read, self.problem = census, True, None
        return new

    def _read(self, census: tuple[int, str]) -> list[str]:
        before = self.table
        if before.empty:
            self._series = {}
            self._table = _judged(_ordered(_typed(self._store.columns(), self._series)))
            return self._table.index.tolist()
        known = before.index
        # Most often that is all: what has finished since, or shortly before.
        new = _unknown(self._store.ids(_with_margin(self._census[1])), known)
        gone: pd.Index = known[:0]
        if len(known) + len(new) != census[0]:
            # Stored late, by a clock that went back, or deleted.
            stored = self._store.ids()
            new, gone = _unknown(stored, known), known[~known.isin(stored)]
        kept = before.drop(gone) if len(gone) else before
        added = _typed(self._store.columns(sorted(new)), self._series)
        self._additions += 1
        # Each addition makes texts a piece longer; put out of order, sorting makes one piece of them.
        parts = [added, kept] if self._additions % _MOST_PIECES == 0 else [kept, added]
        self._table = _extended(parts, None if len(gone) else added.index)
        return self._table.index[self._table.index.isin(added.index)].tolist()


def trials_table(rows: Iterable[TrialColumns]) -> "pd.DataFrame":
    """Trials as columns, in the order of their times.

    Parameters
    ----------
    rows : list of TrialColumns
        See `TrialStore.columns`.

    Returns
    -------
    DataFrame of shape (n_trials, n_columns)
        Indexed by trial id. `at`: the tick, so that a back-filled trial stands where it belongs, or the end of a trial
        by hand (UTC; NaT where neither is a time); `finished`, the end; `run`, `notebook`, `source`, `model`,
        `model_version`, `schedule`, `parameters` (JSON), `scheduled_at`, `finished_at`: str; `is_backfill`; `num_obs`:
        int; `series`: int, the same for trials of the same notebook, source, model and model version. For each metric M
        of MAE, MedAE (seconds), MSE (seconds squared) and R2: `M`, its standard error `M_se`, and `M_median`,
        `M_spread` and `M_outside` as `usual_range.usual_range` gives them.
    """
    return _judged(_ordered(_typed(rows, {})))


def standard_error(metric: str) -> str:
    """The column with a metric's standard errors."""
    return f"{metric}_se"


def _typed(rows: Iterable[TrialColumns], series: dict[tuple, int]) -> "pd.DataFrame":
    """The rows with their types, and numbers for their series, some of which may have one; metrics not judged yet."""
    import pandas as pd

    rows = iter(rows)
    parts = [_typed_part(list(islice(rows, _PART)), series)]
    while part := list(islice(rows, _PART)):
        parts.append(_typed_part(part, series))
    table = pd.concat(parts) if len(parts) > 1 else parts[0]
    # Trials from before there were standard errors: of a mean it follows from the mean of the squares.
    variance = (table["MSE"] - table["MAE"] ** 2).clip(lower=0) / table["num_obs"].where(table["num_obs"] > 1)
    table["MAE_se"] = table["MAE_se"].fillna(variance**0.5)
    for metric in METRICS:
        table[f"{metric}_median"] = table[f"{metric}_spread"] = np.nan
        table[f"{metric}_outside"] = False
    return table


def _typed_part(rows: list[TrialColumns], series: dict[tuple, int]) -> "pd.DataFrame":
    import pandas as pd

    table = pd.DataFrame(rows, columns=TrialColumns._fields).set_index("id")
    table["series"] = np.array(
        [series.setdefault((row.notebook, row.source, row.model, row.model_version), len(series)) for row in rows],
        "int32",
    )
    for field, name in (("metrics", str), ("standard_errors", standard_error)):
        numbers = np.array(table.pop(field).tolist(), float).reshape(-1, len(METRICS))
        table[[name(metric) for metric in METRICS]] = numbers
    table.index = table.index.astype("str")
    table = table.astype(dict.fromkeys(_TEXTS, "str") | {"num_obs": "int64"})
    for name, text in (("at", "scheduled_at"), ("finished", "finished_at")):
        times = pd.to_datetime(table[text], format="ISO8601", utc=True, errors="coerce")
        table[name] = times.astype("datetime64[us, UTC]")
    table["at"] = table["at"].fillna(table["finished"])
    table["is_backfill"] = (table["schedule"] == BACKFILL).to_numpy(bool)
    return table


def _ordered(table: "pd.DataFrame") -> "pd.DataFrame":
    """The table in the order of its times."""
    # NaT comes first by its number, last by Python's; here nobody sees where.
    order = np.lexsort((table["finished"].astype("int64"), table["at"].astype("int64")))
    return table if (np.diff(order) == 1).all() else table.iloc[order]


def _judged(table: "pd.DataFrame", is_new: np.ndarray | None = None) -> "pd.DataFrame":
    """The table with each metric judged; with `is_new`, only of the trials that new ones change."""
    columns = {}
    series = table["series"].to_numpy()
    for metric in METRICS:
        values, errors = table[metric].to_numpy(), table[standard_error(metric)].to_numpy()
        at = np.arange(len(values)) if is_new is None else usual_range.judged_anew(values, series, is_new)
        judged = usual_range.usual_range(values, series, errors, at)
        for name, given in (("median", "median"), ("spread", "spread"), ("outside", "is_outside")):
            column = table[f"{metric}_{name}"].to_numpy(copy=True)
            column[at] = judged[given]
            columns[f"{metric}_{name}"] = column
    return table.assign(**columns)


def _extended(parts: list["pd.DataFrame"], new: "pd.Index | None") -> "pd.DataFrame":
    """Tables as one, judged as far as the new trials change it; all anew without them."""
    import pandas as pd

    table = _ordered(pd.concat([part for part in parts if len(part)] or parts[:1]))
    return _judged(table, None if new is None else table.index.isin(new))


def _unknown(ids: set[str], known: "pd.Index") -> set[str]:
    return ids.difference(known[known.isin(ids)])


def _with_margin(finished_at: str) -> str:
    """A little before a trial's end; the beginning of all times where that is none."""
    try:
        return (datetime.fromisoformat(finished_at) - MARGIN).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError):
        return ""
