"""What all pages of the dashboard show: trials and runs, read once for every browser and kept up to date."""

import logging
import secrets
import threading
import time
from collections.abc import Callable

from helpers.exceptions import DaybookError
from helpers.masking import mask
from helpers.run_index import RunIndex
from helpers.trial_history import TrialHistory
from helpers.trials import TrialStore

REFRESH_SECONDS = 2.0
FIRST_SECONDS = 1.0  # the first page waits so long at most for what it shows
_log = logging.getLogger(__name__)


class DashboardState:
    """Trials and runs as they are now.

    Parameters
    ----------
    store : TrialStore

    Attributes
    ----------
    history : TrialHistory
    runs : RunIndex
    instance : str
        Another one after each start of the server.
    """

    def __init__(self, store: TrialStore):
        self.store = store
        self.history = TrialHistory(store)
        self.runs = RunIndex()
        self.instance = secrets.token_hex(8)
        self._listeners: list[Callable[[list[str]], None]] = []
        self._problem: str | None = None
        self._tell: Callable[[Callable[[], None]], None] | None = None
        self._unread: set[str] = set()
        self._has_stopped = threading.Event()

    @property
    def problem(self) -> str | None:
        """Why what is shown is not up to date; None while it is."""
        if self._unread:
            return f"The {' and the '.join(sorted(self._unread))} are still being read."
        return self._problem or self.history.problem

    def refresh(self) -> list[str]:
        """Read what is new; the ids of new trials."""
        self.refresh_runs()
        return self.refresh_trials()

    def refresh_runs(self) -> None:
        """Read the runs; what cannot be read is tried again the next time."""
        try:
            self.runs.refresh()
        except Exception:
            _log.exception("the runs could not be read")

    def refresh_trials(self) -> list[str]:
        """Read the trials; the ids of new ones."""
        try:
            new = self.history.refresh()
            self._problem = None
            return new
        except DaybookError as error:
            self._problem = str(error)
        except Exception as error:
            _log.exception("the trials could not be read")
            self._problem = f"the trials could not be read: {mask(str(error) or type(error).__name__)}"
        return []

    def watch(self, tell: Callable[[Callable[[], None]], None]) -> None:
        """Refresh for ever in the background, having waited a little for the first time.

        Parameters
        ----------
        tell : callable
            Calls what it is given on the server's thread.
        """
        self._tell = tell
        self._unread = {"runs", "trials"}
        until = time.monotonic() + FIRST_SECONDS
        for is_read in [self._repeat("runs", self.refresh_runs), self._repeat("trials", self._refresh_and_tell)]:
            is_read.wait(max(0.0, until - time.monotonic()))

    def stop(self) -> None:
        """Refresh no more."""
        self._has_stopped.set()

    def listen(self, listener: Callable[[list[str]], None]) -> Callable[[], None]:
        """Have `listener` called with the ids of new trials; what is returned ends that."""
        self._listeners.append(listener)

        def forget() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return forget

    def _repeat(self, name: str, refresh: Callable[[], object]) -> threading.Event:
        """Call again and again in a thread of its own: a slow store delays what is new in it, never a page."""
        is_read = threading.Event()

        def run() -> None:
            refresh()
            self._unread.discard(name)
            is_read.set()
            while not self._has_stopped.wait(REFRESH_SECONDS):
                refresh()

        # A daemon: the process ends while a store does not answer.
        threading.Thread(target=run, daemon=True).start()
        return is_read

    def _refresh_and_tell(self) -> None:
        new = self.refresh_trials()
        if new and self._tell and not self._has_stopped.is_set():
            self._tell(lambda: self._call_listeners(new))

    def _call_listeners(self, new: list[str]) -> None:
        for listener in list(self._listeners):
            try:
                listener(new)
            except Exception:
                _log.exception("a page could not take the new trials")
