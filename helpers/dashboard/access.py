"""Who may ask the dashboard: under which host names, from which pages, and with which token."""

import hashlib
import hmac
import ipaddress
import os
import re
import secrets
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

import psutil

from helpers.dashboard import DashboardError

TOKEN_VARIABLE = "DAYBOOK_DASHBOARD_TOKEN"
TOKEN_LENGTH = 16
ALL_ADDRESSES = ("0.0.0.0", "::")
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_ORIGIN = re.compile(r"(\[[\da-f:.]+\]|[\w.-]+)(:\d{1,5})?", re.IGNORECASE)
_SCHEME_PORTS = {"http": 80, "https": 443}


class Access:
    """What a request must show.

    Parameters
    ----------
    host : str
        That the server listens on. Where it is not loopback, a token is asked for.
    port : int
        That it listens on.
    origins : sequence of str, default ()
        `host` or `host:port` of others under which it is reached, as through a proxy.

    Attributes
    ----------
    token : str or None
        To be shown once at the login; from `DAYBOOK_DASHBOARD_TOKEN`, by which one is asked for on loopback too.
    is_token_made : bool
        Whether it was made here, so that nobody knows it yet.

    Raises
    ------
    DashboardError
        When the token is short, or an origin is none.
    """

    def __init__(self, host: str, port: int, origins: Sequence[str] = ()):
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise DashboardError(f"--origin is {origin!r}; give HOST:PORT, as in watch.example.org:443")
        given = os.environ.get(TOKEN_VARIABLE) or None
        if given and len(given) < TOKEN_LENGTH:
            raise DashboardError(f"{TOKEN_VARIABLE} has {len(given)} characters; give {TOKEN_LENGTH} or more")
        self.is_token_made = not given and not is_loopback(host)
        self.token = secrets.token_urlsafe(24) if self.is_token_made else given
        # Cookies are shared by the ports of a host.
        self.cookie = f"daybook-{port}"
        self._hosts = {*LOOPBACK_NAMES, *(_own_names() if host in ALL_ADDRESSES else [host.lower()])}
        own = {f"{_bracketed(name)}:{port}" for name in self._hosts}
        self._hosts |= {_host(origin) for origin in origins}
        self.origins = {origin.lower() for origin in origins} | own

    def is_host(self, header: str | None) -> bool:
        """Whether a request's `Host` is one of ours: a foreign name that leads here may be an attack on a browser."""
        return _host(header or "") in self._hosts

    def is_origin(self, header: str) -> bool:
        """Whether an `Origin` is listed, exactly; a listed one without a port has the scheme's own."""
        parts = urlsplit(header.lower())
        try:
            port = parts.port or _SCHEME_PORTS[parts.scheme]
        except (ValueError, KeyError):
            return False
        host = _bracketed(parts.hostname or "")
        return f"{host}:{port}" in self.origins or (parts.port is None and host in self.origins)

    def is_token(self, given: str) -> bool:
        """Whether a token is the right one, in a time that does not tell how much of it is."""
        return self.token is None or hmac.compare_digest(given.encode(), self.token.encode())

    def is_known(self, cookie: str | None) -> bool:
        """Whether a request needs no login, by its cookie."""
        return self.token is None or hmac.compare_digest((cookie or "").encode(), self.cookie_value().encode())

    def cookie_value(self) -> str:
        """What the cookie holds: not the token itself, and the same after a restart with the same token."""
        return hmac.new((self.token or "").encode(), b"daybook dashboard", hashlib.sha256).hexdigest()


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on a host."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def bracketed_address(host: str, port: int) -> str:
    """`host:port` as it stands in a link; on all addresses, this machine's name."""
    return f"{_bracketed(socket.gethostname() if host in ALL_ADDRESSES else host)}:{port}"


def _host(header: str) -> str:
    """The name in `host:port`, in lower case and without brackets."""
    match = _ORIGIN.fullmatch(header)
    return match[1].strip("[]").lower() if match else ""


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _own_names() -> set[str]:
    """This machine's addresses and name."""

    addresses = {address.address.split("%")[0] for each in psutil.net_if_addrs().values() for address in each}
    return addresses | {socket.gethostname().lower()}
