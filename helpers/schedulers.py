"""Clients of Dask schedulers: TLS, versions that fit and a first worker, or one line that says why not."""

import os
import socket
import ssl
import sys
import time
import warnings
from pathlib import Path
from urllib.parse import urlsplit

from helpers.cluster_options import nearest
from helpers.exceptions import ClusterError
from helpers.masking import mask, reveal
from helpers.run_context import current

CONNECT_SECONDS = 15.0
PROBE_SECONDS = 2.0  # to find out what an address speaks where no client could be had
WAIT_SECONDS = 30.0  # for a first worker
FIRST_WORD_SECONDS = 5.0  # until it is said that a worker is waited for; said again after twice as long each time
POLL_SECONDS = 0.1
TLS_FILES = ("tls_ca_file", "tls_client_cert", "tls_client_key")


def security(address: str, options: dict):
    """The TLS settings for an address.

    Parameters
    ----------
    address : str
        `tls://host:port`, or an address without TLS.
    options : dict
        Keywords of `distributed.Security`; Dask's configuration gives what they leave out.

    Returns
    -------
    distributed.Security or None

    Raises
    ------
    ClusterError
        When an option is unknown, a file is missing or not what it should be, or TLS lacks its files.
    """
    import distributed

    encrypted = address.startswith(("tls://", "wss://"))
    if not options and not encrypted:
        return None
    for option in options:
        if option not in distributed.Security.__slots__:
            hint = nearest(option, distributed.Security.__slots__)
            raise ClusterError(f"cluster_options: {option!r} is none of distributed.Security, for an address{hint}")
    try:
        found = distributed.Security(**options)
    except (TypeError, ValueError) as error:
        raise ClusterError(f"cluster_options: {error}; for an address they go to distributed.Security") from None
    if not encrypted and any(option.startswith("tls_") for option in options):
        raise ClusterError(f"cluster_options have TLS files but {mask(address)} is not encrypted; give tls://host:port")
    if encrypted:
        _check_files(address, found)
    return found


def _check_files(address: str, found) -> None:
    for name in TLS_FILES:
        value = getattr(found, name)
        if value is None and name != "tls_client_key":  # the key may stand in the certificate's file
            raise ClusterError(f"cluster {mask(address)!r} needs {name} in cluster_options: the path of a PEM file")
        if value and "\n" not in value and not os.access(value, os.R_OK):  # else it is the PEM text itself
            raise ClusterError(f"cluster_options: {name} {value!r} is not a file that can be read; correct the path")
    try:
        found.get_connection_args("client")
    except (ssl.SSLError, OSError, ValueError) as error:
        names = ", ".join(Path(value).name for n in TLS_FILES if (value := getattr(found, n)) and "\n" not in value)
        mismatch = "KEY_VALUES_MISMATCH" in str(error)
        why = "tls_client_key is the key of another certificate" if mismatch else str(error).partition("\n")[0]
        raise ClusterError(f"cluster_options: the TLS files {names} cannot be used: {why}") from None


def reached(address: str, tls=None):
    """A client of the scheduler at an address; closing it leaves the scheduler alone.

    Parameters
    ----------
    address : str
        Its password may be masked.
    tls : distributed.Security, optional

    Returns
    -------
    distributed.Client

    Raises
    ------
    ClusterError
        When nothing answers there within `CONNECT_SECONDS`, or not to these certificates.
    """
    try:
        return connected(reveal(address), security=tls, name="daybook")
    except (OSError, ValueError, TypeError, RuntimeError, ImportError) as error:
        reason = _reason(reveal(address), tls, error)
        # Dask tells the address without its scheme, where a password is not recognised.
        reason = reason.replace(reveal(address).partition("://")[2], mask(address).partition("://")[2])
        raise ClusterError(f"no Dask scheduler answers at {mask(address)} ({reason}); start it or correct it") from None


