"""A cluster whose workers are on two other hosts and have nothing of ours; and what happens when hosts are cut off."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet
import pytest
from bare_environment import BareCluster, make_environment
from two_hosts import TwoHosts

from helpers import metrics, models, prefect_server, scoring, ticket_log, ticket_sources, tickets

pytestmark = pytest.mark.slow
NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "evaluate_ticket_model.ipynb"
# When the scheduler takes a silent worker for lost, so that the tests are short: it counts for 5 s at least, and is
# looked at every so often. With Dask's defaults it is 30 s, by `comm.timeouts.tcp`, and the test below took 35 s. Not
# for real work: the first task of a worker, which imports Prefect, was seen to keep it silent for 9.8 s.
SHORT = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "3s", "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "4s"}
CUT_SECONDS = 25.0  # 5 to 8 s until the loss is seen, the work that is done again, and room for a busy machine

WHOLE = """
import json, sys
from helpers import clusters, scoring
with clusters.connect(sys.argv[1]) as compute, compute.recorded():
    data = scoring.score_log(sys.argv[2], "priority").data
    workers = compute.client.run(lambda: None)
print(json.dumps({"data": data, "hosts": sorted(address.split("//")[1].split(":")[0] for address in workers)}))
"""
# A model's predictions, slowed down so that work is going on when the test acts; each task tells where it ran.
CLIENT = """
import json, sys, time
import distributed
import pandas as pd
from helpers import lost_workers, models, worker_packages

def slow(n, seconds):
    import time
    from distributed import get_worker
    time.sleep(seconds)
    events = pd.DataFrame({"priority": ["4 - Low"] * n})
    return get_worker().address.split(":")[1].strip("/"), float(models.PriorityHeuristic().predict(events).sum())

