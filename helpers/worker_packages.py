"""What a cluster's workers need besides Dask: our own package, which is sent to them, and fit versions of others'."""

import contextlib
import importlib.util
import os
import platform
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import ModuleType
from typing import Any

from helpers import package_in_memory
from helpers.exceptions import ClusterError

PACKAGE = "helpers"
FOLDER = Path(__file__).parent
# Small ones of pure Python, which tasks need and a worker with Dask and Prefect may lack: a flow names its task runner,
# a log's cache its lock.
SUPPLIED = ("filelock", "prefect_dask")
PLUGIN = "daybook-helpers"  # one name for all versions: a changed package takes the place of the old one
ANSWER_SECONDS = 15.0
PROCESS = uuid.uuid4().hex
_sending = threading.Lock()

# How many parts of a version must be the same here and there. Dask's own messages, Prefect's context of a task and
# cloudpickle's byte code are understood by the version that has written them; the others keep their formats for long.
COMPARED = {"python": 2, "dask": 3, "distributed": 3, "prefect": 3, "cloudpickle": 1, "msgpack": 1}
COMPARED |= {"prefect-dask": 2, "numpy": 1, "pandas": 1, "pyarrow": 1}
NEEDED = ("pandas", "pyarrow", "prefect")  # besides what Dask itself needs; also where graphs are unpickled
DISTRIBUTIONS = {"sklearn": "scikit-learn"}


def ensure(client) -> None:
    """Make our package importable on the scheduler and on every worker of a cluster, those that join later too.

    The package travels once to the scheduler, which hands it to its workers, as the sources of its modules in a Dask
    plugin; `package_in_memory` imports them there. A worker of this checkout, or one that has got the same before, is
    left as it is. Another copy of ours on a worker, installed or sent, is replaced: its modules are dropped and
    imported anew when a task next needs them. So a task that runs meanwhile for somebody else, with another copy, goes
    on with the modules that it has, and his next tasks take these; two checkouts that differ should not share a
    cluster. The scheduler needs it too: it unpickles the graphs that it is given.

    Parameters
    ----------
    client : distributed.Client

    Raises
    ------
    ClusterError
        When versions of other packages do not fit, a worker has somebody else's package of this name or none that
        tasks need, or does not answer within `ANSWER_SECONDS`.
    """
    require(client, list(NEEDED))
    ours, others = _sent(PACKAGE), [_sent(name) for name in SUPPLIED]
    digest = "-".join(sent.digest for sent in (ours, *others))
    if _answered(client, lambda: client.run_on_scheduler(_has(digest))):
        return
    on_scheduler, plugin = _travelling(ours, others, digest)
    try:
        with _by_value(package_in_memory):
            _answered(client, lambda: client.run_on_scheduler(on_scheduler))
            _answered(client, lambda: client.register_plugin(plugin, name=PLUGIN))
    except ImportError as error:
        with contextlib.suppress(ValueError):  # the scheduler refused, so that the workers were not asked
            _answered(client, lambda: client.unregister_worker_plugin(PLUGIN))
        raise ClusterError(str(error)) from None


def require(client, packages: list[str]) -> None:
    """Refuse a cluster whose workers lack packages, or have a version that does not fit this process's.

    Parameters
    ----------
    client : distributed.Client
    packages : list of str
        What must be there, by the names that are imported, such as `sklearn`; what Dask needs is looked at anyhow.

    Raises
    ------
    ClusterError
        One line with the worker's address, both versions, and the command that mends it.
    """
    names = [DISTRIBUTIONS.get(name, name) for name in packages]
    compared = list(dict.fromkeys([*COMPARED, *names]))
    found = _answered(client, lambda: client.get_versions(packages=compared))
    _refuse_unfit("the scheduler", found["scheduler"]["packages"], COMPARED, needed=set(names) & set(NEEDED))
    for address, there in found["workers"].items():
        _refuse_unfit(f"worker {address}", there["packages"], compared, needed=names)


