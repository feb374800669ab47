"""Where tasks run once a cluster is connected, and which is in use now."""

import contextlib
import sys
import threading
from collections.abc import Iterator

from helpers import dashboard_links
from helpers.cluster_failures import explained
from helpers.fork_server import end_fork_server
from helpers.lost_workers import PATIENCE_SECONDS, watched
from helpers.run_context import current

_lock = threading.Lock()
_recorded: list[tuple[object, "Compute"]] = []  # open `recorded` blocks, the innermost last


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
    patience_seconds : float
        How long a cluster may be without a worker while there is work to do.
    """

    def __init__(self, kind: str, cluster=None, client=None):
        self.kind = kind
        self.cluster = cluster
        self.client = client
        self.patience_seconds = PATIENCE_SECONDS

    @property
    def dashboard_link(self) -> str | None:
        """The address of Dask's dashboard, as it is reached from where the notebook is."""
        if self.client is None:
            return None
        return self._own_link() or dashboard_links.dashboard_link(self.client)

    def _own_link(self) -> str | None:
        """What the cluster says itself: Saturn's, say, have pages at addresses that no scheduler knows."""
        from distributed.deploy import Cluster

        has_own = self.cluster is not None and type(self.cluster).dashboard_link is not Cluster.dashboard_link
        return self.cluster.dashboard_link if has_own else None

    def announce(self) -> None:
        """Let those who watch a headless run know where the dashboard is, until this is closed."""
        folder = current().folder
        if self.client is not None and folder is not None:
            dashboard_links.announce(folder, self.client, self._own_link())

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

        Raises
        ------
        ClusterError
            Instead of what Dask raises when workers or the scheduler have died.
        """
        block = (object(), self)  # one of its own, should two of the same Compute be open
        with _lock:
            _recorded.append(block)
        try:
            if self.client is None:
                yield
                return
            # Prefect's runner adopts whatever Dask client is current: let it be this one.
            with (
                self.client.as_current(),
                self._reported(),
                self._explaining(),
                watched(self.client, self.patience_seconds),
            ):
                yield
        finally:
            with _lock:
                _recorded.remove(block)
            if self.kind == "saturn" and self.cluster is not None and self.cluster.shutdown_on_close:
                self.close()

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            known = explained(error, self.client)
            if known is None:
                raise
            raise known from error

    @contextlib.contextmanager
    def _reported(self) -> Iterator[None]:
        """Write Dask's performance report; a scheduler that cannot make one, having no Bokeh say, fails no run."""
        folder = current().folder
        if folder is None:
            yield
            return
        import distributed

        report, client = distributed.performance_report(filename=str(folder / "dask-report.html")), self.client
        try:
            report.__enter__()
            begun = True
        except Exception as error:
            begun = _say_unreported(error)
        try:
            yield
        finally:
            if begun and client.status == "running":  # asking a scheduler that is gone takes 30 s
                try:
                    report.__exit__(None, None, None)
                except Exception as error:
                    _say_unreported(error)

    def close(self) -> None:
        """Close the client and the cluster, unless it is one that stays; a second call does nothing."""
        client, self.client = self.client, None
        if client is not None and (folder := current().folder):
            dashboard_links.withdraw(folder)
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


def active() -> Compute | None:
    """The compute whose `recorded` block is open in this process, the innermost; None outside of any.

    Code that a flow calls in its own process finds here the client to which it can submit work of its own.
    """
    with _lock:
        return _recorded[-1][1] if _recorded else None


def _say_unreported(error: Exception) -> bool:
    reason = (str(error).strip() or type(error).__name__).partition("\n")[0]
    print(f"daybook: no Dask performance report of this run: {reason}", file=sys.stderr)
    return False
