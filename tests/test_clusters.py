"""Where tasks run: real clusters, each closed by its test."""

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import distributed
import psutil
import pytest
from conftest import free_port
from saturn_stand_in import SaturnStandIn

from helpers import clusters
from helpers.exceptions import ClusterError
from helpers.execution import run_notebook

SMALL = {"n_workers": 1, "threads_per_worker": 1}
NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "evaluate_ticket_model.ipynb"


def started() -> set[psutil.Process]:
    """What this process has started."""
    return set(psutil.Process().children(recursive=True))


def listening() -> set[str]:
    """The addresses at which this process and what it has started accept connections."""
    sockets = [c for p in {psutil.Process(), *started()} for c in p.net_connections("inet")]
    return {c.laddr.ip for c in sockets if c.status == psutil.CONN_LISTEN}


@pytest.fixture
def scheduler():
    """The address of a scheduler with a worker, in processes of this process."""
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


def test_none_runs_tasks_in_this_process():
    """Cluster 'none' has no client and no page, and closing it is nothing."""
    compute = clusters.connect()
    assert (compute.client, compute.cluster, compute.dashboard_link) == (None, None, None)
    assert type(compute.task_runner).__name__ == "ThreadPoolTaskRunner"
    assert repr(compute) == "<Compute in this process>"
    with compute.recorded():
        compute.close()


@pytest.mark.slow
def test_local_is_on_loopback_and_gone_once_closed():
    """A local cluster listens on loopback alone, is forked from a warm server, shows its page, and leaves nothing."""
    before = started()
    with clusters.connect("local", SMALL) as compute:
        assert listening() == {"127.0.0.1"}
        with urllib.request.urlopen(compute.dashboard_link) as page:
            assert page.status == 200
        assert compute.dashboard_link in compute._repr_html_()
        assert "1 workers, 1 threads" in repr(compute)
        pid, modules = compute.client.submit(lambda: (__import__("os").getpid(), list(sys.modules))).result(30)
        assert "forkserver" in " ".join(psutil.Process(pid).parent().cmdline())
        assert {"prefect_dask", "sklearn.metrics"} <= set(modules)
        assert sum(compute.client.map(lambda n: n, [1, 2])[0].result() for _ in range(2)) == 2
    assert started() <= before
    compute.close()
    assert "closed" in repr(compute)
    with clusters.connect("local", SMALL) as again:  # the warm server is started again
        assert again.client.submit(sum, [1, 2]).result(30) == 3
    assert started() <= before


@pytest.mark.parametrize(
    ("cluster", "option", "near"),
    [
        ("local", "ntreads", "threads_per_worker"),
        ("local", "nthreads", "threads_per_worker"),
        ("local", "n_worker", "n_workers"),
        ("local", "memory_limt", "memory_limit"),
        ("distributed.LocalCluster", "thread_per_worker", "threads_per_worker"),
    ],
)
def test_a_misspelt_option_is_refused_before_anything_starts(cluster, option, near):
    """An option that nothing takes is one line with the nearest that is taken, and no process is started."""
    before = started()
    with pytest.raises(ClusterError, match=f"'{option}' is not known to cluster '{cluster}'; did you mean '{near}'"):
        clusters.connect(cluster, {option: 2})
    assert started() <= before


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        ("lokal", "cluster 'lokal' is not known; give 'none', 'local'"),
        ("", "cluster '' is not known"),
        ("no.such.Cluster", "cannot be imported"),
        ("distributed.NoSuchCluster", "cannot be imported"),
        ("pathlib.Path", "is not a Dask cluster class"),
        ("helpers.clusters", "cannot be imported|is not a Dask cluster class"),
        ("os.system('x').y", "is not known"),
    ],
)
def test_an_unknown_cluster_is_one_line(cluster, said):
    """A name that is no cluster is refused in one line."""
    with pytest.raises(ClusterError, match=said) as error:
        clusters.connect(cluster)
    assert "\n" not in str(error.value)


