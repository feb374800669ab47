"""Means by group: by hand, against pandas, merged, and of missing names."""

import numpy as np
import pandas as pd
import pytest

from helpers.group_means import batch_means, group_means, means_by
from helpers.region_counts import SLICE


def test_means_by_hand():
    """Of two events of one state, and one of none, the means are told, the missing one last."""
    found = batch_means(pd.Series(["New", None, "New"]), [0.0, 5.0, 10.0], [4.0, 5.0, 8.0])
    assert found == [
        {"group": "New", "num_obs": 2, "predicted": 6.0, "actual": 5.0, "mae": 3.0},
        {"group": None, "num_obs": 1, "predicted": 5.0, "actual": 5.0, "mae": 0.0},
    ]


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
def test_they_are_those_of_pandas(dtype):
    """Whatever the column's type, each group's means are pandas' own."""
    rng = np.random.default_rng(2)
    groups = pd.Series(rng.choice(["Active", "Closed", "New"], 500)).astype(dtype)
    y_true, y_pred = rng.exponential(1000, (2, 500))
    table = pd.DataFrame({"predicted": y_pred, "actual": y_true, "mae": np.abs(y_pred - y_true)})
    expected = table.groupby(groups.astype(object)).mean()
    found = pd.DataFrame(batch_means(groups, y_true, y_pred)).set_index("group")
    pd.testing.assert_frame_equal(found[expected.columns], expected, check_names=False, check_index_type=False)


def test_parts_add_up():
    """Sums of partitions that name other groups add up; one without events is left out."""
    one = means_by(np.array([0, 0]), ["New", "Closed"], np.array([1.0, 3.0]), np.array([1.0, 3.0]))
    other = means_by(np.array([0]), ["New"], np.array([5.0]), np.array([8.0]))
    merged = one | {"New": one["New"] + other["New"]}
    assert group_means(merged) == [{"group": "New", "num_obs": 3, "predicted": 4.0, "actual": 3.0, "mae": 1.0}]


def test_slices_are_joined():
    """Events are worked on in slices; of more than one none is lost."""
    places = np.arange(2 * SLICE + 1) % 2
    [even, odd] = group_means(means_by(places, ["even", "odd"], places * 1.0, places * 3.0))
    assert (even["num_obs"], odd["num_obs"]) == (SLICE + 1, SLICE)
    assert (odd["predicted"], odd["actual"], odd["mae"]) == (3, 1, 2)
