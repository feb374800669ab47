"""`kill -9` of a Dask worker, of a scheduler and of a warm cluster in the middle of a flow."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from conftest import free_port
from serve_process import DAYBOOK, of_run
from tiny_trial import serve_of

from helpers import runs
from helpers.warm_cluster import WarmCluster

pytestmark = pytest.mark.slow
OPTIONS = {"n_workers": 2, "threads_per_worker": 1}
PARAMETERS = """source: str = "sample"
cluster: str = "local"
cluster_options: dict = {"n_workers": 2, "threads_per_worker": 1}
pause: float = 3.0
"""
# The evaluation's tasks, with a pause in the one that scores: time to kill the worker that it is on.
FLOW = """
import os, time
from helpers import clusters, prefect_server
prefect_server.connect()
clusters.warm_workers(cluster)
from prefect import flow, task
from helpers import flow_results, metrics, models, run_context, summaries, tickets, trials

@task
def get_batch(source, model):
    return tickets.draw_batch(source, 1000, 7, models.load(model).columns)

@task
def get_target(batch):
    return tickets.time_to_close(batch.events)

@task
def predict(batch, model):
    return models.load(model).predict(batch.events)

@task
def score(y_true, y_pred, metric, journal, pause):
    with open(journal, "a") as file:
        print("begin", metric, os.getpid(), file=file)
    time.sleep(pause)
    return metrics.score(y_true, y_pred, metric)

@task
def summarise(provenance, batch, actuals, predictions, scores, model):
    return summaries.trial_summary(trials.trial_id(provenance), batch, actuals, predictions, scores, models.load(model))

@flow(name="paused-evaluation")
def evaluate(source, model, journal, pause):
    provenance = run_context.provenance()
    batch = get_batch.submit(source, model)
    actuals, predictions = get_target.submit(batch), predict.submit(batch, model)
    scores = {n: score.submit(actuals, predictions, m, journal, pause) for n, m in metrics.METRICS.items()}
    summary = summarise.submit(provenance, batch, actuals, predictions, scores, model)
    summary = flow_results.result_of(summary, before=[batch, actuals, predictions, *scores.values()])
    trials.keep(summaries.trial_document(summary, provenance))
"""
RUN = """
compute = clusters.connect(cluster, cluster_options)
with compute.recorded():
    evaluate.with_options(task_runner=compute.task_runner)(source, "priority", journal, pause)
