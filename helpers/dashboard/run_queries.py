"""Which runs a person asks to see, in which order: read from a page's address and written back to it."""

from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlencode

from helpers.dashboard.run_rows import GOING, took
from helpers.runs import STATES

PAGE_SIZE = 50
LONGEST = 200  # characters of a search
# States that are asked for together.
GROUPS = {
    "going": ("still going", frozenset(GOING)),
    "not-completed": ("did not complete", frozenset(STATES) - {"completed", *GOING}),
}
ORDERS = {
    "state": lambda facts, at: facts["state"],
    "notebook": lambda facts, at: facts["notebook"],
    "scheduled": lambda facts, at: facts["scheduled_at"],
    "started": lambda facts, at: facts["run"],  # which begins with the time, of a skipped run too
    "duration": took,
    "cells": lambda facts, at: facts["cells_done"],
}
NEWEST = ("started", "desc")


@dataclass(frozen=True)
class RunQuery:
    """What is asked for; an empty text asks for any.

    Attributes
    ----------
    state : str
        One of `runs.STATES` or of `GROUPS`.
    notebook, schedule : str
    q : str
        Words, each of which is somewhere in the run's id, notebook, schedule, trial, error or parameters.
    sort : str
        One of `ORDERS`.
    order : str
        "asc" or "desc".
    page : int
        From 1.
    """

    state: str = ""
    notebook: str = ""
    schedule: str = ""
    q: str = ""
    sort: str = NEWEST[0]
    order: str = NEWEST[1]
    page: int = 1

    @classmethod
    def of(cls, given: dict[str, str]) -> "RunQuery":
        """From the parameters of an address; what cannot be is left out."""
        sort, page = given.get("sort", ""), given.get("page", "")
        return cls(
            given.get("state", ""),
            given.get("notebook", ""),
            given.get("schedule", ""),
            given.get("q", "")[:LONGEST],
            sort if sort in ORDERS else NEWEST[0],
            given.get("order") if given.get("order") in ("asc", "desc") else NEWEST[1],
            int(page) if page.isdecimal() and len(page) < 9 and int(page) else 1,
        )

    def address(self, **changed) -> str:
        """The address of the page that shows it, with something changed, relative to the page."""
        new = asdict(replace(self, **changed))
        if (new["sort"], new["order"]) == NEWEST:
            del new["sort"], new["order"]
        if new["page"] == 1:
            del new["page"]
        return "runs?" + urlencode({name: value for name, value in new.items() if value})

    def ordered_by(self, sort: str) -> str:
        """The address of the same runs sorted by a column, the other way round when they are already."""
        turned = {"asc": "desc", "desc": "asc"}[self.order]
        return self.address(sort=sort, order=turned if sort == self.sort else "desc", page=1)


@dataclass(frozen=True)
class Found:
    """The answer to a query.

    Attributes
    ----------
    runs : list of dict
        Those of the page.
    number : int
        Of all runs that were asked for.
    page, pages : int
    counts : dict
        Runs by state, of any state but as was asked for otherwise.
    """

    runs: list[dict]
    number: int
    page: int
    pages: int
    counts: dict[str, int]


def find(runs: list[dict], query: RunQuery, at: datetime | None = None) -> Found:
    """The runs that are asked for, of those of `RunIndex.runs`."""
    matching = [
        facts
        for facts in runs
        if query.notebook in ("", facts["notebook"]) and query.schedule in ("", facts["schedule"])
    ]
    for word in query.q.casefold().split():
        matching = [facts for facts in matching if word in facts["searched"]]
    counts = Counter(facts["state"] or "unknown" for facts in matching)
    if query.state:
        states = GROUPS[query.state][1] if query.state in GROUPS else {query.state}
        matching = [facts for facts in matching if (facts["state"] or "unknown") in states]
    matching = _sorted(matching, query, at or datetime.now(UTC))
    pages = max(1, -(-len(matching) // PAGE_SIZE))
    page = min(query.page, pages)
    return Found(matching[(page - 1) * PAGE_SIZE : page * PAGE_SIZE], len(matching), page, pages, dict(counts))


def _sorted(found: list[dict], query: RunQuery, at: datetime) -> list[dict]:
    """Sorted, what has no value last in either order; of equals the newer ones first."""
    if query.sort == "started":  # as they come
        return found if query.order == "desc" else found[::-1]
    key = ORDERS[query.sort]
    valued = [(key(facts, at), facts) for facts in found]
    valued_ones = sorted((one for one in valued if one[0] is not None), key=_value, reverse=query.order == "desc")
    return [facts for _, facts in valued_ones] + [facts for value, facts in valued if value is None]


def _value(one: tuple) -> object:
    return one[0]
