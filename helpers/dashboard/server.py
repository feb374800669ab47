"""The dashboard's server: Bokeh's, with the pages and the files of runs on it."""

import asyncio
import logging
import re
import secrets
import signal
import socket
from collections.abc import Sequence
from functools import partial

from bokeh.application import Application
from bokeh.application.handlers import FunctionHandler
from bokeh.server.server import BaseServer
from bokeh.server.util import bind_sockets
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.web import RedirectHandler, RequestHandler

from helpers.dashboard import DashboardError, now_page, run_page, runs_page, trial_page, trials_page
from helpers.dashboard.access import Access, bracketed_address
from helpers.dashboard.files import RunFilePage
from helpers.dashboard.guard import GuardedApplication
from helpers.dashboard.login import LoginHandler
from helpers.dashboard.pages import FOLDER, AssetHandler, HealthPage, fill_safely
from helpers.dashboard.state import DashboardState

DOCUMENTS = {"/trials": trials_page.trials_page}
PAGES = (trial_page, runs_page, run_page, now_page)
MOST_BODY_BYTES = 1 << 16  # of a request: there is nothing to be sent but the token
_PREFIX = re.compile(r"(/[\w.~%@-]+)*/?")
_log = logging.getLogger(__name__)


class DashboardServer(BaseServer):
    """A server that listens, and serves once it is run.

    Parameters
    ----------
    state : DashboardState
    access : Access
    application : GuardedApplication
    http_server : HTTPServer
    """

    def __init__(self, state: DashboardState, access: Access, application: GuardedApplication, http_server: HTTPServer):
        super().__init__(IOLoop.current(), application, http_server)
        self._state = state
        self._access = access

    def link(self, host: str) -> str:
        """Where its pages begin, seen from a host's name; with the token where nobody knows it yet."""
        login = f"login?token={self._access.token}" if self._access.is_token_made else ""
        return f"http://{bracketed_address(host, self.port)}{self.prefix}/{login}"

    def run(self) -> None:
        """Serve until SIGTERM, SIGINT or SIGHUP."""
        self.start()
        loop = asyncio.get_event_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP:  # nohup ignores SIGHUP
                loop.add_signal_handler(number, self.io_loop.stop)
        self._state.watch(self.io_loop.add_callback)
        self.io_loop.start()
        self._state.stop()
        self.stop()


def make_server(
    state: DashboardState, port: int = 0, address: str = "127.0.0.1", prefix: str = "", origins: Sequence[str] = ()
) -> DashboardServer:
    """A server that listens, but does not serve yet.

    Parameters
    ----------
    state : DashboardState
    port : int, default 0
        0 for a free one.
    address : str, default "127.0.0.1"
        To listen on; where it is not loopback, a token is asked for.
    prefix : str, default ""
        Of all addresses, behind a proxy.
    origins : sequence of str, default ()
        `host:port` of others under which it is reached: their pages may open a websocket.

    Returns
    -------
    DashboardServer

    Raises
    ------
    DashboardError
        When it cannot listen there, or an argument is none that it could have.
    """
    if not _PREFIX.fullmatch(prefix if prefix.startswith("/") else f"/{prefix}"):
        raise DashboardError(f"--prefix is {prefix!r}; give the beginning of a path, as in /daybook")
    Access(address, port, origins)  # refuses what is wrong before a port is taken
    sockets, port = _bound(address, port)
    access = Access(address, port, origins)
    application = GuardedApplication(
        access,
        {
            path: Application(FunctionHandler(partial(fill_safely, page, state=state)))
            for path, page in DOCUMENTS.items()
        },
        prefix=prefix,
        extra_patterns=_patterns(state),
        use_index=False,
        ico_path="none",
        # Bokeh compares an origin without a port with port 80, whatever its scheme; the gate has compared it exactly.
        extra_websocket_origins=access.origins
        | {f"{origin.rpartition(':')[0] or origin}:80" for origin in access.origins},
        sign_sessions=True,
        secret_key=secrets.token_bytes(32),
        # They would be in the page, where its scripts see what a cookie of HttpOnly keeps from them.
        include_headers=[],
        include_cookies=[],
        log_function=_log_request,
    )
    http_server = HTTPServer(application, max_body_size=MOST_BODY_BYTES)
    http_server.add_sockets(sockets)
    return DashboardServer(state, access, application, http_server)


def _patterns(state: DashboardState) -> list[tuple]:
    """The addresses besides those of Bokeh's documents."""
    with_state = {"state": state}
    return [
        (r"/?", RedirectHandler, {"url": "trials", "permanent": False}),
        *((path, handler, with_state) for module in PAGES for path, handler in module.PATTERNS),
        (r"/health", HealthPage, with_state),
        (r"/login", LoginHandler),
        (r"/files/([^/]+)/([^/]+)", RunFilePage),
        (r"/assets/(.*)", AssetHandler, {"path": FOLDER / "assets"}),
    ]


def _bound(address: str, port: int) -> tuple[list[socket.socket], int]:
    """Sockets that listen."""
    try:
        return bind_sockets(address, port)
    except OSError as error:
        mend = "give another --port, or 0 for a free one" if port else "give another --host"
        reason = error.strerror or str(error)
        raise DashboardError(f"the dashboard cannot listen on {address} port {port}: {reason}; {mend}") from None
    except UnicodeError:
        raise DashboardError(f"--host is {address!r}, which is no host's name") from None


def _log_request(handler: RequestHandler) -> None:
    """Log what failed here; the query stays out, as it may hold the token."""
    if handler.get_status() >= 500:
        _log.error("%s %s: %d", handler.request.method, handler.request.path, handler.get_status())
