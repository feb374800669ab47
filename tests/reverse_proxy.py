"""A small reverse proxy: HTTP and websockets, passed on as a web server in front of the dashboard does."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler, websocket_connect

HOP_BY_HOP = ("Content-Length", "Transfer-Encoding", "Connection", "Content-Encoding")


class _Pages(RequestHandler):
    def initialize(self, upstream: str):
        self.upstream = upstream

    async def get(self):
        request = HTTPRequest(
            self.upstream + self.request.uri,
            method=self.request.method,
            headers=self.request.headers,
            body=self.request.body or None,
            follow_redirects=False,
            decompress_response=False,
        )
        answer = await AsyncHTTPClient().fetch(request, raise_error=False)
        self.set_status(answer.code, answer.reason)
        self.clear_header("Content-Type")
        for name, value in answer.headers.get_all():
            if name not in HOP_BY_HOP:
                self.add_header(name, value)
        if answer.code != 304:
            self.finish(answer.body)

    head = post = get


class _Sockets(WebSocketHandler):
    def initialize(self, upstream: str):
        self.upstream = upstream

    def check_origin(self, origin: str) -> bool:
        return True  # the dashboard's to check, which is what is tested

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        self.subprotocols = subprotocols
        return subprotocols[0] if subprotocols else None

    async def open(self):
        kept = {
            name: self.request.headers[name] for name in ("Host", "Origin", "Cookie") if name in self.request.headers
        }
        self.other = await websocket_connect(
            HTTPRequest(self.upstream.replace("http", "ws", 1) + self.request.uri, headers=kept),
            on_message_callback=self._pass_back,
            subprotocols=self.subprotocols,
        )

    async def on_message(self, message):
        await self.other.write_message(message, binary=isinstance(message, bytes))

    def on_close(self):
        if hasattr(self, "other"):
            self.other.close()

    def _pass_back(self, message):
        if message is None:
            self.close()
        else:
            self.write_message(message, binary=isinstance(message, bytes))


@contextlib.contextmanager
def reverse_proxy(port: int, upstream: str) -> Iterator[None]:
    """Pass on what comes to a port of loopback, host and path unchanged.

    Parameters
    ----------
    port : int
    upstream : str
        An address, of which host and port count.
    """
    loop = asyncio.new_event_loop()
    is_up = threading.Event()

    def run() -> None:
        asyncio.set_event_loop(loop)
        parts = urlsplit(upstream)
        given = {"upstream": f"{parts.scheme}://{parts.netloc}"}
        server = HTTPServer(Application([(r".*/ws", _Sockets, given), (r".*", _Pages, given)]))
        server.add_sockets(bind_sockets(port, "127.0.0.1"))
        loop.call_soon(is_up.set)
        loop.run_forever()
        server.stop()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    is_up.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
