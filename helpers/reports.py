"""Executed notebooks as HTML: sanitised, with the run's facts on top and its charts alive, readable without a network.

Nothing that a cell put out runs in the page itself. Charts, which are scripts, run each in a sandboxed frame that has
BokehJS inside and no way to the page around it.
"""

import re
import uuid
from html import escape
from pathlib import Path

import bleach
import nbformat
from bokeh.resources import Resources
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from helpers.home import write_whole

SCRIPT = "application/javascript"
LOADER = "application/vnd.bokehjs_load.v0+json"
# What prose and pandas' tables are made of; no scripts, styles, forms, frames or event attributes.
ALLOWED_TAGS = (
    "a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img li ol p pre s small span "
    "strong sub summary sup table tbody td tfoot th thead tr ul"
)
ALLOWED_ATTRIBUTES = {
    "*": ["id", "class", "title", "colspan", "rowspan", "align"],
    "a": ["href"],
    "img": ["src", "alt"],
}
_STYLE = re.compile(r"<style\b.*?</style>", re.IGNORECASE | re.DOTALL)
# The frame tells its height, which nobody outside can measure.
_FRAME = """<!DOCTYPE html><html><head><meta charset="utf-8">{bokeh}</head><body style="margin:0">{html}
<script>{script}</script><script>
new ResizeObserver(() => parent.postMessage({{name: {name!r}, height: document.body.scrollHeight}}, "*"))
  .observe(document.body);
</script></body></html>"""
_LISTENER = """<script>
addEventListener("message", event => {
  const frame = document.getElementsByName(String(event.data.name))[0];
  if (frame && frame.contentWindow === event.source) frame.style.height = Number(event.data.height) + 10 + "px";
});
</script>"""


def write_html(notebook: NotebookNode, path: Path, run: dict) -> None:
    """Write an executed notebook as one HTML file.

    Parameters
    ----------
    notebook : NotebookNode
    path : Path
        Written whole or not at all.
    run : dict
        The facts of `run.json`, shown on top.
    """
    inserts: dict[str, str] = {}
    exporter = HTMLExporter(sanitize_html=True, mathjax_url="", require_js_url="", jquery_url="")
    # nbconvert's own list, which cannot be set, has neither paragraphs nor headings nor tables' heads.
    exporter.register_filter("clean_html", bleach.Cleaner(ALLOWED_TAGS.split(), ALLOWED_ATTRIBUTES).clean)
    # As nbconvert names the page by the notebook's metadata, and its own default is "Notebook".
    body, _ = exporter.from_notebook_node(
        _with_placeholders(notebook, run, inserts), resources={"metadata": {"name": f"{path.stem}: {run['run']}"}}
    )
    for placeholder, html in inserts.items():
        body = body.replace(placeholder, html, 1)
    write_whole(path, body.replace("</body>", f"{_LISTENER}</body>", 1))


def _with_placeholders(notebook: NotebookNode, run: dict, inserts: dict[str, str]) -> NotebookNode:
    """A copy of the notebook in which what the sanitiser would remove is a word to be replaced after it."""

    def placeholder(html: str) -> str:
        word = f"daybook-{uuid.uuid4().hex}"  # not to be guessed by what a cell puts out
        inserts[word] = html
        return word

    copy = nbformat.from_dict(notebook)
    for cell in copy.cells:
        if cell.cell_type != "code":
            continue
        outputs: list[NotebookNode] = []
        for output in cell.outputs:
            data = output.get("data", {})
            if LOADER in data:
                continue
            if SCRIPT in data:
                # Bokeh puts out the element to draw in first, and the script that draws by itself.
                before = outputs.pop().data["text/html"] if outputs and _is_target(outputs[-1]) else ""
                word = placeholder(_frame(before + data.get("text/html", ""), data[SCRIPT]))
                output.data = NotebookNode({"text/html": f"<p>{word}</p>"})
            elif "text/html" in data:
                data["text/html"] = _STYLE.sub("", "".join(data["text/html"]))
            outputs.append(output)
        cell.outputs = outputs
    copy.cells.insert(0, nbformat.v4.new_markdown_cell(placeholder(_facts(run))))
    return copy


def _is_target(output: NotebookNode) -> bool:
    """Whether an output is the empty element that Bokeh draws in."""
    return "data-root-id" in output.get("data", {}).get("text/html", "")


def _frame(html: str, script: str) -> str:
    """A sandboxed frame: without `allow-same-origin` its scripts reach neither the page nor the server it came from."""
    name = f"chart-{uuid.uuid4().hex[:12]}"
    bokeh = Resources(mode="inline", components=["bokeh"]).render_js()
    # Bokeh's loader waits for the page that it was written for; the JavaScript itself comes unescaped.
    document = _FRAME.format(bokeh=bokeh, html=html, script=script.replace("</script", "<\\/script"), name=name)
    return (
        f'<iframe name="{name}" title="chart" sandbox="allow-scripts" srcdoc="{escape(document)}" '
        'style="width:100%;height:480px;border:0"></iframe>'
    )


def _facts(run: dict) -> str:
    """The run in a small table: what it was, how it ended, and with which parameters."""
    given = ", ".join(f"{name} = {value!r}" for name, value in (run["parameters"] or {}).items()) or "as the notebook's"
    rows = {
        "run": run["run"],
        "state": run["state"],
        "error": run["error"],
        "trial": run["trial"],
        "scheduled": run["scheduled_at"],
        "started": run["started_at"],
        "parameters": given,
    }
    cells = "".join(f"<tr><th>{name}</th><td>{escape(str(value))}</td></tr>" for name, value in rows.items() if value)
    return f'<table class="daybook-run">{cells}</table>'