if __name__ == "__main__":
    number, seconds = int(sys.argv[2]), float(sys.argv[3])
    with distributed.Client(sys.argv[1], timeout=30) as client:
        client.wait_for_workers(2, timeout=60)
        worker_packages.ensure(client)
        futures = client.map(slow, range(number), seconds=seconds, pure=False)
        distributed.wait(futures[: number // 4])
        print("going", flush=True)
        try:
            with lost_workers.watched(client, seconds=1):
                done = client.gather(futures)
        except Exception as error:
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        else:
            print(json.dumps({"hosts": sorted({host for host, _ in done}), "sums": [s for _, s in done]}), flush=True)
"""


@pytest.fixture(scope="module")
def network():
    """The hub and the two hosts."""
    if reason := TwoHosts.reason_against():
        pytest.skip(reason)
    with TwoHosts() as network:
        yield network


@pytest.fixture(scope="module", autouse=True)
def prefect_url(network, tmp_path_factory):
    """The address of a Prefect server on the hub, where the hosts reach it; it starts while the first tests run."""
    url, home = f"http://{network.hub}:4200/api", tmp_path_factory.mktemp("prefect")
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", network.hub, "--port", "4200"]
    environment = os.environ | prefect_server.SETTINGS | {"PREFECT_HOME": str(home)}
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen([*network.on("hub"), *command], env=environment, stdout=log, stderr=log, cwd=home)
    yield url
    server.terminate()
    try:
        server.wait(15)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """The interpreter of the hosts, which knows nothing of ours."""
    return make_environment(tmp_path_factory.mktemp("bare") / "env")


def cluster_of(network, python, folder: Path, settings: dict[str, str]) -> BareCluster:
    """A scheduler on the hub and a worker on each host."""
    cluster = BareCluster(python, folder, network.hub, network.on("hub"), settings)
    for host, address in network.hosts.items():
        cluster.add_worker(address, network.on(host))
    return cluster


@pytest.fixture(scope="module")
def cluster(network, python, tmp_path_factory):
    """One with Dask's defaults."""
    with cluster_of(network, python, tmp_path_factory.mktemp("cluster") / "run", {}) as cluster:
        yield cluster


@pytest.fixture
def cut_cluster(network, python, tmp_path):
    """One that takes a silent worker for lost soon; the hosts are joined again at the end."""
    with cluster_of(network, python, tmp_path / "cluster", SHORT) as cluster:
        yield cluster
    for host in network.hosts:
        network.join(host)


def start(network, *command: str, **variables: str) -> subprocess.Popen:
    """Start a command on the hub, as a person there would."""
    return subprocess.Popen(
        [*network.on("hub"), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | variables,
    )


def start_client(network, cluster, number: int, seconds: float) -> subprocess.Popen:
    """So many tasks of so many seconds each; it prints a line when a quarter is done."""
    client = start(network, sys.executable, "-P", "-c", CLIENT, cluster.address, str(number), str(seconds))
    if (line := client.stdout.readline()) != "going\n":
        raise AssertionError(line + client.communicate(timeout=30)[1][-3000:])
    return client


def said(client: subprocess.Popen, seconds: float) -> dict:
    """What the client prints at its end."""
    try:
        out, err = client.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        client.kill()
        raise
    assert out, err[-3000:]
    return json.loads(out.splitlines()[-1])


def expected(number: int) -> list[float]:
    """The sums that the tasks give: "4 - Low" is 240 hours."""
    return [n * 240 * 3600.0 for n in range(number)]


def test_helpers_run_on_both_hosts(network, cluster):
    """Futures that call helpers are computed on both hosts, which had to be sent the package."""
    done = said(start_client(network, cluster, 16, 0.02), 30)
    assert done == {"hosts": sorted(network.hosts.values()), "sums": expected(16)}


def test_the_whole_real_log_is_scored_on_two_hosts(network, cluster, real_log, tmp_path):
    """Partition by partition, on hosts that had nothing of ours, it is what it is in this process, to the last bit."""
    _, table = ticket_sources.read_columns(str(real_log), list(ticket_log.COLUMNS))
    (folder := tmp_path / "log").mkdir()
    for part in range(8):
        pyarrow.parquet.write_table(table.slice(part * 18_000, 18_000), folder / f"part-{part}.parquet")
    done = said(start(network, sys.executable, "-P", "-c", WHOLE, cluster.address, str(folder)), 60)
    here = scoring.score_log(str(folder), "priority")
    assert done == {"data": json.loads(json.dumps(here.data)), "hosts": sorted(network.hosts.values())}
    assert here.data["num_obs"] > 141_000


def test_one_host_is_cut_off_in_the_middle(network, cut_cluster):
    """The other host does the work to its end, what was lost included, in bounded time."""
    client = start_client(network, cut_cluster, 24, 0.1)
    began = time.monotonic()
    network.cut("b")
    done = said(client, 2 * CUT_SECONDS)
    print(f"one host cut off: {time.monotonic() - began:.1f} s")
    assert done == {"hosts": [network.hosts["a"]], "sums": expected(24)}
    assert time.monotonic() - began < CUT_SECONDS


def test_both_hosts_are_cut_off(network, cut_cluster):
    """With no worker left the work fails in bounded time, and says so."""
    client = start_client(network, cut_cluster, 24, 0.1)
    began = time.monotonic()
    network.cut("a")
    network.cut("b")
    done = said(client, 2 * CUT_SECONDS)
    print(f"both hosts cut off: {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < CUT_SECONDS
    assert done["error"].startswith(
        f"ClusterError: no worker is left in the cluster at {cut_cluster.address}, and none "
    )
    assert "\n" not in done["error"]


def test_the_evaluation_on_two_hosts_is_the_one_in_this_process(network, prefect_url, cluster, tmp_path):
    """`daybook run` with the scheduler's address gives the metrics of the same rows in one process."""
    batch = tickets.draw_batch("sample", 1000, 1)
    target, predicted = tickets.time_to_close(batch.events), models.PriorityHeuristic().predict(batch.events)
    scores = {name: metrics.score(target, predicted, metric) for name, metric in metrics.METRICS.items()}
    wait = (
        "import sys, time, helpers.prefect_server as p\nends = time.monotonic() + 90\n"
        "while not p.is_healthy(sys.argv[1]): time.sleep(0.1); assert time.monotonic() < ends, 'no Prefect server'"
    )
    subprocess.run([*network.on("hub"), sys.executable, "-P", "-c", wait, prefect_url], check=True)
    command = [sys.executable, "-m", "helpers.command_line", "run"]
    command += [str(NOTEBOOK), "-p", "cluster", cluster.address]
    run = start(network, *command, "--json", PREFECT_API_URL=prefect_url, DAYBOOK_HOME=str(tmp_path / "home"))
    outcome = said(run, 120)
    assert (outcome["state"], outcome["error"]) == ("completed", None), outcome
    trial = json.loads((Path(outcome["folder"]) / "trial.json").read_text())
    assert trial["data"]["metrics"] == pytest.approx(scores, rel=1e-12)
