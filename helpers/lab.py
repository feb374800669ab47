"""JupyterLab on `notebooks/`, with what its kernels need in their environment."""

import os
import sys

from helpers import prefect_server
from helpers.exceptions import DaybookError
from helpers.home import REPOSITORY

# In Lab a dashboard is reached through jupyter-server-proxy, also where only Lab's own port is open to the person.
DASHBOARD_LINK = {"DASK_DISTRIBUTED__DASHBOARD__LINK": "/proxy/{port}/status"}
OPTIONS = (
    f"--ServerApp.root_dir={REPOSITORY / 'notebooks'}",
    "--LabApp.news_url=None",  # no pop-up, and no request to the internet
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)


def start(arguments: list[str]) -> None:
    """Become JupyterLab; does not return.

    Parameters
    ----------
    arguments : list of str
        Added to JupyterLab's own.

    Raises
    ------
    DaybookError
        When there are no notebooks beside the helpers, or the Prefect server does not start.
    """
    if not (REPOSITORY / "notebooks").is_dir():
        raise DaybookError(f"{REPOSITORY}: no notebooks/ here; run daybook lab from a clone of the repository")
    environment = os.environ | prefect_server.environment() | DASHBOARD_LINK
    os.execve(sys.executable, [sys.executable, "-m", "jupyterlab", *OPTIONS, *arguments], environment)
