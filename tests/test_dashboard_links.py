"""Links to a scheduler's dashboard, for schedulers here and elsewhere, in Lab, on a hub and neither."""

import json
import socket
import subprocess
import sys
import time
from types import SimpleNamespace

import dask
import psutil
import pytest
from distributed.utils import format_dashboard_link

from helpers import dashboard_links
from helpers.dashboard_links import as_reached, dashboard_link, is_here, link_to, of_run, plots_of

LAB, DEFAULT = "/proxy/{port}/status", "{scheme}://{host}:{port}/status"


def client_of(address: str, services: dict | None = None) -> SimpleNamespace:
    """What a client knows of its scheduler; a remote one is not there to be asked."""
    info = {"services": {"dashboard": 8787} if services is None else services}
    return SimpleNamespace(scheduler=SimpleNamespace(address=address), scheduler_info=lambda n_workers: info)


@pytest.mark.parametrize(
    ("template", "hub", "address", "link"),
    [
        (DEFAULT, None, "tcp://127.0.0.1:1", "http://127.0.0.1:8787/status"),
        (DEFAULT, None, "tls://10.1.2.3:1", "http://10.1.2.3:8787/status"),
        (DEFAULT, None, "inproc://10.1.2.3/4/5", "http://localhost:8787/status"),
        # `daybook lab`: through the proxy, which reaches no other machine
        (LAB, None, "tcp://127.0.0.1:1", "/proxy/8787/status"),
        (LAB, None, "inproc://10.1.2.3/4/5", "/proxy/8787/status"),
        (LAB, None, "tcp://10.1.2.3:1", "http://10.1.2.3:8787/status"),
        (LAB, None, "tcp://[fd00::9]:1", "http://[fd00::9]:8787/status"),
        # on a hub, below the person's own server
        (LAB, "/user/me/", "tcp://127.0.0.1:1", "/user/me/proxy/8787/status"),
        (DEFAULT, "/user/me/", "tcp://127.0.0.1:1", "/user/me/proxy/8787/status"),
        (DEFAULT, "/user/me/", "tcp://10.1.2.3:1", "http://10.1.2.3:8787/status"),
        # the person's own
        ("https://pages.example/{host}/{port}", None, "tcp://10.1.2.3:1", "https://pages.example/10.1.2.3/8787"),
        ("/elsewhere/{port}", "/user/me/", "tcp://127.0.0.1:1", "/elsewhere/8787"),
    ],
)
def test_the_link_leads_from_where_the_person_is(monkeypatch, template, hub, address, link):
    """A dashboard on this machine goes through the proxy where there is one, a remote one is shown as it is."""
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    if hub:
        monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", hub)
    with dask.config.set({"distributed.dashboard.link": template}):
        assert dashboard_link(client_of(address)) == link


def test_a_scheduler_without_a_dashboard_has_no_link():
    """There is no link to what is not there."""
    assert dashboard_link(client_of("tcp://127.0.0.1:1", services={})) is None


def test_this_machine_is_known_by_its_addresses():
    """Loopback and the addresses of its interfaces are here, a documentation address (RFC 5737) is not."""
    own = {address.address for addresses in psutil.net_if_addrs().values() for address in addresses}
    assert all(is_here(address) for address in own)
    assert is_here("localhost")
    assert is_here("127.8.9.10")
    assert not is_here("192.0.2.1")
    assert not is_here("machine.example")


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3"])
@pytest.mark.parametrize("template", [DEFAULT, "https://{HOME}.example/{scheme}/{host}/{port}"])
@pytest.mark.parametrize("certificate", [None, "/certificate.pem"])
def test_a_template_is_filled_as_dask_fills_it(host, template, certificate):
    """A person's template means here what it means to Dask's own function, without importing that."""
    with dask.config.set(
        {"distributed.dashboard.link": template, "distributed.scheduler.dashboard.tls.cert": certificate}
    ):
        assert link_to(host, 8787) == format_dashboard_link(host, 8787)


@pytest.mark.parametrize("template", ["http://{NO_SUCH_VARIABLE}/{host}", "{host", "{host.a}"])
def test_a_template_that_cannot_be_filled_gives_the_plain_address(template):
    """A page that shows a link does not fail on a variable that is set in the notebook's process alone."""
    with dask.config.set({"distributed.dashboard.link": template}):
        assert link_to("10.1.2.3", 8787) == "http://10.1.2.3:8787/status"


