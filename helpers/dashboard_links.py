"""The address of a scheduler's dashboard, as it is reached from where the person is."""

import contextlib
import json
import os
import re
import socket
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from helpers.home import write_whole

PROXIED = "proxy/{port}/status"  # jupyter-server-proxy's, below the address of a Jupyter server
_PROXIED_PORT = re.compile(r"/proxy/(\d+)/")
DIRECT = "{scheme}://{host}:{port}/status"  # Dask's default for distributed.dashboard.link
FILE = "dask-dashboard.json"  # in the folder of a run, while its cluster is up
ANSWER_SECONDS = 0.1  # for a dashboard to take a connection; one that is gone refuses it at once
# Of Dask's plots those that say most, by the path at which each has a page of its own.
PLOTS = (
    ("Task stream", "individual-task-stream"),
    ("Progress", "individual-progress"),
    ("Workers' memory", "individual-workers-memory"),
)


def dashboard_link(client) -> str | None:
    """Where a scheduler's dashboard is.

    Parameters
    ----------
    client : distributed.Client

    Returns
    -------
    str or None
        Through jupyter-server-proxy in `daybook lab` and on JupyterHub, as far as the scheduler is on this machine; a
        remote scheduler's own address. None where a scheduler has no dashboard.
    """
    place = _place(client)
    return link_to(**place) if place else None


def link_to(host: str, port: int) -> str:
    """The link to a dashboard on this host and port, by the rules of `dashboard_link`."""
    template = _dask_setting("dashboard.link") or DIRECT
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if "{host}" in template and not (hub and is_here(host)):
        return _filled(template, host, port)  # Dask's default, or the person's own
    if not is_here(host):  # the proxy reaches this machine's ports alone
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/status"
    if hub and ("{host}" in template or template.startswith("/proxy/")):
        return hub.rstrip("/") + "/" + PROXIED.format(port=port)
    return _filled(template, host, port)


def is_here(host: str) -> bool:
    """Whether a host, by its name or address, is this machine."""
    if host in ("localhost", "", "::1") or host.startswith("127."):
        return True
    import psutil

    return host in {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}


def announce(folder: Path, client, link: str | None = None) -> None:
    """Write into a run's folder where its cluster's dashboard is, for `of_run`; nothing where there is none.

    Parameters
    ----------
    folder : Path
    client : distributed.Client
    link : str, optional
        The address that a cluster says itself, where no scheduler knows it.
    """
    place = _place(client)
    if place or link:
        with contextlib.suppress(OSError):  # whoever watches sees less; the run goes on
            write_whole(folder / FILE, json.dumps((place or {}) | {"link": link}))


def withdraw(folder: Path) -> None:
    """Take back what `announce` wrote."""
    with contextlib.suppress(OSError):
        (folder / FILE).unlink(missing_ok=True)


def of_run(folder: Path) -> str | None:
    """The link to the dashboard of the cluster that a run works with now.

    It is for the process that calls this, in whose environment and configuration of Dask the link's template stands;
    neither Prefect nor distributed is imported.

    Parameters
    ----------
    folder : Path
        Of a run that is going: one that crashed leaves its file, and another program may have its port.

    Returns
    -------
    str or None
        None without a cluster, and when nothing answers there within `ANSWER_SECONDS`.
    """
    try:
        told = json.loads((folder / FILE).read_text())
        link, host, port = told.get("link"), told.get("host"), told.get("port")
    except (OSError, ValueError, AttributeError):
        return None
    if isinstance(link, str) and urlsplit(link).scheme in ("http", "https"):
        return link
    if not isinstance(host, str) or not isinstance(port, int) or not 0 < port < 2**16:
        return None
    return link_to(host, port) if _answers(host, port) else None


def as_reached(link: str) -> str | None:
    """A link that another process made, such as `daybook serve` to its warm cluster, for the process that calls this.

    Parameters
    ----------
    link : str

    Returns
    -------
    str or None
        None when it is no link, or nothing answers there within `ANSWER_SECONDS`.
    """
    try:
        split = urlsplit(link)
        proxied = _PROXIED_PORT.search(split.path)
        host, port = ("127.0.0.1", int(proxied[1])) if proxied else (split.hostname, split.port)
    except (ValueError, TypeError, AttributeError):
        return None
    if host and port:
        return link_to(host, port) if _answers(host, port) else None
    return link if split.scheme in ("http", "https") else None


def plots_of(link: str) -> list[tuple[str, str]]:
    """The pages of a dashboard's main plots, each made to be embedded.

    Parameters
    ----------
    link : str
        To the dashboard, as `of_run` gives it.

    Returns
    -------
    list of (str, str)
        Title and address: the task stream, the progress of the tasks, and the workers' memory.
    """
    return [(title, urljoin(link, path)) for title, path in PLOTS]


def _place(client) -> dict | None:
    port = client.scheduler_info(n_workers=0)["services"].get("dashboard")
    return None if port is None else {"host": _host(client.scheduler.address), "port": port}


def _host(address: str) -> str:
    return "localhost" if address.startswith("inproc://") else urlsplit(address).hostname or ""


def _dask_setting(name: str):
    """A setting of `distributed`, whose own defaults are known only where it is imported."""
    import dask.config  # 0.15 s of import

    return dask.config.get(f"distributed.{name}", None)


def _filled(template: str, host: str, port: int) -> str:
    """The template as `distributed.utils.format_dashboard_link` fills it, which this process may not have imported."""
    scheme = "https" if _dask_setting("scheduler.dashboard.tls.cert") else "http"
    values = os.environ | {"scheme": scheme, "host": host, "port": port}
    try:
        return template.format(**values)
    except (LookupError, ValueError, AttributeError):  # it names a variable that is not set here
        return DIRECT.format(**values)


def _answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host or "localhost", port), ANSWER_SECONDS):
            return True
    except (OSError, UnicodeError):
        return False
