"""What the dashboard logs."""

import logging

from tornado.websocket import WebSocketClosedError

from helpers.dashboard_logs import MaskedFormatter, is_unusual


def record(message: str, *values) -> logging.LogRecord:
    """A record as a server makes it."""
    return logging.LogRecord("tornado", logging.ERROR, "", 0, message, values, None)


def test_a_record_has_no_secrets():
    """Neither a token in an address nor a store's password."""
    text = MaskedFormatter().format(record("GET /login?token=c4nary %s", "postgresql://me:c4nary@host/db"))
    assert "c4nary" not in text
    assert "GET /login?token=***" in text


def test_a_record_does_not_steer_the_terminal():
    """Escape sequences are shown; lines of a traceback stay lines."""
    assert MaskedFormatter().format(record("one\n%s", "\x1b[31mred")) == "one\n\\x1b[31mred"


def test_a_page_that_was_closed_is_no_error():
    """What goes wrong otherwise is one."""
    of_page = record("failed")
    of_page.exc_info = (WebSocketClosedError, WebSocketClosedError(), None)
    other = record("failed")
    other.exc_info = (ValueError, ValueError(), None)
    assert [is_unusual(one) for one in (of_page, other, record("plain"))] == [False, True, True]
