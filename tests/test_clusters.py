"""Clusters of each kind, connected by one parameter and closed by their test."""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import psutil
import pytest
from cluster_processes import Authority, a_cluster, dask_arguments
from saturn_stand_in import SaturnStandIn

from helpers import clusters, dashboard_links, metrics, models, schedulers, tickets
from helpers.exceptions import ClusterError
from helpers.execution import run_notebook
from helpers.fork_server import WORKER_MODULES

SMALL = {"n_workers": 1, "threads_per_worker": 1}
QUICK = {"interval": "100ms", "wait_count": 2}  # instead of Dask's 1 s, three times
NOTEBOOK = Path(__file__).resolve().parents[1] / "notebooks" / "evaluate_ticket_model.ipynb"


def started() -> set[psutil.Process]:
    """What this process has started."""
    return set(psutil.Process().children(recursive=True))


def listening() -> set[str]:
    """The addresses at which this process and what it has started accept connections."""
    sockets = [c for p in {psutil.Process(), *started()} for c in p.net_connections("inet")]
    return {c.laddr.ip for c in sockets if c.status == psutil.CONN_LISTEN}


def wait_for(condition, seconds: float = 20.0) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
def test_local_is_on_loopback_and_gone_once_closed(tmp_path, monkeypatch):
    """A local cluster listens on loopback alone, is forked from a warm server, shows its page, and leaves nothing."""
    monkeypatch.setenv("DAYBOOK_RUN_FOLDER", str(tmp_path))
    before = started()
    with clusters.connect("local", SMALL) as compute:
        assert dashboard_links.of_run(tmp_path) == compute.dashboard_link  # while the run is going, for who watches it
        for _, plot in dashboard_links.plots_of(compute.dashboard_link):
            with urllib.request.urlopen(plot) as page:
                assert page.status == 200
        assert listening() == {"127.0.0.1"}
        with urllib.request.urlopen(compute.dashboard_link) as page:
            assert page.status == 200
        assert compute.dashboard_link in compute._repr_html_()
        assert "1 workers, 1 threads" in repr(compute)
        pid, modules = compute.client.submit(lambda: (__import__("os").getpid(), list(sys.modules))).result(30)
        assert "forkserver" in " ".join(psutil.Process(pid).parent().cmdline())
        assert set(WORKER_MODULES) <= set(modules)
    assert started() <= before
    assert not (tmp_path / dashboard_links.FILE).exists()
    compute.close()
    assert "closed" in repr(compute)


@pytest.mark.slow
def test_workers_may_be_threads_of_this_process():
    """With `processes` false nothing is started, and what workers compute is right."""
    before = started()
    with clusters.connect("local", {"processes": False, "n_workers": 3, "threads_per_worker": 1}) as compute:
        assert sorted(compute.client.gather(compute.client.map(abs, [-1, -2, -3]))) == [1, 2, 3]
        assert {p for p in started() if "multiprocessing" not in " ".join(p.cmdline())} <= before
        assert "3 workers, 3 threads" in repr(compute)


@pytest.mark.slow
@pytest.mark.parametrize(("cluster", "minimum"), [("local", 1), ("cluster_kinds.Threads", 0)])
def test_an_adaptive_cluster_follows_the_load(cluster, minimum):
    """It starts with one worker, grows to its maximum under load, shrinks to its minimum, and leaves nothing."""
    before = started()
    options = {"threads_per_worker": 1, "adapt": {"minimum": minimum, "maximum": 2} | QUICK}
    with clusters.connect(cluster, options) as compute:
        n_workers = lambda: compute.client.scheduler_info(n_workers=0)["n_workers"]  # noqa: E731
        assert minimum <= n_workers() <= 1
        futures = compute.client.map(time.sleep, [0.1] * 100, pure=False)
        wait_for(lambda: n_workers() == 2)
        compute.client.cancel(futures)
        del futures
        wait_for(lambda: n_workers() == minimum)
        assert compute.client.submit(sum, [1, 2]).result(30) == 3
    assert started() <= before


@pytest.mark.slow
def test_a_scheduler_whose_cluster_adapts_from_nothing_is_asked_for_a_worker():
    """An adaptive cluster of minimum 0, reached by its address, starts a worker for whoever connects."""
    options = {"threads_per_worker": 1, "adapt": {"minimum": 0, "maximum": 1} | QUICK, "protocol": "tcp"}
    with clusters.connect("cluster_kinds.Threads", options | {"host": "127.0.0.1"}) as owner:
        n_workers = lambda: owner.client.scheduler_info(n_workers=0)["n_workers"]  # noqa: E731
        wait_for(lambda: n_workers() == 0)
        with clusters.connect(owner.cluster.scheduler_address) as compute:
            assert compute.client.submit(sum, [1, 2]).result(30) == 3


