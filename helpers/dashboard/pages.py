"""How a page is made: its template, what each page says on top, and the policy that no foreign script runs in it."""

import re
import secrets
from functools import cache
from pathlib import Path

import bokeh
import jinja2
import markupsafe
from tornado.web import RequestHandler, StaticFileHandler

from helpers.dashboard.state import DashboardState

FOLDER = Path(__file__).parent
NAVIGATION = {"trials": "Trials", "runs": "Runs", "now": "Now"}
LOOPBACK = ["http://127.0.0.1:*", "http://localhost:*"]
SENTENCES = {404: "There is no such page.", 405: "The dashboard is read-only."}
FAILED = "This page could not be made; the dashboard's log says why."
_SCRIPT = re.compile(r"<script\b")


@cache
def templates() -> jinja2.Environment:
    """The pages' templates; whatever they insert is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["with_nonce"] = with_nonce
    environment.globals["embed"] = embed
    return environment


def with_nonce(html: str, nonce: str) -> markupsafe.Markup:
    """Bokeh's own script elements, allowed to run by the page's nonce."""
    return markupsafe.Markup(_SCRIPT.sub(f'<script nonce="{nonce}"', str(html)))


def embed(root) -> markupsafe.Markup:
    """The element in which BokehJS draws a root of a document."""
    element = '<div id="{}" class="root {}" data-root-id="{}"></div>'
    return markupsafe.Markup(element).format(root.elementid, root.name or "", root.id)


def base_variables(page: str = "", root: str = "", **others) -> dict:
    """What the base template needs of any page, live or exported.

    Parameters
    ----------
    page : str
        The name in `NAVIGATION` of the page or of what it belongs to.
    root : str
        From the page's address to the first page's folder: "" or "../".
    **others
        `navigation` maps addresses, relative to the root, to labels; `frame_sources` are origins that may be framed
        besides our own; `problem` is a sentence for all pages; `is_live` is False where no server answers;
        `is_document` is True of a page that another start of the server, another `instance`, cannot go on with.
    """
    given = {
        "nonce": secrets.token_urlsafe(16),
        "navigation": NAVIGATION,
        "page": page,
        "root": root,
        "bokeh_version": bokeh.__version__,
        "frame_sources": [],
        "problem": None,
        "is_live": True,
        "instance": "",
        "is_document": False,
    }
    return given | others


def variables(state: DashboardState, page: str) -> dict:
    """What the base template needs of a live page; see `base_variables`."""
    # A cluster may come up while the page that shows its dashboard is open, whose policy stands from its beginning.
    frame_sources = LOOPBACK if page == "now" else []
    return base_variables(page, problem=state.problem, frame_sources=frame_sources, instance=state.instance)


def set_page(doc, state: DashboardState, page: str, template: str, **others) -> None:
    """Give a Bokeh document its template, which places the roots by `{{ embed(roots.NAME) }}`."""
    doc.title = f"{NAVIGATION.get(page, 'Daybook')} – Daybook"  # BokehJS gives it to the page once it has loaded
    doc.template = templates().get_template(template)
    doc.template_variables.update(variables(state, page) | {"is_document": True} | others)


class BarePage(RequestHandler):
    """A page that shows nothing of the trials or runs."""

    def head(self, *args, **kwargs):
        """Answer as to GET, without the page."""
        return self.get(*args, **kwargs)

    def write_bare(self, template: str, status: int = 200, **others) -> None:
        """Answer with a template; see `base_variables`."""
        depth = self.request.path.removeprefix(self.application.prefix).count("/") - 1
        given = base_variables(root="../" * depth, is_live=False, status=status) | others
        self.set_status(status)
        self.finish(templates().get_template(template).render(given))

    def show_login(self, wrong: str = "", status: int = 200) -> None:
        """Answer with the login's form."""
        self.write_bare("login.html.j2", status, wrong=wrong)

    def write_error(self, status_code: int, **_) -> None:
        """Answer with a sentence; the traceback goes to the log."""
        sentence = SENTENCES.get(status_code, FAILED if status_code >= 500 else self._reason)
        self.write_bare("refused.html.j2", status_code, sentence=sentence)


class Page(BarePage):
    """A page or a fragment of one, made of a template."""

    def initialize(self, state: DashboardState) -> None:
        """Take what all pages show."""
        self.state = state

    def page_variables(self, page: str) -> dict:
        """What the base template needs; see `base_variables`."""
        return variables(self.state, page)

    def write_page(self, template: str, page: str, **others) -> None:
        """Answer with a template; see `base_variables`."""
        self.finish(templates().get_template(template).render(self.page_variables(page) | others))


class RefusedHandler(BarePage):
    """Answers whom the gate does not let through."""

    def initialize(self, status: int, sentence: str) -> None:
        """Take what to say."""
        self._status, self._sentence = status, sentence

    def prepare(self) -> None:
        """Answer to any method."""
        self.write_bare("refused.html.j2", self._status, sentence=self._sentence)


class AssetHandler(StaticFileHandler):
    """The dashboard's own scripts and styles."""


class HealthPage(Page):
    """Whether the server is there, and the same as before: what live pages ask."""

    def get(self) -> None:
        """Answer in JSON."""
        self.finish({"instance": self.state.instance, "problem": self.state.problem})


def fill_safely(page, doc, state: DashboardState) -> None:
    """Fill a Bokeh document by a page's function; one that raises leaves a page that says so."""
    import logging

    try:
        page(doc, state)
    except Exception:
        logging.getLogger(__name__).exception("%s could not be made", page.__name__)
        doc.clear()
        set_page(doc, state, "", "refused.html.j2", status=500, sentence=FAILED)
