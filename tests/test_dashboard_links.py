"""Links to a scheduler's dashboard, for schedulers here and elsewhere, in Lab, on a hub and neither."""

from types import SimpleNamespace

import dask
import psutil
import pytest

from helpers.dashboard_links import dashboard_link, is_here

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
