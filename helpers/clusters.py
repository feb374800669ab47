"""The Dask cluster that one parameter names, made, found or reached, or none.

`connect` gives Prefect's task runner and, where there is one, the Dask client with its dashboard link.
"""

import atexit
import inspect
import json
import os

from helpers import saturn, schedulers
from helpers.cluster_classes import cluster_class, is_queued, missing_package
from helpers.cluster_options import ClusterOptions, check_keywords, sort_options
from helpers.compute import Compute, active
from helpers.exceptions import ClusterError
from helpers.fork_server import end_fork_server, warm_workers
from helpers.masking import mask

__all__ = ["Compute", "active", "connect", "warm_workers"]

LOOPBACK = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"}  # Dask's own default listens on every interface
QUEUE_SECONDS = 600.0  # for the first worker, where a queue or a cloud has to find a machine for it


def connect(cluster: str = "none", cluster_options: dict | None = None) -> Compute:
    """Make, find or reach the cluster that a parameter names, and wait for its first worker.

    Parameters
    ----------
    cluster : str, default "none"
        `none`: threads of this process. `local`: a `distributed.LocalCluster` on loopback. `saturn`: a
        `dask_saturn.SaturnCluster`, an existing one used as it is. A scheduler's address (`tcp://host:8786`,
        `tls://host:8786`). Or the dotted name of a Dask cluster class (`dask_jobqueue.SLURMCluster`).
    cluster_options : dict, optional
        Handed to the cluster's class; for an address, to `distributed.Security`. Two are taken out before: `adapt`
        (`{"minimum": 1, "maximum": 8}`), which makes the number of workers follow the load, and `wait_seconds`, how
        long to wait for the first worker (by default 30 s, and 10 minutes for Saturn, queues and clouds).

    Returns
    -------
    Compute

    Raises
    ------
    ClusterError
        When the name or an option is none that is known, the cluster does not come up or answer, has other versions of
        Dask or Python, or gets no worker.
    """
    options = dict(cluster_options or {})
    if cluster == "none":
        if options:
            raise ClusterError(f"cluster_options {options} are of no use to cluster 'none'; choose a cluster")
        return Compute("none")
    if cluster == "local":
        return _local(options)
    if cluster == "saturn":
        return _saturn(options)
    if "://" in cluster:
        return _address(cluster, options)
    return _dotted(cluster, options)


def _local(options: dict) -> Compute:
    import distributed

    given = sort_options("local", options)
    check_keywords("local", distributed.LocalCluster, given.keywords)
    warm = _warm_address(options)
    if warm:
        compute = Compute("local", client=schedulers.reached(warm))
    else:
        # A worker that is a child of a server that has imported everything is there in 0.2 s instead of 3 s.
        warm_workers()
        in_process = given.keywords.get("processes") is False and "protocol" not in given.keywords
        # Workers in this process are reached by name, not by a host that listens.
        defaults = {name: value for name, value in LOOPBACK.items() if not (in_process and name == "host")}
        compute = _made("local", distributed.LocalCluster, given, defaults)
    # A warm one may have been made before the helpers were edited.
    return _ready(compute, given.wait_seconds, "give n_workers or adapt in cluster_options", is_foreign=bool(warm))


def _warm_address(options: dict) -> str | None:
    """The scheduler of the cluster that `daybook serve --warm-cluster` keeps, if it was made with these options."""
    warm = json.loads(os.environ.get("DAYBOOK_WARM_CLUSTER") or "{}")
    return warm["address"] if warm and warm["options"] == options else None


def _address(address: str, options: dict) -> Compute:
    given = sort_options(mask(address), options, adapt_keys=())
    client = schedulers.reached(address, schedulers.security(address, given.keywords))
    look_at = f"start one with: dask worker {mask(address)}"
    return _ready(Compute(mask(address), client=client), given.wait_seconds, look_at)


def _dotted(name: str, options: dict) -> Compute:
    cls = cluster_class(name)
    given = sort_options(name, options)
    check_keywords(name, cls, given.keywords)
    compute = _made(name, cls, given)
    usual, look_at = schedulers.WAIT_SECONDS, "give n_workers or adapt in cluster_options, and see the workers' logs"
    if is_queued(cls):
        usual, look_at = QUEUE_SECONDS, "give n_workers or adapt in cluster_options, and see its queue of jobs or pods"
    return _ready(compute, usual if given.wait_seconds is None else given.wait_seconds, look_at)


def _saturn(options: dict) -> Compute:
    """Saturn's cluster, which outlives its user unless asked to close: one exists for each of Saturn's resources."""
    given = sort_options("saturn", options, adapt_keys=("minimum", "maximum"))
    cluster = saturn.open_cluster(given.keywords, given.adapt)
    compute = Compute("saturn", cluster)
    try:
        # By address: a client of the cluster object asks Saturn over HTTP at each heartbeat, inside Dask's event loop.
        compute.client = schedulers.reached(cluster.scheduler_address, cluster.security)
    except ClusterError:
        compute.close()
        raise
    seconds = QUEUE_SECONDS if given.wait_seconds is None else given.wait_seconds
    _ready(compute, seconds, "see the cluster's page on Saturn, and give n_workers or adapt")
    if cluster.shutdown_on_close:
        atexit.register(compute.close)  # dask_saturn forgets it when a failing notebook ends the interpreter
    return compute


def _made(kind: str, cls: type, given: ClusterOptions, defaults: dict | None = None) -> Compute:
    """An instance of a cluster class with a client, or one line that says why there is none."""
    keywords = (defaults or {}) | given.keywords
    if given.adapt is not None:
        if not hasattr(cls, "adapt"):
            raise ClusterError(f"cluster_options: cluster {kind!r} cannot adapt; give the number of its workers")
        # With one to begin with, the first task need not wait for the load to be looked at.
        few = {"n_workers": given.adapt.get("minimum") or 1}
        keywords |= few if "n_workers" in inspect.signature(cls).parameters else {}
    cluster = None
    try:
        cluster = cls(**keywords)
        if getattr(cluster, "asynchronous", False):
            cluster = None  # it has not started, and to close it would have to be awaited
            raise ClusterError(f"cluster {kind!r} is one for coroutines alone; give one that can be used without await")
        if given.adapt is not None:
            cluster.adapt(**given.adapt)
        return Compute(kind, cluster, schedulers.connected(cluster))
    except BaseException as error:  # each cluster class raises what its parts raise
        if cluster is not None:
            cluster.close()
        if kind == "local":
            end_fork_server()
        if isinstance(error, ClusterError) or not isinstance(error, Exception):
            raise
        reason = mask(str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__)
        mend = missing_package(error) or "see cluster_options"
        raise ClusterError(f"cluster {kind!r} did not start: {reason}; {mend}") from error


def _ready(compute: Compute, seconds: float | None, look_at: str, is_foreign: bool = True) -> Compute:
    """A compute whose scheduler fits and has a worker; it is closed when not."""
    try:
        if is_foreign:
            schedulers.check_versions(compute.client, compute.kind)
        schedulers.wait_for_worker(compute.client, compute.kind, seconds, look_at)
        compute.patience_seconds = max(seconds or 0.0, compute.patience_seconds)
        if is_foreign:
            from helpers import worker_packages

            worker_packages.ensure(compute.client)
        compute.announce()
    except BaseException:
        compute.close()
        raise
    return compute
