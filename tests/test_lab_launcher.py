"""The launcher's tile, as jupyter-server-proxy takes it up; test_lab.py clicks on it."""

import xml.etree.ElementTree as ElementTree
from importlib.metadata import entry_points

import pytest
from jupyter_server_proxy.config import ServerProcess

from helpers import lab_launcher


def test_the_entry_point_describes_the_dashboard():
    """Jupyter's proxy finds the tile by its entry point, and knows every key of it."""
    [found] = entry_points(group="jupyter_serverproxy_servers", name=lab_launcher.NAME)
    told = found.load()()
    assert set(told) <= set(ServerProcess.class_trait_names())
    server = ServerProcess(name=found.name, **told)
    assert (server.launcher_entry.title, server.new_browser_tab) == ("Daybook", False)
    assert ElementTree.parse(server.launcher_entry.icon_path).getroot().tag.endswith("svg")
    command = [word.format(port=8790, base_url="/user/me/") for word in server.command]
    assert command[-4:] == ["--port", "8790", "--prefix", "/user/me/daybook"]
    # No page but the dashboard's own is let in; that it is Jupyter's own is asked by Jupyter.
    assert "*" not in " ".join([*server.command, *server.request_headers_override.values()])


@pytest.mark.parametrize(
    ("set_before", "link"),
    [
        (None, "/user/me/proxy/{port}/status"),
        ("/proxy/{port}/status", "/user/me/proxy/{port}/status"),  # what `daybook lab` sets
        ("https://pages.example/{host}/{port}", None),  # the person's own stands
    ],
)
def test_the_dashboard_links_to_dask_below_the_server_s_own_address(monkeypatch, set_before, link):
    """A Jupyter server that is not at the root of its host has its proxy below its own address."""
    variable = "DASK_DISTRIBUTED__DASHBOARD__LINK"
    monkeypatch.delenv(variable, raising=False)
    if set_before:
        monkeypatch.setenv(variable, set_before)
    template = lab_launcher.dashboard()["environment"].get(variable)
    # The proxy fills in what it knows, the dashboard the port of a cluster.
    assert (template and template.format(base_url="/user/me/", port=8790)) == link
