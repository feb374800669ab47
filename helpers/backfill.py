"""A notebook run once for each window of tickets closed in it: several at a time, each window one trial, resumable."""

import json
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import UTC, tzinfo
from pathlib import Path

from helpers import prefect_server, runs
from helpers.child_runs import ChildRuns
from helpers.exceptions import ParameterError
from helpers.masking import mask_values
from helpers.parameters import checked, declared
from helpers.tick_parameters import TICK, filled
from helpers.trials import TrialStore
from helpers.windows import Window, split, time_zone, window

SCHEDULE = "backfill"  # one name for all: a window's trial is the same in whatever back-fill it is made
BOUNDS = ("closed_from", "closed_to")


@dataclass(frozen=True)
class WindowRun:
    """What became of a window.

    Attributes
    ----------
    window : Window
    state : {"completed", "already there", "failed", "skipped", "cancelled", "not started"}
    trial, run : str or None
        Their ids.
    MAE : float or None
        Of the trial, seconds.
    seconds : float or None
        That the run took.
    error : str or None
        One line.
    """

    window: Window
    state: str
    trial: str | None = None
    run: str | None = None
    MAE: float | None = None
    seconds: float | None = None
    error: str | None = None

    def __str__(self) -> str:
        if self.error:
            return f"{self.state}: {self.error}"
        said = [] if self.MAE is None else [f"MAE {self.MAE / 3600:,.1f} h"]
        said += [] if self.seconds is None else [f"in {self.seconds:.1f} s"]
        return "  ".join([self.state, *said])

    @property
    def exit_code(self) -> int:
        """0 for a window whose trial is there, 130 when the back-fill was cut short, else 1."""
        return {"completed": 0, "already there": 0, "cancelled": 130, "not started": 130}.get(self.state, 1)

    def described(self) -> dict:
        """The facts, JSON-ready."""
        facts = {name: getattr(self, name) for name in ("state", "trial", "run", "MAE", "seconds", "error")}
        return _bounds(self.window) | {"scheduled_at": _tick(self.window)} | facts


