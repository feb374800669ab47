"""Saturn Cloud's Dask clusters through `dask_saturn`, with what its last release (0.4.4) lacks on today's Dask.

It reads `SATURN_BASE_URL` and `SATURN_TOKEN`. One cluster exists for each of Saturn's resources: an existing one is
used as it is, and left running unless asked to close.
"""

import functools
import logging
import os
from types import SimpleNamespace

from helpers.cluster_options import nearest
from helpers.exceptions import ClusterError
from helpers.masking import mask

REQUEST_SECONDS = (5.0, 10.0)  # to connect, and between bytes
RENAMED = {"autoclose": "shutdown_on_close", "scheduler_class": "scheduler_size", "worker_class": "worker_size"}
OPTIONS = (
    "n_workers",
    "worker_size",
    "scheduler_size",
    "worker_is_spot",
    "nprocs",
    "nthreads",
    "scheduler_service_wait_timeout",
    "shutdown_on_close",
)


def open_cluster(options: dict, adapt: dict | None = None):
    """Start this resource's Saturn cluster, or find it.

    Parameters
    ----------
    options : dict
        Keywords of `dask_saturn.SaturnCluster`; `autoclose` is understood as `shutdown_on_close`.
    adapt : dict, optional
        `maximum` and, by default 0, `minimum` of an adaptive cluster, which starts with few workers.

    Returns
    -------
    dask_saturn.SaturnCluster

    Raises
    ------
    ClusterError
        When a variable is missing, an option or a size is none that Saturn knows, or Saturn does not answer or refuses.
    """
    _check_variables()
    options = checked_options(options)
    if adapt is None:
        return _asked(lambda: _cluster_class()(**options))
    cluster = _asked(lambda: _cluster_class()(n_workers=adapt.get("minimum") or 1, **options))
    try:
        _asked(lambda: cluster.adapt(**{"minimum": 0} | adapt))
    except ClusterError:
        if cluster.shutdown_on_close:
            cluster.close()
        raise
    return cluster


def sizes() -> str:
    """The sizes of machines that Saturn offers for schedulers and workers, in one line."""
    _check_variables()
    _cluster_class()  # sets the time limits
    from dask_saturn.core import list_sizes

    return f"sizes {', '.join(_asked(list_sizes))}"


def _check_variables() -> None:
    for variable in ("SATURN_BASE_URL", "SATURN_TOKEN"):
        if not os.environ.get(variable):
            raise ClusterError(f"cluster 'saturn' needs the environment variable {variable}; set it as Saturn shows it")


def _asked(question):
    """The answer of a call to Saturn, or one line that says why there is none."""
    try:
        return question()
    except OSError as error:  # requests' errors are OSErrors
        address, kind = mask(os.environ["SATURN_BASE_URL"]), type(error).__name__
        raise ClusterError(f"Saturn at {address} does not answer ({kind}); check SATURN_BASE_URL") from None
    except (ValueError, RuntimeError, KeyError) as error:
        reason = mask((str(error).strip() or type(error).__name__).splitlines()[0])
        raise ClusterError(f"Saturn refused: {reason}; see cluster_options and SATURN_TOKEN") from None


def checked_options(options: dict) -> dict:
    """The options under their present names; dask_saturn itself ignores a name that it does not know."""
    present = {RENAMED.get(option, option): value for option, value in options.items()}
    for option in present:
        if option not in OPTIONS:
            hint = nearest(option, OPTIONS) or f"; it knows {', '.join(OPTIONS)}"
            raise ClusterError(f"cluster_options: {option!r} is not known to cluster 'saturn'{hint}")
    return present


@functools.cache
def _cluster_class() -> type:
    """`dask_saturn.SaturnCluster` with time limits, its worker plugin, and a quiet end."""
    handlers = list(logging.root.handlers)
    import dask_saturn.core  # takes 0.6 s, and sets up logging for the whole process when it is imported
    import dask_saturn.external
    import requests
    from dask_saturn import SaturnCluster
    from dask_saturn.plugins import SaturnSetup
    from distributed import Client, WorkerPlugin

    logging.root.handlers[:] = handlers
    logging.getLogger("dask-saturn").setLevel(logging.WARNING)
    # No request of its own has a time limit, so that a stalled Saturn would hold a scheduled run for ever.
    limited = {verb: functools.partial(getattr(requests, verb), timeout=REQUEST_SECONDS) for verb in ("get", "post")}
    dask_saturn.core.requests = dask_saturn.external.requests = SimpleNamespace(**limited)

    class TimedSaturnCluster(SaturnCluster):
        """A Saturn cluster whose plugin reaches the workers."""

        def register_default_plugin(self):
            """Register dask_saturn's plugin, which Dask refuses since 2026.6 unless it is a `WorkerPlugin`."""

            class Setup(SaturnSetup, WorkerPlugin):  # local: sent by its code, as workers need not have this module
                pass

            with Client(self.scheduler_address, security=self.security, set_as_default=False) as client:
                client.register_plugin(Setup())

        def __del__(self):
            # Dask's own asks Saturn four times over HTTP only to warn that the cluster was left running, as it should.
            pass

    return TimedSaturnCluster
