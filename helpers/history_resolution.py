"""As many trials as a chart can show: where there are more, those that are near in time are put together."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd  # the callers have it

MOST = 1000  # points that a browser draws and moves without delay
MOST_OUTSIDE = 200  # trials outside the usual range that are kept single, the farthest
NEWEST = 20  # trials that are kept single
BESIDE_VIEW = 0.25  # of the points, for what lies beside the part of the time that is in view
COARSEST = 8  # times in which a lane is drawn, however many lanes there are


@dataclass(frozen=True)
class Resolved:
    """Trials as points.

    Attributes
    ----------
    singles : DataFrame of shape (n_singles, n_columns)
        Those that have a point of their own: rows of the table.
    groups : DataFrame of shape (n_groups, 9)
        Those that were put together: `lane`, `at` (the middle of their times), `begin`, `end` (the first's and the
        last's), `mean` (weighted by the number of tickets), `low`, `high` (the smallest and the largest), `num_trials`
        and `num_obs`.
    num_trials : int
        With a time and a value.
    num_outside : int
        Outside the usual range.
    num_outside_put_together : int
        Of these, those without a point of their own.
    """

    singles: "pd.DataFrame"
    groups: "pd.DataFrame"
    num_trials: int
    num_outside: int
    num_outside_put_together: int

    @property
    def num_points(self) -> int:
        """That are drawn."""
        return len(self.singles) + len(self.groups)


def resolve(
    table: "pd.DataFrame",
    metric: str,
    lanes: np.ndarray,
    view: "tuple[pd.Timestamp, pd.Timestamp] | None" = None,
    most: int = MOST,
) -> Resolved:
    """Put trials together until a chart can show them.

    Parameters
    ----------
    table : DataFrame
        See `trial_history.trials_table`.
    metric : str
    lanes : ndarray of int, of shape (n_trials,)
        Trials are put together with those of their lane alone.
    view : tuple of two Timestamp, optional
        The part of the time that is looked at, which gets three quarters of the points; by default all.
    most : int, default 1000
        Points, about: however many lanes there are, each gets a few.

    Returns
    -------
    Resolved
    """
    is_drawn = (table["at"].notna() & table[metric].notna()).to_numpy()
    # Rows are chosen once, at the end: each costs its texts too.
    drawn = table[["at", "num_obs", metric, f"{metric}_median", f"{metric}_outside"]]
    drawn, lanes = drawn[is_drawn], lanes[is_drawn]
    is_outside = drawn[f"{metric}_outside"].to_numpy()
    bins = _bins_of_all(drawn, metric, lanes, view, most)
    put = bins >= 0
    singles = table.iloc[np.flatnonzero(is_drawn)[~put]]
    groups = _groups(drawn[put], metric, lanes[put], bins[put])
    return Resolved(singles, groups, len(drawn), int(is_outside.sum()), int((is_outside & put).sum()))


def thinned(table: "pd.DataFrame", view: "tuple[pd.Timestamp, pd.Timestamp] | None" = None, most: int = 300):
    """Rows of a table at about equal distances, the first and last among them; more of those in view.

    Parameters
    ----------
    table : DataFrame
        With `at`, in its order.
    view : tuple of two Timestamp, optional
    most : int, default 300
    """
    if len(table) <= most:
        return table
    in_view = np.ones(len(table), bool) if view is None else table["at"].between(*view).to_numpy()
    kept = [
        places[np.unique(np.linspace(0, len(places) - 1, min(most // 2, len(places))).astype(int))]
        for places in (np.flatnonzero(in_view), np.flatnonzero(~in_view))
    ]
    return table.iloc[np.sort(np.concatenate(kept))]


def _bins_of_all(table: "pd.DataFrame", metric: str, lanes: np.ndarray, view: tuple | None, most: int) -> np.ndarray:
    """The same number for trials that are put together; -1 for those that are not."""
    bins = np.full(len(table), -1)
    if len(table) <= most:
        return bins
    is_single = _farthest(table, metric, min(MOST_OUTSIDE, most // 4))
    is_single[-NEWEST:] = True
    in_view = np.ones(len(table), bool) if view is None else table["at"].between(*view).to_numpy()
    room = most - is_single.sum()
    shares = ((in_view, 1.0),) if in_view.all() else ((in_view, 1 - BESIDE_VIEW), (~in_view, BESIDE_VIEW))
    for is_part, share in shares:
        is_part = is_part & ~is_single
        if is_part.sum() > share * room:
            bins[is_part] = bins.max() + 1 + _bins(table["at"][is_part], lanes[is_part], int(share * room))
    _, places, sizes = np.unique(bins, return_inverse=True, return_counts=True)
    bins[sizes[places] == 1] = -1
    return bins


def _farthest(table: "pd.DataFrame", metric: str, most: int) -> np.ndarray:
    """Which trials outside the usual range are kept single."""
    is_outside = table[f"{metric}_outside"].to_numpy(copy=True)
    if is_outside.sum() > most:
        distance = (table[metric] - table[f"{metric}_median"]).abs().to_numpy()
        distance = np.where(is_outside, distance, -1.0)
        is_outside[:] = False
        is_outside[np.argsort(-distance, kind="stable")[:most]] = True
    return is_outside


def _bins(at: "pd.Series", lanes: np.ndarray, most: int) -> np.ndarray:
    """A number for each trial, the same for those of a lane that are near in time; about `most` numbers in all."""
    present, lane = np.unique(lanes, return_inverse=True)
    numbers = at.astype("int64").to_numpy()
    share = (numbers - numbers[0]) / max(numbers[-1] - numbers[0], 1)

    def bins(n_times: int) -> np.ndarray:
        return lane * n_times + np.minimum(share * n_times, n_times - 1).astype(int)

    n_times = max(most // len(present), COARSEST)
    found = bins(n_times)
    # A lane that is empty for most of the time leaves its room to the others.
    while len(np.unique(finer := bins(n_times * 5 // 4))) <= most and n_times < most:
        n_times, found = n_times * 5 // 4, finer
    return found


def _groups(table: "pd.DataFrame", metric: str, lanes: np.ndarray, bins: np.ndarray) -> "pd.DataFrame":
    import pandas as pd

    # Trials of no tickets weigh as much as those of one: a mean of them alone is still a mean.
    weights = table["num_obs"].clip(lower=1).to_numpy(float)
    columns = {"bin": bins, "lane": lanes, "at": table["at"].to_numpy("datetime64[us]"), "weight": weights}
    columns |= {"value": table[metric].to_numpy(), "num_obs": table["num_obs"].to_numpy()}
    given = pd.DataFrame(columns)
    given["weighted"] = given["value"] * given["weight"]
    found = given.groupby("bin", sort=True).agg(
        lane=("lane", "first"),
        begin=("at", "min"),
        end=("at", "max"),
        low=("value", "min"),
        high=("value", "max"),
        num_trials=("value", "size"),
        num_obs=("num_obs", "sum"),
        weighted=("weighted", "sum"),
        weight=("weight", "sum"),
    )
    found["mean"] = found["weighted"] / found["weight"]
    found["at"] = found["begin"] + (found["end"] - found["begin"]) / 2
    return found.drop(columns=["weighted", "weight"]).reset_index(drop=True)
