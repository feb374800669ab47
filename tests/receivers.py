"""A webhook receiver on loopback that takes notices, or does what webhooks do when they fail."""

import http.server
import json
import threading
import time
from typing import Self


class Receiver:
    """A real HTTP server, for a `with` block.

    Parameters
    ----------
    status : int, default 200
        That it answers with.
    delay : float, default 0
        Seconds before it answers.
    """

    def __init__(self, status: int = 200, delay: float = 0.0):
        self.taken: list[dict] = []
        receiver, self._closed = self, threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver._closed.wait(delay)
                self.send_response(status)
                self.end_headers()
                if status == 200:
                    receiver.taken.append(json.loads(body))

            def log_message(self, *arguments):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._closed.set()
        self._server.shutdown()
        self._server.server_close()

    def wait_for(self, number: int, seconds: float = 20.0) -> None:
        """Wait until so many were taken."""
        limit = time.monotonic() + seconds
        while len(self.taken) < number and time.monotonic() < limit:
            time.sleep(0.02)
