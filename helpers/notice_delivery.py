"""Sending notices through Apprise from a thread of its own, so that a service that hangs holds up nothing."""

import contextlib
import logging
import queue
import re
import sys
import threading

from helpers.policies import masked_url

MOST_WAITING = 100  # beyond, a service has hung for long, and older notices say what newer ones would


class Delivery:
    """Takes notices at once, and sends them to every URL one after the other.

    Parameters
    ----------
    urls : tuple of str
        Apprise URLs. They hold tokens in any place, so messages show their schemes alone.
    """

    def __init__(self, urls: tuple[str, ...]):
        self.urls = urls
        self._services: list | None = None
        self._waiting: queue.SimpleQueue = queue.SimpleQueue()
        self._n_left = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def send(self, title: str, body: str, kind: str = "info") -> None:
        """Queue a notice; one that cannot be delivered is one line on stderr.

        Parameters
        ----------
        title, body : str
        kind : {"info", "success", "warning", "failure"}, default "info"
        """
        with self._lock:
            if self._n_left >= MOST_WAITING:
                _say(f"{self._n_left} notices wait already; not sent: {title}")
                return
            self._n_left += 1
            self._waiting.put((title, body, kind))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, args=[self._waiting], name="notices", daemon=True)
                self._thread.start()

    def close(self, timeout: float = 10.0) -> None:
        """Wait so many seconds at most for what is queued; what is left then is one line on stderr."""
        with self._lock:
            thread, waiting = self._thread, self._waiting
            self._thread, self._waiting = None, queue.SimpleQueue()
        if thread is None:
            return
        waiting.put(None)
        thread.join(timeout)
        if thread.is_alive() and (left := self._n_left):
            _say(f"{left} notices were not delivered within {timeout:g} s")
            with contextlib.suppress(queue.Empty):
                while waiting.get_nowait():
                    self._done()
            waiting.put(None)

    def _work(self, waiting: queue.SimpleQueue) -> None:
        while notice := waiting.get():
            for number in range(len(self.urls)):
                try:
                    reason = self._failure(number, *notice)
                except Exception as error:  # whatever a service's plug-in raises, the next notice is sent
                    reason = type(error).__name__
                if reason:
                    which = f", URL {number + 1} of {len(self.urls)}" if len(self.urls) > 1 else ""
                    _say(
                        f"a notice to {masked_url(self.urls[number])}{which} was not delivered ({reason}): {notice[0]}"
                    )
            self._done()

    def _done(self) -> None:
        with self._lock:
            self._n_left -= 1

    def _failure(self, number: int, title: str, body: str, kind: str) -> str | None:
        if self._services is None:
            self._services = [_service(url) for url in self.urls]
        with _apprise_log() as lines:
            if self._services[number].notify(title=title, body=body, notify_type=kind, body_format="text"):
                return None
        answered = re.search(r"error=(\d{3})\b", "\n".join(lines))
        return f"it answered {answered[1]}" if answered else "no connection, or no answer in time"


def _service(url: str):
    from apprise import Apprise, AppriseAsset, PersistentStoreMode  # 0.3 s of import, and 40 MB

    # Nothing of a service's is kept on disk, and what a log says is taken as it is.
    asset = AppriseAsset(app_id="daybook", app_desc="daybook", storage_mode=PersistentStoreMode.MEMORY)
    service = Apprise(asset=asset)
    service.add(url)
    return service


@contextlib.contextmanager
def _apprise_log():
    """The lines that Apprise logs in this thread; they may hold tokens, so they go nowhere else."""
    lines: list[str] = []
    thread = threading.get_ident()
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage()) if record.thread == thread else None
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield lines
    finally:
        logger.removeHandler(handler)


def _say(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # stderr may be closed when the process ends
        print(f"daybook: {line}", file=sys.stderr, flush=True)
