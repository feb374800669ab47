"""The tile "Daybook" in JupyterLab's launcher: the dashboard in a tab of Lab, by jupyter-server-proxy.

Whether a page may open a websocket, or ask at all, is Jupyter's to say: it knows its own address and who has logged in.
What it lets through is sent on as the dashboard's own, so that the dashboard need not know under which addresses people
reach Jupyter, and lets no other page in.
"""

import os
import sys
from pathlib import Path

from helpers.dashboard_links import PROXIED
from helpers.lab import DASHBOARD_LINK

NAME = "daybook"  # the entry point's, which jupyter-server-proxy makes the path of
ICON = Path(__file__).with_name("jupyter") / "daybook.svg"
START_SECONDS = 60.0


def dashboard() -> dict:
    """How jupyter-server-proxy starts the dashboard and reaches it.

    Returns
    -------
    dict
        As its entry point group `jupyter_serverproxy_servers` asks for.
    """
    here = "127.0.0.1:{port}"
    return {
        # -P: a module of the working directory must not stand in for one of daybook's.
        "command": [
            *(sys.executable, "-P", "-m", "helpers.command_line", "dashboard"),
            *("--port", "{port}", "--prefix", f"{{base_url}}{NAME}"),
        ],
        "environment": _environment(),
        "timeout": START_SECONDS,
        "absolute_url": True,
        "request_headers_override": {"Host": here, "Origin": f"http://{here}"},
        "new_browser_tab": False,
        # Lab shows icons of the categories Notebook and Console alone.
        "launcher_entry": {"title": "Daybook", "icon_path": str(ICON), "category": "Notebook"},
    }


def _environment() -> dict[str, str]:
    """Where Dask's dashboards are reached from a page of this Lab, unless the person has said it."""
    variable = "DASK_DISTRIBUTED__DASHBOARD__LINK"
    if os.environ.get(variable, DASHBOARD_LINK) != DASHBOARD_LINK:
        return {}
    return {variable: "{base_url}" + PROXIED.replace("{", "{{").replace("}", "}}")}
