"""Charts in sandboxed frames, which share one copy of BokehJS: packed in the page, unpacked into each frame."""

import base64
import gzip
import re
import uuid
from functools import cache
from html import escape

from bokeh.resources import Resources

_SCRIPT_END = re.compile(r"<(?=/script|!--)", re.IGNORECASE)
_CHART_TITLE = re.compile(r'"name":"Title","id":"[^"]*","attributes":\{"text":"([^"\\]{1,200})"')
# The page puts BokehJS in the place of the comment. The frame tells its height, which nobody outside can measure.
_FRAME = """<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<script nonce="{nonce}">/*bokeh*/</script></head><body style="margin:0;background:#fff">{html}
<script nonce="{nonce}">{script}</script><script nonce="{nonce}">
new ResizeObserver(() => parent.postMessage({{name: {name!r}, height: document.body.scrollHeight}}, "*"))
  .observe(document.body);
</script></body></html>"""


class Frames:
    """The frames of a page; while it is made words stand for them, which pass the sanitiser.

    Parameters
    ----------
    nonce : str
        By which the page's policy lets scripts run.
    """

    def __init__(self, nonce: str):
        self.nonce = nonce
        self._frames: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, html: str, script: str) -> str:
        """Add a frame for what a cell put out; the word that stands for it."""
        word = f"daybook-{uuid.uuid4().hex}"  # not to be guessed by what a cell puts out
        self._frames[word] = self._frame(html, script)
        return word

    def put_in(self, page: str) -> str:
        """The page with the frames in the places of their words."""
        for word, frame in self._frames.items():
            page = page.replace(word, frame, 1)
        return page

    def _frame(self, html: str, script: str) -> str:
        """Without `allow-same-origin` its scripts reach neither the page nor the server that it came from."""
        name = f"chart-{uuid.uuid4().hex[:12]}"
        found = _CHART_TITLE.search(script)
        title = escape(f"Chart {len(self) + 1}" + (f": {found[1]}" if found else ""))
        # The JavaScript comes unescaped.
        script = _SCRIPT_END.sub(r"<\\", script)
        document = _FRAME.format(title=title, nonce=self.nonce, html=html, script=script, name=name)
        return (
            f'<iframe name="{name}" title="{title}" sandbox="allow-scripts" '
            f'data-document="{escape(document)}"></iframe>'
        )


@cache
def packed_bokeh() -> str:
    """BokehJS, 1.3 MB, in 0.5 MB of base64."""
    scripts = ";\n".join(Resources(mode="inline", components=["bokeh"]).js_raw)
    return base64.b64encode(gzip.compress(scripts.encode(), 6, mtime=0)).decode()
