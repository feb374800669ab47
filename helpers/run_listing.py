"""Runs as a person reads them in a terminal: a table, the trend of their durations, and how many ended how."""

import json
from collections import Counter, defaultdict
from pathlib import Path

from helpers import runs
from helpers.exceptions import ParameterError
from helpers.sparklines import sparkline
from helpers.terminal import cut, is_number, moment, number, printable, table_lines

HEAD = ["state", "tick (UTC)", "started (UTC)", "seconds", "run", "error"]
SHOWN = ("run", "notebook", "state", "scheduled_at", "started_at", "finished_at", "seconds", "error")
NOTEBOOKS = 5  # whose durations are shown
POINTS = 40  # of a notebook, the newest; fewer where the terminal is narrow


class RunListing:
    """The newest runs of this home, of some notebooks or in some states.

    Parameters
    ----------
    last : int, optional
        At most so many.
    states, notebooks : list of str, optional
        To which the runs are limited; a notebook by its name, with or without `.ipynb`, or its path.

    Raises
    ------
    ParameterError
        When there is no such state.
    """

    def __init__(self, last: int | None = None, states: list[str] = (), notebooks: list[str] = ()):
        unknown = [state for state in states if state not in runs.STATES]
        if unknown:
            raise ParameterError(f"--state is {unknown[0]!r}; give one of {', '.join(runs.STATES)}")
        self.last = last
        self.states = set(states)
        self.notebooks = {Path(name).name.removesuffix(".ipynb") for name in notebooks}
        self._closed: dict[str, dict] = {}  # what was read of runs that have ended, and change no more

    def facts(self) -> list[dict]:
        """The runs' facts, newest first, each with its `folder`; see `runs.FIELDS`."""
        return list(self._found(runs.read, self.last))

    def lines(self, width: int | None = None, height: int | None = None, colours: bool = False) -> list[str]:
        """The table; on a terminal, whose width is given, with the trend and the count of the states above it."""
        last = min(self.last or height, height) if height else self.last
        found = list(self._found(self._read, last))
        if width is None:
            return table_lines(HEAD, [_row(facts, facts.get("error")) for facts in found])
        rows = [_row(facts, facts.get("error") or _progress(facts)) for facts in found]
        return [*trend_lines(found, width), *table_lines(HEAD, rows, width, colours)][:height]

    def _found(self, read, last: int | None):
        number_found = 0
        for folder in runs._folders():
            if last is not None and number_found >= last:
                return
            facts = read(folder)
            if self._is_wanted(facts):
                number_found += 1
                yield facts

    def _is_wanted(self, facts: dict) -> bool:
        notebook = str(facts.get("notebook") or "").removesuffix(".ipynb")
        return (not self.states or str(facts.get("state")) in self.states) and (
            not self.notebooks or notebook in self.notebooks
        )

    def _read(self, folder: Path) -> dict:
        """A run's facts; those of one that has ended are read once."""
        if folder.name in self._closed:
            return self._closed[folder.name]
        facts = runs.read(folder)
        if not folder.name.endswith(runs.PART):
            facts = self._closed[folder.name] = {name: facts.get(name) for name in SHOWN}
        return facts


def trend_lines(found: list[dict], width: int) -> list[str]:
    """How many runs are in each state, and for each notebook the durations of the runs that completed, oldest first.

    Parameters
    ----------
    found : list of dict
        Runs' facts, newest first.
    width : int
        Cells of the terminal.
    """
    if not found:
        return []
    states = Counter(str(facts.get("state") or "?") for facts in found)
    lines = [", ".join(f"{count} {printable(state)}" for state, count in states.most_common())]
    seconds = defaultdict(list)
    for facts in reversed(found):
        if facts.get("state") == "completed" and is_number(facts.get("seconds")):
            seconds[str(facts.get("notebook"))].append(facts["seconds"])
    ranked = sorted((one for one in seconds.items() if len(one[1]) > 1), key=lambda one: -len(one[1]))
    for notebook, values in ranked[:NOTEBOOKS]:
        shown = values[-min(POINTS, max(width // 3, 2)) :]
        told = f"seconds  {sparkline(shown)}  {shown[0]:,.1f} … {shown[-1]:,.1f} ({len(shown)})"
        lines.append(f"{told}  {printable(notebook)}")
    if len(ranked) > NOTEBOOKS:
        lines.append(f"and {len(ranked) - NOTEBOOKS} more notebooks")
    return [*(cut(line, width) for line in lines), ""]


def _row(facts: dict, what: object) -> list[str]:
    if what is not None and not isinstance(what, str):
        what = json.dumps(what, default=str)
    return [
        str(facts.get("state") or "?"),
        moment(facts.get("scheduled_at")),
        moment(facts.get("started_at") or facts.get("finished_at")),
        number(facts.get("seconds"), ".1f"),
        str(facts.get("run")),
        what or "",
    ]


def _progress(facts: dict) -> str | None:
    """How far a run is that is going."""
    if facts.get("state") != "running" or not is_number(facts.get("cells")):
        return None
    told = f"cell {facts.get('cells_done') or 0} of {facts['cells']} done"
    return f"{told}; {facts['progress']}" if facts.get("progress") else told
