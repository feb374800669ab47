"""Charts in a report's frames."""

import base64
import gzip

from bs4 import BeautifulSoup
from nbformat import v4
from report_pages import chart_outputs, displayed, page_of


def test_charts_are_in_frames_that_share_one_bokehjs(tmp_path):
    """Each chart is one frame with its element, its script and a title; BokehJS is in the page once, whole."""
    loader = displayed({"application/javascript": "load()", "application/vnd.bokehjs_load.v0+json": ""})
    outputs = [loader, *chart_outputs('Time & "space"'), *chart_outputs("second")]
    page = page_of(tmp_path, [v4.new_code_cell("show(chart)", outputs=outputs)])
    frames = page("iframe")
    assert [frame["title"] for frame in frames] == ["Chart 1", "Chart 2: second"]  # an escaped one is not worth reading
    for frame in frames:
        inside = BeautifulSoup(frame["data-document"], "html.parser")
        assert len(inside.find_all(attrs={"data-root-id": True})) == 1
        assert not [tag for tag in inside.find_all(["script", "link", "img"]) if {"src", "href"} & set(tag.attrs)]
        assert "load()" not in frame["data-document"]
    assert page.find_all(attrs={"data-root-id": True}) == []
    (packed,) = page("template")
    assert b"Bokeh.set_log_level" in gzip.decompress(base64.b64decode(packed.string))
    assert packed.find_next_sibling().name == "script"  # which looks for it there


def test_a_page_without_charts_has_no_bokehjs(tmp_path):
    """Without a chart the report is small."""
    page = page_of(tmp_path, [v4.new_code_cell("1")])
    assert page("template") == []
    assert len(str(page)) < 30_000
