"""What of a notebook goes into a report: bounds, odd notebooks, and nothing of where it was made."""

import re
import socket
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode, v4
from report_pages import chart_outputs, displayed, page_of, run_facts

from helpers import report_outputs
from helpers.home import REPOSITORY
from helpers.reports import write_html

EVALUATION = REPOSITORY / "notebooks" / "evaluate_ticket_model.ipynb"


@pytest.mark.parametrize(
    "output",
    [
        displayed({"text/html": "x" * 20_000}),
        displayed({"text/markdown": "x" * 20_000}),
        displayed({"image/png": "A" * 200_000}),
        {"output_type": "stream", "name": "stdout", "text": "x" * 200_000},
        displayed({"application/javascript": "1" * 200_000}),
        displayed({"text/html": "x" * 10_000}),
        displayed({"text/plain": "x" * 90_000}),
    ],
    ids=["html", "markdown", "image", "print", "chart", "many-tables", "many-texts"],
)
def test_outputs_without_bounds_are_left_out(tmp_path, output, monkeypatch):
    """Of outputs that are too long, or too many, the page has what fits, and says of the rest where it is."""
    monkeypatch.setattr(report_outputs, "OUTPUT_CHARACTERS", 100_000)
    monkeypatch.setattr(report_outputs, "PAGE_CHARACTERS", 300_000)
    page = page_of(tmp_path, [{"cell_type": "code", "source": "x", "outputs": [dict(output) for _ in range(20)]}])
    assert len(page.main.get_text()) < 310_000
    told = page.main(class_="output")[-1].get_text()
    assert "is left out here" in told
    assert ("nb.ipynb" in told) or ("run.log" in told)


def test_an_output_of_200_mb(tmp_path):
    """An output of 200 MB makes a small page at once."""
    outputs = [displayed({"text/html": "<td>" * 50_000_000})]
    page = page_of(tmp_path, [{"cell_type": "code", "source": "x", "outputs": outputs}])
    assert "An output of 200.0 MB is left out here" in page.main.get_text()


def test_a_table_that_is_too_long_is_shown_as_text(tmp_path):
    """Where the best form has no room the next one is shown, and it says so."""
    data = {"text/html": "<table>" + "<tr><td>1</td></tr>" * 100_000 + "</table>", "text/plain": "the text"}
    page = page_of(tmp_path, [v4.new_code_cell("x", outputs=[displayed(data)])])
    assert page.main.find(class_="output").get_text(strip=True).startswith("the text")
    assert "Its better form of 1.9 MB is left out here" in page.main.get_text()


@pytest.mark.parametrize("nested", ["<div>", "<ul><li>", "<b>"])
def test_nested_without_end(tmp_path, nested):
    """Elements in each other by the thousand, which an HTML parser takes minutes for, are left out, not parsed."""
    html = displayed({"text/html": nested * 50_000})
    page = page_of(tmp_path, [v4.new_code_cell("x", outputs=[html]), v4.new_markdown_cell(nested * 10_000)])
    assert page.get_text().count("too nested to be shown") == 2


@pytest.mark.parametrize(
    "cells",
    [
        [],
        [{"cell_type": "code", "metadata": {}, "source": "x"}],
        [{"cell_type": "code"}, {"cell_type": "markdown"}, {}, {"cell_type": "raw"}, {"cell_type": 3}],
        [{"cell_type": "code", "source": ["a\n", "b"], "metadata": None, "outputs": None, "execution_count": [1]}],
        [{"cell_type": "code", "source": 5, "outputs": [{}, None, 7, {"output_type": "stream", "text": 3}]}],
        [{"cell_type": "code", "source": "", "outputs": [{"output_type": "error", "traceback": [1, None]}]}],
        [{"cell_type": "code", "source": "", "outputs": [{"output_type": "display_data", "data": [1]}]}],
        [{"cell_type": "code", "source": "", "outputs": [{"output_type": "display_data", "data": {"text/html": {}}}]}],
        [
            {
                "cell_type": "code",
                "source": "",
                "outputs": [displayed({"image/png": png, "x": 1}) for png in (3, [], "")],
            }
        ],
        [{"cell_type": "markdown", "source": "\ud800 half", "attachments": {"a": {"image/png": 3}, "b": 1}}],
        "cells",
    ],
)
@pytest.mark.parametrize("metadata", [{}, {"language_info": {"name": ["x"]}}, {"kernelspec": 3, "title": {}}, None])
def test_odd_notebooks(tmp_path, cells, metadata):
    """A notebook that lacks what it should have, or has it in another shape, makes a page."""
    notebook = NotebookNode(nbformat=4, nbformat_minor=5, metadata=metadata, cells=cells)
    write_html(notebook, tmp_path / "nb.html", {"run": "run-1", "error": "\udcff"})
    assert "run-1" in (tmp_path / "nb.html").read_text()


def test_what_is_printed_bit_by_bit_is_one_text(tmp_path):
    """Lines that a kernel sends one by one stand together, apart from those of the other stream."""
    streams = [v4.new_output("stream", name=name, text=f"{name}\n") for name in ("stdout", "stdout", "stderr")]
    page = page_of(tmp_path, [v4.new_code_cell("x", outputs=streams)])
    assert [part.get_text().split() for part in page.main(class_="output")] == [["stdout", "stdout"], ["stderr"]]


def test_style_sheets_are_no_text(tmp_path):
    """The styles that pandas writes before a table do not show; text after one that never ends does."""
    html = "a<STYLE>b</style>c<style>d<style>e</style>f</style><style>g"
    page = page_of(tmp_path, [v4.new_code_cell("x", outputs=[displayed({"text/html": html})])])
    assert page.main.find(class_="output").get_text(strip=True).startswith("acf")
    assert "b" not in page.main.find(class_="output").get_text(strip=True)


def test_no_place_of_this_machine(tmp_path):
    """Neither a path nor the name of the machine is in a report, though tracebacks and errors have them."""
    home = Path.home()
    line = f"File {REPOSITORY}/helpers/x.py:3 and {home}/data/x.csv and https://example.org{home}/kept"
    outputs = [
        v4.new_output("error", ename="E", evalue=line, traceback=[line]),
        v4.new_output("stream", text=line),
        displayed({"text/html": line}),
    ]
    page = page_of(
        tmp_path,
        [v4.new_code_cell(f"open('{home}/x')", outputs=outputs), v4.new_markdown_cell(line), *_committed()],
        run_facts(error=line, parameters={"source": f"{home}/x.csv"}, state="failed", path=f"{REPOSITORY}/nb.ipynb"),
    )
    text = str(page).replace(f"https://example.org{home}/kept", "")
    assert str(REPOSITORY) not in text
    assert f"{home}/" not in text
    assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", page.get_text())
    assert "File ./helpers/x.py:3 and ~/data/x.csv" in page.get_text()


def _committed() -> list:
    """The cells of the evaluation notebook as it is committed, and a chart."""
    return [*nbformat.read(EVALUATION, as_version=4).cells, v4.new_code_cell("x", outputs=chart_outputs())]
