"""The address of a scheduler's dashboard, as it is reached from where the person is."""

import os
from urllib.parse import urlsplit

PROXIED = "proxy/{port}/status"  # jupyter-server-proxy's, below the address of a Jupyter server


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
    import dask
    from distributed.utils import format_dashboard_link

    port = client.scheduler_info(n_workers=0)["services"].get("dashboard")
    if port is None:
        return None
    host = _host(client.scheduler.address)
    template = dask.config.get("distributed.dashboard.link")
    hub = os.environ.get("JUPYTERHUB_SERVICE_PREFIX")
    if "{host}" in template and not (hub and is_here(host)):
        return format_dashboard_link(host, port)  # Dask's default, or the person's own
    if not is_here(host):  # the proxy reaches this machine's ports alone
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/status"
    if hub and ("{host}" in template or template.startswith("/proxy/")):
        return hub.rstrip("/") + "/" + PROXIED.format(port=port)
    return format_dashboard_link(host, port)


def is_here(host: str) -> bool:
    """Whether a host, by its name or address, is this machine."""
    if host in ("localhost", "", "::1") or host.startswith("127."):
        return True
    import psutil

    return host in {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}


def _host(address: str) -> str:
    return "localhost" if address.startswith("inproc://") else urlsplit(address).hostname or ""
