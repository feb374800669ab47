"""Whether the Prefect server answers, asked in a thread, so that a server that is away delays no page."""

import os
import re
import threading
import time
from dataclasses import dataclass
from functools import cache

from helpers import prefect_server
from helpers.masking import mask

ASK_SECONDS = 10.0  # between two questions


@dataclass(frozen=True)
class Health:
    """What is known of the server.

    Attributes
    ----------
    is_known : bool
        Whether there is one: `PREFECT_API_URL` names it, or this home has started it.
    answers : bool or None
        None before it has been asked.
    page : str or None
        The address of Prefect's page.
    """

    is_known: bool = False
    answers: bool | None = None
    page: str | None = None

    def flow_run(self, flow_run: str | None) -> str | None:
        """The address of a flow run on Prefect's page."""
        is_id = bool(flow_run) and re.fullmatch(r"[0-9a-f-]{36}", flow_run)
        return f"{self.page}/runs/flow-run/{flow_run}" if self.page and is_id else None


class PrefectHealth:
    """Asks the server at most every `ASK_SECONDS`, and only while somebody wants to know."""

    def __init__(self):
        self._seen = Health()
        self._asked_at = float("-inf")
        self._asking = threading.Lock()

    def seen(self) -> Health:
        """What was known last, at once; asks anew in the background when that is old."""
        if time.monotonic() - self._asked_at > ASK_SECONDS and self._asking.acquire(blocking=False):
            threading.Thread(target=self._ask, daemon=True).start()
        return self._seen

    def _ask(self) -> None:
        try:
            self._seen = ask()
        finally:
            self._asked_at = time.monotonic()
            self._asking.release()


@cache
def shared() -> PrefectHealth:
    """The one of this process."""
    return PrefectHealth()


def ask() -> Health:
    """Ask now; takes up to `prefect_server.HEALTH_SECONDS`."""
    if named := os.environ.get("PREFECT_API_URL"):
        return Health(True, prefect_server.is_healthy(named), _page(named))
    server = prefect_server.recorded()
    if server is None or server.process is None:
        return Health()
    return Health(True, prefect_server.is_healthy(server.url), _page(server.url))


def _page(url: str) -> str | None:
    """Where a person finds the server's page; None where it cannot be told from the API's address."""
    api = url.rstrip("/")
    page = os.environ.get("PREFECT_UI_URL") or (api.removesuffix("/api") if api.endswith("/api") else "")
    # An address with a secret in it is not for a page.
    return page if re.match(r"https?://[^@\s]+$", page) and mask(page) == page else None
