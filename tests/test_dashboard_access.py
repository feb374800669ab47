"""Who may ask the dashboard."""

import pytest

from helpers.dashboard import DashboardError
from helpers.dashboard.access import Access, bracketed_address, is_loopback


@pytest.mark.parametrize("host", ["127.0.0.1:8790", "localhost:8790", "LocalHost", "[::1]:8790", "watch.example.org"])
def test_own_hosts_are_known(host):
    """Loopback's names and those of --origin, with any port: a proxy has another."""
    assert Access("127.0.0.1", 8790, ["watch.example.org:443"]).is_host(host)


@pytest.mark.parametrize(
    "host", [None, "", "evil.example:8790", "127.0.0.1.evil.example", "localhost@evil.example", "127.0.0.1 evil", "*"]
)
def test_a_foreign_host_is_refused(host):
    """A name that was made to lead to loopback would let a foreign page read everything."""
    assert not Access("127.0.0.1", 8790, ["watch.example.org:443"]).is_host(host)


@pytest.mark.parametrize(
    ("origin", "is_ours"),
    [
        ("http://127.0.0.1:8790", True),
        ("http://localhost:8790", True),
        ("http://[::1]:8790", True),
        ("https://watch.example.org", True),  # a browser leaves the scheme's own port out
        ("http://watch.example.org", False),
        ("http://localhost:8791", False),
        ("http://localhost", False),
        ("https://watch.example.org.evil.example", False),
        ("null", False),
        ("", False),
        ("http://127.0.0.1:bad", False),
    ],
)
def test_origins_are_compared_exactly(origin, is_ours):
    """Host and port, with the scheme's own port where none is named."""
    assert Access("127.0.0.1", 8790, ["watch.example.org:443"]).is_origin(origin) is is_ours


@pytest.mark.parametrize("origin", ["*", "*:80", "*.example.org", "https://example.org", "a/b", "host:port", ""])
def test_an_origin_that_is_none_is_refused(origin):
    """Above all a star, which would let any page in."""
    with pytest.raises(DashboardError, match="give HOST:PORT"):
        Access("127.0.0.1", 8790, [origin])


def test_loopback_needs_no_token():
    """Nobody else reaches it."""
    access = Access("127.0.0.1", 8790)
    assert access.token is None
    assert access.is_known(None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_elsewhere_a_token_is_made_and_asked_for(host):
    """It is another one each time, and the cookie does not hold it."""
    access, other = Access(host, 8790), Access(host, 8790)
    assert access.is_token_made
    assert len(access.token) >= 24
    assert access.token != other.token
    assert access.is_token(access.token)
    assert not access.is_token(other.token)
    assert not access.is_known(None)
    assert not access.is_known(access.token)
    assert not access.is_known("é")
    assert access.is_known(access.cookie_value())
    assert access.token not in access.cookie_value()


def test_a_given_token_is_asked_for_on_loopback_too(monkeypatch):
    """Others may have an account on the machine; the cookie holds over a restart."""
    monkeypatch.setenv("DAYBOOK_DASHBOARD_TOKEN", "x" * 16)
    access = Access("127.0.0.1", 8790)
    assert not access.is_token_made
    assert not access.is_known(None)
    assert access.cookie_value() == Access("127.0.0.1", 8790).cookie_value()


def test_a_short_token_is_refused_without_being_told(monkeypatch):
    """It could be guessed."""
    monkeypatch.setenv("DAYBOOK_DASHBOARD_TOKEN", "sh0rt")
    with pytest.raises(DashboardError, match="has 5 characters; give 16 or more") as refused:
        Access("127.0.0.1", 8790)
    assert "sh0rt" not in str(refused.value)


def test_on_all_addresses_those_of_this_machine_are_known():
    """Not any name: the token is not the only guard."""
    access = Access("0.0.0.0", 8790)
    assert access.is_host("127.0.0.1:8790")
    assert not access.is_host("evil.example")


@pytest.mark.parametrize(
    ("host", "is_own"), [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("0.0.0.0", False), ("a", False)]
)
def test_loopback_is_told_by_the_address(host, is_own):
    """A name other than localhost may be anything."""
    assert is_loopback(host) is is_own


def test_an_address_in_a_link_has_brackets_where_it_needs_them():
    """An IPv6 address has colons of its own."""
    assert bracketed_address("::1", 80) == "[::1]:80"
    assert bracketed_address("127.0.0.1", 80) == "127.0.0.1:80"