def test_a_misspelt_option_is_refused_before_anything_starts():
    """No process is started for an option that nothing takes."""
    before = started()
    with pytest.raises(ClusterError, match="'n_worker' is not known to cluster 'local'; did you mean 'n_workers'"):
        clusters.connect("local", {"n_worker": 2})
    assert started() <= before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cluster", "options", "said"),
    [
        ("local", SMALL | {"memory_limit": "much"}, "cluster 'local' did not start: .+; see cluster_options"),
        ("cluster_kinds.Specified", {"n_workers": 0, "wait_seconds": 0}, "within 0 s; give n_workers or adapt"),
        ("distributed.SSHCluster", {"host": ["a"]}, "did not start: .*; see cluster_options|pip install asyncssh"),
    ],
)
def test_a_cluster_that_does_not_start_is_one_line(cluster, options, said):
    """What a cluster's class raises, or a cluster without workers, is one line, and nothing of it is left."""
    before = started()
    with pytest.raises(ClusterError, match=said) as error:
        clusters.connect(cluster, options)
    assert "\n" not in str(error.value)
    assert started() <= before


def test_a_cluster_that_has_to_be_awaited_is_refused():
    """In a notebook, whose kernel has an event loop, a class that is for coroutines alone is told as that."""

    async def connected():
        clusters.connect("cluster_kinds.ForCoroutines")

    with pytest.raises(ClusterError, match="is one for coroutines alone"):
        asyncio.run(connected())


def scores(client=None) -> list[float]:
    """The four metrics of a batch of the sample, computed here or by a client's tasks."""

    def batch():
        return tickets.draw_batch("sample", 500, 7, models.load("priority").columns)

    def score(drawn, name):
        return metrics.score(tickets.time_to_close(drawn.events), models.load("priority").predict(drawn.events), name)

    if client is None:
        return [score(batch(), name) for name in metrics.METRICS.values()]
    drawn = client.submit(batch)
    return client.gather([client.submit(score, drawn, name) for name in metrics.METRICS.values()])


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Threads", "Specified"])
def test_a_dotted_class_gives_the_same_metrics(kind):
    """A person's own LocalCluster or SpecCluster is made by its dotted name, computes the same, and is closed."""
    with clusters.connect(f"cluster_kinds.{kind}", {"n_workers": 2}) as compute:
        assert scores(compute.client) == scores()
        assert "2 workers" in repr(compute)
        cluster = compute.cluster
    assert cluster.status.name == "closed"


def test_only_queues_and_clouds_are_waited_for_longer(monkeypatch):
    """A cluster in Slurm's queue gets 10 minutes for its first worker, others 30 s, unless wait_seconds says else."""
    waited = []
    monkeypatch.setattr(schedulers, "wait_for_worker", lambda client, kind, seconds, look_at: waited.append(seconds))
    options = {"n_workers": 0}
    for queued in (False, True):
        monkeypatch.setattr(clusters, "is_queued", lambda cls, queued=queued: queued)
        for given in ({}, {"wait_seconds": 3}):
            clusters.connect("cluster_kinds.Threads", options | given).close()
    assert waited == [30, 3, 600, 3]


EVERYWHERE = """
import json
from pathlib import Path
found = []
log, places = json.loads(Path(model).read_text())
for where, options in places:
    with clusters.connect(where, options) as compute:
        with compute.recorded():
            evaluate = evaluate_ticket_model.with_options(task_runner=compute.task_runner)
            trial = evaluate(source, batch_size, seed, "priority", store)
            whole = evaluate(log, 0, seed, "priority", store)["data"]
        reports = [path.unlink() for path in run_context.current().folder.glob("dask-report.html")]
        found.append([len(reports), trial["seed"], trial["data"]["metrics"], trial["data"]["by_priority"], whole])
Path(model).write_text(json.dumps(found))
"""


@pytest.mark.slow
def test_the_evaluation_is_the_same_everywhere(prefect, monkeypatch, tmp_path, real_log):
    """A batch and the whole real log are scored alike on none, adaptive, an address with TLS, and Saturn."""
    authority, exchange = Authority(tmp_path, "ours"), tmp_path / "exchange.json"
    adapt = {"threads_per_worker": 1, "adapt": {"minimum": 1, "maximum": 2}}
    places = [("none", {}), ("local", adapt), ("saturn", {"n_workers": 1, "shutdown_on_close": True})]
    # The notebook as it is up to its cluster, then its flow on each in turn: a kernel for each would take a minute.
    notebook = nbformat.read(NOTEBOOK, 4)
    [cut] = [n for n, cell in enumerate(notebook.cells) if cell.source.startswith("compute = clusters.connect(")]
    notebook.cells = [*notebook.cells[:cut], nbformat.v4.new_code_cell(EVERYWHERE)]
    nbformat.write(notebook, tmp_path / "everywhere.ipynb")
    with (
        SaturnStandIn(start_seconds=0) as saturn,
        a_cluster(tmp_path, options=dask_arguments(authority.issue("cluster"))) as address,
    ):
        for name, value in saturn.environment.items():
            monkeypatch.setenv(name, value)
        exchange.write_text(json.dumps([str(real_log), [*places, (address, authority.issue("person"))]]))
        given = {"batch_size": "500", "seed": "7", "model": str(exchange)}
        outcome = run_notebook(tmp_path / "everywhere.ipynb", given, timeout=240)
        assert (outcome.state, outcome.error) == ("completed", None)
        assert saturn.closed
    found = json.loads(exchange.read_text())
    assert [reports for reports, *_ in found] == [0, 1, 1, 1]
    assert len(found) == 4
    assert all(trial == found[0][1:] for _, *trial in found)
    assert found[0][1] == 7
    assert found[0][-1]["num_obs"] == 141_712 - found[0][-1]["num_left_out"]


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
