"""HTML reports, read with a real HTML parser and in a real browser: nothing that a cell put out runs in the page."""

import json
import re
from pathlib import Path

import nbformat
import pytest
from browser import chromium, violations, watched
from bs4 import BeautifulSoup
from nbformat import v4
from report_pages import PIXEL, chart_outputs, displayed, page_of, run_facts

from helpers.reports import TEMPLATES, write_html

EVALUATION = Path(__file__).resolve().parents[1] / "notebooks" / "evaluate_ticket_model.ipynb"
IMAGE = "<img src=x onerror=alert('hit')>"
ATTACKS = [
    "<script>alert('hit')</script>",
    "<SCRIPT SRC=https://evil.example/x.js></SCRIPT>",
    "<img src=x onerror=alert('hit')>",
    "<img src='https://evil.example/pixel.gif'>",
    "<img/src=//evil.example/pixel.gif>",
    "<a href=\"javascript:alert('hit')\">link</a>",
    "<a href='java\tscript:alert(1)'>link</a>",
    "<a href='&#106;avascript&colon;alert(1)'>link</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>link</a>",
    "<a href='da\nta:text/html;base64,PHNjcmlwdD4='>link</a>",
    "<a href='vbscript:msgbox(1)'>link</a>",
    "<svg onload=alert('hit')><script>alert('hit')</script><a xlink:href='javascript:alert(1)'>x</a></svg>",
    "<math><mtext><mglyph><style><img src=x onerror=alert('hit')></style></mglyph></mtext></math>",
    "<iframe src='https://evil.example/'></iframe><iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<object data='https://evil.example/x.swf'></object><embed src='https://evil.example/x'>",
    "<form action='https://evil.example/'><button onclick=alert('hit')>x</button><input onfocus=alert(1)></form>",
    "<div onmouseover=alert('hit') style='background:url(https://evil.example/x)'>x</div>",
    "<body onload=alert('hit')><base href='//evil.example/'><meta http-equiv=refresh content='0;url=//evil.example'>",
    "<link rel=stylesheet href='https://evil.example/x.css'><style>@import url(https://evil.example/x.css);</style>",
    "<style><style></style><script>alert('hit')</script></style>",
    "</pre></div></main><script>alert('hit')</script>",
    "<video src='https://evil.example/x' poster='https://evil.example/x'></video>",
    "<details open ontoggle=alert('hit')><summary>x</summary></details>",
    "<!--><script>alert('hit')</script>-->",
    "</title><script>alert('hit')</script>",
    "\"'><script>alert('hit')</script>",
]


# nbconvert warns of outputs that have nothing left to show.
pytestmark = pytest.mark.filterwarnings("ignore:Your element with mimetype")


def _assert_harmless(page: BeautifulSoup) -> None:
    """Assert that nothing in the page can run, but its own listener and charts in their frames, or be loaded."""
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)';", policy).group(1)
    assert policy.startswith("default-src 'none';")
    scripts = page.find_all("script")
    assert len(scripts) == 1
    assert scripts[0].attrs == {"nonce": nonce}
    assert scripts[0].string == (TEMPLATES / "report.js").read_text()
    assert page.find_all(["object", "embed", "form", "button", "base", "link", "svg", "math", "video", "input"]) == []
    assert len(page.find_all("meta")) == 5  # charset, viewport, colours, referrer and the policy
    for frame in page.find_all("iframe"):
        assert frame["sandbox"] == ["allow-scripts"]
        assert not {"src", "srcdoc"} & set(frame.attrs)
    for tag in page.find_all(True):
        assert not [name for name in tag.attrs if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "action", "poster", "data", "background"):
            value = "".join(tag.get(name, "").lower().split())
            safe = {"a": ("#", "http://", "https://", "mailto:"), "img": ("data:image/",)}.get(tag.name, ())
            assert value == "" or value.startswith(safe), tag
        if tag.name != "iframe":
            assert "url(" not in tag.get("style", "")
    assert [style.string for style in page("style")] == [(TEMPLATES / "report.css").read_text()]
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))


