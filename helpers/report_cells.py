"""A notebook's cells as sanitised HTML, with the headings that make its list of contents."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from html import unescape
from pathlib import Path

import bleach
from jinja2 import FileSystemLoader, pass_context
from nbconvert import HTMLExporter
from nbconvert.filters import ansi2html
from nbformat import NotebookNode, from_dict
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from helpers.report_frames import Frames
from helpers.report_outputs import Outputs

# What prose and pandas' tables are made of; no scripts, styles, forms, frames or event attributes.
ALLOWED_TAGS = (
    "a abbr b blockquote br code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img li ol p pre s small span "
    "strong sub summary sup table tbody td tfoot th thead tr ul"
)
ALLOWED_ATTRIBUTES = ("id", "class", "title", "colspan", "rowspan", "align", "alt", "scope")
# A link may lead out of the page; an image is in it.
ALLOWED_ADDRESSES = {
    ("a", "href"): re.compile(r"https?://|mailto:|#|[^:&]*$", re.IGNORECASE),
    ("img", "src"): re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml);base64,", re.IGNORECASE),
}
PROTOCOLS = ("http", "https", "mailto", "data")
OWN_IDS = ("main", "contents", "result", "parameters", "failed-cell")
LEVELS = {f"h{level}": level for level in range(1, 7)}
_UNFIT_FOR_ID = re.compile(r"[\s\"<>&`\x00-\x1f]+")
# Colours of their own might not be told from the background, in the light or in the dark.
_OWN_COLOURS = re.compile(r'<span style="[^"]*"')


@dataclass
class Cells:
    """What a page shows of a notebook.

    Attributes
    ----------
    html : str
        The cells, sanitised.
    title : str
        The notebook's first heading of the highest level, which is not among the cells; empty where there is none.
    contents : list of tuple of (int, str, str)
        Level, id and text of each of the other headings.
    failed_cell : bool
        Whether one of the cells has the id `failed-cell`.
    """

    html: str = ""
    title: str = ""
    contents: list[tuple[int, str, str]] = field(default_factory=list)
    failed_cell: bool = False
    ids: Counter = field(default_factory=lambda: Counter(OWN_IDS))


def render(notebook: NotebookNode, frames: Frames, has_code: bool, whole: str) -> Cells:
    """The cells of a notebook as HTML that harms nobody, whatever is in them.

    Parameters
    ----------
    notebook : NotebookNode
    frames : Frames
        Takes the charts.
    has_code : bool
        Whether the code is shown.
    whole : str
        The file name of the executed notebook, to be told where an output is left out.

    Returns
    -------
    Cells
    """
    outputs = Outputs(frames, has_code, whole)
    found = notebook.get("cells")
    cells = [outputs.cell(cell) for cell in (found if isinstance(found, list) else ()) if isinstance(cell, dict)]
    # Nothing but this is taken over: what else is in the notebook cannot get into the page.
    shown = from_dict({"nbformat": 4, "nbformat_minor": 4, "cells": list(filter(None, cells))})
    shown.metadata = _language(notebook)
    failed = [cell for cell in shown.cells if any(o.output_type == "error" for o in cell.get("outputs", ()))]
    for cell in failed[:1]:
        cell.metadata.failed = True
    page = Cells(failed_cell=bool(failed))
    page.html, _ = _exporter(page, has_code).from_notebook_node(shown)
    return page


def _exporter(page: Cells, has_code: bool) -> HTMLExporter:
    exporter = HTMLExporter(
        sanitize_html=True,
        extra_loaders=[FileSystemLoader(Path(__file__).parent / "report_templates")],
        template_file="cells.html.j2",
        exclude_anchor_links=True,
        exclude_input=not has_code,
        default_preprocessors=[],  # they change nothing here, and each has the whole validated
    )

    # nbconvert's own list, which cannot be set, has neither paragraphs nor headings nor tables' heads.
    @pass_context
    def clean(context, html: str) -> str:
        is_prose = context.get("cell", {}).get("cell_type") == "markdown"
        named = partial(_with_headings, page=page, is_prose=is_prose)
        return bleach.Cleaner(ALLOWED_TAGS.split(), _is_allowed, PROTOCOLS, filters=[named]).clean(html)

    exporter.register_filter("clean_html", clean)
    exporter.register_filter("ansi2html", lambda text: _OWN_COLOURS.sub("<span", ansi2html(text)))
    return exporter


def _language(notebook: NotebookNode) -> NotebookNode:
    """The name of the language by which the code is coloured."""
    told = notebook.get("metadata")
    info = told.get("language_info") if isinstance(told, dict) else None
    name = info.get("name") if isinstance(info, dict) else None
    if not isinstance(name, str):
        return from_dict({})
    try:
        get_lexer_by_name(name)
    except ClassNotFound:
        name = "text"
    return from_dict({"language_info": {"name": name}})


def _is_allowed(tag: str, name: str, value: str) -> bool:
    """Whether an attribute stays; the protocol of an address is checked by bleach besides."""
    allowed = ALLOWED_ADDRESSES.get((tag, name))
    return bool(allowed.match(value)) if allowed else name in ALLOWED_ATTRIBUTES


def _with_headings(source: Iterable[dict], page: Cells, is_prose: bool) -> Iterator[dict]:
    """Pass sanitised HTML on with ids that are its own; note the headings of prose, and take the title out."""
    held: list[dict] = []  # of the heading that is being read
    for token in source:
        _give_own_id(token, page)
        if held or (token["type"] == "StartTag" and token["name"] in LEVELS):
            held.append(token)
            if token["type"] == "EndTag" and token["name"] == held[0]["name"]:
                yield from _heading(held, page, is_prose)
                held = []
        else:
            yield token
    yield from held


def _heading(tokens: list[dict], page: Cells, is_prose: bool) -> list[dict]:
    text = " ".join("".join(map(_characters, tokens)).split())
    level = LEVELS[tokens[0]["name"]]
    if is_prose and level == 1 and not page.title and not page.contents and text:
        page.title = text
        return []
    if level == 1:  # a page has one; what cells put out may have more
        tokens[0]["name"] = tokens[-1]["name"] = "h2"
    if is_prose and text:
        data = tokens[0].setdefault("data", {})
        name = data.setdefault((None, "id"), _own_id("-".join(text.split())[:80], page))
        page.contents.append((max(level, 2), name, text))
    return tokens


def _characters(token: dict) -> str:
    if token["type"] == "Entity":
        return unescape(f"&{token['name']};")
    return token["data"] if token["type"] in ("Characters", "SpaceCharacters") else ""


def _give_own_id(token: dict, page: Cells) -> None:
    data = token.get("data")
    if token["type"] in ("StartTag", "EmptyTag") and data and (None, "id") in data:
        data[None, "id"] = _own_id(data[None, "id"], page)


def _own_id(wanted: str, page: Cells) -> str:
    """An id that no other element of the page has."""
    wanted = name = _UNFIT_FOR_ID.sub("-", wanted)[:200] or "part"
    while name in page.ids:
        page.ids[wanted] += 1
        name = f"{wanted}-{page.ids[wanted]}"
    page.ids[name] += 1
    return name
