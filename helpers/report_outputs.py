"""What of a notebook goes into a report: known parts of known types, within bounds; what is left out is said."""

import re
from pathlib import Path

from nbformat import NotebookNode, from_dict

from helpers.home import REPOSITORY, home
from helpers.report_frames import Frames

SCRIPT = "application/javascript"
LOADER = "application/vnd.bokehjs_load.v0+json"
IMAGES = ("image/svg+xml", "image/png", "image/jpeg")
# The best comes first.
SHOWN = ("text/html", "text/markdown", "image/svg+xml", "text/latex", "image/png", "image/jpeg", "text/plain")
OUTPUT_CHARACTERS = 8_000_000
PAGE_CHARACTERS = 24_000_000
# To sanitise 1 MB of HTML takes 3 s, and markdown can be slow: they count for more than text, which is only escaped.
WEIGHTS = {"text/html": 8, "text/markdown": 40}
DEEPEST = 300  # elements in each other; the parser takes minutes for some thousands
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
_WITHOUT_END = ("area", "br", "col", "hr", "img", "input", "link", "meta", "wbr")
_STYLE_TAG = re.compile(r"<style\b|</style\s*>", re.IGNORECASE)


def shortened(text: object, characters: int = 2000) -> str:
    """The beginning of a text, with an ellipsis where it is longer."""
    text = str(text)
    return text if len(text) <= characters else f"{text[:characters]}…"


def without_places(text: str) -> str:
    """The text without where on this machine the repository, the home of the runs and the user's home are."""
    for folder, instead in ((REPOSITORY, "."), (home(), "DAYBOOK_HOME"), (Path.home(), "~")):
        if len(folder.parts) > 1 and str(folder) in text:
            text = re.sub(rf"(?<![\w.~-]){re.escape(str(folder))}(?![\w.-])", instead, text)
    return text


class Outputs:
    """Takes cells and outputs into a page as long as it has room.

    Parameters
    ----------
    frames : Frames
        Takes the charts.
    has_code : bool
        Whether tracebacks, which show code, are whole; else their last line remains.
    whole : str
        The file name of the executed notebook, which has all.
    """

    def __init__(self, frames: Frames, has_code: bool, whole: str):
        self.frames = frames
        self.has_code = has_code
        self.whole = whole
        self._room = PAGE_CHARACTERS

    def cell(self, cell: dict) -> NotebookNode | None:
        """A new cell with what is shown of this one; None where it is of no known kind."""
        kind, source = cell.get("cell_type"), _text(cell.get("source")) or ""
        if kind not in ("code", "markdown"):  # a raw cell is for other formats
            return None
        if not self._fits(source, "text/markdown" if kind == "markdown" else ""):
            source = self._left_out("A cell", len(source))
        if kind == "markdown":
            attached = cell.get("attachments")
            return _node(cell_type=kind, source=without_places(source), attachments=_images(attached), metadata={})
        count = cell.get("execution_count")
        count = count if type(count) is int else None
        shown = _node(cell_type=kind, source=without_places(source), execution_count=count, outputs=[], metadata={})
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict) and (one := self._output(output, shown.outputs)):
                shown.outputs.append(one)
        return shown

    def _output(self, output: dict, before: list) -> NotebookNode | None:
        kind = output.get("output_type")
        if kind == "stream":
            return self._stream(output, before)
        if kind == "error":
            return self._error(output)
        data = output.get("data")
        if kind not in ("display_data", "execute_result") or not isinstance(data, dict) or LOADER in data:
            return None
        if SCRIPT in data:
            return self._chart(data, before)
        return self._displayed(output, data)

    def _stream(self, output: dict, before: list) -> NotebookNode | None:
        """What was printed, together with what was printed just before."""
        name, text = output.get("name"), _text(output.get("text")) or ""
        if not self._fits(text):
            return self._note("A printed text", len(text), "run.log beside this page")
        if before and before[-1].get("name") == name:
            before[-1].text += without_places(text)
            return None
        name = "stderr" if name == "stderr" else "stdout"
        return _node(output_type="stream", name=name, text=without_places(text))

    def _error(self, output: dict) -> NotebookNode:
        name, value = (shortened(_text(output.get(part)) or "", 10_000) for part in ("ename", "evalue"))
        lines = output.get("traceback")
        text = "\n".join(line for line in lines if isinstance(line, str)) if isinstance(lines, list) else ""
        if not self.has_code or not text or not self._fits(text):
            text = f"{name}: {value}"
        return _node(output_type="error", ename="", evalue="", traceback=[without_places(text)])

    def _chart(self, data: dict, before: list) -> NotebookNode | None:
        """A script, in a frame; Bokeh puts out the element to draw in first, and then the script that draws in it."""
        script, html = (_text(data.get(kind)) or "" for kind in (SCRIPT, "text/html"))
        if not self._fits(script) or not self._fits(html):
            return self._note("A chart", len(script) + len(html))
        if before and "data-root-id" in before[-1].get("data", {}).get("text/html", ""):
            html = before.pop().data["text/html"] + html
        word = self.frames.add(html, script)
        return _display({"text/html": f"<p>{word}</p>"})

    def _displayed(self, output: dict, data: dict) -> NotebookNode | None:
        """The best of the forms in which a cell has put something out that is not too long."""
        forms = [(kind, text) for kind in SHOWN if (text := _text(data.get(kind))) is not None]
        for kind, text in forms:
            if kind == "text/html":
                text = _without_styles(text)
            if self._fits(text, kind):
                text = text if kind in IMAGES else without_places(text)
                metadata = {kind: _size(output.get("metadata"), kind)} if kind in IMAGES else {}
                if kind == "text/plain" and kind != forms[0][0]:
                    text += f"\n\n{self._left_out('Its better form', len(forms[0][1]))}"
                return _display({kind: text}, metadata)
        return self._note("An output", len(forms[0][1])) if forms else None

    def _fits(self, text: str, kind: str = "") -> bool:
        """Whether there is room for a text, which is then taken, and it is fit to be parsed."""
        size = WEIGHTS.get(kind, 1) * len(text)
        if size > min(OUTPUT_CHARACTERS, self._room) or (kind in WEIGHTS and _depth(text) > DEEPEST):
            return False
        self._room -= size
        return True

    def _note(self, what: str, characters: int, whole: str = "") -> NotebookNode:
        return _display({"text/plain": self._left_out(what, characters, whole)})

    def _left_out(self, what: str, characters: int, whole: str = "") -> str:
        whole = whole or f"{self.whole} beside this page"
        size = f"{characters / 1e6:,.1f} MB" if characters >= 1e5 else f"{characters:,} characters"
        return f"{what} of {size} is left out here, too long or too nested to be shown: {whole} has it."