class Backfill:
    """A span of time, divided into windows, over which a notebook is to be run.

    Parameters
    ----------
    notebook : Path
        Declares `closed_from` and `closed_to`.
    given : dict of str to object
        The other parameters, the same in each window but for what refers to the tick, which is the window's end.
    start, end : str
        ISO 8601 dates or times, in the zone where they have no offset.
    every : str
        A duration, see `windows.split`.
    timezone : str, default "UTC"
        Where days and months begin.

    Raises
    ------
    ParameterError
        When the notebook cannot be back-filled, a parameter is wrong, or the span cannot be divided so.
    """

    def __init__(
        self, notebook: Path, given: dict[str, object], start: str, end: str, every: str, timezone: str = "UTC"
    ):
        self.notebook, self.given = notebook, given
        self.zone: tzinfo = time_zone(timezone)
        self.windows = split(window(start, end, ("--from", "--to"), self.zone), every, self.zone)
        if not notebook.is_file():
            raise ParameterError(f"{notebook}: no such notebook; give the path of an .ipynb file")
        parameters = declared(notebook)
        for bound in BOUNDS:
            if bound in given:
                raise ParameterError(f"parameter {bound!r} is what a backfill sets, to each window in turn; leave it")
            if bound not in parameters:
                what = f"a backfill sets {' and '.join(BOUNDS)}"
                raise ParameterError(f"{notebook.name} has no parameter {bound!r}; {what}, so its notebook has both")
        # Read once, with the references still in them: the windows may be many.
        as_of = {TICK: f"{{{TICK}}}"} if TICK in parameters else {}
        told = as_of | given | dict.fromkeys(BOUNDS, "")
        self._told = {p.name: p.default for p in parameters.values()} | checked(notebook, told)
        self._store = filled(self._told, _tick(self.windows[0])).get("store") or ""

    def stored(self) -> list[WindowRun]:
        """The windows whose trial is in the store already.

        Raises
        ------
        StoreError
            When the store cannot be read.
        """
        ticks = {_tick(one): one for one in self.windows}
        found = {}
        for trial in TrialStore(self._store).documents(notebook=[self.notebook.name], scheduled_at=list(ticks)):
            one = ticks[trial["scheduled_at"]]
            if trial.get("schedule") == SCHEDULE and self._would_make(trial, one):
                found[one] = WindowRun(one, "already there", trial["id"], trial["run"], _mae(trial))
        return [found[one] for one in self.windows if one in found]

    def _would_make(self, trial: dict, one: Window) -> bool:
        """Whether the window's run would be this trial once more: no parameter of its flow is another."""
        told = mask_values(filled(self._told | _bounds(one), _tick(one)), {})
        of_flow = trial["parameters"]
        is_same = all(of_flow.get(name, value) == value for name, value in told.items() if name != "store")
        return is_same and all(bound in of_flow for bound in BOUNDS)

    def run(self, parallel: int, on_end: Callable[[WindowRun], None] = lambda done: None) -> list[WindowRun]:
        """Run the windows that are not stored, at most `parallel` at a time.

        SIGTERM and Ctrl-C end what is going, see `ChildRuns`, and start no more. A window that fails stops no other.

        Parameters
        ----------
        parallel : int
            At least 1.
        on_end : callable, optional
            Called with what became of each window, when it is known; those that were stored come first.

        Returns
        -------
        list of WindowRun
            In the windows' order.

        Raises
        ------
        StoreError, ServerError
            When there is no store to be read, or no Prefect server to be had.
        """
        outcomes = {done.window: done for done in self.stored()}
        for done in outcomes.values():
            on_end(done)
        missing = [one for one in self.windows if one not in outcomes]
        if missing:
            prefect_server.environment()  # one is up before many runs look for it at once
            for done in self._run_each(missing, parallel, on_end):
                outcomes[done.window] = done
        return [outcomes[one] for one in self.windows]

    def _run_each(self, windows: list[Window], parallel: int, on_end: Callable[[WindowRun], None]) -> list[WindowRun]:
        ended = []
        try:
            with ChildRuns() as children, ThreadPoolExecutor(parallel) as pool:
                try:
                    for future in as_completed([pool.submit(self._run_one, children, one) for one in windows]):
                        ended.append(future.result())
                        on_end(ended[-1])
                except BaseException:
                    children.stop()  # whoever read the lines has gone, say; the pool would go on to the last window
                    raise
        finally:
            runs.close_crashed()
        return ended

    def _run_one(self, children: ChildRuns, one: Window) -> WindowRun:
        name = f"{SCHEDULE} {one} {self.notebook.resolve()}"
        # Windows run side by side, and beside a live schedule; one window alone waits for its own run from before.
        told = {"DAYBOOK_SCHEDULE": SCHEDULE, "DAYBOOK_LOCK": name, "DAYBOOK_ATTEMPT": "", "PREFECT__FLOW_RUN_ID": ""}
        options = ["--scheduled-at", _tick(one), "--overlap", "queue"]
        outcome = children.run(self.notebook, self.given | _bounds(one), options, os.environ | told)
        trial = _trial(outcome) if outcome["state"] == "completed" else {}
        facts = {name: outcome.get(name) for name in ("trial", "run", "seconds", "error")}
        return WindowRun(one, outcome["state"], MAE=_mae(trial), **facts)


def report(outcomes: list[WindowRun]) -> str:
    """How many windows came to which end, in one line."""
    states = Counter(done.state for done in outcomes)
    return f"{len(outcomes):,} windows: " + ", ".join(f"{count:,} {state}" for state, count in states.items())


def _bounds(one: Window) -> dict[str, str]:
    return dict(zip(BOUNDS, (bound.isoformat() for bound in (one.start, one.end)), strict=True))


def _tick(one: Window) -> str:
    """The window's end as a tick: what is evaluated was closed before it."""
    return one.end.astimezone(UTC).isoformat(timespec="milliseconds")


def _trial(outcome: dict) -> dict:
    try:
        return json.loads((Path(outcome["folder"]) / "trial.json").read_text())
    except (OSError, ValueError, TypeError):
        return {}  # a notebook that stores no trial


def _mae(trial: dict) -> float | None:
    """Of a trial of this evaluation; another notebook's may have no such metric."""
    try:
        return trial["data"]["metrics"]["MAE"]
    except (KeyError, TypeError):
        return None
