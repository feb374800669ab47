"""What `cluster_options` may say: a cluster class's own keywords, and `adapt` and `wait_seconds` besides."""

import difflib
import inspect
from collections.abc import Iterable
from dataclasses import dataclass

from helpers.exceptions import ClusterError

BOUNDS = ("minimum", "maximum", "minimum_cores", "maximum_cores", "minimum_memory", "maximum_memory")
ADAPT_KEYS = (*BOUNDS, "interval", "wait_count", "target_duration")


@dataclass(frozen=True)
class ClusterOptions:
    """The options of one cluster, sorted by who takes them.

    Attributes
    ----------
    keywords : dict
        For the cluster's class, or for `distributed.Security`.
    adapt : dict or None
        For the cluster's `adapt`; None for a cluster of a fixed size.
    wait_seconds : float or None
        How long to wait for a first worker; None for what is usual for such a cluster.
    """

    keywords: dict
    adapt: dict | None
    wait_seconds: float | None


def sort_options(kind: str, options: dict, adapt_keys: Iterable[str] = ADAPT_KEYS) -> ClusterOptions:
    """Take `adapt` and `wait_seconds` out of the options, and check both.

    Parameters
    ----------
    kind : str
        The cluster, for what is said of it.
    options : dict
    adapt_keys : iterable of str
        What the cluster's `adapt` takes; none for a cluster that is only reached.

    Returns
    -------
    ClusterOptions

    Raises
    ------
    ClusterError
        When one of them is not what it has to be, or `n_workers` is given beside `adapt`.
    """
    keywords = dict(options)
    adapt, seconds = keywords.pop("adapt", None), keywords.pop("wait_seconds", None)
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (number and 0 <= seconds < float("inf")):
        raise ClusterError(f"cluster_options: wait_seconds is {seconds!r}; give a number of seconds, 0 or more")
    if "asynchronous" in keywords:
        raise ClusterError("cluster_options: 'asynchronous' is not for a notebook's cluster; leave it out")
    if adapt is not None:
        _check_adapt(kind, adapt, tuple(adapt_keys))
        if "n_workers" in keywords:
            raise ClusterError("cluster_options: adapt decides how many workers there are; give it or n_workers")
    return ClusterOptions(keywords, adapt, seconds)


def _check_adapt(kind: str, adapt: object, known: tuple[str, ...]) -> None:
    if not known:
        raise ClusterError(f"cluster_options: adapt is for a cluster that is made here, and {kind} is there already")
    example = 'give bounds such as {"minimum": 1, "maximum": 8}'
    if not isinstance(adapt, dict):
        raise ClusterError(f"cluster_options: adapt is {adapt!r}; {example}")
    for key in adapt:
        if key not in known:
            raise ClusterError(f"cluster_options: adapt has no {key!r}{nearest(key, known) or f'; {example}'}")
    for key in {"minimum", "maximum"} & adapt.keys():
        value = adapt[key]
        if not isinstance(value, int) or isinstance(value, bool) or value < (key == "maximum"):
            raise ClusterError(f"cluster_options: adapt's {key} is {value!r}; {example}")
    # Dask's own default has no upper bound: a worker for each task, whatever that costs.
    if not any(key.startswith("maximum") for key in adapt):
        raise ClusterError(f"cluster_options: adapt has no maximum; {example}")
    low, high = adapt.get("minimum", 0), adapt.get("maximum", float("inf"))
    if low > high:
        raise ClusterError(f"cluster_options: adapt's minimum {low} is above its maximum {high}; {example}")


def nearest(name: str, known: Iterable[str]) -> str:
    """The words that suggest the known name which is most like this one; empty when none is."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def check_keywords(kind: str, cls: type, keywords: dict) -> None:
    """Refuse a keyword that neither the cluster's class nor, where it hands them on, its workers take.

    Parameters
    ----------
    kind : str
        The cluster, for what is said of it.
    cls : type or callable
    keywords : dict

    Raises
    ------
    ClusterError
        With the nearest name that is taken.
    """
    from distributed import LocalCluster, Nanny, Worker
    from distributed.deploy import Cluster

    is_local = inspect.isclass(cls) and issubclass(cls, LocalCluster)
    takers = [c for c in cls.__mro__ if issubclass(c, Cluster)] + [Nanny, Worker] if is_local else [cls]
    signatures = [inspect.signature(taker).parameters for taker in takers]
    if not is_local and any(p.kind is p.VAR_KEYWORD for p in signatures[0].values()):
        return  # a SLURMCluster, say, hands what it does not know to its jobs: it has to judge
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    known = {name for parameters in signatures for name, p in parameters.items() if p.kind not in variable} - {"self"}
    # A LocalCluster overrides its workers' nthreads without a word.
    present = {"nthreads": "threads_per_worker"} if is_local else {}
    for keyword in keywords:
        if keyword not in known or keyword in present:
            near = difflib.get_close_matches(keyword, [*known, "adapt", "wait_seconds"], 1)
            hint = f"; did you mean {present.get(near[0], near[0])!r}?" if near else ""
            raise ClusterError(f"cluster_options: {keyword!r} is not known to cluster {kind!r}{hint}")
