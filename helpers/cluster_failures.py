"""What Dask raises when workers or a scheduler die, told in one line that names the knob."""

from collections.abc import Iterator

from helpers.exceptions import ClusterError

GONE_SECONDS = 2.0  # for a scheduler to answer, when it is suspected


def explained(error: BaseException, client=None) -> ClusterError | None:
    """Tell a failure of the cluster, as a flow's tasks raise it, in one line.

    Parameters
    ----------
    error : BaseException
        What was raised; what it was raised from is looked at too.
    client : distributed.Client, optional
        Asked whether its scheduler is there still.

    Returns
    -------
    ClusterError or None
        None when it is no failure of the cluster.
    """
    from distributed import CancelledError, KilledWorker
    from distributed.comm import CommClosedError

    for one in _chain(error):
        if isinstance(one, ClusterError):
            return None  # told already
        if isinstance(one, KilledWorker):
            return ClusterError(_killed(one))
        address = client.scheduler.address if client and client.scheduler else ""
        # A connection that could not be made again is any OSError, which names the address.
        is_of_connection = isinstance(one, OSError) and bool(address) and address in str(one)
        if (isinstance(one, CancelledError | CommClosedError) or is_of_connection) and (
            getattr(one, "reason", "") == "scheduler-connection-lost" or is_gone(client)
        ):
            at = f" at {address}" if address else ""
            return ClusterError(f"the Dask scheduler{at} is gone, and the tasks with it; run again once it is up")
    return None


def is_gone(client) -> bool:
    """Whether a client has lost its scheduler."""
    if client is None or client.status != "running":
        return client is not None
    try:
        client.sync(client.scheduler.versions, callback_timeout=GONE_SECONDS)
    except Exception:  # of whatever kind: it does not answer
        return True
    return False


def _killed(error) -> str:
    from dask.utils import format_bytes
    from distributed.utils import key_split

    limit = error.last_worker.memory_limit
    limited = f", memory_limit {format_bytes(limit)} each" if limit else ""
    return (
        f"{error.allowed_failures + 1} workers died under the task {key_split(error.task)!r}{limited}, most likely out "
        "of memory: raise memory_limit in cluster_options, lower threads_per_worker, or make the partitions smaller"
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__