def _everywhere(attack: str) -> list:
    """Cells with the attack in their prose, code, tags and every kind of output."""
    shouted = f"\x1b[31m{attack}\x1b[0m"
    code = v4.new_code_cell(
        f"# {attack}",
        outputs=[
            displayed({"text/html": attack, "text/plain": attack}),
            displayed({"text/markdown": f"# {attack}\n\n{attack}\n\n```\n{attack}\n```\n$${attack}$$"}),
            displayed({"text/plain": shouted}),
            displayed({"text/latex": attack}),
            displayed({"text/vnd.mermaid": f"graph TD; {attack}"}),
            displayed({"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{attack}</svg>"}),
            displayed({"image/png": f'x" {attack}'}, metadata={"image/png": {"width": f"1 onerror=alert(1) {attack}"}}),
            displayed({"image/jpeg": PIXEL}, metadata={"filenames": {"image/jpeg": "https://evil.example/x.jpg"}}),
            displayed({"application/vnd.jupyter.widget-view+json": {"model_id": attack}}),
            v4.new_output("stream", name="stdout", text=shouted),
            v4.new_output("stream", name="stderr", text=shouted),
            v4.new_output("error", ename=attack, evalue=attack, traceback=[shouted, attack]),
        ],
    )
    code.metadata.tags = [attack.replace(",", "")]  # a tag with a comma is no valid notebook
    return [
        v4.new_markdown_cell(f"{attack}\n\ntext {attack} text\n\n- {attack}\n\n| a |\n|---|\n| {attack} |"),
        v4.new_raw_cell(attack, metadata={"raw_mimetype": "text/html"}),
        code,
    ]


@pytest.mark.parametrize("attacks", [ATTACKS[first::5] for first in range(5)])
def test_nothing_runs_wherever_it_stands(tmp_path, attacks):
    """An attack in prose, in any kind of output, in printed or raised text, or in the run's facts is text or gone."""
    cells = [cell for attack in attacks for cell in _everywhere(attack)]
    text = "".join(attacks)
    run = run_facts(run=text, notebook=text, error=text, parameters={"source": text, text: 1}, trial=text, state=text)
    data = {"metrics": {text: 1.0, "MAE": text}, "standard_errors": {text: text}, "num_obs": text}
    trial = {"source": text, "model": text, "model_version": text, "parameters": {text: text}, "data": data}
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": {"x": text}}}
    metadata = {"title": text, "widgets": widgets, "language_info": {"name": text}}
    _assert_harmless(page_of(tmp_path, cells, run, trial, metadata=metadata))


def test_an_image_is_text_in_columns_errors_and_file_names(tmp_path):
    """An image with an event handler as a column's name, an exception's text or the file's name is seen as text."""
    import pandas as pd

    table = pd.DataFrame({IMAGE: [1]}, index=[IMAGE])
    shouted = f"\x1b[31mValueError\x1b[0m: {IMAGE}"
    outputs = [
        displayed({"text/html": table._repr_html_()}),
        v4.new_output("error", ename="ValueError", evalue=IMAGE, traceback=[shouted]),
    ]
    cells = [v4.new_markdown_cell(f"## About {IMAGE}\n\n`{IMAGE}`"), v4.new_code_cell("x", outputs=outputs)]
    name = f"{IMAGE.replace('/', '')}.html"
    page = page_of(tmp_path, cells, run_facts(run=None, error=IMAGE, state="failed"), name=name)
    _assert_harmless(page)
    assert [cell.get_text() for cell in page.find("table", class_="dataframe")("th")] == ["", IMAGE, IMAGE]
    assert IMAGE in page.select_one(".output.error").get_text()
    assert page.find("p", class_="error").get_text().startswith(IMAGE)
    assert page.h1.get_text() == IMAGE
    assert page.code.get_text() == IMAGE


