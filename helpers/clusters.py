"""Where the tasks of a flow run: in this process, or on a Dask cluster that is made, found or reached by one parameter.

`connect` gives Prefect's task runner and, where there is one, the Dask client with its dashboard link.
"""

import atexit
import contextlib
import difflib
import importlib
import inspect
import json
import os
import re
from collections.abc import Iterator

from helpers import saturn
from helpers.exceptions import ClusterError
from helpers.fork_server import end_fork_server, warm_workers
from helpers.masking import mask, reveal
from helpers.run_context import current

CONNECT_SECONDS = 15.0
KINDS = "'none', 'local', 'saturn', a scheduler's address (tcp://host:port), or a dotted class such as my.Cluster"
LOOPBACK = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}  # Dask's own default listens on every interface


class Compute:
    """Where tasks run, and what there is to close afterwards.

    Attributes
    ----------
    kind : str
        The parameter that asked for it.
    cluster : distributed.deploy.Cluster or None
        What was made or found; None in this process and for a scheduler that was only reached.
    client : distributed.Client or None
        Connected to the cluster; None in this process.
    """

    def __init__(self, kind: str, cluster=None, client=None):
        self.kind = kind
        self.cluster = cluster
        self.client = client

    @property
    def dashboard_link(self) -> str | None:
        """The address of Dask's dashboard, as it is reached from where the notebook is."""
        if self.client is None:
            return None
        return getattr(self.cluster, "dashboard_link", None) or self.client.dashboard_link

    @property
    def task_runner(self):
        """A Prefect task runner that submits to this; a new one at each call."""
        if self.client is None:
            from prefect.task_runners import ThreadPoolTaskRunner

            return ThreadPoolTaskRunner()
        from prefect_dask import DaskTaskRunner

        # By address: the runner that a flow duplicates for itself forgets a cluster object and would make another.
        return DaskTaskRunner(
            address=self.client.scheduler.address, client_kwargs={"security": getattr(self.client, "security", None)}
        )

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Around the flow: its Dask performance report goes to the run folder, if this is a headless run.

        A cluster that was asked to shut down on close does so here, also when the flow fails.
        """
        if self.client is None:
            yield
            return
        import distributed

        folder = current().folder
        try:
            # Prefect's runner adopts whatever Dask client is current: let it be this one.
            with self.client.as_current(), contextlib.ExitStack() as stack:
                if folder:
                    stack.enter_context(distributed.performance_report(filename=str(folder / "dask-report.html")))
                yield
        finally:
            if self.kind == "saturn" and self.cluster.shutdown_on_close:
                self.close()

    def close(self) -> None:
        """Close the client and the cluster, unless it is one that stays; a second call does nothing."""
        client, self.client = self.client, None
        cluster, self.cluster = self.cluster, None
        if client is not None:
            client.close()
        # Dask's own clusters shut down on close, Saturn's when they were asked to.
        if cluster is not None and getattr(cluster, "shutdown_on_close", True):
            cluster.close()
        if self.kind == "local" and cluster is not None:
            end_fork_server()

    def __enter__(self) -> "Compute":
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Compute {self._describe()}>"

    def _repr_html_(self) -> str:
        from html import escape

        link = self.dashboard_link
        page = f'; <a href="{escape(link)}" target="_blank">Dask dashboard</a> at {escape(link)}' if link else ""
        return f"<p>Tasks run {escape(self._describe())}{page}</p>"

    def _describe(self) -> str:
        if self.client is None:
            return "in this process" if self.kind == "none" else f"{self.kind}, closed"
        workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        threads = sum(worker["nthreads"] for worker in workers)
        return f"on {self.kind}: {len(workers)} workers, {threads} threads"


def connect(cluster: str = "none", cluster_options: dict | None = None) -> Compute:
    """Make, find or reach the cluster that a parameter names.

    Parameters
    ----------
    cluster : str, default "none"
        `none`: threads of this process. `local`: a `distributed.LocalCluster` on loopback. `saturn`: a
        `dask_saturn.SaturnCluster`, an existing one used as it is. A scheduler's address (`tcp://host:8786`). Or the
        dotted name of a Dask cluster class (`dask_jobqueue.SLURMCluster`).
    cluster_options : dict, optional
        Handed to the cluster's class; for an address, to `distributed.Security`.

    Returns
    -------
    Compute

    Raises
    ------
    ClusterError
        When the name or an option is none that is known, or the cluster does not come up or answer.
    """
    options = dict(cluster_options or {})
    if cluster == "none":
        if options:
            raise ClusterError(f"cluster_options {options} are of no use to cluster 'none'; choose a cluster")
        return Compute("none")
    if cluster == "local":
        import distributed

        check_options("local", distributed.LocalCluster, options)
        if warm := _warm_address(options):
            return Compute("local", client=_reached(warm, {}).client)
        # A worker that is a child of a server that has imported everything is there in 0.2 s instead of 3 s.
        warm_workers()
        return _made("local", distributed.LocalCluster, LOOPBACK | options)
    if cluster == "saturn":
        return _saturn_cluster(options)
    if "://" in cluster:
        return _reached(cluster, options)
    return _made(cluster, cluster_class(cluster), options)


def _warm_address(options: dict) -> str | None:
    """The scheduler of the cluster that `daybook serve --warm-cluster` keeps, if it was made with these options."""
    warm = json.loads(os.environ.get("DAYBOOK_WARM_CLUSTER") or "{}")
    return warm["address"] if warm and warm["options"] == options else None


def cluster_class(name: str) -> type:
    """The Dask cluster class of this dotted name, or a `ClusterError` that says what is wrong with it."""
    from distributed.deploy import Cluster

    module, _, attribute = name.rpartition(".")
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", name):
        raise ClusterError(f"cluster {name!r} is not known; give {KINDS}")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ClusterError(f"cluster class {name!r} cannot be imported ({error}); install or correct it") from None
    if not (inspect.isclass(found) and issubclass(found, Cluster)):
        raise ClusterError(f"cluster {name!r} is not a Dask cluster class; give {KINDS}")
    return found


def _made(kind: str, cls: type, options: dict) -> Compute:
    """An instance of a cluster class, or one line that says why there is none."""
    check_options(kind, cls, options)
    try:
        return _compute(kind, cls(**options))
    except ClusterError:
        raise
    except Exception as error:  # each cluster class raises what its parts raise
        reason = mask(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
        raise ClusterError(f"cluster {kind!r} did not start: {reason}; see cluster_options") from error


def check_options(kind: str, cls: type, options: dict) -> None:
    """Refuse an option that neither the cluster's class nor, where it hands them on, its workers take."""
    from distributed import LocalCluster, Nanny, Worker
    from distributed.deploy.spec import SpecCluster

    takers = [cls, *([SpecCluster, Nanny, Worker] if issubclass(cls, SpecCluster) else [])]
    signatures = [inspect.signature(taker).parameters for taker in takers]
    if not issubclass(cls, SpecCluster) and any(p.kind is p.VAR_KEYWORD for p in signatures[0].values()):
        return  # it takes anything, so it has to judge
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    known = {name for parameters in signatures for name, p in parameters.items() if p.kind not in variable} - {"self"}
    # A LocalCluster overrides its workers' nthreads without a word.
    present = {"nthreads": "threads_per_worker"} if issubclass(cls, LocalCluster) else {}
    for option in options:
        if option not in known or option in present:
            near = difflib.get_close_matches(option, known, 1)
            hint = f"; did you mean {present.get(near[0], near[0])!r}?" if near else ""
            raise ClusterError(f"cluster_options: {option!r} is not known to cluster {kind!r}{hint}")