def connected(target, **options):
    """A client of an address or a cluster; in a notebook by hand it is the one that Dask's panes in Lab look for."""
    import distributed

    by_hand = "JPY_SESSION_NAME" in os.environ and current().run is None
    with warnings.catch_warnings():
        # Told in one line by check_versions, and for workers by those who send them what they lack.
        warnings.simplefilter("ignore", distributed.versions.VersionMismatchWarning)
        return distributed.Client(target, timeout=CONNECT_SECONDS, set_as_default=by_hand, **options)


def _reason(address: str, tls, error: Exception) -> str:
    """Why no client could be had of an address: Dask says of most failures of TLS that the time is over."""
    split = urlsplit(address)
    told = (str(error).strip() or type(error).__name__).partition("\n")[0]
    encrypted = split.scheme in ("tls", "wss")
    context = tls.get_connection_args("client")["ssl_context"] if tls and encrypted else _unchecked()
    try:
        plain = socket.create_connection((split.hostname, split.port), PROBE_SECONDS)
        with plain, context.wrap_socket(plain) as wrapped:
            if not encrypted:
                return "it speaks TLS: give tls://host:port, with tls_ca_file and tls_client_cert"
            wrapped.recv(1)  # a server that refuses a certificate says so after the handshake
    except ssl.SSLCertVerificationError:
        return "its certificate is not signed by tls_ca_file" if encrypted else told
    except ssl.SSLError as refused:
        if "ALERT" in str(refused) and encrypted:
            return f"it refuses tls_client_cert: {str(refused.reason).lower().replace('_', ' ')}"
        # A scheduler without TLS closes at, or answers with something else than, a handshake.
        return "it does not speak TLS: give tcp://host:port" if encrypted else told
    except (OSError, ValueError, TypeError, UnicodeError):
        return told
    return told


def _unchecked() -> ssl.SSLContext:
    """To find out whether an address speaks TLS at all; nothing is sent over it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def check_versions(client, kind: str) -> None:
    """Refuse a scheduler that this process and its pickles do not fit.

    Parameters
    ----------
    client : distributed.Client
    kind : str

    Raises
    ------
    ClusterError
        When it has another Dask, another Python (3.11 or 3.12, not 3.11.4 or 3.11.5), or another major version of what
        messages and functions are packed with.
    """
    from distributed.versions import get_versions

    theirs, own = client.sync(client.scheduler.versions)["packages"], get_versions()["packages"]
    parts = {"distributed": None, "dask": None, "python": 2, "cloudpickle": 1, "msgpack": 1}
    other = []
    for name, n in parts.items():
        there, here = [".".join(str(p.get(name)).split(".")[:n]) for p in (theirs, own)]
        other += [f"{name} {there} there and {here} here"] if there != here else []
    if other:
        raise ClusterError(
            f"the scheduler of cluster {kind!r} has other versions than this process: {', '.join(other)}; "
            "install the same on both sides"
        )


def wait_for_worker(client, kind: str, seconds: float | None, look_at: str) -> None:
    """Wait until a scheduler has a worker, and say so while waiting.

    Parameters
    ----------
    client : distributed.Client
    kind : str
    seconds : float or None
        At most; None for `WAIT_SECONDS`.
    look_at : str
        What a person can do when none comes.

    Raises
    ------
    ClusterError
        When none has come.
    """
    limit = WAIT_SECONDS if seconds is None else seconds
    began, word = time.monotonic(), FIRST_WORD_SECONDS
    if _n_workers(client):
        return
    asked = client.submit(int, pure=False)  # an adaptive cluster of minimum 0 starts a worker when there is a task
    try:
        while not _n_workers(client):
            waited = time.monotonic() - began
            if waited >= limit:
                raise ClusterError(
                    f"no worker of cluster {kind!r} came within {limit:g} s; {look_at}, "
                    "or wait longer with wait_seconds in cluster_options"
                )
            if waited >= word:
                print(f"waiting for a worker of cluster {kind!r} … {waited:.0f} s", file=sys.stderr, flush=True)
                word *= 2
            time.sleep(POLL_SECONDS)
    finally:
        asked.release()


def _n_workers(client) -> int:
    try:
        return client.sync(client.scheduler.identity, n_workers=0)["n_workers"]
    except OSError as error:
        raise ClusterError(f"the scheduler is gone while a worker of it is waited for ({error})") from None
