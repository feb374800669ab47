"""Workers without anything of ours: real schedulers and workers, from an environment that lacks the repository."""

import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import distributed
import pandas as pd
import pytest
from bare_environment import BareCluster, make_environment

from helpers import models, worker_packages
from helpers.exceptions import ClusterError

pytestmark = pytest.mark.slow
EVENTS = pd.DataFrame({"priority": ["1 - Critical", None]})
PREDICTED = [6 * 3600.0, 180 * 3600.0]  # by the table in the heuristic's docstring


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    """An interpreter that knows nothing of ours."""
    return make_environment(tmp_path_factory.mktemp("bare") / "env")


@pytest.fixture(scope="module")
def cluster(python, tmp_path_factory):
    """A bare scheduler with two bare workers."""
    with BareCluster(python, tmp_path_factory.mktemp("cluster") / "run") as cluster:
        cluster.add_worker()
        cluster.add_worker()
        yield cluster


@pytest.fixture
def client(cluster):
    """A client of its workers, each of them there."""
    with distributed.Client(cluster.address, timeout=60, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=60)
        yield client


@contextlib.contextmanager
def joined(cluster, client, **options):
    """A third worker, for a while: its address and process."""
    before = set(client.scheduler_info(n_workers=-1)["workers"])
    process = cluster.add_worker(**options)
    try:
        client.wait_for_workers(len(before) + 1, timeout=60)
        (address,) = set(client.scheduler_info(n_workers=-1)["workers"]) - before
        yield address, process
    finally:
        process.kill()
        process.wait()
        while set(client.scheduler_info(n_workers=-1)["workers"]) != before:
            time.sleep(0.02)


def predict(client) -> list[float]:
    """What the heuristic says on a worker."""
    future = client.submit(models.PriorityHeuristic().predict, EVENTS, pure=False)
    return future.result(30).tolist()


def plugins(client) -> dict[str, int | None]:
    """By worker, which object its plugin is, if it has one."""

    def identity(dask_worker):
        return id(dask_worker.plugins.get("daybook-helpers"))

    return client.run(identity)


def loaders(client) -> dict[str, str]:
    """By worker, what loads a helper there."""

    def loader():
        import helpers.models

        return type(helpers.models.__loader__).__name__

    return client.run(loader)


def test_the_bare_environment_is_bare(python, tmp_path):
    """It has what remote workers have, in this environment's versions, and nothing that only we need."""
    code = (
        "import importlib, json, dask, distributed, pandas, pyarrow, prefect\nfound = {}\n"
        "for name in ('helpers', 'sklearn', 'bokeh', 'prefect_dask', 'papermill', 'filelock', 'pip'):\n"
        "    try: importlib.import_module(name); found[name] = True\n"
        "    except ModuleNotFoundError: found[name] = False\n"
        "print(json.dumps([found, prefect.__version__]))"
    )
    command = [python, "-P", "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={"HOME": str(tmp_path)}, check=True
    )
    found, prefect_version = json.loads(done.stdout)
    assert not any(found.values()), found
    assert prefect_version == version("prefect")


def test_helpers_run_on_bare_workers_and_on_those_that_join_later(cluster, client):
    """Every worker of now and later runs helpers from memory; a second time nothing is sent."""
    worker_packages.ensure(client)
    assert predict(client) == PREDICTED
    assert set(loaders(client).values()) == {"SentPackage"}
    before = plugins(client)
    worker_packages.ensure(client)
    assert plugins(client) == before
    with joined(cluster, client) as (address, _):
        assert loaders(client)[address] == "SentPackage"


def test_what_tasks_need_besides_is_supplied(client):
    """The scheduler and the workers can import a flow's task runner and a lock, which this process has."""
    worker_packages.ensure(client)

    def import_them():
        import filelock
        import prefect_dask

        return filelock.__version__, prefect_dask.__version__

    found = {client.run_on_scheduler(import_them), *client.run(import_them).values()}
    assert found == {(version("filelock"), version("prefect-dask"))}


def test_a_failure_on_a_worker_shows_our_lines(client):
    """The exception arrives as ours, and its traceback on the worker has the source."""
    worker_packages.ensure(client)

    def fails() -> str:
        import traceback

        from helpers import models

        try:
            models.load("no model")
        except models.ModelError:
            return traceback.format_exc()

    assert "raise ModelError(f" in client.submit(fails).result(30)
    with pytest.raises(models.ModelError, match="'no model' is neither"):
        client.submit(models.load, "no model").result(30)


def test_a_home_on_the_worker_is_beside_its_scratch(cluster, client):
    """What a helper keeps on such a worker goes to the worker's own disk, not to a path of the sender's."""
    worker_packages.ensure(client)

    def where():
        from helpers.home import home

        return str(home())

    homes = client.run(where)
    assert all(Path(home).is_relative_to(cluster.folder) for home in homes.values())


def test_a_changed_helper_replaces_the_old(client, tmp_path, monkeypatch):
    """At the next `ensure` every worker runs the new code, and the scheduler unpickles with it."""
    worker_packages.ensure(client)
    assert predict(client) == PREDICTED
    changed = tmp_path / "helpers"
    shutil.copytree(worker_packages.FOLDER, changed, ignore=shutil.ignore_patterns("__pycache__"))
    text = (changed / "models.py").read_text()
    (changed / "models.py").write_text(text.replace("DEFAULT_HOURS_TO_CLOSE = 180.0", "DEFAULT_HOURS_TO_CLOSE = 1.0"))
    with monkeypatch.context() as patch:
        patch.setattr(worker_packages, "FOLDER", changed)
        worker_packages.ensure(client)
        assert predict(client) == [6 * 3600.0, 3600.0]
    worker_packages.ensure(client)
    assert predict(client) == PREDICTED


