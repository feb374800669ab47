"""The dashboard as plain files: whole, without a server or a network, and with nothing live or foreign in it."""

import re
import shutil
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from browser import chromium, violations, watched
from click.testing import CliRunner
from dashboard_home import RUNS, add_run, make_home, trial_of

from helpers.command_line import app
from helpers.dashboard import export as exports
from helpers.dashboard.export import export
from helpers.dashboard.state import DashboardState
from helpers.exceptions import DaybookError, StoreError
from helpers.trials import TrialStore

pytestmark = pytest.mark.slow

CANARY = "c4nary-in-the-environment"
LINKS = """() => Bokeh.documents[0].roots().flatMap(root => root.renderers)
  .flatMap(one => [...(one.data_source?.data.get?.("link") ?? one.data_source?.data.link ?? [])])"""
ODD = "a/../../b \"' é"  # a trial's id is a text of the store


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site of a home with runs, their trials, a trial without a run and one with an odd id."""
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAYBOOK_HOME", str(folder / "home"))
        for name in ("PREFECT_API_KEY", "DAYBOOK_DASHBOARD_TOKEN", "BOKEH_SECRET_KEY"):
            patch.setenv(name, CANARY)
        make_home(folder / "home")
        TrialStore().write(trial_of(ODD, None, 3))
        with (folder / "home" / RUNS[1] / "tiny.html").open("wb") as file:
            file.truncate(exports.LARGEST_BYTES + 1)
        done = CliRunner().invoke(app, ["dashboard", "--export", str(folder / "site")], catch_exceptions=False)
        assert done.exit_code == 0
        assert done.output.startswith(f"wrote 3 trials and 2 runs to {folder / 'site'}, ")
        assert "1 reports above 50 MB are left out" in done.output
    return folder / "site"


def pages(site: Path) -> list[Path]:
    """The pages that the export made itself."""
    return [path for path in site.rglob("*.html") if "files" not in path.parts]


def test_the_site_has_what_a_person_looks_for(site):
    """Charts, a page a trial, the gallery, reports and Dask's, one copy of BokehJS; no more than its size says."""
    found = {str(path.relative_to(site)) for path in site.rglob("*") if path.is_file()}
    assert {"index.html", "runs.html", "trials/trial-0.html", "trials/trial-1.html"} <= found
    assert {f"files/{RUNS[0]}/tiny.html", f"files/{RUNS[0]}/dask-report.html"} <= found
    assert f"files/{RUNS[1]}/tiny.html" not in found
    assert {name for name in found if name.startswith("static/")} == {
        "static/js/bokeh.min.js",
        "static/js/bokeh-widgets.min.js",
    }
    assert len([name for name in found if name.startswith("trials/")]) == 3
    assert not [name for name in found if name.endswith(("live.js", "run.json", "run.log", ".ipynb"))]
    assert sum(path.stat().st_size for path in site.rglob("*")) < 3e6


def test_every_link_leads_to_a_file_of_the_site(site):
    """By a relative address, so that it opens under any prefix."""
    for page in pages(site):
        html = page.read_text()
        addresses = re.findall(r'(?:href|src|action)="([^"#]*)', html)
        assert len(addresses) > 5
        for address in filter(None, addresses):
            parts = urlsplit(address)
            assert not parts.netloc
            assert not parts.scheme
            assert not parts.path.startswith("/")
            target = Path(unquote(urlsplit(urljoin(page.as_uri(), address)).path))
            assert target.is_file(), f"{page.name}: {address}"
            assert target.is_relative_to(site)


def test_nothing_of_the_environment_is_in_the_site(site):
    """Nor the names of this machine's folders, beside what a run says itself."""
    for path in site.rglob("*"):
        if path.is_file():
            assert CANARY.encode() not in path.read_bytes(), path
            assert str(site.parent).encode() not in path.read_bytes(), path


def test_the_site_opens_from_a_folder(site, tmp_path):
    """No console error, no request elsewhere, charts drawn, names right; what is hostile is text."""
    moved = shutil.copytree(site, tmp_path / "moved here")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 360, "height": 800})
        problems, asked = watched(page), []
        page.on("request", lambda request: asked.append(request.url))
        for name, charts in (("index.html", 4), ("trials/trial-1.html", 1), ("runs.html", 0)):
            page.goto((moved / name).as_uri())
            for number in range(charts):
                page.get_by_role("img").nth(number).wait_for()
            assert page.evaluate("getComputedStyle(document.querySelector('.masthead')).borderBottomStyle") == "solid"
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
            assert page.title().endswith("– Daybook")
        assert page.locator("tbody tr:visible").count() == 2
        page.goto((moved / "index.html").as_uri())
        page.get_by_role("img").nth(3).wait_for()
        addresses = page.evaluate(LINKS)
        assert {"trials/trial-0.html", "trials/trial-1.html"} < set(addresses)
        assert all((moved / address).is_file() for address in addresses)
        page.goto((moved / "runs.html").as_uri())
        page.get_by_label("State").select_option("failed")
        assert page.locator("tbody tr:visible").count() == 1
        page.get_by_label("Search").fill("nothing-has-this")
        assert page.locator("#found").inner_text() == "0 of 2 runs, the newest first"
        page.goto((moved / "files" / RUNS[0] / "dask-report.html").as_uri())
        assert "loaded" in page.inner_text("body")
        assert problems == []
        assert all(url.startswith(("file:", "data:")) for url in asked)
        page.goto((moved / "runs.html").as_uri())
        assert violations(page) == []


def test_an_empty_home_is_a_site_that_says_so(home, tmp_path):
    """Not a blank page."""
    done = export(DashboardState(TrialStore()), tmp_path / "site", 5)
    assert (done.trials, done.runs) == (0, 0)
    assert "daybook run" in (tmp_path / "site" / "index.html").read_text()
    assert "No notebook had run" in (tmp_path / "site" / "runs.html").read_text()


def test_the_gallery_has_the_newest(home, tmp_path):
    """As many as were asked for."""
    for run in RUNS:
        home.mkdir(exist_ok=True)
        add_run(home, run)
    export(DashboardState(TrialStore()), tmp_path / "site", 1)
    assert RUNS[1] in (tmp_path / "site" / "runs.html").read_text()
    assert RUNS[0] not in (tmp_path / "site" / "runs.html").read_text()


def test_a_failed_export_leaves_the_earlier_one(home, tmp_path, monkeypatch):
    """When the store has gone, and when it fails in the middle."""
    export(DashboardState(TrialStore()), tmp_path / "site", 5)
    before = (tmp_path / "site" / "index.html").read_bytes()
    with pytest.raises(DaybookError):
        export(DashboardState(TrialStore("postgresql+psycopg://me:x@127.0.0.1:1/x")), tmp_path / "site", 5)

    def full(*_):
        raise StoreError("the disk is full")

    monkeypatch.setattr(exports._Site, "_write_index", full)
    with pytest.raises(StoreError):
        export(DashboardState(TrialStore()), tmp_path / "site", 5)
    assert (tmp_path / "site" / "index.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if "site" in path.name or "export" in path.name] == ["site"]
