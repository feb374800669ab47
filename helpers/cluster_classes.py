"""Dask's cluster classes by their dotted names."""

import importlib
import inspect
import re

from helpers.cluster_options import nearest
from helpers.exceptions import ClusterError

KINDS = "'none', 'local', 'saturn', a scheduler's address (tcp://host:port), or a dotted class such as my.Cluster"
PACKAGES = {  # what has to be installed for a module; its clusters take their machines from a queue or a cloud
    "coiled": "coiled",
    "dask_cloudprovider": "dask-cloudprovider",
    "dask_databricks": "dask-databricks",
    "dask_jobqueue": "dask-jobqueue",
    "dask_kubernetes": "dask-kubernetes",
    "dask_mpi": "dask-mpi",
    "dask_yarn": "dask-yarn",
}
NEEDED = {"asyncssh": "asyncssh", "paramiko": "paramiko"}  # by distributed's own clusters over SSH


def cluster_class(name: str) -> type:
    """Find a cluster class, or a function such as `distributed.SSHCluster` that makes clusters.

    Parameters
    ----------
    name : str
        Dotted, such as `dask_jobqueue.SLURMCluster`.

    Returns
    -------
    type or callable

    Raises
    ------
    ClusterError
        When the package is not installed (with the command that installs it), has no such class (with the nearest), or
        what it has is no cluster class.
    """
    from distributed.deploy import Cluster, SpecCluster

    module_name, _, attribute = name.rpartition(".")
    if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", name):
        raise ClusterError(f"cluster {name!r} is not known{nearest(name, ('none', 'local', 'saturn'))}; give {KINDS}")
    module = _module(name, module_name)
    if not hasattr(module, attribute):
        near = nearest(attribute, [other for other in dir(module) if is_cluster_class(getattr(module, other, None))])
        raise ClusterError(f"cluster {name!r} is not there: {module_name} has no {attribute}{near or '; correct it'}")
    found = getattr(module, attribute)
    if not is_cluster_class(found):
        raise ClusterError(f"cluster {name!r} is not a Dask cluster class; give {KINDS}")
    if found in (Cluster, SpecCluster) or inspect.isabstract(found):
        raise ClusterError(f"cluster {name!r} is only what other cluster classes are made from; give one of those")
    return found


def is_cluster_class(found: object) -> bool:
    """Whether this is a Dask cluster class, or a function that says that it returns a cluster."""
    from distributed.deploy import Cluster

    if inspect.isclass(found):
        return issubclass(found, Cluster)
    # Strict, because it is going to be called: a parameter must not call any function that there is.
    returned = inspect.get_annotations(found).get("return") if inspect.isfunction(found) else None
    returned = getattr(inspect.getmodule(found), returned, None) if isinstance(returned, str) else returned
    return inspect.isclass(returned) and issubclass(returned, Cluster)


def is_queued(cls: object) -> bool:
    """Whether its workers are machines that a queue or a cloud gives when it can, and not at once."""
    classes = cls.__mro__ if inspect.isclass(cls) else [cls]
    return any(one.__module__.partition(".")[0] in PACKAGES for one in classes)


def missing_package(error: BaseException) -> str:
    """The command that installs what could not be imported; empty when it is none that is known."""
    known = PACKAGES | NEEDED
    name = (getattr(error, "name", None) or "").partition(".")[0]
    named = [name] if name in known else re.findall(r"`(\w+)`", str(error))  # Dask puts a package in backquotes
    return next((f"pip install {known[one]}" for one in named if one in known), "")


def _module(name: str, module: str):
    try:
        return importlib.import_module(module)
    except ImportError as error:
        mend = missing_package(error) or "install or correct it"
        raise ClusterError(f"cluster class {name!r} cannot be imported ({error}); {mend}") from None
    except Exception as error:  # whatever a module does when it is imported
        reason = str(error).strip().partition("\n")[0]
        raise ClusterError(f"cluster class {name!r} cannot be imported ({type(error).__name__}: {reason})") from None
