"""Saturn's clusters as helpers/saturn.py opens them: the real dask-saturn client against the stand-in."""

import os
import signal
import subprocess
import sys
import time

import pytest
from conftest import free_port
from distributed import wait
from saturn_stand_in import SaturnStandIn

from helpers import clusters, doctor, saturn, schedulers
from helpers.exceptions import ClusterError


@pytest.fixture
def cloud(monkeypatch):
    """A stand-in for Saturn whose clusters are ready at the first answer."""
    with SaturnStandIn(start_seconds=0) as cloud:
        for name, value in cloud.environment.items():
            monkeypatch.setenv(name, value)
        yield cloud


@pytest.mark.parametrize("missing", ["SATURN_BASE_URL", "SATURN_TOKEN"])
def test_a_missing_variable_is_named(monkeypatch, missing):
    """A variable that Saturn's client needs and does not find is named in one line."""
    for name in {"SATURN_BASE_URL", "SATURN_TOKEN"} - {missing}:
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    with pytest.raises(ClusterError, match=f"needs the environment variable {missing}"):
        clusters.connect("saturn")


@pytest.mark.parametrize(("option", "near"), [("ntreads", "nthreads"), ("n_worker", "n_workers")])
def test_an_unknown_option_is_refused(cloud, option, near):
    """An option that dask-saturn would ignore is refused with the nearest, before anything is asked of Saturn."""
    with pytest.raises(ClusterError, match=f"'{option}' is not known to cluster 'saturn'; did you mean '{near}'"):
        clusters.connect("saturn", {option: 2})
    assert cloud.requests == []


def test_renamed_options_are_understood():
    """The names of the past stand for those of today."""
    given = {"autoclose": True, "scheduler_class": "large", "worker_class": "xlarge", "n_workers": 2}
    present = {"shutdown_on_close": True, "scheduler_size": "large", "worker_size": "xlarge", "n_workers": 2}
    assert saturn.checked_options(given) == present


@pytest.mark.slow
def test_a_wrong_size_is_refused(cloud):
    """A size that Saturn does not offer is one line that says what Saturn says."""
    with pytest.raises(ClusterError, match=r"Saturn refused: .*huge") as error:
        clusters.connect("saturn", {"worker_size": "huge"})
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_wrong_token_is_refused(cloud, monkeypatch):
    """A token that Saturn does not accept is one line that names the variable and not the token."""
    monkeypatch.setenv("SATURN_TOKEN", "wr0ng")
    with pytest.raises(ClusterError, match="SATURN_TOKEN") as error:
        clusters.connect("saturn")
    assert "wr0ng" not in str(error.value)


@pytest.mark.slow
def test_an_unreachable_saturn_is_one_line(monkeypatch):
    """A base URL where nothing listens is one line with the address."""
    monkeypatch.setenv("SATURN_BASE_URL", f"http://127.0.0.1:{free_port()}/")
    monkeypatch.setenv("SATURN_TOKEN", "t")
    with pytest.raises(ClusterError, match=r"Saturn at http://127\.0\.0\.1:\d+/ does not answer"):
        clusters.connect("saturn")


@pytest.mark.slow
@pytest.mark.parametrize("stalled", ["info", "dask_clusters"])
def test_a_stalled_saturn_is_one_line(cloud, monkeypatch, stalled):
    """A Saturn that takes a request and never answers is one line, well within 30 s."""
    monkeypatch.setattr(saturn, "REQUEST_SECONDS", (1.0, 1.0))
    saturn._cluster_class.cache_clear()
    cloud.stalled = stalled
    began = time.monotonic()
    try:
        with pytest.raises(ClusterError, match="does not answer"):
            clusters.connect("saturn")
    finally:
        saturn._cluster_class.cache_clear()
    assert time.monotonic() - began < 15


def test_no_request_waits_longer_than_30_seconds():
    """The time limits of a request together stay under 30 s."""
    assert sum(saturn.REQUEST_SECONDS) < 30


@pytest.mark.slow
def test_an_existing_cluster_is_used_and_left_running(cloud):
    """The second user gets the workers that are there, and closing leaves them, as nobody asked to shut down."""
    with clusters.connect("saturn", {"n_workers": 1}) as compute:
        pid = compute.client.submit(lambda: __import__("os").getpid()).result(30)
    with clusters.connect("saturn", {"n_workers": 1}) as compute:
        again = compute.client.submit(lambda: __import__("os").getpid()).result(30)
        # dask-saturn's plugin has reached the worker: it puts the working directory on its path.
        path = compute.client.run(lambda: __import__("os").getcwd() in __import__("sys").path)
        assert list(path.values()) == [True]
    assert pid == again
    assert not cloud.closed
    assert cloud.workers == 1


@pytest.mark.slow
def test_a_cluster_that_was_asked_to_closes_after_a_failing_flow(cloud):
    """With shutdown_on_close, or autoclose, the cluster closes at the end of the flow, also of one that fails."""
    compute = clusters.connect("saturn", {"n_workers": 1, "autoclose": True})

    def flow():
        with compute.recorded():
            raise ValueError("the flow failed")

    with pytest.raises(ValueError, match="the flow failed"):
        flow()
    assert cloud.closed