def test_a_task_that_drives_the_cluster_can_ensure_too(client):
    """On a worker that got the package, `ensure` finds that the cluster has it."""
    worker_packages.ensure(client)
    before = plugins(client)

    def drive():
        from distributed import get_client

        from helpers import worker_packages

        worker_packages.ensure(get_client())
        return len(worker_packages._sent("helpers").files)

    assert client.submit(drive, pure=False).result(30) > 50
    assert plugins(client) == before


@pytest.mark.parametrize("processes", [True, False])
def test_a_local_cluster_is_left_as_it_is(processes):
    """Workers of this checkout, and threads of this process, go on with the installed package."""
    options = {"n_workers": 1, "threads_per_worker": 1, "dashboard_address": "127.0.0.1:0"}
    with (
        distributed.LocalCluster(processes=processes, **options) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        worker_packages.ensure(client)
        assert predict(client) == PREDICTED
        assert set(loaders(client).values()) == {"SourceFileLoader"}
    assert "DAYBOOK_HOME" in os.environ


def test_somebody_elses_package_is_one_line(cluster, client, tmp_path):
    """A worker with another package called helpers is named before any work, and workers to come are not troubled."""
    (tmp_path / "helpers").mkdir()
    (tmp_path / "helpers" / "__init__.py").touch()
    worker_packages.ensure(client)
    with joined(cluster, client, PYTHONPATH=str(tmp_path)) as (address, _):
        client.unregister_worker_plugin("daybook-helpers")
        with pytest.raises(ClusterError) as error:
            worker_packages.ensure(client)
        assert str(error.value).startswith(f"worker {address}: another package called helpers is there, in {tmp_path}/")
        assert "\n" not in str(error.value)
        assert not client.run_on_scheduler(lambda dask_scheduler: "daybook-helpers" in dask_scheduler.worker_plugins)
    worker_packages.ensure(client)
    assert predict(client) == PREDICTED


def test_a_package_that_tasks_need_is_named_with_its_cure(cluster, client, tmp_path):
    """A worker without pandas is refused in one line; what a caller needs besides is looked for too."""
    poor = make_environment(tmp_path / "env", ("dask", "distributed", "prefect"))
    cure = rf"run there `python -m pip install pandas=={version('pandas')}` and start it again"
    with joined(cluster, client, python=poor) as (address, _), pytest.raises(ClusterError) as error:
        worker_packages.ensure(client)
    assert re.fullmatch(rf"worker {address} lacks pandas, which tasks need; {cure}", str(error.value))
    worker_packages.require(client, ["pandas"])
    with pytest.raises(ClusterError, match=r"worker tcp://.* lacks scikit-learn, .* pip install scikit-learn==1"):
        worker_packages.require(client, ["sklearn"])


def test_a_worker_that_hangs_is_named_in_bounded_time(cluster, client, monkeypatch):
    """A stopped process holds nobody up for longer than the limit."""
    assert worker_packages.ANSWER_SECONDS <= 15
    worker_packages.ensure(client)
    monkeypatch.setattr(worker_packages, "ANSWER_SECONDS", 2.0)
    with joined(cluster, client) as (address, process):
        process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        with pytest.raises(ClusterError, match=rf"worker {address} did not answer within 2 s; end or restart it"):
            worker_packages.ensure(client)
        assert time.monotonic() - began < 6


@pytest.mark.parametrize(
    ("package", "theirs", "fits"),
    [
        ("python", "3.99.0.final.0", False),
        ("python", ".".join(platform.python_version_tuple()[:2]) + ".99.final.0", True),
        ("dask", "2026.8.99", False),
        ("distributed", "2026.9.0", False),
        ("prefect", "3.8.7", False),
        ("pandas", "2.3.3", False),
        ("pandas", "3.99.0", True),
        ("prefect-dask", "0.2.9", False),
        ("numpy", "1.26.4", False),
        ("pyarrow", "25.0.0", False),
        ("msgpack", "2.0", False),
        ("cloudpickle", "2.2.1", False),
        ("cloudpickle", "3.99", True),
        ("toolz", "0.1", True),
    ],
)
def test_versions_that_matter(package, theirs, fits):
    """A version that tasks do not survive is one line with both versions; another is nobody's affair."""
    there = {name: version(name) for name in worker_packages.COMPARED if name != "python"}
    there |= {"python": ".".join(map(str, sys.version_info)), package: theirs}
    with contextlib.nullcontext() if fits else pytest.raises(ClusterError) as error:
        worker_packages._refuse_unfit("worker tcp://1.2.3.4:5", there, worker_packages.COMPARED, needed=())
    if not fits:
        ours = platform.python_version() if package == "python" else version(package)
        seen = theirs.removesuffix(".final.0")
        said = f"worker tcp://1.2.3.4:5 has {package} {seen}, this process {ours}: they do not fit; "
        assert str(error.value).startswith(said)
        assert "\n" not in str(error.value)