def _refuse_unfit(where: str, there: dict, compared: Iterable[str], needed: Iterable[str]) -> None:
    """Refuse a scheduler or a worker by the first package there that does not fit."""
    for name in compared:
        ours, theirs = _version_here(name), there.get(name)
        if theirs is None and name in needed:
            mend = f"run there `python -m pip install {name}=={ours}` and start it again"
            raise ClusterError(f"{where} lacks {name}, which tasks need; {mend}")
        parts = COMPARED.get(name, 1)
        if theirs is None or ours is None or theirs.split(".")[:parts] == ours.split(".")[:parts]:
            continue
        if name == "python":
            theirs, ours = (".".join(version.split(".")[:3]) for version in (theirs, ours))
            mend = f"start it with Python {'.'.join(ours.split('.')[:2])}"
        else:
            mend = f"run there `python -m pip install {name}=={ours}` and start it again"
        raise ClusterError(f"{where} has {name} {theirs}, this process {ours}: they do not fit; {mend}")


def _version_here(name: str) -> str | None:
    if name == "python":
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _answered(client, ask: Callable[[], Any]) -> Any:
    """What a client's call gives, or a `ClusterError` that says who did not answer in time.

    Parameters
    ----------
    client : distributed.Client
    ask : callable
        A call of one of the client's methods that can be awaited in its event loop.
    """

    async def asked() -> Any:
        return await ask()

    try:
        return client.sync(asked, callback_timeout=ANSWER_SECONDS)
    except TimeoutError:
        raise ClusterError(
            f"{_silent(client)} did not answer within {ANSWER_SECONDS:.0f} s; end or restart it"
        ) from None
    except OSError as error:  # such as distributed's CommClosedError
        raise ClusterError(f"the connection to the scheduler at {client.scheduler.address} was lost: {error}") from None


def _silent(client) -> str:
    """Who has not been heard of for the longest time."""

    async def identity() -> dict:
        return await client.scheduler.identity(n_workers=-1)

    try:
        workers = client.sync(identity, callback_timeout=2)["workers"]
    except (OSError, TimeoutError):
        return f"the scheduler at {client.scheduler.address}"
    return f"worker {min(workers, key=lambda address: workers[address]['last_seen'])}" if workers else "the cluster"


def _sent(package: str) -> package_in_memory.SentPackage:
    """This process's own copy of a package; it may have been sent here itself."""
    spec = importlib.util.find_spec(package)
    if package_in_memory.is_sent(spec.loader):
        return spec.loader
    folder = FOLDER if package == PACKAGE else Path(spec.origin).parent
    files = package_in_memory.files_of(folder)
    return package_in_memory.SentPackage(package, files, package_in_memory.digest_of(files), str(folder))


def _has(digest: str) -> Callable:
    """A question to the scheduler: are the packages of this digest those that its workers get?"""
    name = PLUGIN

    def has(dask_scheduler) -> bool:
        return digest.encode() in dask_scheduler.worker_plugins.get(name, b"")

    return has


def _travelling(ours: package_in_memory.SentPackage, others: list, digest: str) -> tuple:
    """What is run on the scheduler, and the workers' plugin: both made here, so that they travel by value.

    A class or a function of a module would be sent as its name, and be looked for in the very package that is missing.
    """
    from distributed import WorkerPlugin  # 1.2 s of import, paid where there is a client

    install, supply = package_in_memory.install, package_in_memory.supply
    sender, module_name = (os.getpid(), PROCESS), __name__

    def install_elsewhere(where: str) -> bool:
        import os
        import sys

        # A cluster of threads lives in the sender's process, whose modules are its own affair.
        if (os.getpid(), getattr(sys.modules.get(module_name), "PROCESS", None)) == sender:
            return False
        for other in others:
            supply(other)
        try:
            return install(ours)
        except ImportError as error:
            raise ImportError(f"{where}: {error}") from None

    class SentHelpers(WorkerPlugin):
        def __init__(self):
            self.digest = digest  # `_has` looks for it

        def setup(self, worker) -> None:
            import os
            from pathlib import Path

            if install_elsewhere(f"worker {worker.address}"):
                # Where nothing of ours is installed our home is beside Dask's own scratch space.
                home = Path(worker.local_directory).parent / "daybook"
                os.environ.setdefault("DAYBOOK_HOME", str(home))

    def on_scheduler() -> bool:
        return install_elsewhere("the scheduler")

    return on_scheduler, SentHelpers()


@contextlib.contextmanager
def _by_value(module: ModuleType) -> Iterator[None]:
    """What this module defines is sent as it is, not as a name."""
    import cloudpickle

    with _sending:  # the register is the process's, not the thread's
        cloudpickle.register_pickle_by_value(module)
        try:
            yield
        finally:
            cloudpickle.unregister_pickle_by_value(module)
