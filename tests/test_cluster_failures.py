"""Workers and schedulers that die, told in one line that names the knob."""

import json
import os
import signal
import time
from pathlib import Path

import pytest
from cluster_processes import a_cluster

from helpers import clusters, schedulers
from helpers.cluster_failures import explained
from helpers.exceptions import ClusterError
from helpers.execution import run_notebook

LIMITED = {"n_workers": 1, "threads_per_worker": 1, "memory_limit": "600 MiB"}
FLOW = """
from helpers import clusters, prefect_server
prefect_server.connect()
clusters.warm_workers(cluster)
import time
from prefect import flow, task
from helpers import flow_results

@task
def hoard():
    held = []
    while True:
        held.append(b"x" * 2**25)
        time.sleep(0.01)

@flow
def hoarding():
    # What a flow calls in its own process finds the client to which it can submit work of its own.
    assert clusters.active().client.submit(sum, [1, 2]).result(30) == 3
    return flow_results.result_of(hoard.submit())
"""
RUN = """
import dask
# Dask tries three more times by default, which says no more.
with dask.config.set({"distributed.scheduler.allowed-failures": 0}):
    compute = clusters.connect(cluster, cluster_options)
with compute.recorded():
    hoarding.with_options(task_runner=compute.task_runner)()
"""


@pytest.mark.slow
def test_a_task_that_needs_too_much_memory_names_the_knob(write_nb, prefect):
    """Dask kills the worker at 95 % of its memory; through Prefect's flow it reaches the run as one line."""
    parameters = f'cluster: str = "local"\ncluster_options: dict = {json.dumps(LIMITED)}'
    outcome = run_notebook(write_nb([FLOW, RUN], parameters), {}, timeout=120)
    assert outcome.state == "failed"
    assert "\n" not in outcome.error
    assert "1 workers died under the task 'hoard" in outcome.error
    assert "memory_limit 600.00 MiB each" in outcome.error
    assert "raise memory_limit in cluster_options" in outcome.error
    assert (Path(outcome.folder) / "dask-report.html").exists()


@pytest.mark.slow
def test_a_scheduler_that_dies_is_one_line(tmp_path, monkeypatch):
    """What a client raises when its scheduler is gone, at once and later, is told as that."""
    monkeypatch.setattr(schedulers, "CONNECT_SECONDS", 3.0)

    def die_soon():
        """End the scheduler's process in a moment, without a goodbye."""
        import threading

        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGKILL)).start()

    def work():
        with compute.recorded():
            future = compute.client.submit(time.sleep, 60)
            compute.client.run_on_scheduler(die_soon)
            future.result(30)

    with a_cluster(tmp_path) as address:
        compute = clusters.connect(address)
        began = time.monotonic()
        for _ in range(2):  # the second time it has tried to connect again
            with pytest.raises(ClusterError, match=f"the Dask scheduler at {address} is gone") as error:
                work()
            assert "\n" not in str(error.value)
        assert time.monotonic() - began < 20
        compute.close()


@pytest.mark.slow
def test_other_errors_are_left_as_they_are():
    """A task's own error, and a future that somebody cancelled, are no failures of the cluster."""
    options = {"n_workers": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with clusters.connect("distributed.LocalCluster", options) as compute:
        with pytest.raises(ZeroDivisionError), compute.recorded():
            compute.client.submit(lambda: 1 / 0).result(30)
        future = compute.client.submit(time.sleep, 0.1)
        future.cancel()
        with pytest.raises(Exception, match="cancelled") as error, compute.recorded():
            future.result(30)
        assert not isinstance(error.value, ClusterError)
        with pytest.raises(ClusterError, match="mine"), compute.recorded():
            raise ClusterError("mine")
    assert explained(ValueError("x")) is None
