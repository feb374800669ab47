"""The page of one run: what it was, how it ended and why, its trial's metrics, its files, and the end of its log."""

import asyncio
import os
from pathlib import Path

from helpers import report_facts, run_files, run_index
from helpers.dashboard import prefect_health, run_rows
from helpers.dashboard.pages import Page
from helpers.run_facts import plain, text
from helpers.terminal import printable

LOG_LINES = 100
LOG_BYTES = 2**16  # that are read of a log's end
LONGEST_LINE = 1000  # characters
LONGEST_ERROR = 100_000
LARGEST_TRIAL = 2**23  # bytes


class RunPage(Page):
    """The page."""

    template = "run.html.j2"

    async def get(self) -> None:
        """Answer with the page; 404 with what to do, when there is no such run."""
        run = self.get_query_argument("id", "")
        shown = await asyncio.to_thread(shown_run, self.state.runs, run)
        if shown is None:
            self.set_status(404)
            self.write_page("run_missing.html.j2", "runs", run=run, is_loading=self.state.runs.is_loading)
        else:
            self.write_page(self.template, "runs", prefect=prefect_health.shared().seen(), **shown)


class RunFragment(RunPage):
    """The part of the page that is renewed."""

    template = "run_live.html.j2"


def shown_run(index: run_index.RunIndex, run: str) -> dict | None:
    """What the page shows of a run.

    Returns
    -------
    dict or None
        `row` (see `run_rows.row`), `versions` (names and versions), `metrics` (see `report_facts.metric_rows`), `log`
        (the last lines), `is_log_cut`, `older` and `newer` (ids of the runs of the same notebook beside it). None when
        there is no such run.
    """
    folder = _folder(index, run)
    if folder is None:
        return None
    raw = run_index.read(folder)
    facts = plain(raw, LONGEST_ERROR) | {"run": run}
    versions = raw["versions"] if isinstance(raw.get("versions"), dict) else {}
    kinds = {file.kind: file for file in run_files.files_of(folder)}
    lines, is_cut = last_lines(folder / "run.log") if "log" in kinds else ([], False)
    newer, older = _neighbours(index.runs(), run, facts["notebook"])
    return {
        "row": run_rows.row(facts),
        "versions": sorted((text(name), text(of)) for name, of in versions.items())
        if isinstance(versions, dict)
        else [],
        "metrics": _metrics(folder) if "trial" in kinds and kinds["trial"].bytes <= LARGEST_TRIAL else [],
        "log": "\n".join(lines),
        "is_log_cut": is_cut,
        "older": older,
        "newer": newer,
    }


def last_lines(path: Path, number: int = LOG_LINES) -> tuple[list[str], bool]:
    """The last lines of a log, of which only the end is read.

    Parameters
    ----------
    path : Path
        None of a file that is gone.
    number : int

    Returns
    -------
    lines : list of str
        With control characters shown instead of sent.
    is_cut : bool
        Whether there are more before them.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_BYTES))
            lines = file.read(LOG_BYTES).decode(errors="replace").split("\n")
    except OSError:
        return [], False
    if size > LOG_BYTES and len(lines) > 1:
        del lines[0]  # its beginning was not read
    if lines and not lines[-1]:
        del lines[-1]
    shown = [printable(line.rstrip("\r").expandtabs()[:LONGEST_LINE]) for line in lines[-number:]]
    return shown, size > LOG_BYTES or len(lines) > number


def _folder(index: run_index.RunIndex, run: str) -> Path | None:
    """Where a run is now: it may have begun, or ended and been renamed, since the runs were read."""
    try:
        return run_files.path_of(run, "run.json").parent
    except run_files.RunFileError:
        facts = index.get(run)
    return Path(facts["folder"]) if facts and os.path.isdir(facts["folder"]) else None


def _metrics(folder: Path) -> list[tuple]:
    """The metrics of the run's trial; none where they cannot be read."""
    try:
        data = report_facts.read_trial(folder).get("data")
        return report_facts.metric_rows(data) if isinstance(data, dict) else []
    except RecursionError:
        return []


def _neighbours(runs: list[dict], run: str, notebook: str | None) -> tuple[str | None, str | None]:
    """The ids of the runs of the notebook that began next after a run, and last before it."""
    newer = None
    same = (facts["run"] for facts in runs if facts["notebook"] == notebook)
    for one in same:
        if one <= run:
            return newer, (next(same, None) if one == run else one)
        newer = one
    return newer, None


PATTERNS = ((r"/run", RunPage), (r"/run/live", RunFragment))
