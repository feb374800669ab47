"""Executed notebooks as HTML: one file that opens offline, with what came of the run on top and its charts alive.

Nothing that a cell put out runs in the page itself. Charts, which are scripts, run each in a sandboxed frame that has
no way to the page around it. The page's own policy, should the sanitiser miss anything, lets no script run but those
that are written here, and nothing be loaded from anywhere.
"""

import secrets
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from nbformat import NotebookNode

from helpers import report_cells, report_facts, report_frames
from helpers.home import write_whole
from helpers.report_outputs import shortened

TEMPLATES = Path(__file__).parent / "report_templates"


def write_html(notebook: NotebookNode, path: Path, run: dict, has_code: bool = True) -> None:
    """Write an executed notebook as one HTML file.

    Parameters
    ----------
    notebook : NotebookNode
        What it has beside cells, their sources and their outputs is left out.
    path : Path
        Written whole or not at all. A `trial.json` beside it is the run's trial, whose metrics are shown on top.
    run : dict
        The facts of `run.json`, shown on top; any may be missing.
    has_code : bool, default True
        Whether the cells' code is in the page, folded; without it prose and results remain.
    """
    frames = report_frames.Frames(secrets.token_urlsafe(16))  # a nonce not to be guessed by what a cell puts out
    cells = report_cells.render(notebook, frames, has_code, path.with_suffix(".ipynb").name)
    text = _page().render(
        title=cells.title or str(run.get("notebook") or path.stem),
        run=run.get("run"),
        facts=report_facts.facts(run, report_facts.read_trial(path.parent)),
        contents=cells.contents,
        cells=Markup(cells.html),
        failed_cell=cells.failed_cell,
        nonce=frames.nonce,
        bokeh=report_frames.packed_bokeh() if frames else None,
    )
    # What a kernel prints, and an error's text, may hold half a character, which UTF-8 has no way to write.
    write_whole(path, frames.put_in(text).encode(errors="replace").decode())


@cache
def _page():
    """The page around the cells."""
    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shortened"] = shortened
    environment.globals |= {
        "style": Markup((TEMPLATES / "report.css").read_text()),
        "script": Markup((TEMPLATES / "report.js").read_text()),
    }
    return environment.get_template("page.html.j2")
