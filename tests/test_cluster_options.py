"""Options that are sorted and refused before anything starts."""

import distributed
import pytest

from helpers import clusters
from helpers.cluster_options import check_keywords, sort_options
from helpers.exceptions import ClusterError


class Queue(distributed.SpecCluster):
    """As dask_jobqueue's: what it does not know itself it hands to its jobs."""

    def __init__(self, n_workers: int = 0, **job_kwargs):
        """Start nothing."""


def test_options_are_sorted_by_who_takes_them():
    """`adapt` and `wait_seconds` are taken out, and what is given is not changed."""
    given = {"adapt": {"minimum": 1, "maximum": 8}, "wait_seconds": 5, "threads_per_worker": 2}
    before = dict(given)
    sorted_ones = sort_options("local", given)
    assert sorted_ones.keywords == {"threads_per_worker": 2}
    assert (sorted_ones.adapt, sorted_ones.wait_seconds) == ({"minimum": 1, "maximum": 8}, 5)
    assert given == before
    nothing = sort_options("local", {})
    assert (nothing.keywords, nothing.adapt, nothing.wait_seconds) == ({}, None, None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"adapt": {"minimun": 1, "maximum": 8}}, "adapt has no 'minimun'; did you mean 'minimum'"),
        ({"adapt": {"maximum_core": 8}}, "did you mean 'maximum_cores'"),
        ({"adapt": {"zzz": 8}}, "adapt has no 'zzz'; give bounds such as"),
        ({"adapt": {"minimum": 9, "maximum": 8}}, "minimum 9 is above its maximum 8"),
        ({"adapt": {"minimum": 1}}, "adapt has no maximum"),
        ({"adapt": {}}, "adapt has no maximum"),
        ({"adapt": {"maximum": 0}}, "adapt's maximum is 0"),
        ({"adapt": {"minimum": -1, "maximum": 2}}, "adapt's minimum is -1"),
        ({"adapt": {"maximum": "8"}}, "adapt's maximum is '8'"),
        ({"adapt": {"maximum": True}}, "adapt's maximum is True"),
        ({"adapt": 8}, "adapt is 8; give bounds such as"),
        ({"adapt": {"maximum": 2}, "n_workers": 2}, "give it or n_workers"),
        ({"wait_seconds": "5"}, "wait_seconds is '5'"),
        ({"wait_seconds": -1}, "wait_seconds is -1"),
        ({"wait_seconds": True}, "wait_seconds is True"),
        ({"wait_seconds": float("inf")}, "wait_seconds is inf"),
        ({"asynchronous": True}, "'asynchronous' is not for a notebook's cluster"),
    ],
)
@pytest.mark.parametrize("cluster", ["local", "distributed.LocalCluster"])
def test_what_is_not_understood_is_one_line(cluster, options, said):
    """What `adapt` and `wait_seconds` cannot be is refused, with the nearest name or an example."""
    with pytest.raises(ClusterError, match=said) as error:
        clusters.connect(cluster, options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("options", [{"maximum": 1}, {"minimum": 0, "maximum": 1}, {"maximum_cores": 4}])
def test_bounds_that_can_be_are_taken(options):
    """A minimum of 0, equal bounds and bounds in cores are as Dask takes them."""
    assert sort_options("local", {"adapt": options}).adapt == options


@pytest.mark.parametrize(
    ("option", "near"),
    [
        ("ntreads", "threads_per_worker"),
        ("nthreads", "threads_per_worker"),
        ("n_worker", "n_workers"),
        ("memory_limt", "memory_limit"),
        ("adpt", "adapt"),
        ("wait_second", "wait_seconds"),
    ],
)
def test_a_misspelt_option_is_refused_with_the_nearest(option, near):
    """An option that neither the class nor its workers take is one line with the nearest that is taken."""
    with pytest.raises(ClusterError, match=f"'{option}' is not known to cluster 'mine'; did you mean '{near}'"):
        check_keywords("mine", distributed.LocalCluster, {option: 2})


def test_what_workers_take_is_an_option_too():
    """A LocalCluster hands what it does not know to its workers; a class that takes anything judges by itself."""
    check_keywords("local", distributed.LocalCluster, {"memory_limit": "1GB", "resources": {"GPU": 1}})
    check_keywords("ssh", distributed.SSHCluster, {"hosts": ["a"], "whatever": 1})
    check_keywords("mine", Queue, {"n_workers": 1, "queue": "short", "cores": 4})
    check_keywords("mine", type("Mine", (distributed.LocalCluster,), {}), {"threads_per_worker": 1})


def test_options_without_a_cluster_are_refused():
    """Options for 'none' would be ignored, so they are refused."""
    with pytest.raises(ClusterError, match="of no use to cluster 'none'"):
        clusters.connect("none", {"n_workers": 2})
