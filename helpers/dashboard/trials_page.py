"""The page of all trials: a metric over time, live."""

from functools import partial
from urllib.parse import parse_qs

from bokeh.events import RangesUpdate, Reset
from bokeh.models import ColumnDataSource

from helpers import history_reading
from helpers.dashboard.pages import set_page, templates
from helpers.dashboard.state import DashboardState
from helpers.dashboard.trials_choice import Choice, options_of
from helpers.history_plots import HistoryChart
from helpers.history_points import dashboard_link
from helpers.history_resolution import MOST, Resolved

SAID = ("reading", "notes", "latest")  # parts of the page that change with the trials, each of a template of its own
ZOOM_MS = 200  # of quiet, after which what came into view is drawn more finely
REDRAW_MS = 5000  # after which trials that came out of order have changed what was usual after them
MOST_ADDED = 50  # trials that are added to what is drawn; with more it is drawn anew


def trials_page(doc, state: DashboardState) -> None:
    """Fill a Bokeh document with the page."""
    request = doc.session_context and doc.session_context.request
    arguments = request.arguments if request else {}
    choice = Choice.of({name: values[0].decode("utf-8", "replace") for name, values in arguments.items()})
    session = _Session(doc, state, choice)
    for root in session.roots:
        doc.add_root(root)
    options = options_of(state.history.table, choice)
    set_page(doc, state, "trials", "trials.html.j2", choice=choice, options=options, said=session.said())
    forget = state.listen(lambda new: doc.add_next_tick_callback(partial(session.add, new)))
    doc.on_session_destroyed(lambda _: forget())


class _Session:
    """What one browser looks at."""

    def __init__(self, doc, state: DashboardState, choice: Choice):
        self._doc, self._state, self._choice = doc, state, choice
        self._chart = HistoryChart(dashboard_link)
        self._drawn: Resolved | None = None
        self._view: tuple | None = None
        self._added = 0
        self._timers: dict[str, object] = {}
        # The browser's script writes the first one and shows what is in the second one, made by a template.
        self._asked = ColumnDataSource({"query": [""]}, name="asked")
        self._said = ColumnDataSource({name: [""] for name in SAID}, name="said")
        figure = self._chart.figure
        figure.name = "history"
        self.roots = (figure, self._asked, self._said)
        self._asked.on_change("data", lambda attr, old, new: self._choose())
        figure.on_event(RangesUpdate, self._zoom)
        figure.on_event(Reset, lambda _: self._look(None))
        self._draw()

    def said(self) -> dict[str, str]:
        """What the page says: above the chart, and below it."""
        table = self._choice.of_table(self._state.history.table)
        metric, unit = self._choice.metric, self._choice.unit
        variables = {
            "choice": self._choice,
            "reading": history_reading.reading(table, metric, unit),
            "rows": history_reading.judged_rows(table.iloc[::-1].iloc[: history_reading.LATEST], metric, unit),
            "num_trials": len(table),
            "num_all": len(self._state.history.table),
            "has_read": self._state.history.has_read,
            "problem": self._state.problem,
            "drawn": self._drawn,
            "num_points": self._drawn.num_points + self._added,
            "num_added": self._added,
            "num_without_value": int(table[metric].isna().sum()),
            "num_without_time": int(table["at"].isna().sum()),
        }
        return {name: templates().get_template(f"trials_{name}.html.j2").render(variables) for name in SAID}

    def add(self, new: list[str]) -> None:
        """Add new trials to what is drawn, and nothing but them."""
        history = self._state.history.table
        table = self._choice.of_table(history[history.index.isin(new)])
        if table.empty:
            self._say()
            return
        is_small = len(table) <= MOST_ADDED and self._added < MOST_ADDED and self._chart.figure.visible
        if not is_small or not self._chart.add(table):
            self._draw_and_say()
            return
        self._added += int((table["at"].notna() & table[self._choice.metric].notna()).sum())
        if not history.index[-len(table) :].isin(new).all():
            self._later("redraw", REDRAW_MS, self._draw_and_say)
        self._say()

    def _choose(self) -> None:
        """Take what the person chose."""
        given = parse_qs(str(next(iter(self._asked.data.get("query", [])), "")))
        choice = Choice.of({name: values[0] for name, values in given.items()})
        if choice != self._choice:
            self._choice = choice
            self._draw_and_say()

    def _zoom(self, event: RangesUpdate) -> None:
        """Draw more finely what came into view, once the person has found it."""
        if event.x0 is not None and event.x1 is not None:
            self._later("zoom", ZOOM_MS, partial(self._look, (event.x0, event.x1)))

    def _look(self, view: tuple[float, float] | None) -> None:
        import pandas as pd

        table = self._choice.of_table(self._state.history.table)
        at = table["at"].dropna()
        if view is not None and len(at):
            # A date that there is not, far to the left or the right, is as good as the first or the last.
            first, last = (one.timestamp() * 1000 for one in (at.iloc[0], at.iloc[-1]))
            low, high = max(view[0], first), min(view[1], last)
            view = None if (low, high) == (first, last) or low > high else (low, high)
        times = view and tuple(pd.Timestamp(one, unit="ms", tz="UTC") for one in view)
        if times != self._view:
            self._view = times
            if len(table) > MOST:
                self._draw_and_say()

    def _draw(self) -> None:
        table = self._choice.of_table(self._state.history.table)
        self._drawn = self._chart.show(table, self._choice.metric, self._choice.unit, self._view)
        self._added = 0
        self._chart.figure.visible = self._drawn.num_trials > 0

    def _say(self) -> None:
        self._said.data = {name: [html] for name, html in self.said().items()}

    def _draw_and_say(self) -> None:
        self._draw()
        self._say()

    def _later(self, name: str, milliseconds: int, call) -> None:
        """Call once, so long after it was last asked for."""

        def run() -> None:
            del self._timers[name]
            call()

        if name in self._timers:
            self._doc.remove_timeout_callback(self._timers[name])
        self._timers[name] = self._doc.add_timeout_callback(run, milliseconds)
