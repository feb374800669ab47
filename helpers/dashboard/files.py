"""The files of runs, as they are sent to browsers: in pieces, and where nothing in them reaches the dashboard."""

from collections.abc import Iterator
from typing import BinaryIO

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError

from helpers import dask_reports
from helpers.dashboard.pages import BarePage
from helpers.run_files import DASK_REPORT, RunFileError, path_of

PIECE_BYTES = 1 << 18
# A page in a sandbox is of no origin: its scripts draw, and reach neither the dashboard nor its cookie.
SANDBOX = (
    "sandbox allow-scripts allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
    "script-src 'unsafe-inline' {bokeh}; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; "
    "frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
TYPES = {".html": "text/html", ".ipynb": "application/x-ipynb+json"}


class RunFilePage(BarePage):
    """A file of a run."""

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """What is no text is no name of a file."""
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise HTTPError(404) from None

    async def get(self, run: str, name: str) -> None:
        """Answer with the file, as fast as the browser takes it."""
        try:
            file = path_of(run, name).open("rb")
        except (RunFileError, OSError):
            raise HTTPError(404) from None
        with file:
            self._set_headers(name)
            head = self._head(file, name)
            rest = file.seek(0, 2) - file.seek(0 if head is None else dask_reports.HEAD_BYTES)
            self.set_header("Content-Length", len(head or b"") + max(rest, 0))
            try:
                for piece in _pieces(head, file, rest) if self.request.method == "GET" else ():
                    self.write(piece)
                    await self.flush()
            except StreamClosedError:  # the person has gone elsewhere
                return

    def _set_headers(self, name: str) -> None:
        ending = name[name.rfind(".") :]
        self.set_header("Content-Type", f"{TYPES.get(ending, 'text/plain')}; charset=utf-8")
        bokeh = ""
        if name == DASK_REPORT:
            bokeh = f"{self.request.protocol}://{self.request.host}{self.application.prefix}/static/js/"
        self.set_header("Content-Security-Policy", SANDBOX.format(bokeh=bokeh))
        if ending == ".ipynb":
            self.set_header("Content-Disposition", "attachment")

    def _head(self, file: BinaryIO, name: str) -> bytes | None:
        """The beginning of a report that would load scripts from elsewhere, mended; None of any other file."""
        if name != DASK_REPORT:
            return None
        return dask_reports.with_nearby_bokeh(file.read(dask_reports.HEAD_BYTES), "../../static/js")


def _pieces(head: bytes | None, file: BinaryIO, rest: int) -> Iterator[bytes]:
    """What is sent: as much as was promised, should the file grow meanwhile."""
    if head:
        yield head
    while rest > 0 and (piece := file.read(min(PIECE_BYTES, rest))):
        rest -= len(piece)
        yield piece
