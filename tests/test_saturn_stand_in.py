"""The real dask-saturn client against the stand-in for Saturn Cloud."""

import gc
import importlib
import os
import threading
import time

import psutil
import pytest
from dask_saturn import SaturnCluster, SaturnSetup, describe_sizes
from distributed import Client, WorkerPlugin
from saturn_stand_in import SIZES, SaturnStandIn


@pytest.fixture(autouse=True, scope="module")
def _no_requests_from_collected_clusters():
    """A SaturnCluster asks Saturn for its status when it is collected, which may be long after the stand-in's end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SaturnCluster, "__del__", lambda self: None, raising=False)
        yield
        gc.collect()


@pytest.fixture
def saturn(monkeypatch):
    """A stand-in whose clusters are ready at the first answer."""
    with SaturnStandIn(start_seconds=0) as saturn:
        use(saturn, monkeypatch)
        yield saturn


def use(saturn, monkeypatch):
    """Point the client at a stand-in; it reads the variables when a SaturnCluster is made, and keeps nothing else."""
    for name, value in saturn.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("SATURN_RESOURCE_TYPE", raising=False)


def joined(client, n_workers, seconds=20.0):
    """The workers that the scheduler knows, waited for: `Client.wait_for_workers` fails on a SaturnCluster."""
    deadline = time.monotonic() + seconds
    while len(workers := client.scheduler_info(n_workers=-1)["workers"]) != n_workers:
        assert time.monotonic() < deadline, f"{len(workers)} workers, {n_workers} expected"
        time.sleep(0.05)
    return workers


@pytest.mark.slow
def test_computes_in_worker_processes_of_the_size_asked_for(saturn):
    """Each worker has nprocs processes with nthreads threads; all compute, none in this process, all on loopback."""
    options = {"n_workers": 2, "worker_size": "large", "scheduler_size": "medium", "nprocs": 2, "nthreads": 3}
    cluster = SaturnCluster(**options)
    with Client(cluster) as client:
        workers = joined(client, 4)
        futures = [client.submit(os.getpid, workers=[address], pure=False) for address in workers]
        process_ids = [future.result(timeout=10) for future in futures]
    assert cluster.scheduler_info["workers"].keys() == workers.keys()
    assert ("POST", "/api/dask_clusters", options) in saturn.requests
    assert {worker["nthreads"] for worker in workers.values()} == {3}
    assert sorted(process_ids) == sorted(saturn.process_ids)
    assert len({*process_ids, os.getpid()}) == 5
    assert saturn.workers == 4
    assert {address.ip for address in listening_addresses()} == {"127.0.0.1"}


def started(begun: float) -> list[psutil.Process]:
    """Processes that this one has started since; other tests' servers may be among its children too."""
    return [process for process in psutil.Process().children() if process.create_time() >= begun]


