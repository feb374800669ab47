"""Dask's reports without a network."""

from helpers.dask_reports import HEAD_BYTES, with_nearby_bokeh

# As distributed 2026.8 writes it.
HEAD = b"""<title>Dask Performance Report</title>
<link rel="shortcut icon" href="https://docs.dask.org/en/latest/_static/images/favicon.ico" />
<script src="https://cdn.bokeh.org/bokeh/release/bokeh-3.9.2.min.js"></script>
<script type="text/javascript" src="https://cdn.bokeh.org/bokeh/release/bokeh-widgets-3.9.2.min.js" crossorigin="a">
</script><script>run()</script>"""


def test_scripts_come_from_nearby_and_nothing_else_is_asked_for():
    """No address of another host remains in the head."""
    mended = with_nearby_bokeh(HEAD, "../js")
    assert b"https://" not in mended
    assert b'<script src="../js/bokeh.min.js"></script>' in mended
    assert b'<script src="../js/bokeh-widgets.min.js">' in mended
    assert b"<script>run()</script>" in mended


def test_development_versions_are_known_too():
    """A version may have letters."""
    head = b'<script src="https://cdn.bokeh.org/bokeh/dev/bokeh-gl-3.10.0-rc.1.min.js">'
    assert with_nearby_bokeh(head, "js") == b'<script src="js/bokeh-gl.min.js">'


def test_other_pages_stay_as_they_are():
    """Only the addresses of BokehJS and of the icon are touched."""
    page = b'<p>https://cdn.bokeh.org</p><script src="mine.js"></script>'
    assert with_nearby_bokeh(page, "js") == page
    assert len(HEAD) < HEAD_BYTES
