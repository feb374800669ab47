"""Executed notebooks as HTML: sanitised, with the run's facts on top and its charts alive, readable without a network.

Nothing that a cell put out runs in the page itself. Charts, which are scripts, run each in a sandboxed frame that has
BokehJS inside and no way to the page around it. The page's own policy, should the sanitiser miss anything, lets no
script run but those that are written here, and nothing be loaded from anywhere.
"""

import re
import secrets
import uuid
from html import escape
from pathlib import Path

import bleach
import nbformat
from bokeh.resources import Resources
from jinja2 import DictLoader
from nbconvert import HTMLExporter
from nbformat import NotebookNode

from helpers.home import write_whole

SCRIPT = "application/javascript"
LOADER = "application/vnd.bokehjs_load.v0+json"
# What nbconvert's template would put into the page unescaped, or draw with scripts from other hosts.
UNSAFE_DATA = ("text/vnd.mermaid", "application/vnd.jupyter.widget-view+json")
# What prose and pandas' tables are made of; no scripts, styles, forms, frames or event attributes.
ALLOWED_TAGS = (
    "a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img li ol p pre s small span "
    "strong sub summary sup table tbody td tfoot th thead tr ul"
)
ALLOWED_ATTRIBUTES = ("id", "class", "title", "colspan", "rowspan", "align", "alt")
# A link may lead out of the page; an image is in it.
ALLOWED_ADDRESSES = {
    ("a", "href"): re.compile(r"https?://|mailto:|#|[^:&]*$", re.IGNORECASE),
    ("img", "src"): re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,", re.IGNORECASE),
}
PROTOCOLS = ("http", "https", "mailto", "data")
_STYLE = re.compile(r"<style\b.*?</style>", re.IGNORECASE | re.DOTALL)
_SCRIPT_END = re.compile(r"<(?=/script|!--)", re.IGNORECASE)
# The lab template without MathJax, require.js and Mermaid. Frames have the policy of the page around them.
_TEMPLATE = """{% extends "index.html.j2" %}
{% block html_head_js %}<meta http-equiv="Content-Security-Policy" content="default-src 'none';
 script-src 'nonce-NONCE'; style-src 'unsafe-inline'; img-src data:; font-src data:;
 base-uri 'none'; form-action 'none'">{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}"""
# The frame tells its height, which nobody outside can measure.
_FRAME = """<!DOCTYPE html><html><head><meta charset="utf-8">{bokeh}</head><body style="margin:0">{html}
<script nonce="{nonce}">{script}</script><script nonce="{nonce}">
new ResizeObserver(() => parent.postMessage({{name: {name!r}, height: document.body.scrollHeight}}, "*"))
  .observe(document.body);
</script></body></html>"""
_LISTENER = """<script nonce="NONCE">
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
    nonce = secrets.token_urlsafe(16)  # not to be guessed by what a cell puts out
    exporter = HTMLExporter(
        sanitize_html=True,
        extra_loaders=[DictLoader({"report.html.j2": _TEMPLATE.replace("NONCE", nonce)})],
        template_file="report.html.j2",
    )
    # nbconvert's own list, which cannot be set, has neither paragraphs nor headings nor tables' heads.
    exporter.register_filter("clean_html", bleach.Cleaner(ALLOWED_TAGS.split(), _is_allowed, PROTOCOLS).clean)
    # As nbconvert names the page by the notebook's metadata, and its own default is "Notebook".
    body, _ = exporter.from_notebook_node(
        _with_placeholders(notebook, run, nonce, inserts),
        resources={"metadata": {"name": f"{path.stem}: {run['run']}"}},
    )
    for placeholder, html in inserts.items():
        body = body.replace(placeholder, html, 1)
    write_whole(path, body.replace("</body>", f"{_LISTENER.replace('NONCE', nonce)}</body>", 1))


def _is_allowed(tag: str, name: str, value: str) -> bool:
    """Whether an attribute stays; the protocol of an address is checked by bleach besides."""
    allowed = ALLOWED_ADDRESSES.get((tag, name))
    return bool(allowed.match(value)) if allowed else name in ALLOWED_ATTRIBUTES


def _with_placeholders(notebook: NotebookNode, run: dict, nonce: str, inserts: dict[str, str]) -> NotebookNode:
    """A copy of the notebook in which what the sanitiser would remove is a word to be replaced after it."""

    def placeholder(html: str) -> str:
        word = f"daybook-{uuid.uuid4().hex}"  # not to be guessed by what a cell puts out
        inserts[word] = html
        return word

    copy = nbformat.from_dict(notebook)
    copy.metadata.pop("widgets", None)
    for cell in copy.cells:
        if cell.cell_type != "code":
            continue
        cell.execution_count = cell.execution_count if isinstance(cell.execution_count, int) else None
        outputs: list[NotebookNode] = []
        for output in cell.outputs:
            data = output.get("data", {})
            for unsafe in UNSAFE_DATA:
                data.pop(unsafe, None)
            if "metadata" in output:
                output.metadata = _sizes(output.metadata)
            if LOADER in data:
                continue
            if SCRIPT in data:
                # Bokeh puts out the element to draw in first, and the script that draws by itself.
                before = outputs.pop().data["text/html"] if outputs and _is_target(outputs[-1]) else ""
                word = placeholder(_frame(before + data.get("text/html", ""), data[SCRIPT], nonce))
                output.data = NotebookNode({"text/html": f"<p>{word}</p>"})
            elif "text/html" in data:
                data["text/html"] = _STYLE.sub("", "".join(data["text/html"]))
            outputs.append(output)
        cell.outputs = outputs
    copy.cells.insert(0, nbformat.v4.new_markdown_cell(placeholder(_facts(run))))
    return copy


def _sizes(metadata: NotebookNode) -> NotebookNode:
    """Of an output's metadata the images' widths and heights, which the template does not quote."""
    sizes = {
        kind: {side: of[side] for side in ("width", "height") if isinstance(of.get(side), int)}
        for kind, of in metadata.items()
        if isinstance(of, dict)
    }
    return nbformat.from_dict(sizes)


def _is_target(output: NotebookNode) -> bool:
    """Whether an output is the empty element that Bokeh draws in."""
    return "data-root-id" in output.get("data", {}).get("text/html", "")


def _frame(html: str, script: str, nonce: str) -> str:
    """A sandboxed frame: without `allow-same-origin` its scripts reach neither the page nor the server it came from."""
    name = f"chart-{uuid.uuid4().hex[:12]}"
    # Bokeh's loader waits for the page that it was written for; the JavaScript itself comes unescaped.
    bokeh = "".join(
        f'<script nonce="{nonce}">{part}</script>' for part in Resources(mode="inline", components=["bokeh"]).js_raw
    )
    script = _SCRIPT_END.sub(r"<\\", script)
    document = _FRAME.format(bokeh=bokeh, html=html, script=script, name=name, nonce=nonce)
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
