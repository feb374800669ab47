"""Calls for each partition, in this process and on a Dask cluster."""

import time

import distributed
import pytest

from helpers import partition_map
from helpers.compute import Compute
from helpers.exceptions import ClusterError, SourceError

begun: list[int] = []
NAMES = [f"{n}," for n in range(40)]  # more than are merged at once, and strings: their sum shows the order


@pytest.fixture(scope="module")
def client():
    """A client of a cluster in this process."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(params=["none", "cluster"])
def where(request):
    """Runs the test in this process and on the cluster."""
    if request.param == "none":
        yield None
        return
    client = request.getfixturevalue("client")
    with Compute("local", client=client).recorded():
        yield client


def same(name: str, more: str = "") -> str:
    """What it is given."""
    return name + more


def test_results_come_in_order(where):
    """Each call's result stands at its place, with further arguments beside the partitions."""
    assert partition_map.each(same, NAMES) == NAMES
    assert partition_map.each(same, ["a", "b"], ["1", "2"]) == ["a1", "b2"]


@pytest.mark.parametrize("number", [1, 2, 16, 17, 40])
def test_results_are_merged_in_order(where, number):
    """The sum is in the order of the partitions, and each is told of once when it is done."""
    done = []
    assert partition_map.merged(same, NAMES[:number], on_done=done.append) == "".join(NAMES[:number])
    assert sorted(done) == list(range(number))


def test_the_tree_is_the_same_everywhere(client):
    """Sums of floats have the same last bit on a cluster and in this process, whatever ends first."""
    values = [1 / n for n in range(1, 40)]
    here = partition_map.merged(float, values)
    with Compute("local", client=client).recorded():
        assert partition_map.merged(float, values) == here


def fails_at_1(place: int) -> int:
    """Note that it was called, and fail at the second place."""
    begun.append(place)
    if place == 1:
        raise SourceError("part-1: it has vanished")
    time.sleep(0.05)
    return place


def test_the_first_error_ends_all(where):
    """A call's error is raised as it is, and calls that were not begun are not made."""
    begun.clear()
    with pytest.raises(SourceError, match="part-1: it has vanished"):
        partition_map.merged(fails_at_1, list(range(200)))
    if where is not None:
        wait_for_nothing(where)
    assert len(begun) < 100


def wait_for_nothing(client) -> None:
    """Wait until the scheduler knows of no task."""
    deadline = time.monotonic() + 10
    while num_tasks := client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)):
        assert time.monotonic() < deadline, num_tasks
        time.sleep(0.05)


def test_what_workers_lack_is_said(client):
    """A package that no worker has is named; without a cluster nothing is asked."""
    partition_map.require(["no_such_package"])
    with Compute("local", client=client).recorded():
        partition_map.require(["pandas"])
        with pytest.raises(ClusterError, match="no_such_package"):
            partition_map.require(["no_such_package"])


def test_nothing_is_left_on_the_cluster(client):
    """After the sum no result stays with the workers."""
    with Compute("local", client=client).recorded():
        partition_map.merged(same, NAMES)
    wait_for_nothing(client)
