"""JupyterLab on `notebooks/`, with what its kernels need in their environment."""

import os
import sys
from pathlib import Path

from helpers import prefect_server
from helpers.exceptions import DaybookError
from helpers.home import REPOSITORY

# In Lab a dashboard is reached through jupyter-server-proxy, also where only Lab's own port is open to the person.
DASHBOARD_LINK = "/proxy/{port}/status"
# Its labconfig/ turns off the pop-up about news: it covers the notebook, and asks to reach the internet.
CONFIG = Path(__file__).with_name("jupyter")


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
    notebooks = REPOSITORY / "notebooks"
    if not notebooks.is_dir():
        raise DaybookError(f"{REPOSITORY}: no notebooks/ here; run daybook lab from a clone of the repository")
    environment = os.environ | prefect_server.environment()
    environment.setdefault("DASK_DISTRIBUTED__DASHBOARD__LINK", DASHBOARD_LINK)
    known = os.environ.get("JUPYTER_CONFIG_PATH")
    environment["JUPYTER_CONFIG_PATH"] = os.pathsep.join([str(CONFIG), *([known] if known else [])])
    elsewhere = any(argument.startswith("--ServerApp.root_dir") for argument in arguments)  # it may be said once
    folder = [] if elsewhere else [f"--ServerApp.root_dir={notebooks}"]
    lab = [sys.executable, "-m", "jupyterlab", *folder, *arguments]
    os.execve(sys.executable, lab, environment)