def _node(**parts) -> NotebookNode:
    """A part of a notebook, without the validation that nbformat's own makers do, which takes long."""
    return from_dict(parts)


def _display(data: dict, metadata: dict | None = None) -> NotebookNode:
    return _node(output_type="display_data", data=data, metadata=metadata or {})


def _depth(html: str) -> int:
    """How many elements stand in each other at most."""
    depth = deepest = 0
    for tag in _TAG.finditer(html):
        if tag[2].lower() not in _WITHOUT_END:
            depth = max(0, depth + (-1 if tag[1] else 1))
            deepest = max(deepest, depth)
    return deepest


def _without_styles(html: str) -> str:
    """HTML without its style sheets, which would show as text: the sanitiser takes only their tags away."""
    kept, since, opened = [], 0, None
    for tag in _STYLE_TAG.finditer(html):
        if tag[0].startswith("</") and opened is not None:
            kept.append(html[since:opened])
            since, opened = tag.end(), None
        elif opened is None and not tag[0].startswith("</"):
            opened = tag.start()
    return "".join(kept) + html[since:]


def _text(value: object) -> str | None:
    """A text, which in a file may be a list of its lines; None where it is something else."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "".join(value)
    # Half a character cannot be written.
    return value.encode(errors="replace").decode() if isinstance(value, str) else None


def _images(attachments: object) -> dict:
    """Of a cell's attachments the images."""
    found: dict = {}
    for name, forms in attachments.items() if isinstance(attachments, dict) else ():
        for kind, text in forms.items() if isinstance(forms, dict) else ():
            if kind in IMAGES and isinstance(text, str) and len(text) <= OUTPUT_CHARACTERS:
                found[name] = {kind: text}
    return found


def _size(metadata: object, kind: str) -> dict:
    """Of an image's metadata its width and height, which the template does not quote, and what it shows."""
    of = metadata.get(kind) if isinstance(metadata, dict) else None
    if not isinstance(of, dict):
        return {}
    size = {side: of[side] for side in ("width", "height") if type(of.get(side)) is int}
    return size | ({"alt": of["alt"]} if isinstance(of.get("alt"), str) else {})
