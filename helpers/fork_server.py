"""The process that a local cluster's workers are forked from, which has imported what they need."""

import contextlib
import gc
import os

WORKER_MODULES = (
    "distributed",
    "prefect.task_engine",
    "prefect_dask",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
    "helpers.summaries",
    "helpers.trials",
)
# Dask has workers give freed memory back at once, and the next array of a megabyte then costs its pages again: a third
# of the time of a pass over a log. Some tens of MB are kept instead.
MALLOC = {"MALLOC_TRIM_THRESHOLD_": 64 * 2**20, "MALLOC_MMAP_THRESHOLD_": 16 * 2**20}


def warm_workers(cluster: str = "local") -> None:
    """Start importing what a local cluster's workers need, in a process of its own that they are forked from.

    Importing takes a worker seconds of CPU; so it is done once, and called early it is done while this process
    imports the same. Nothing happens for other clusters, or where the person has configured another start method.
    """
    if cluster != "local" or os.environ.get("DAYBOOK_WARM_CLUSTER"):
        return
    import dask
    import distributed.utils

    if dask.config.get("distributed.worker.multiprocessing-method") not in ("spawn", "forkserver"):
        return
    dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"})
    context = distributed.utils.get_mp_context()  # sets a preload list of its own, at its first call
    context.set_forkserver_preload(list(WORKER_MODULES))
    from multiprocessing import forkserver

    # BLAS decides on its threads when NumPy is imported: here, and Dask wants one a worker thread.
    wanted = dask.config.get("distributed.nanny.pre-spawn-environ", {}) | MALLOC
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update({name: str(value) for name, value in wanted.items()})
    try:
        forkserver.ensure_running()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def end_fork_server() -> None:
    """End what `warm_workers` started; a next cluster starts it again.

    A kernel that is asked to exit waits for its children, and multiprocessing's resource tracker ignores SIGTERM: the
    kernel would be killed after 2.5 s instead of ending by itself.
    """
    import multiprocessing
    from multiprocessing import forkserver, resource_tracker

    if multiprocessing.active_children():
        return  # somebody else's: they hold the pipe whose end tells the tracker to end
    gc.collect()  # the locks of the closed cluster's queues
    with contextlib.suppress(AttributeError, OSError):  # no public way to do it, in Python 3.11 to 3.13
        forkserver._forkserver._stop()
        resource_tracker._resource_tracker._stop()