compute.close()
"""


class Run:
    """`daybook run` of the flow, in a process of its own.

    Parameters
    ----------
    write_nb : callable
    journal : Path
        Where a task that begins is noted, with its process.
    **given
        Parameters.
    """

    def __init__(self, write_nb, journal: Path, **given):
        notebook = write_nb([FLOW, RUN], f"journal: str = {str(journal)!r}\n{PARAMETERS}", f"{journal.stem}.ipynb")
        self.journal = journal
        self.process = subprocess.Popen(
            [*DAYBOOK, "run", str(notebook), "-f", "/dev/stdin", "--json"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        json.dump(given, self.process.stdin)
        self.process.stdin.close()
        self.process.stdin = None  # `communicate` would write to it

    def pid_of_a_task(self) -> int:
        """Wait for a task that scores, and give it time to be in its middle; the process that it is in."""
        ends = time.monotonic() + 90
        while not (self.journal.exists() and self.journal.read_text().endswith("\n")):
            assert time.monotonic() < ends
            assert self.process.poll() is None, self.process.stdout.read()
            time.sleep(0.05)
        time.sleep(0.5)
        return int(self.journal.read_text().split()[2])

    def ended(self) -> dict:
        """Wait for its end; what it printed."""
        said, _ = self.process.communicate(timeout=120)
        return json.loads(said.splitlines()[-1])


def scores(outcome: dict) -> dict:
    """The metrics of a completed run, to the last digit."""
    assert (outcome["state"], outcome["error"]) == ("completed", None)
    data = json.loads((Path(outcome["folder"]) / "trial.json").read_text())["data"]
    return {name: data[name] for name in ("num_obs", "metrics", "by_priority", "errors")}


@pytest.mark.usefixtures("prefect")
def test_a_killed_worker_changes_no_metric(write_nb, tmp_path, real_log):
    """One of two workers dies under a task of the real log's evaluation: its metrics are the undisturbed run's."""
    given = {"source": str(real_log)}
    expected = scores(Run(write_nb, tmp_path / "undisturbed.txt", **given, pause=0.0).ended())
    with WarmCluster(OPTIONS) as warm:
        for environment in ({}, warm.environment):
            journal = tmp_path / f"killed-{len(environment)}.txt"
            with pytest.MonkeyPatch.context() as patch:
                for name, value in environment.items():
                    patch.setenv(name, value)
                run = Run(write_nb, journal, **given)
            worker = psutil.Process(run.pid_of_a_task())
            assert (warm.pid in [parent.pid for parent in worker.parents()]) == bool(environment)
            worker.kill()
            began = time.monotonic()
            outcome = run.ended()
            assert scores(outcome) == expected
            # What the worker was at has begun once more, elsewhere.
            begun = [line.split()[1:] for line in journal.read_text().splitlines()]
            assert len(begun) > 4
            assert len({pid for _, pid in begun}) >= 2
            print(f"went on after {time.monotonic() - began:.1f} s")
            assert of_run(outcome["run"]) == []
    assert len(runs.listing()) == 3


@pytest.mark.usefixtures("prefect")
def test_a_killed_scheduler_fails_the_run(write_nb, tmp_path):
    """The scheduler dies in the middle: the run fails within 60 s, in one line that says why."""
    with a_cluster(tmp_path) as (address, scheduler):
        run = Run(write_nb, tmp_path / "journal.txt", cluster=address, cluster_options={}, pause=10.0)
        run.pid_of_a_task()
        scheduler.kill()
        began = time.monotonic()
        outcome = run.ended()
        took = time.monotonic() - began
    print(f"failed after {took:.1f} s: {outcome['error']}")
    assert took < 60
    assert outcome["state"] == "failed"
    assert outcome["trial"] is None
    assert outcome["error"].count("\n") == 0
    assert not (Path(outcome["folder"]) / "trial.json").exists()


def test_a_killed_warm_cluster_fails_the_run_and_is_made_anew(write_nb, prefect, tmp_path):
    """The warm cluster dies in the middle: the run fails, serve makes another one, and a later tick completes on it."""
    options = ["--every", "5s", "--warm-cluster"]
    with serve_of(write_nb, [FLOW, RUN], *options, parameters=PARAMETERS, url=prefect) as serve:
        serve.wait_for_line("Dask cluster at ")
        serve.wait(lambda: serve.noted("begin"))
        time.sleep(0.5)
        [pid] = [p.pid for p in psutil.Process(serve.process.pid).children() if "helpers.warm_cluster" in p.cmdline()]
        os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        [failed] = serve.wait_for_state("failed", seconds=60)
        print(f"failed after {time.monotonic() - began:.1f} s: {failed['error']}")
        serve.wait_for_line("Dask cluster at ", number=2)
        serve.wait_for_state("completed")
        serve.end(signal.SIGTERM)
        assert not [p for p in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(p.info["cmdline"] or [])]


@contextlib.contextmanager
def a_cluster(folder: Path):
    """A scheduler and two workers, each in a process of its own: the address, and the scheduler's process."""
    address = f"tcp://127.0.0.1:{free_port()}"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", address, "--no-dashboard"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--host", "127.0.0.1", "--nthreads", "1"]
    worker += ["--no-dashboard", "--local-directory", str(folder), "--death-timeout", "60"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, start_new_session=True, **quiet) for command in (dask, worker, worker)]
    try:
        yield address, processes[0]
    finally:
        for process in processes:
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
