"""A function called for each partition where the work is: on the Dask cluster in use, or in threads of this process."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import as_completed as threads_as_completed
from operator import add

from helpers import compute

MERGED_AT_ONCE = 16  # results; one tree for all, so that the last digits are the same wherever it runs


def each(function: Callable, *arguments: Sequence) -> list:
    """Call a function for each partition.

    Parameters
    ----------
    function : callable
        Picklable; on a cluster it is called on the workers.
    *arguments : sequences of the same length
        One of partitions, and maybe others beside it, as for `map`.

    Returns
    -------
    list
        The results in order.
    """
    client = _client()
    if client is None:
        with _threads(len(arguments[0])) as threads:
            return list(threads.map(function, *arguments))
    return client.gather(client.map(function, *arguments, pure=False))


def merged(function: Callable, *arguments: Sequence, on_done: Callable[[int], None] = lambda place: None):
    """Call a function for each partition and add up the results, on a cluster where they are.

    Parameters
    ----------
    function : callable
        Picklable; its results are small, and merge with `+`.
    *arguments : sequences of the same length, at least 1
        As for `each`.
    on_done : callable, optional
        Called in this process with the place of each partition that is done, in any order.

    Returns
    -------
    object
        The sum, in the order of the partitions.

    Raises
    ------
    Exception
        The first that a call raised; what was not begun then is not done.
    """
    client = _client()
    return _in_threads(function, arguments, on_done) if client is None else _on(client, function, arguments, on_done)


def require(packages: Sequence[str]) -> None:
    """Refuse, with a `ClusterError`, a cluster in use whose workers lack one of these packages."""
    client = _client()
    if client is not None and packages:
        from helpers import worker_packages

        worker_packages.require(client, list(packages))


def _client():
    active = compute.active()
    return active.client if active else None


def _threads(number: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(number, os.cpu_count() or 1), thread_name_prefix="partition")


def _in_threads(function: Callable, arguments: tuple, on_done: Callable):
    threads = _threads(len(arguments[0]))
    try:
        places = {threads.submit(function, *call): n for n, call in enumerate(zip(*arguments, strict=True))}
        results = [None] * len(places)
        for future in threads_as_completed(places):
            results[places[future]] = future.result()
            on_done(places[future])
    finally:
        threads.shutdown(cancel_futures=True)
    while len(results) > 1:
        results = [total(part) for part in _parts(results)]
    return total(results)


def _on(client, function: Callable, arguments: tuple, on_done: Callable):
    """The same on a cluster: the answers are merged by the workers, so that few and small ones travel."""
    from distributed import as_completed

    futures = list(client.map(function, *arguments, pure=False))
    places, tree = {future.key: n for n, future in enumerate(futures)}, [futures]
    try:
        while len(tree[-1]) > 1:
            tree.append([client.submit(total, part, pure=False) for part in _parts(tree[-1])])
        for future in as_completed(futures):
            if future.status != "finished":
                future.result()  # raises what the call did
            on_done(places[future.key])
        return total(client.gather(tree[-1]))
    finally:
        client.cancel([future for level in tree for future in level])


def _parts(results: list) -> Iterator[list]:
    for start in range(0, len(results), MERGED_AT_ONCE):
        yield results[start : start + MERGED_AT_ONCE]


def total(results: list):
    """The sum of results, from the first to the last."""
    whole = results[0]
    for result in results[1:]:
        whole = add(whole, result)
    return whole
