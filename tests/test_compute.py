"""What a connected cluster is to a flow: its task runner, its report, and the one in use."""

import threading
import time

import distributed
import pytest

from helpers import clusters
from helpers.compute import Compute, active

IN_PROCESS = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}


@pytest.fixture(scope="module")
def scheduler() -> str:
    """The address of a scheduler with a worker in this process."""
    with distributed.LocalCluster(protocol="tcp", host="127.0.0.1", **IN_PROCESS) as cluster:
        yield cluster.scheduler_address


def test_none_runs_tasks_in_this_process():
    """Cluster 'none' has no client and no page, and closing it is nothing."""
    compute = clusters.connect()
    assert (compute.client, compute.cluster, compute.dashboard_link) == (None, None, None)
    assert type(compute.task_runner).__name__ == "ThreadPoolTaskRunner"
    assert repr(compute) == "<Compute in this process>"
    assert compute._repr_html_() == "<p>Tasks run in this process</p>"
    with compute.recorded():
        compute.close()


def test_the_innermost_open_block_is_active():
    """`active` gives the compute in use, from every thread, and what was in use before once a block ends."""
    outer, inner = Compute("none"), Compute("none")
    seen = []
    assert active() is None
    with outer.recorded():
        assert active() is outer
        with inner.recorded():
            thread = threading.Thread(target=lambda: seen.append(active()))
            thread.start()
            thread.join()
            assert active() is inner
            with outer.recorded():
                assert active() is outer
            assert active() is inner
        assert active() is outer
    assert active() is None
    assert seen == [inner]


def test_a_block_that_fails_is_active_no_longer():
    """An error in the block, or blocks that end in another order than they began, leave nothing behind."""
    with pytest.raises(ZeroDivisionError), Compute("none").recorded():
        raise ZeroDivisionError
    assert active() is None
    first, second = Compute("none"), Compute("none")
    one, two = first.recorded(), second.recorded()
    one.__enter__()
    two.__enter__()
    one.__exit__(None, None, None)
    assert active() is second
    two.__exit__(None, None, None)
    assert active() is None


@pytest.mark.slow
def test_code_in_the_flows_process_drives_the_cluster(scheduler):
    """What is called inside of the block finds the client, and submits work of its own that depends on more of it."""

    def total(n: int) -> int:
        client = active().client
        return client.submit(sum, client.map(lambda x: x * x, range(n))).result(30)

    with clusters.connect(scheduler) as compute, compute.recorded():
        assert total(4) == 0 + 1 + 4 + 9


@pytest.mark.slow
def test_the_users_other_work_is_left_alone(scheduler):
    """Another client's futures and published datasets are there after connecting, recording and closing."""
    with distributed.Client(scheduler, set_as_default=False) as other:
        future, slow = other.submit(sum, [1, 2], pure=False), other.submit(time.sleep, 0.5, pure=False)
        other.publish_dataset(kept=other.scatter([7]))
        for _ in range(2):
            with clusters.connect(scheduler) as compute, compute.recorded():
                assert compute.client.submit(sum, [1, 4], pure=False).result(30) == 5
        assert future.result(10) == 3
        assert slow.result(10) is None
        assert other.gather(other.get_dataset("kept")) == [7]
        assert other.scheduler_info(n_workers=-1)["n_workers"] == 1
        other.unpublish_dataset("kept")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("session", "run", "found"), [("nb.ipynb", "", True), ("nb.ipynb", "r", False), ("", "", False)]
)
def test_dasks_panes_in_lab_find_the_client_of_a_notebook(scheduler, monkeypatch, session, run, found):
    """In a notebook by hand ours is the kernel's default client, until it is closed; nowhere else."""
    for name, value in {"JPY_SESSION_NAME": session, "DAYBOOK_RUN": run}.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)

    def default():
        try:
            return distributed.default_client()
        except ValueError:
            return None

    with clusters.connect(scheduler) as compute:
        assert (default() is compute.client) == found
    assert default() is None