@pytest.mark.slow
@pytest.mark.parametrize(("asked", "closed"), [(True, True), (False, False)])
def test_closes_at_the_interpreters_end_only_when_asked(cloud, asked, closed):
    """A script that ends with an error, without closing anything, closes the cluster if it was asked to."""
    code = (
        "from helpers import clusters\n"
        f"c = clusters.connect('saturn', {{'n_workers': 1, 'shutdown_on_close': {asked}}})\n1 / 0"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert "ZeroDivisionError" in done.stderr
    assert cloud.closed == closed


@pytest.mark.slow
def test_a_scheduler_out_of_reach_is_one_line(cloud, monkeypatch):
    """Saturn says ready but its scheduler cannot be reached: one line, and a cluster asked to close is closed."""
    monkeypatch.setattr(schedulers, "CONNECT_SECONDS", 2.0)
    cls = saturn._cluster_class()
    monkeypatch.setattr(cls, "register_default_plugin", lambda self: None)
    monkeypatch.setattr(cls, "scheduler_address", f"tcp://127.0.0.1:{free_port()}", raising=False)
    with pytest.raises(ClusterError, match=r"no Dask scheduler answers|does not answer") as error:
        clusters.connect("saturn", {"n_workers": 1, "shutdown_on_close": True})
    assert "\n" not in str(error.value)
    assert cloud.closed


def workers_of(compute, n_workers: int) -> dict:
    """The workers that the scheduler knows, once there are so many."""
    deadline = time.monotonic() + 20
    while len(workers := compute.client.scheduler_info(n_workers=-1)["workers"]) != n_workers:
        assert time.monotonic() < deadline, f"{len(workers)} workers, {n_workers} expected"
        time.sleep(0.05)
    return workers


@pytest.mark.slow
def test_workers_that_come_and_go_in_the_middle_of_a_run_change_no_result(cloud):
    """Scaled up, scaled down, and a spot worker killed with what it held: the run's sum is right each time."""

    def begin():
        squares = compute.client.map(lambda n: time.sleep(0.02) or n * n, range(60), pure=False)
        return squares, compute.client.submit(sum, squares)

    expected = 59 * 60 * 119 // 6  # the sum of the squares below 60
    options = {"n_workers": 1, "nthreads": 1, "worker_is_spot": True}
    with clusters.connect("saturn", options) as compute, compute.recorded():
        squares, total = begin()
        compute.cluster.scale(3)
        workers_of(compute, 3)
        assert total.result(30) == expected
        squares, total = begin()
        wait(squares[:10])
        compute.cluster.scale(2)
        assert len(workers_of(compute, 2)) == 2
        assert total.result(30) == expected
        squares, total = begin()
        wait(squares[:30])
        os.kill(cloud.process_ids[-1], signal.SIGKILL)
        assert total.result(30) == expected
        assert len(workers_of(compute, 1)) == 1
    assert not cloud.closed


@pytest.mark.slow
def test_an_adaptive_cluster_is_asked_of_saturn(cloud):
    """It begins with its fewest workers, grows to its maximum under load and shrinks after it; it is left running."""
    with clusters.connect("saturn", {"nthreads": 1, "adapt": {"minimum": 1, "maximum": 2}}) as compute:
        futures = compute.client.map(time.sleep, [0.2] * 30, pure=False)
        grown = workers_of(compute, 2)
        compute.client.cancel(futures)
        del futures
        left = workers_of(compute, 1)
    assert len(grown) == 2
    assert left.keys() < grown.keys()
    [made] = [body for method, path, body in cloud.requests if (method, path) == ("POST", "/api/dask_clusters")]
    assert made == {"n_workers": 1, "nthreads": 1}
    assert [body for _, path, body in cloud.requests if path.endswith("/adapt")] == [{"minimum": 1, "maximum": 2}]
    assert not cloud.closed


@pytest.mark.parametrize(
    ("adapt", "said"),
    [({"minimum": 3, "maximum": 2}, "above its maximum"), ({"maximum": 2, "interval": 1}, "adapt has no 'interval'")],
)
def test_bounds_that_saturn_does_not_know_are_refused(cloud, adapt, said):
    """What Saturn's clusters do not take of adapt is refused before anything is asked of it."""
    with pytest.raises(ClusterError, match=said):
        clusters.connect("saturn", {"adapt": adapt})
    assert cloud.requests == []


@pytest.mark.slow
def test_a_cluster_that_gets_no_worker_is_closed_if_asked_to(cloud):
    """Its machines did not come: one line with what to look at, and what was asked to close is closed."""
    with pytest.raises(ClusterError, match=r"no worker of cluster 'saturn' came within 0\.3 s; see the clus"):
        clusters.connect("saturn", {"n_workers": 0, "wait_seconds": 0.3, "shutdown_on_close": True})
    assert cloud.closed


@pytest.mark.slow
def test_sizes_are_listed_in_one_line(cloud):
    """Doctor's line says which sizes Saturn offers; without its variables, that it is not configured."""
    assert saturn.sizes() == "sizes medium, large, xlarge"
    finding = doctor._saturn()
    assert (finding.what, finding.is_fine) == ("sizes medium, large, xlarge", True)
    cloud.fail_with = "unauthorized"
    finding = doctor._saturn()
    assert "SATURN_TOKEN" in finding.what
    assert not finding.is_fine