@pytest.mark.parametrize(
    "link",
    [
        "[link](javascript:alert(1))",
        "![x](https://evil.example/x.png)",
        "![x](javascript:alert(1))",
        "<javascript:alert(1)>",
    ],
)
def test_markdown_links_do_not_run(tmp_path, link):
    """Links and images that markdown writes are held to the same list as those in HTML."""
    _assert_harmless(page_of(tmp_path, [v4.new_markdown_cell(link)]))


def test_hostile_numbers_of_cells(tmp_path):
    """A notebook file whose execution counts are texts, as no kernel writes them, does not get them into the page."""
    cell = v4.new_code_cell("1", outputs=[v4.new_output("execute_result", {"text/plain": "1"}, execution_count=1)])
    cell.execution_count = "<script>alert('hit')</script>"
    _assert_harmless(page_of(tmp_path, [cell]))


def test_scripts_of_a_cell_are_in_a_sandboxed_frame(tmp_path):
    """JavaScript that a cell puts out runs in a sandboxed frame and only there."""
    evil = "parent.alert('hit');</SCRIPT><script>alert('hit')</script><!--<script>"
    cell = v4.new_code_cell("x", outputs=[displayed({"application/javascript": evil, "text/html": "<b>x</b>"})])
    page = page_of(tmp_path, [cell])
    _assert_harmless(page)
    (frame,) = page.find_all("iframe")
    inside = BeautifulSoup(frame["data-document"], "html.parser")
    # The place of BokehJS, the cell's script as one, and the one that tells the height.
    assert len(inside.find_all("script")) == 3
    assert inside.script.string == "/*bokeh*/"
    assert "parent.alert('hit')" in inside.find_all("script")[1].string
    assert inside.b.string == "x"


def test_the_notebook_itself_is_not_changed(tmp_path):
    """Making the report leaves the notebook, whose file is written besides, as it is."""
    cell = v4.new_code_cell("x", outputs=[displayed({"application/javascript": "1", "text/html": "<style>x</style>"})])
    notebook = v4.new_notebook(cells=[cell], metadata={"widgets": {}})
    before = json.dumps(notebook)
    write_html(notebook, tmp_path / "nb.html", run_facts())
    assert json.dumps(notebook) == before


def test_the_evaluations_report_is_small(tmp_path):
    """The evaluation notebook as it is committed makes a report of at most 1 MB, charts and all, that loads nothing."""
    path = tmp_path / "evaluation.html"
    write_html(nbformat.read(EVALUATION, as_version=4), path, run_facts())
    assert path.stat().st_size <= 1_000_000
    page = BeautifulSoup(path.read_text(), "html.parser")
    assert len(page("iframe")) == 1
    assert len(page("template")) == 1
    for name in ("src", "href"):
        for tag in page.find_all(attrs={name: True}):
            assert tag.name == "a" or tag[name].startswith("data:image/")


def test_without_code_prose_and_results_remain(tmp_path):
    """A report for those who read results has no line of code, also not in a traceback, and nothing empty."""
    cells = [
        v4.new_markdown_cell("# Title\n\nProse."),
        v4.new_code_cell("secret_name = 1"),
        v4.new_code_cell("print(secret_name)", outputs=[v4.new_output("stream", text="told\n")]),
        v4.new_code_cell(
            "1 / 0",
            outputs=[
                v4.new_output(
                    "error", ename="ZeroDivisionError", evalue="by zero", traceback=["secret_name", "ZeroDivisionError"]
                )
            ],
        ),
    ]
    page = page_of(tmp_path, cells, has_code=False)
    assert "secret_name" not in str(page)
    assert page("details", class_="code") == []
    assert [part.get_text(strip=True) for part in page.main(class_="output")] == ["told", "ZeroDivisionError: by zero"]
    assert len(page.main(class_="cell")) == 2
    assert "Prose." in page.main.get_text()
    with_code = page_of(tmp_path, cells)
    assert [details.summary.get_text(strip=True) for details in with_code("details", class_="code")] == ["Code"] * 3
    # Folded, but for the cell that failed.
    assert [details.has_attr("open") for details in with_code("details", class_="code")] == [False, False, True]