def _reached(address: str, options: dict, security=None) -> Compute:
    """A client of a scheduler that is up; closing it leaves the scheduler alone."""
    import distributed

    try:
        security = distributed.Security(**options) if options else security
    except (TypeError, ValueError) as error:
        raise ClusterError(f"cluster_options: {error}; for an address they go to distributed.Security") from None
    try:
        client = distributed.Client(
            reveal(address), timeout=CONNECT_SECONDS, security=security, set_as_default=False, name="daybook"
        )
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        # Dask tells the address without its scheme, where a password is not recognised.
        reason = reason.replace(reveal(address).partition("://")[2], mask(address).partition("://")[2])
        raise ClusterError(f"no Dask scheduler answers at {mask(address)} ({reason}); start it or correct it") from None
    return Compute(mask(address), client=client)


def _compute(kind: str, cluster) -> Compute:
    """A client of a cluster that was just made or found."""
    import distributed

    try:
        client = distributed.Client(cluster, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, RuntimeError) as error:
        cluster.close()
        raise ClusterError(f"cluster {kind!r} is there but its scheduler does not answer: {error}") from None
    return Compute(kind, cluster, client)


def _saturn_cluster(options: dict) -> Compute:
    """Saturn's cluster, which outlives its user unless asked to close: one exists for each of Saturn's resources."""
    cluster = saturn.open_cluster(options)
    try:
        # By address: a client of the cluster object asks Saturn over HTTP at each heartbeat, inside Dask's event loop.
        reached = _reached(cluster.scheduler_address, {}, cluster.security)
    except ClusterError:
        if cluster.shutdown_on_close:
            cluster.close()
        raise
    compute = Compute("saturn", cluster, reached.client)
    if cluster.shutdown_on_close:
        atexit.register(compute.close)  # dask_saturn forgets it when a failing notebook ends the interpreter
    return compute
