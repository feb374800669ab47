"""What the Prefect server is still to be told of flow runs: kept while it is away, and brought a little at a time."""

import contextlib
import time
from datetime import datetime

from helpers.deployments import Deployments
from helpers.exceptions import RefusedError, ServerError

AT_ONCE_SECONDS = 1.0


class FlowRunReports:
    """Ends of flow runs that the server does not know yet, at most one of each.

    Parameters
    ----------
    deployments : Deployments
    """

    def __init__(self, deployments: Deployments):
        self._deployments = deployments
        self._waiting: dict[str, tuple] = {}

    def close(self, flow_run: str, state: str, reason: str | None) -> None:
        """Report the state in which a flow run ended; now, unless the server is away or others wait already."""
        self._add(flow_run, "close_flow_run", state, reason)

    def retry(self, flow_run: str, at: datetime, reason: str) -> None:
        """Report that a flow run has failed and is to be tried again."""
        self._add(flow_run, "retry", at, reason)

    def add_unless_known(self, flow_run: str, state: str) -> None:
        """Have a flow run closed by the next `bring`."""
        self._waiting.setdefault(flow_run, ("close_flow_run", state, None))

    def bring(self, seconds: float) -> bool:
        """Report for so long at most.

        Returns
        -------
        bool
            Whether the server knows all now.

        Raises
        ------
        ServerError
            While it is away.
        """
        ends = time.monotonic() + seconds
        while self._waiting and time.monotonic() < ends:
            flow_run, (method, *arguments) = next(iter(self._waiting.items()))
            with contextlib.suppress(RefusedError):  # the next time it would answer the same
                getattr(self._deployments, method)(flow_run, *arguments)
            del self._waiting[flow_run]
        return not self._waiting

    def _add(self, flow_run: str, *report) -> None:
        self._waiting[flow_run] = report
        if len(self._waiting) == 1:
            with contextlib.suppress(ServerError):  # then the next poll brings it
                self.bring(AT_ONCE_SECONDS)
