"""Which runs a person asks to see, in which order."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import pytest

from helpers.dashboard import run_queries
from helpers.dashboard.run_queries import RunQuery, find
from helpers.run_facts import plain, searched

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def run(place: int, **facts) -> dict:
    """A run as the index keeps it; the larger the place, the newer it is."""
    made = plain(
        {"run": f"2026030{place}T000000Z-a-0000000{place}", "notebook": "a.ipynb", "state": "completed"} | facts
    )
    return made | {"searched": searched(made)}


RUNS = [
    run(5, state="running", started_at="2026-03-01T11:59:30+00:00"),
    run(4, state="failed", error="cell [7] ValueError: Zürich", seconds=40.0, schedule="nightly"),
    run(3, state="skipped", error="run 2 was still going", schedule="nightly"),
    run(2, notebook="b.ipynb", seconds=5.0, parameters={"batch_size": 200}),
    run(1, seconds=600.0, trial="9b2ec21d"),
]


def places(query: RunQuery) -> list[int]:
    """The runs of an answer by their place."""
    return [int(facts["run"][-1]) for facts in find(RUNS, query, AT).runs]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (RunQuery(), [5, 4, 3, 2, 1]),
        (RunQuery(state="failed"), [4]),
        (RunQuery(state="going"), [5]),
        (RunQuery(state="not-completed"), [4, 3]),
        (RunQuery(notebook="b.ipynb"), [2]),
        (RunQuery(schedule="nightly"), [4, 3]),
        (RunQuery(q="zürich value"), [4]),
        (RunQuery(q="BATCH_SIZE=200"), [2]),
        (RunQuery(q="9b2ec"), [1]),
        (RunQuery(q="nothing like it"), []),
        (RunQuery(state="no state"), []),
        (RunQuery(schedule="nightly", state="skipped", q="still"), [3]),
    ],
)
def test_filters_and_search(query, expected):
    """A run is found that is in the state, of the notebook and schedule, and has every word, whatever its case."""
    assert places(query) == expected


@pytest.mark.parametrize(
    ("sort", "ascending"),
    [
        ("started", [1, 2, 3, 4, 5]),
        # 5 s, 30 s so far, 40 s, 600 s; the skipped one took nothing.
        ("duration", [2, 5, 4, 1, 3]),
        ("notebook", [5, 4, 3, 1, 2]),
        # Of equal states the newer run first: completed, failed, running, skipped.
        ("state", [2, 1, 4, 5, 3]),
    ],
)
def test_sorting(sort, ascending):
    """Runs are sorted by a column either way; one without a value stands last both times."""
    assert places(RunQuery(sort=sort, order="asc")) == ascending
    if sort == "duration":
        assert places(RunQuery(sort=sort, order="desc")) == [1, 4, 5, 2, 3]


def test_counts_are_of_any_state():
    """The counts say what there would be to see: with a state chosen too, but within the other filters."""
    found = find(RUNS, RunQuery(state="failed", notebook="a.ipynb"), AT)
    assert found.counts == {"running": 1, "failed": 1, "skipped": 1, "completed": 1}
    assert found.number == 1


def test_pages():
    """Fifty runs a page, and a page beyond the last one is the last."""
    many = [run(1)] * 120
    assert [len(find(many, RunQuery(page=page), AT).runs) for page in (1, 2, 3)] == [50, 50, 20]
    last = find(many, RunQuery(page=999), AT)
    assert (last.page, last.pages, last.number) == (3, 3, 120)


def test_an_address_says_the_query_again():
    """What a page's address was read from is what it is written to: it can be shared."""
    query = RunQuery("failed", "a&b.ipynb", "nightly", "50 % <x>", "duration", "asc", 3)
    assert RunQuery.of(dict(parse_qsl(urlsplit(query.address()).query))) == query
    assert RunQuery().address() == "runs?"


@pytest.mark.parametrize(
    "given", [{"sort": "no", "order": "up", "page": "-1"}, {"page": "9" * 30}, {"page": "٣٣x"}, {}]
)
def test_what_an_address_cannot_mean_is_left_out(given):
    """An address that was mistyped shows the runs as always."""
    assert RunQuery.of(given) == RunQuery()


def test_a_heading_sorts_and_turns():
    """A column is sorted downwards first, then upwards; the page is the first again."""
    query = RunQuery(page=4)
    assert query.ordered_by("duration") == "runs?sort=duration&order=desc"
    assert RunQuery(sort="duration").ordered_by("duration") == "runs?sort=duration&order=asc"
    assert set(run_queries.ORDERS) >= {"state", "notebook", "scheduled", "started", "duration", "cells"}
