"""The page of all runs: a gallery that can be filtered, searched and sorted by its address alone."""

from collections import Counter

from helpers.dashboard import prefect_health, run_queries, run_rows
from helpers.dashboard.pages import Page
from helpers.runs import STATES

CHOICES = 300  # notebooks, or schedules, that a person can choose from: the most frequent


class RunsPage(Page):
    """The page."""

    def get(self) -> None:
        """Answer with the page."""
        query = self._query()
        runs = self.state.runs.runs()
        states = [*((name, group[0]) for name, group in run_queries.GROUPS.items()), *((s, s) for s in STATES)]
        self.write_page(
            "runs.html.j2",
            "runs",
            states=_with_chosen(states, query.state),
            notebooks=_choices(runs, "notebook", query.notebook),
            schedules=_choices(runs, "schedule", query.schedule),
            **self.live(query),
        )

    def live(self, query: run_queries.RunQuery) -> dict:
        """What the part of the page that is renewed shows."""
        index = self.state.runs
        found = run_queries.find(index.runs(), query)
        order = [*STATES, *sorted(set(found.counts) - set(STATES))]
        return {
            "query": query,
            "found": found,
            "rows": [run_rows.row(facts) for facts in found.runs],
            "counts": [(name, found.counts[name]) for name in order if name in found.counts],
            "marks": run_rows.MARKS,
            "is_empty": not index.runs(),
            "is_loading": index.is_loading,
            "index_problem": index.problem,
            "prefect": prefect_health.shared().seen(),
        }

    def _query(self) -> run_queries.RunQuery:
        names = run_queries.RunQuery.__dataclass_fields__
        return run_queries.RunQuery.of({name: self.get_query_argument(name, "") for name in names})


class RunsFragment(RunsPage):
    """The part of the page that is renewed."""

    def get(self) -> None:
        """Answer with it."""
        self.write_page("runs_live.html.j2", "runs", **self.live(self._query()))


def _choices(runs: list[dict], fact: str, chosen: str) -> list[tuple[str, str]]:
    counted = Counter(facts[fact] for facts in runs if facts[fact])
    return _with_chosen(sorted((name, name) for name, _ in counted.most_common(CHOICES)), chosen)


def _with_chosen(choices: list[tuple[str, str]], chosen: str) -> list[tuple[str, str]]:
    """The choices, with the one that an address asks for: a form that leaves it out would say otherwise."""
    is_among = not chosen or any(value == chosen for value, _ in choices)
    return choices if is_among else [*choices, (chosen, chosen)]


PATTERNS = ((r"/runs", RunsPage), (r"/runs/live", RunsFragment))
