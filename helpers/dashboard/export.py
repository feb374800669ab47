"""The dashboard as plain files, for a web server or a bucket: charts with their data, runs and their reports."""

import hashlib
import re
import shutil
from dataclasses import dataclass
from dataclasses import replace as with_changes
from pathlib import Path
from urllib.parse import unquote

import bokeh.util.paths
from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.resources import INLINE

from helpers import dask_reports, report_facts
from helpers.dashboard import DashboardError, run_rows
from helpers.dashboard.pages import FOLDER, base_variables, templates
from helpers.dashboard.site_folder import replaced
from helpers.dashboard.state import DashboardState
from helpers.dashboard.trial_page import described, label, trial_html
from helpers.run_files import RunFile, RunFileError, files_of, path_of

PAGES = {"index.html": "Trials", "runs.html": "Runs"}
METRICS = ("MAE", "MedAE", "MSE", "R2")
EXPORTED_KINDS = ("report", "dask")
LARGEST_BYTES = 50_000_000  # of a report: a larger one is hardly read in a browser
BOKEH = ("bokeh", "bokeh-widgets")  # that the pages load; a report of Dask may load others
_LIVE_LINK = re.compile(r'href="(?:\.\./)?(run|trial)\?id=([^"&]*)"')
_SCRIPT = re.compile(rb'src="\.\./\.\./static/js/(bokeh(?:-[a-z]+)?)\.min\.js"')
_NAME = re.compile(r"[\w-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    folder : Path
    trials, runs : int
        With a page of their own, and in the gallery.
    large : int
        Reports that were left out as too large.
    bytes : int
    """

    folder: Path
    trials: int
    runs: int
    large: int
    bytes: int

    def in_words(self) -> str:
        """A line for a person."""
        left_out = f"; {self.large} reports above {LARGEST_BYTES / 1e6:.0f} MB are left out" if self.large else ""
        return (
            f"wrote {self.trials} trials and {self.runs} runs to {self.folder}, {self.bytes / 1e6:.1f} MB{left_out}; "
            f"open {self.folder / 'index.html'}"
        )


def export(state: DashboardState, folder: Path, last: int) -> Exported:
    """Write the site, whole or not at all.

    Parameters
    ----------
    state : DashboardState
    folder : Path
        See `site_folder.replaced`.
    last : int
        So many runs and trials, the newest, with pages and reports; the charts show all trials.

    Raises
    ------
    DashboardError
        When the folder holds something else.
    StoreError
        When the trials cannot be read.
    """
    with replaced(folder) as new:
        site = _Site(new, state, last)
        site.write()
        size = sum(path.stat().st_size for path in new.rglob("*") if path.is_file())
    return Exported(folder, len(site.trials), len(site.runs), site.large, size)


class _Site:
    """The pages of a site that is being written."""

    def __init__(self, folder: Path, state: DashboardState, last: int):
        self.folder = folder
        state.history.refresh()
        state.runs.refresh()
        if problem := state.history.problem or state.runs.problem:
            raise DashboardError(f"nothing was exported: {problem}")
        self.history = state.history
        self.trials = {trial["id"]: trial for trial in state.store.documents(last)}
        self.runs = state.runs.runs()[:last]
        self.large = 0
        self.reports: dict[str, str] = {}  # the address of a run's report

    def write(self) -> None:
        """Write all of it."""
        self._write_assets()
        rows = [self._row(facts) for facts in self.runs]
        self._write(
            "runs.html",
            "export_runs.html.j2",
            "runs.html",
            rows=rows,
            states=sorted({r.facts["state"] or "" for r in rows}),
        )
        self._write_index()
        of_runs = {row.facts["run"]: row for row in rows}
        (self.folder / "trials").mkdir()
        for trial in self.trials.values():
            row = of_runs.get(str(trial.get("run")))
            if row:
                row = with_changes(row, files=[link._replace(address=f"../{link.address}") for link in row.files])
            variables = _variables("index.html", root="../")
            html = trial_html(described(trial) | {"run": row}, variables)
            self._write_text(f"trials/{_file_name(trial['id'])}", html, root="../")

    def _write_assets(self) -> None:
        shutil.copytree(FOLDER / "assets", self.folder / "assets", ignore=shutil.ignore_patterns("live.js"))
        (self.folder / "static" / "js").mkdir(parents=True)
        for name in BOKEH:
            self._copy_script(name)

    def _copy_script(self, name: str) -> None:
        """Copy a part of BokehJS, once."""
        part = f"js/{name}.min.js"
        source, target = Path(bokeh.util.paths.bokehjs_path()) / part, self.folder / "static" / part
        if source.exists() and not target.exists():
            shutil.copyfile(source, target)

    def _row(self, facts: dict) -> run_rows.Row:
        """A run as the gallery shows it, with links to those of its files that are here."""
        row = run_rows.row(facts)
        # How long ago it was is true for a minute only.
        times = {name: getattr(row, name) for name in ("scheduled", "started", "finished")}
        row = with_changes(row, **{name: time and time._replace(ago="") for name, time in times.items()})
        files = files_of(Path(facts["folder"])) if facts["folder"] else []
        here = {file.address(facts["run"]) for file in files if self._copy(facts["run"], file)}
        return with_changes(row, files=[link for link in row.files if link.address in here])

    def _copy(self, run: str, file: RunFile) -> bool:
        """Copy a file of a run; whether it is here then."""
        if file.kind not in EXPORTED_KINDS:
            return False
        if file.bytes > LARGEST_BYTES:
            self.large += 1
            return False
        try:
            source = path_of(run, file.name)
            target = self.folder / "files" / run / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target, follow_symlinks=False)
        except (RunFileError, FileNotFoundError):  # the run has been removed meanwhile
            return False
        if file.kind == "dask":
            html = target.read_bytes()
            head = dask_reports.with_nearby_bokeh(html[: dask_reports.HEAD_BYTES], "../../static/js")
            target.write_bytes(head + html[dask_reports.HEAD_BYTES :])
            for name in _SCRIPT.findall(head):
                self._copy_script(name.decode())
        else:
            self.reports[run] = file.address(run)
        return True

    def _write_index(self) -> None:
        """The metrics over time, and a table of the newest trials."""
        document, table = Document(), self.history.table
        number = 0 if table is None else len(table)
        if number:
            from helpers import history_plots  # pandas, which a store without trials needs not

            for metric in METRICS:
                chart = history_plots.history_chart(table, metric, "hours", self._address)
                chart.name = metric
                document.add_root(chart)
        rows = [
            (f"trials/{_file_name(trial['id'])}", label(trial), report_facts.metric_rows(trial.get("data") or {}))
            for trial in self.trials.values()
        ]
        variables = _variables("index.html", rows=rows, number=number)
        template = templates().get_template("export_index.html.j2")
        if document.roots:
            html = file_html(document, INLINE, template=template, template_variables=variables)
        else:
            html = template.render(variables)
        self._write_text("index.html", html)

    def _address(self, run: str | None, trial: str) -> str:
        """What a tap on a trial opens: its page, or the list of those that have one."""
        return f"trials/{_file_name(trial)}" if trial in self.trials else "#newest"

    def _write(self, name: str, template: str, page: str, **others) -> None:
        self._write_text(name, templates().get_template(template).render(_variables(page, **others)))

    def _write_text(self, name: str, html: str, root: str = "") -> None:
        """Write a page, its links to pages of the server leading to files."""
        (self.folder / name).write_text(_LIVE_LINK.sub(lambda match: self._link(match, root), html), encoding="utf-8")

    def _link(self, match: re.Match, root: str) -> str:
        kind, name = match[1], unquote(match[2])
        if kind == "trial" and name in self.trials:
            return f'href="{root}trials/{_file_name(name)}"'
        if kind == "run" and name in self.reports:
            return f'href="{root}{self.reports[name]}"'
        return 'class="quiet"'  # a link that leads nowhere is text


def _variables(page: str, root: str = "", **others) -> dict:
    return base_variables(page, root, navigation=PAGES, is_live=False, **others)


def _file_name(trial: str) -> str:
    """The name of a trial's page, whatever its id."""
    return f"{trial if _NAME.fullmatch(trial) else hashlib.sha256(trial.encode()).hexdigest()[:32]}.html"
