"""Cells in a report: what is kept of prose and outputs, ids, headings and the list of contents."""

import base64

import pytest
from nbformat import v4
from report_pages import PIXEL, displayed, page_of, rows_of


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
                displayed({"image/png": PIXEL}, metadata={"image/png": {"width": 30, "height": 20, "alt": 'a "dot"'}}),
                displayed({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'><circle r='1'/></svg>"}),
                displayed({"text/html": f"<img src='data:image/png;base64,{PIXEL}' alt='mine'>"}),
                v4.new_output("stream", name="stdout", text="\x1b[31mred\x1b[0m \x1b[38;5;100mown\x1b[0m <plain>"),
            ],
        ),
    ]
    page = page_of(tmp_path, cells)
    assert page.h1.get_text() == "Title"
    assert page.find("a", string="a link")["href"] == "https://example.org/?a=1&b=2"
    table = page.find("table", class_="dataframe")
    assert rows_of(table) == [["", "MAE & co", "name"], ["first", "1.5", "<b>"], ["second", "2.5", "ü"]]
    assert ["1", "2"] in rows_of(page)
    png, svg, mine = page("img")
    assert (png["width"], png["height"], png["alt"]) == ("30", "20", 'a "dot"')
    assert png["src"] == f"data:image/png;base64,{PIXEL}"
    assert b"<circle" in base64.b64decode(svg["src"].removeprefix("data:image/svg+xml;base64,"))
    assert (mine["src"], mine["alt"]) == (f"data:image/png;base64,{PIXEL}", "mine")
    assert page.find("span", class_="ansi-red-fg").string == "red"
    # A colour of its own could be told from only one of the two backgrounds.
    assert page.find("span", string="own").attrs == {}
    assert "<plain>" in page.get_text()
    assert page.find("details", class_="code").summary.get_text(" ", strip=True) == "Code [7]"


def test_an_attached_image_is_kept(tmp_path):
    """An image that was pasted into a markdown cell is in the report."""
    cell = v4.new_markdown_cell("![pasted](attachment:x.png)", attachments={"x.png": {"image/png": PIXEL}})
    (image,) = page_of(tmp_path, [cell])("img")
    assert image["src"] == f"data:image/png;base64,{PIXEL}"


def test_contents_lead_to_the_headings(tmp_path):
    """The first heading is the page's title; each other one is in the list, whose links lead to ids that are unique."""
    cells = [
        v4.new_markdown_cell("# The *whole* & more\n\n## Same\n\n### Näher <b>dran</b> at 5 < 6"),
        v4.new_code_cell("x", outputs=[displayed({"text/html": "<h1 id='Same'>an output's</h1>"})]),
        v4.new_markdown_cell("## Same\n\n# Another title\n\n## main\n\n<p id='Same'>x</p>"),
    ]
    page = page_of(tmp_path, cells)
    assert [heading.get_text() for heading in page("h1")] == ["The whole & more"]
    links = page.nav("a")
    assert [link.get_text() for link in links] == ["Same", "Näher dran at 5 < 6", "Same", "Another title", "main"]
    ids = [tag["id"] for tag in page.find_all(id=True)]
    assert len(ids) == len(set(ids))
    from urllib.parse import unquote

    aims = [page.find(id=unquote(link["href"].removeprefix("#"))) for link in links]
    assert [aim.get_text() for aim in aims] == [link.get_text() for link in links]
    assert [aim.name for aim in aims] == ["h2", "h3", "h2", "h2", "h2"]
    assert [item["class"] for item in page.nav("li")] == [[f"level-{level}"] for level in (2, 3, 2, 2, 2)]


def test_a_notebook_without_headings_has_no_contents(tmp_path):
    """Without headings the page has no list, and the notebook's name for a title."""
    page = page_of(tmp_path, [v4.new_markdown_cell("prose")])
    assert page.nav is None
    assert page.h1.get_text() == page.title.get_text().split(":")[0] == "nb"


@pytest.mark.parametrize(("language", "n_keywords"), [({"name": "python"}, 1), ({"name": "none"}, 0), (3, 1), ({}, 1)])
def test_code_is_coloured_by_its_language(tmp_path, language, n_keywords):
    """Code in a known language is coloured; of an unknown one it is plain; untold, it is Python."""
    page = page_of(tmp_path, [v4.new_code_cell("import os", execution_count=1)], metadata={"language_info": language})
    assert len(page.find("details", class_="code")("span", class_="kn")) == n_keywords
    assert "import os" in page.find("details", class_="code").get_text()
