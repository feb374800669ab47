"""An end to waiting for workers that do not come back: Dask itself waits for ever, and says nothing."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterator

from helpers.exceptions import ClusterError

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 1.0
ANSWER_SECONDS = 5.0


@contextlib.contextmanager
def watched(client, seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Around work on a cluster: when all its workers are gone for so long, what this process waits for is cancelled.

    What other people have given to the same scheduler goes on waiting. A cluster that has no worker because it has no
    work, as an adaptive one, is left alone.

    Parameters
    ----------
    client : distributed.Client
        Other clients of this process at the same scheduler, such as that of Prefect's task runner, are included.
    seconds : float, default 60
        From when no worker was seen, with work to do.

    Raises
    ------
    ClusterError
        Instead of what the cancelled work raises.
    """
    done, given_up = threading.Event(), threading.Event()
    address = client.scheduler.address
    thread = threading.Thread(target=_watch, args=(client, seconds, done, given_up), name="daybook-watch", daemon=True)
    thread.start()
    try:
        yield
    except Exception as error:
        if not given_up.is_set():
            raise
        raise ClusterError(
            f"no worker is left in the cluster at {address}, and none came back within {seconds:.0f} s; "
            "start workers, or mend the network, and run again"
        ) from error
    finally:
        done.set()
        thread.join(2 * ANSWER_SECONDS)


def _watch(client, seconds: float, done: threading.Event, given_up: threading.Event) -> None:
    """Look every second; cancel once, when patience ends."""
    lost = None
    while not done.wait(LOOK_SECONDS):
        try:
            is_lost = not client.sync(client.scheduler.ncores, callback_timeout=ANSWER_SECONDS) and _pending(client)
        except Exception:  # of whatever kind: the scheduler does not answer, which its clients find out themselves
            return
        if not is_lost:
            lost = None
        elif lost is None:
            lost = time.monotonic()
            print(f"daybook: no worker is left; waiting {seconds:.0f} s for one …", file=sys.stderr, flush=True)
        elif time.monotonic() - lost >= seconds:
            given_up.set()
            for futures in _pending(client):
                futures[0].client.cancel(futures, reason="no-workers")
            return


def _pending(client) -> list[list]:
    """Futures of this process that are not done, by client of the same scheduler; no empty lists."""
    from distributed import Client, Future  # 1.2 s of import, paid where there is a client

    # There is no public list of a process's clients.
    clients = [
        one
        for one in Client._instances.copy()
        if one.status == "running" and one.scheduler.address == client.scheduler.address
    ]
    waiting = [
        [Future(key, one) for key, state in one.futures.copy().items() if state.status == "pending"] for one in clients
    ]
    return [futures for futures in waiting if futures]
