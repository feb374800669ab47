"""Dask's performance reports, which load BokehJS from a host of its makers: made to load a copy nearby."""

import re

HEAD_BYTES = 16384
# As Bokeh writes them, with the version that made the report; what is nearby is the version that is installed.
_SCRIPT = re.compile(
    rb'<script[^>]*\ssrc="https://cdn\.bokeh\.org/[^"]*/(bokeh(?:-[a-z]+)?)-[^"/]*?(?:\.min)?\.js"[^>]*>'
)
_ICON = re.compile(rb'<link[^>]*\shref="https?://[^"]*"[^>]*>')


def with_nearby_bokeh(head: bytes, folder: str) -> bytes:
    """The beginning of a report, with its scripts loaded from a folder and nothing else from elsewhere.

    Parameters
    ----------
    head : bytes
        At most `HEAD_BYTES`: the scripts stand at the top.
    folder : str
        The address of BokehJS' folder, relative to the report.

    Examples
    --------
    >>> with_nearby_bokeh(b'<script src="https://cdn.bokeh.org/bokeh/release/bokeh-gl-3.9.2.min.js">', "js")
    b'<script src="js/bokeh-gl.min.js">'
    """
    return _ICON.sub(b"", _SCRIPT.sub(rb'<script src="' + folder.encode() + rb'/\1.min.js">', head))
