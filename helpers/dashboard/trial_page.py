"""The page of one trial: what it found, and where its errors are, beside another trial if one is chosen."""

import asyncio
import contextlib
import math
from pathlib import Path

from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.resources import INLINE

from helpers import report_facts, trial_plots, trial_tables
from helpers.dashboard import run_rows
from helpers.dashboard.pages import Page, templates, variables
from helpers.dashboard.state import DashboardState
from helpers.exceptions import DaybookError
from helpers.run_facts import plain, text
from helpers.terminal import hours, is_number

OFFERED = 50  # trials to compare with, the newest
WITHIN_95 = 1.96  # standard errors, of a normal distribution
CHARTS = {
    "errors": "the errors by size",
    "by_priority": "the errors by priority",
    "by_state": "the errors by state",
    "target": "the distribution of the time to close",
    "predictions": "predicted against actual",
}
TABLES = {
    "errors": ("Errors by size", trial_tables.errors_table),
    "by_priority": ("By priority, in hours", trial_tables.by_priority_table),
    "by_state": ("By state, in hours", trial_tables.by_state_table),
    "predicted_actual": ("Tickets by their time to close", trial_tables.times_table),
}
# What it does not tell is told in the trial's own JSON file.
FACTS = ("source", "model", "model_version", "notebook", "schedule", "scheduled_at", "finished_at", "seed")


class TrialPage(Page):
    """The page."""

    async def get(self) -> None:
        """Answer with the page; 404 with what to do, when there is no such trial."""
        trial, against = self.get_query_argument("id", ""), self.get_query_argument("against", "")
        try:
            shown = await asyncio.to_thread(shown_trial, self.state, trial, against)
        except DaybookError as error:
            self.set_status(503)
            self.write_page("trial_missing.html.j2", "trials", trial=trial, error=str(error))
            return
        if shown is None:
            self.set_status(404)
            self.write_page("trial_missing.html.j2", "trials", trial=trial, error=None)
        else:
            self.finish(trial_html(shown, variables(self.state, "trials")))


def shown_trial(state: DashboardState, trial: str, against: str = "") -> dict | None:
    """What the page shows of a trial.

    Parameters
    ----------
    state : DashboardState
    trial, against : str
        Ids; the second one may be empty.

    Returns
    -------
    dict or None
        See `described`. None when the store has no such trial.

    Raises
    ------
    StoreError
        When the store cannot be read.
    """
    found = {one["id"]: one for one in state.store.documents(id=[trial, against])}
    if trial not in found:
        return None
    others = [one for one in state.store.documents(OFFERED) if one["id"] != trial]
    if against in found and all(one["id"] != against for one in others):
        others.append(found[against])
    run = state.runs.get(str(found[trial].get("run")))
    shown = described(found[trial], found.get(against) if against != trial else None)
    shown["is_against_missing"] = bool(against) and against not in found
    return shown | {"others": [(one["id"], label(one)) for one in others], "run": run and run_rows.row(plain(run))}


def described(trial: dict, against: dict | None = None) -> dict:
    """What the page shows of a trial whose document is there.

    Parameters
    ----------
    trial, against : dict
        Documents.

    Returns
    -------
    dict
        `trial` and `against` (ids), `name`, `facts` and `parameters` (names and texts), `metrics` and
        `metrics_against` (see `report_facts.metric_rows`), `notes`, `charts` (see `trial_plots.charts_of`), `untold`
        (what has no chart), `difference` (a sentence), `tables` (title, columns and rows of texts), and what the page
        adds.
    """
    data, other = _data(trial), _data(against or {})
    number, available = data.get("num_obs"), data.get("num_available")
    facts = [(name.replace("_", " "), text(trial[name])) for name in FACTS if trial.get(name) is not None]
    if isinstance(number, int):
        facts.append(("events", f"{number:,}" + (f" of {available:,}" if isinstance(available, int) else "")))
    parameters = trial.get("parameters") if isinstance(trial.get("parameters"), dict) else {}
    charts = trial_plots.charts_of(trial | {"data": data}, against and against | {"data": other})
    return {
        "trial": trial["id"],
        "against": against["id"] if against else "",
        "name": label(trial),
        "name_against": label(against) if against else "",
        "facts": facts,
        "parameters": [(name, text(value)) for name, value in parameters.items()],
        "metrics": report_facts.metric_rows(data),
        "metrics_against": {row[0]: row for row in report_facts.metric_rows(other)},
        "notes": [text(note) for note in data.get("notes") or []],
        "charts": charts,
        "untold": [what for name, what in CHARTS.items() if name not in charts],
        "difference": _difference(data, other),
        "tables": _tables(trial | {"data": data}),
        "others": [],
        "run": None,
        "is_against_missing": False,
    }


def trial_html(shown: dict, variables: dict) -> str:
    """The page as HTML, with the charts' data in it.

    Parameters
    ----------
    shown : dict
        See `described`.
    variables : dict
        What the base template needs.
    """
    document = Document()
    for name, chart in shown["charts"].items():
        chart.name = name
        document.add_root(chart)
    template = templates().get_template("trial.html.j2")
    if not document.roots:
        return template.render(variables | shown)
    return file_html(document, INLINE, template=template, template_variables=variables | shown)


def label(trial: dict) -> str:
    """A trial in a line: when, of which model and source, and how far off it was."""
    metrics = _data(trial).get("metrics")
    mae = metrics.get("MAE") if isinstance(metrics, dict) else None
    said = [(text(trial.get("scheduled_at") or trial.get("finished_at")) or "")[:16].replace("T", " ")]
    said += [text(trial.get("model")) or "", Path(text(trial.get("source")) or "").name]
    return ", ".join([*filter(None, said), *([f"MAE {hours(mae)} h"] if is_number(mae) else [])])


def _data(trial: dict) -> dict:
    return trial["data"] if isinstance(trial.get("data"), dict) else {}


def _tables(trial: dict) -> list:
    """The tables whose numbers the trial has."""
    tables = []
    for name, (title, make) in TABLES.items():
        with contextlib.suppress(*trial_plots.UNFIT):
            if trial["data"].get(name):
                tables.append((title, *_texts(make(trial))))
    return tables


def _difference(data: dict, other: dict) -> str:
    """Whether the mean absolute errors of two trials differ by more than chance; nothing where it is not known."""
    told = [
        one[part].get("MAE") if isinstance(one.get(part), dict) else None
        for part in ("metrics", "standard_errors")
        for one in (data, other)
    ]
    if not all(map(is_number, told)):
        return ""
    mae, its_mae, error, its_error = told
    by_chance = WITHIN_95 * math.hypot(error, its_error)
    more = "more" if abs(mae - its_mae) > by_chance else "no more"
    side = "lower" if mae < its_mae else "higher"
    return (
        f"Its MAE is {hours(abs(mae - its_mae))} h {side} than the other trial's: {more} than chance makes of two "
        f"batches ({hours(by_chance)} h or less, 19 times of 20)."
    )


def _texts(table) -> tuple[list[str], list[list[str]]]:
    """The columns and the rows of a table."""
    rows = table.reset_index()
    shown = [[f"{value:,}" if is_number(value) else str(value) for value in row] for row in rows.to_numpy(object)]
    return list(rows.columns), shown


PATTERNS = ((r"/trial", TrialPage),)