@pytest.mark.slow
def test_a_report_in_a_browser(tmp_path):
    """In Chromium both charts draw, nothing injected runs, nothing is requested and the console is silent."""
    # No `javascript:` is clicked on here, and prose is where the browser's parser, unlike the other one, has its say.
    injected = v4.new_code_cell("x", outputs=[displayed({"text/html": attack}) for attack in ATTACKS])
    prose = v4.new_markdown_cell("\n\n".join(ATTACKS))
    chart = v4.new_code_cell("show(chart)", outputs=[*chart_outputs(), *chart_outputs("second")])
    notebook = v4.new_notebook(cells=[prose, injected, chart])
    write_html(notebook, tmp_path / "nb.html", run_facts(error="\n".join(ATTACKS)))
    asked, opened = [], []
    with chromium() as browser:
        page = browser.new_context(offline=True).new_page()
        said = watched(page)
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
        page.goto((tmp_path / "nb.html").as_uri())
        for frame in page.locator("iframe").all():
            frame.scroll_into_view_if_needed()  # a browser lays out no frame that is out of sight
            canvas = frame.content_frame.locator("canvas").first
            canvas.wait_for(state="attached", timeout=20_000)
            # The frame has told its height of 200 pixels, so both scripts of ours ran; before, it is 480 pixels high.
            page.wait_for_function(
                "name => document.getElementsByName(name)[0].clientHeight < 300", arg=frame.get_attribute("name")
            )
            assert 200 <= frame.bounding_box()["height"] <= 220
            drawn = canvas.bounding_box()
            assert drawn["width"] * drawn["height"] > 0
        # One chart's script cannot speak for another chart's frame.
        first = page.locator("iframe").first
        forged = "name => parent.postMessage({name, height: 5000}, '*')"
        page.frames[2].evaluate(forged, first.get_attribute("name"))
        page.wait_for_timeout(100)
        assert first.bounding_box()["height"] <= 220
        origins = [frame.evaluate("() => window.origin") for frame in page.frames[1:]]
    assert origins == ["null"] * 2  # origins of their own, which reach neither the page nor cookies
    assert opened == []
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []


@pytest.mark.slow
def test_the_evaluations_report_is_read_by_keyboard_and_on_a_telephone(tmp_path):
    """axe finds nothing serious, light or dark; 360 pixels are wide enough; the keyboard skips, unfolds and scrolls."""
    path = tmp_path / "evaluation.html"
    data = {"num_obs": 1000, "metrics": {"MAE": 659514.2, "R2": -0.09}, "standard_errors": {"MAE": 2e4}}
    (tmp_path / "trial.json").write_text(json.dumps({"data": data, "parameters": {"source": "sample"}}))
    notebook = nbformat.read(EVALUATION, as_version=4)
    notebook.cells[-1].outputs = [v4.new_output("error", ename="E", evalue="v", traceback=["\x1b[31mE\x1b[0m: v"])]
    write_html(notebook, path, run_facts(state="failed", error="E: v (in cell [24])"))
    with chromium() as browser:
        page = browser.new_context(offline=True, viewport={"width": 360, "height": 800}).new_page()
        said = watched(page)
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.locator("nav a", has_text="Tasks").click()
        assert page.locator("h2", has_text="Tasks").bounding_box()["y"] < 100
        code = page.locator("details.code").first
        code.locator("summary").press("Enter")
        assert code.get_attribute("open") is not None
        # A table that is wider than the screen is in a part that scrolls by itself, and takes the focus for it.
        wide = page.locator(".scroll:has(.dataframe)").last
        wide.press("ArrowRight")
        page.wait_for_function("part => part.scrollLeft > 0", arg=wide.element_handle())
        page.locator("a", has_text="See the cell.").click()
        assert page.locator("#failed-cell .error").is_visible()
        page.locator("details.code").evaluate_all("all => all.forEach(one => one.open = true)")
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            # An empty head over a table's index is pandas' way, and minor.
            assert [found for found in violations(page) if not found.startswith("empty-table-header")] == []
    assert said == []