def listening_addresses():
    """Where this process and those that it has started accept connections."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    connections = [connection for process in processes for connection in process.net_connections("inet")]
    return [connection.laddr for connection in connections if connection.status == psutil.CONN_LISTEN]


@pytest.mark.slow
def test_scale_starts_and_ends_worker_processes(saturn):
    """Scaling up adds processes that join, scaling down ends them, and what a worker held is kept."""
    cluster = SaturnCluster(n_workers=1, nthreads=1)
    with Client(cluster) as client:
        joined(client, 1)
        cluster.scale(3)
        held = [client.submit(os.getpid, workers=[address], pure=False) for address in joined(client, 3)]
        before = saturn.process_ids
        assert sorted(future.result(timeout=10) for future in held) == sorted(before)
        cluster.scale(1)
        assert saturn.process_ids == before[:1]
        joined(client, 1)
        assert sorted(future.result(timeout=10) for future in held) == sorted(before)
        cluster.scale(2)
        joined(client, 2)
    assert not any(psutil.pid_exists(process_id) for process_id in before[1:])


@pytest.mark.slow
def test_existing_cluster_is_used_again(saturn, caplog):
    """A second SaturnCluster gets the running cluster, whose settings stay, with a warning that names what it asked."""
    first = SaturnCluster(n_workers=1, nthreads=1)
    process_ids = saturn.process_ids
    second = SaturnCluster(n_workers=3, nthreads=1, worker_size="large")
    assert second.scheduler_address == first.scheduler_address
    assert saturn.process_ids == process_ids
    assert "its settings are not changed: n_workers, worker_size." in caplog.text


@pytest.mark.slow
def test_close_ends_every_process(saturn):
    """Closing ends the workers and the scheduler; the next SaturnCluster starts the cluster again."""
    begun = time.time() - 1
    cluster = SaturnCluster(n_workers=1)
    processes = started(begun)
    assert len(processes) == 2
    assert cluster.status == "running"
    cluster.close()
    assert saturn.closed
    assert saturn.workers == 0
    assert cluster.status == "closed"
    assert not any(process.is_running() for process in processes)
    assert SaturnCluster(n_workers=0).scheduler_address != cluster.scheduler_address
    assert not saturn.closed


@pytest.mark.slow
def test_dead_scheduler_is_an_error(saturn):
    """A cluster whose scheduler has died is in error, and says no more about it."""
    begun = time.time() - 1
    cluster = SaturnCluster(n_workers=0)
    (scheduler,) = started(begun)
    scheduler.kill()
    scheduler.wait(5)
    assert cluster.status == "error"
    with pytest.raises(ValueError, match="Cluster is not running"):
        _ = cluster.scheduler_info


@pytest.mark.slow
def test_shutdown_on_close(saturn):
    """Leaving a `with` closes the cluster if shutdown_on_close says so, and leaves it running by default."""
    with SaturnCluster(n_workers=0):
        pass
    assert not saturn.closed
    with SaturnCluster(shutdown_on_close=True):
        pass
    assert saturn.closed


@pytest.mark.slow
def test_setup_plugin_registered_as_worker_plugin(monkeypatch, tmp_path):
    """SaturnSetup fails to register itself; made a WorkerPlugin it puts the working directory on sys.path."""

    # A class made in a function travels with its code: no worker can import the module that it stands in.
    class Setup(SaturnSetup, WorkerPlugin):
        pass

    (tmp_path / "beside_the_workers.py").write_text("FOUND = True\n")
    with SaturnStandIn(start_seconds=0, working_directory=tmp_path) as saturn:
        use(saturn, monkeypatch)
        cluster = SaturnCluster(n_workers=1)
        with Client(cluster) as client:
            lost = client.submit(importlib.import_module, "beside_the_workers", pure=False)
            assert isinstance(lost.exception(), ModuleNotFoundError)
            assert [answer["status"] for answer in client.register_plugin(Setup()).values()] == ["OK"]
            cluster.scale(2)  # a worker that joins later is set up too
            for address in joined(client, 2):
                found = client.submit(lambda: importlib.import_module("beside_the_workers").FOUND, workers=[address])
                assert found.result()


@pytest.mark.slow
def test_workers_have_their_own_environment_and_directory(monkeypatch):
    """Workers see the variables that are given, no others, and run in a folder that is not this one."""
    with SaturnStandIn(start_seconds=0, worker_environment={"PATH": os.defpath, "PLACE": "Saturn"}) as saturn:
        use(saturn, monkeypatch)
        with Client(SaturnCluster(n_workers=1)) as client:
            environment = client.submit(lambda: dict(os.environ)).result()
            assert client.submit(os.getcwd).result() != os.getcwd()
        assert environment["PLACE"] == "Saturn"
        assert "SATURN_TOKEN" not in environment


@pytest.mark.slow
def test_cluster_starts_while_the_client_asks_again(monkeypatch, caplog):
    """A new cluster is pending, then starting, then ready."""
    monkeypatch.setattr("dask_saturn.backoff.sleep", lambda seconds, sleep=time.sleep: sleep(0.1))  # it takes 5 to 9 s
    caplog.set_level("INFO", logger="dask-saturn")  # helpers.saturn, in another test, makes it quieter
    with SaturnStandIn(start_seconds=0.3) as saturn:
        use(saturn, monkeypatch)
        SaturnCluster(n_workers=0)
    messages = [record.message for record in caplog.records if record.name == "dask-saturn"]
    states = ["Starting cluster. Status: pending", "Starting cluster. Status: starting", "Cluster is ready"]
    assert [message for message in dict.fromkeys(messages) if "luster" in message][:3] == states


@pytest.mark.slow
def test_failure_inside_the_with_leaves_no_process(monkeypatch):
    """An exception in the block still ends all that was started."""
    processes, begun = [], time.time() - 1

    def fail():
        with SaturnStandIn(start_seconds=0) as saturn:
            use(saturn, monkeypatch)
            SaturnCluster(n_workers=1)
            processes.extend(started(begun))
            raise InterruptedError

    with pytest.raises(InterruptedError):
        fail()
    assert len(processes) == 2
    assert not any(process.is_running() for process in processes)


def test_sizes_are_those_offered(saturn):
    """The client shows the sizes, and refuses others before it asks for a cluster."""
    assert describe_sizes() == {name: display for name, (display, _, _) in SIZES.items()}
    with pytest.raises(ValueError, match="Proposed worker_size: huge is not a valid option"):
        SaturnCluster(worker_size="huge")
    assert {path for _, path, _ in saturn.requests} == {"/api/dask_clusters/info"}


def test_wrong_token_is_refused(saturn, monkeypatch):
    """Every request needs the token: another one is refused, and so is a valid one once Saturn takes it back."""
    saturn.fail_with = "unauthorized"
    with pytest.raises(ValueError, match="token is not valid"):
        SaturnCluster()
    saturn.fail_with = None
    monkeypatch.setenv("SATURN_TOKEN", "wrong")
    with pytest.raises(ValueError, match="token is not valid"):
        SaturnCluster()
    assert saturn.workers == 0


def test_cluster_in_error_is_reported(saturn):
    """A cluster that cannot be started raises what Saturn says about it."""
    saturn.fail_with = "error"
    with pytest.raises(ValueError, match="could not be started"):
        SaturnCluster()


def test_cluster_that_never_starts_times_out(saturn):
    """A cluster that stays pending raises after scheduler_service_wait_timeout."""
    saturn.fail_with = "pending"
    with pytest.raises(ValueError, match="Retry in a few minutes"):
        SaturnCluster(scheduler_service_wait_timeout=1)
    assert saturn.status == "pending"


@pytest.mark.parametrize("stalled", ["info", "dask_clusters"])
def test_stalled_endpoint_holds_the_client(monkeypatch, stalled):
    """The client has no time limits: it waits for an answer until the stand-in ends."""
    errors = []

    def construct():
        try:
            SaturnCluster(scheduler_service_wait_timeout=0)
        except OSError as error:  # the connection is closed without an answer
            errors.append(error)

    with SaturnStandIn() as saturn:
        use(saturn, monkeypatch)
        saturn.stalled = stalled
        thread = threading.Thread(target=construct, daemon=True)
        thread.start()
        thread.join(1.0)
        assert thread.is_alive()
        assert saturn.requests[-1][1].endswith(stalled)
    thread.join(5.0)
    assert len(errors) == 1