def test_options_without_a_cluster_are_refused():
    """Options for 'none' would be ignored, so they are refused."""
    with pytest.raises(ClusterError, match="of no use to cluster 'none'"):
        clusters.connect("none", {"n_workers": 2})


@pytest.mark.slow
def test_a_cluster_that_does_not_start_is_one_line():
    """What a cluster's class raises is told in one line."""
    with pytest.raises(ClusterError, match=r"cluster 'local' did not start: .+; see cluster_options") as error:
        clusters.connect("local", SMALL | {"memory_limit": "much"})
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_dotted_class_works():
    """Any Dask cluster class is made by its dotted name, and closed."""
    options = SMALL | {"processes": False, "dashboard_address": "127.0.0.1:0"}
    with clusters.connect("distributed.LocalCluster", options) as compute:
        assert compute.client.submit(sum, [1, 2]).result(30) == 3
        cluster = compute.cluster
    assert cluster.status.name == "closed"


@pytest.mark.slow
def test_an_address_is_reached_and_left_alone(scheduler):
    """A scheduler that was reached by its address goes on after closing."""
    for _ in range(2):
        with clusters.connect(scheduler) as compute:
            assert compute.client.submit(sum, [1, 2], pure=False).result(30) == 3


@pytest.mark.slow
def test_an_address_with_nothing_there_is_one_line(monkeypatch):
    """An address where nothing answers is one line within 30 s, without its password; so are wrong options."""
    monkeypatch.setattr(clusters, "CONNECT_SECONDS", 3.0)
    began = time.monotonic()
    with pytest.raises(ClusterError, match="no Dask scheduler answers at tcp://me:") as error:
        clusters.connect(f"tcp://me:s3cret@127.0.0.1:{free_port()}")
    assert time.monotonic() - began < 30
    assert "\n" not in str(error.value)
    assert "s3cret" not in str(error.value)
    with pytest.raises(ClusterError, match=r"distributed\.Security"):
        clusters.connect("tcp://127.0.0.1:1", {"n_workers": 2})


def test_the_time_limit_of_an_address_is_short():
    """Nobody waits for an address longer than 30 s."""
    assert clusters.CONNECT_SECONDS <= 30


@pytest.mark.slow
def test_the_evaluation_is_the_same_everywhere(prefect, scheduler, monkeypatch, home):
    """The notebook's metrics are the same to the last digit in this process, on each kind of cluster, and on Saturn."""

    def metrics(**given):
        outcome = run_notebook(NOTEBOOK, {"batch_size": "500", "seed": "7", **given}, timeout=120)
        assert (outcome.state, outcome.error) == ("completed", None)
        folder = Path(outcome.folder)
        assert (folder / "dask-report.html").exists() == (len(given) > 0)
        trial = json.loads((folder / "trial.json").read_text())
        return trial["seed"], trial["data"]["metrics"], trial["data"]["by_priority"]

    expected = metrics()
    assert metrics(cluster="local", cluster_options=SMALL) == expected
    assert metrics(cluster=scheduler) == expected
    with SaturnStandIn(start_seconds=0) as saturn:
        for name, value in saturn.environment.items():
            monkeypatch.setenv(name, value)
        assert metrics(cluster="saturn", cluster_options={"n_workers": 1, "shutdown_on_close": True}) == expected
        assert saturn.closed


@pytest.mark.slow
def test_a_script_that_forgets_to_close_leaves_nothing(home):
    """A local cluster that nobody closed ends with the process."""
    code = (
        "from helpers import clusters\nif __name__ == '__main__':\n"
        f"    c = clusters.connect('local', {SMALL!r}); print(c.client.submit(sum, [1, 2]).result(30))"
    )
    (script := home.parent / "script.py").write_text(code)
    command = [sys.executable, str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd=home.parent)
    assert done.stdout == "3\n"
    left = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            left += [process] if process.cwd() == str(home.parent) else []
    assert left == []
