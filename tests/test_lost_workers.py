"""All workers of a real cluster vanish, and the work does not wait for ever."""

import signal
import time

import distributed
import pytest
from bare_environment import BareCluster, make_environment

from helpers import lost_workers
from helpers.exceptions import ClusterError

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def often(monkeypatch):
    """Look often, so that the tests take no longer than they must."""
    monkeypatch.setattr(lost_workers, "LOOK_SECONDS", 0.05)


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """An interpreter for the cluster."""
    return make_environment(tmp_path_factory.mktemp("bare") / "env")


@pytest.fixture
def cluster(python, tmp_path):
    """A scheduler without a worker."""
    with BareCluster(python, tmp_path / "cluster") as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    """A client of it."""
    with distributed.Client(cluster.address, timeout=60, set_as_default=False) as client:
        yield client


def test_lost_workers_end_the_wait_of_every_client_of_this_process(cluster, client, capsys):
    """After the limit, not before, work fails in one line; also work that another client of the process waits for."""
    worker = cluster.add_worker()
    client.wait_for_workers(1, timeout=60)
    with (
        distributed.Client(cluster.address, set_as_default=False) as prefects,
        distributed.Client(cluster.address, set_as_default=False),
    ):
        future = prefects.submit(time.sleep, 60)
        worker.send_signal(signal.SIGKILL)
        began = time.monotonic()
        with pytest.raises(ClusterError) as error, lost_workers.watched(client, seconds=2):
            future.result(30)
    assert 2 <= time.monotonic() - began < 8
    assert str(error.value) == (
        f"no worker is left in the cluster at {cluster.address}, and none came back within 2 s; "
        "start workers, or mend the network, and run again"
    )
    assert capsys.readouterr().err == "daybook: no worker is left; waiting 2 s for one …\n"


def test_a_worker_that_comes_back_is_waited_for(cluster, client, capsys):
    """Work goes on where a worker comes in time; failures of the work itself stay what they are."""
    with lost_workers.watched(client, seconds=30):
        future = client.submit(sum, [1, 2])
        ends = time.monotonic() + 10
        while "no worker is left" not in capsys.readouterr().err:
            assert time.monotonic() < ends
        cluster.add_worker()
        assert future.result(30) == 3
    with pytest.raises(ZeroDivisionError), lost_workers.watched(client, seconds=30):
        client.submit(divmod, 1, 0).result(30)


def test_a_cluster_without_work_is_left_alone(client, capsys):
    """Without pending work nobody is told anything, and the block ends at once."""
    with lost_workers.watched(client, seconds=0):
        time.sleep(0.5)  # ten looks
        began = time.monotonic()
    assert time.monotonic() - began < 1
    assert capsys.readouterr().err == ""
