"""What a server logs: single lines on stderr, without secrets and without what could steer a terminal."""

import logging

from helpers.masking import mask
from helpers.terminal import printable

QUIET = ("bokeh", "tornado.access")
# Of a page that a server before this one made, or that was closed: it is loaded anew by itself, or gone.
USUAL_ERRORS = ("ProtocolError", "WebSocketClosedError", "StreamClosedError")


class MaskedFormatter(logging.Formatter):
    """Formats a record with its URLs masked; each line of it is printable."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text."""
        return "\n".join(printable(line) for line in mask(super().format(record)).splitlines())


def is_unusual(record: logging.LogRecord) -> bool:
    """Whether a record tells of more than a page that has gone."""
    kind = record.exc_info[0] if record.exc_info else None
    return kind is None or kind.__name__ not in USUAL_ERRORS


def log_to_stderr() -> None:
    """Have what goes wrong in this process written to stderr, and what others say of themselves left out."""
    handler = logging.StreamHandler()
    handler.setFormatter(MaskedFormatter("daybook: %(asctime)s %(name)s: %(message)s"))
    handler.addFilter(is_unusual)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