@pytest.fixture
def listening():
    """A port of loopback at which something takes connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_run_s_dashboard_is_found_while_it_is_up(tmp_path, monkeypatch, listening):
    """From the file in its folder, as it is reached from here; not once it is taken back, or nothing answers."""
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    assert of_run(tmp_path) is None
    client = client_of("tcp://127.0.0.1:1", {"dashboard": listening})
    dashboard_links.announce(tmp_path, client)
    with dask.config.set({"distributed.dashboard.link": DEFAULT}):
        assert of_run(tmp_path) == f"http://127.0.0.1:{listening}/status"
    with dask.config.set({"distributed.dashboard.link": LAB}):
        assert of_run(tmp_path) == f"/proxy/{listening}/status"
    dashboard_links.withdraw(tmp_path)
    dashboard_links.withdraw(tmp_path)
    assert of_run(tmp_path) is None
    dashboard_links.announce(tmp_path, client_of("tcp://127.0.0.1:1", {}))
    assert list(tmp_path.iterdir()) == []  # a scheduler without a dashboard
    dashboard_links.announce(tmp_path / "gone", client)  # a folder that cannot be written to fails no run
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        dashboard_links.announce(tmp_path, client_of("tcp://127.0.0.1:1", {"dashboard": closed.getsockname()[1]}))
        assert of_run(tmp_path) is None


def test_a_host_that_does_not_answer_is_not_waited_for(tmp_path):
    """An address from which nothing comes back (RFC 5737) is given up after a tenth of a second."""
    dashboard_links.announce(tmp_path, client_of("tcp://192.0.2.1:1"))
    began = time.monotonic()
    assert of_run(tmp_path) is None
    assert time.monotonic() - began < 1


def test_a_cluster_s_own_address_is_the_link(tmp_path):
    """Saturn's clusters have pages at addresses that no scheduler knows; theirs is shown as it is."""
    own = "https://d-me-cluster.example/status"
    dashboard_links.announce(tmp_path, client_of("tls://10.1.2.3:1", {}), own)
    assert of_run(tmp_path) == own


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"host": 1, "port": 1}',
        '{"host": "127.0.0.1", "port": "8787"}',
        '{"host": "127.0.0.1", "port": 99999}',
        '{"host": "\\u0000", "port": 80}',
        json.dumps({"link": "javascript:alert(1)"}),
    ],
)
def test_a_file_that_says_something_else_is_no_link(tmp_path, text):
    """What stands in a run's folder is data: nothing but a host and a port, or a link of the web, becomes a link."""
    (tmp_path / dashboard_links.FILE).write_text(text)
    assert of_run(tmp_path) is None


def test_a_link_that_another_process_made_is_made_anew_for_this_one(monkeypatch, listening):
    """`daybook serve` says where its warm cluster is as it is reached from there; from here it may be otherwise."""
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    for link in (f"/proxy/{listening}/status", f"http://127.0.0.1:{listening}/status"):
        with dask.config.set({"distributed.dashboard.link": LAB}):
            assert as_reached(link) == f"/proxy/{listening}/status"
        with dask.config.set({"distributed.dashboard.link": DEFAULT}):
            assert as_reached(link) == f"http://127.0.0.1:{listening}/status"
    assert as_reached("https://cluster.example/status") == "https://cluster.example/status"
    assert [as_reached(odd) for odd in ("javascript:alert(1)", "http://h:port/", "", None, 3)] == [None] * 5


def test_plots_are_below_the_dashboard():
    """Each plot's page is beside the dashboard's, also behind a proxy."""
    title, page = plots_of("/user/me/proxy/8787/status")[0]
    assert (title, page) == ("Task stream", "/user/me/proxy/8787/individual-task-stream")
    assert ("Progress", "http://10.1.2.3:8787/individual-progress") in plots_of("http://10.1.2.3:8787/status")


@pytest.mark.slow
def test_a_process_that_shows_pages_imports_no_scheduler(tmp_path, listening):
    """The link is formatted without distributed, with the template that the person has set in the environment."""
    dashboard_links.announce(tmp_path, client_of("tcp://127.0.0.1:1", {"dashboard": listening}))
    code = (
        "import sys, pathlib; from helpers.dashboard_links import of_run; link = of_run(pathlib.Path(sys.argv[1]));"
        "print(link, any(name in sys.modules for name in ('distributed', 'prefect', 'pandas')))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    environment = {"DASK_DISTRIBUTED__DASHBOARD__LINK": "https://me.example/{port}", "HOME": str(tmp_path)}
    told = subprocess.run(command, capture_output=True, text=True, env=environment, check=True).stdout
    assert told.split() == [f"https://me.example/{listening}", "False"]
