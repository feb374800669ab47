"""The local Prefect server as `daybook serve` keeps it: started again when it dies, stopped by its starter."""

import contextlib
import os
import threading

from helpers import prefect_server, runs, served_state
from helpers.exceptions import DaybookError

STOP_SECONDS = 3.0


class OwnServer:
    """The home's local server, unless `PREFECT_API_URL` names another, which is somebody else's.

    Parameters
    ----------
    schedules : set of str
        Names of the schedules that this process serves.
    """

    def __init__(self, schedules: set[str]):
        self._schedules = schedules
        self._is_local = not os.environ.get("PREFECT_API_URL")
        self._starting: threading.Thread | None = None
        self._is_closed = False

    @property
    def pid(self) -> int | None:
        """The process id of the server that this process has started, while it is up."""
        server = prefect_server.recorded() if self._is_local else None
        process = server and server.process
        return process.pid if process and process.ppid() == os.getpid() else None

    def is_needed(self) -> bool:
        """Whether others of this home use the server."""
        others = set(served_state.names()) - self._schedules
        return runs.are_going() or any(served_state.is_served(f"schedule-{name}") for name in others)

    def start_again(self) -> None:
        """Have it started in the background, if it is the home's own and not up."""
        if self._is_local and not self._is_closed and not (self._starting and self._starting.is_alive()):
            self._starting = threading.Thread(target=_start, daemon=True)
            self._starting.start()

    def close(self) -> None:
        """Stop it if this process has started it, and nobody else uses it."""
        self._is_closed = True
        while self.pid is not None and not self.is_needed():
            prefect_server.stop(STOP_SECONDS)
            if self._starting:
                self._starting.join(1.0)  # it may have been about to start one


def _start() -> None:
    with contextlib.suppress(DaybookError, OSError):  # it is tried again as long as it is away
        prefect_server.start()
