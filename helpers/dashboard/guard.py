"""What every request passes, whichever page it asks for, and what every answer says: the dashboard's one gate."""

from bokeh.server.tornado import BokehTornado
from bokeh.server.views.autoload_js_handler import AutoloadJsHandler
from bokeh.server.views.doc_handler import DocHandler
from bokeh.server.views.metadata_handler import MetadataHandler
from bokeh.server.views.static_handler import StaticHandler
from bokeh.server.views.ws import WSHandler
from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import ErrorHandler, OutputTransform, RequestHandler

from helpers.dashboard.access import Access
from helpers.dashboard.login import LoginHandler, LoginNeededHandler
from helpers.dashboard.pages import AssetHandler, BarePage, RefusedHandler

# Bokeh serves these too: for pages elsewhere that embed a document, which answers any origin.
UNSERVED = (AutoloadJsHandler, MetadataHandler)
# The look of the login page; all of it is published anyway.
PUBLIC = (AssetHandler, StaticHandler, LoginHandler, RefusedHandler)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "SAMEORIGIN",
    "Cross-Origin-Opener-Policy": "same-origin",
    # A page's own policy, with its nonce, stands in the page; this one cannot.
    "Content-Security-Policy": "frame-ancestors 'self'; object-src 'none'; base-uri 'none'",
    "Cache-Control": "no-cache",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class GuardedApplication(BokehTornado):
    """Bokeh's application behind the gate.

    Parameters
    ----------
    access : Access
    *args, **kwargs
        Of `bokeh.server.tornado.BokehTornado`.
    """

    def __init__(self, access: Access, *args, **kwargs):
        self.access = access
        super().__init__(*args, **kwargs)
        self.add_transform(_Headers)

    def get_handler_delegate(self, request, target_class, target_kwargs=None, path_args=None, path_kwargs=None):
        """Who answers: whom the address names, or whoever refuses; Tornado makes every handler here."""
        refusal = self._refusal(request, target_class)
        if target_class is DocHandler:
            target_class = DocumentPage
        if refusal:
            target_class, target_kwargs, path_args, path_kwargs = *refusal, None, None
        return super().get_handler_delegate(request, target_class, target_kwargs, path_args, path_kwargs)

    def _refusal(self, request: HTTPServerRequest, target: type[RequestHandler]) -> tuple[type, dict] | None:
        """The handler that refuses a request, with its arguments; None where nothing is to be refused."""
        if not self.access.is_host(request.headers.get("Host")):
            sentence = "This address is not one of the dashboard's; name it by --origin, or open it by --host's."
            return RefusedHandler, {"status": 403, "sentence": sentence}
        if target is not LoginHandler and request.method not in ("GET", "HEAD"):
            return RefusedHandler, {"status": 405, "sentence": "The dashboard is read-only."}
        if target is ErrorHandler or issubclass(target, UNSERVED):
            return RefusedHandler, {"status": 404, "sentence": "There is no such page."}
        if not issubclass(target, PUBLIC) and not self._is_known(request):
            return LoginNeededHandler, {}
        if issubclass(target, WSHandler) and not self.access.is_origin(request.headers.get("Origin") or ""):
            sentence = "A page of another origin asked for a connection; name its origin by --origin."
            return RefusedHandler, {"status": 403, "sentence": sentence}
        return None

    def _is_known(self, request: HTTPServerRequest) -> bool:
        cookie = request.cookies.get(self.access.cookie)
        return self.access.is_known(cookie and cookie.value)


class DocumentPage(BarePage, DocHandler):
    """A Bokeh document as a page, which fails as other pages do."""


class _Headers(OutputTransform):
    """Says on every answer what browsers may do with it, unless its handler has said so."""

    def __init__(self, request: HTTPServerRequest):
        # A report in its sandbox is of another origin, and draws with BokehJS, which is published anyway.
        shared = {"Cross-Origin-Resource-Policy": "cross-origin"} if "/static/js/" in request.path else {}
        self._headers = HEADERS | shared

    def transform_first_chunk(self, status: int, headers: HTTPHeaders, chunk: bytes, finishing: bool):
        for name, value in self._headers.items():
            if name not in headers:
                headers[name] = value
        headers.pop("Server", None)
        return status, headers, chunk
