"""Trials as rows of a few columns, taken out of their documents by the database itself."""

import json
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import sqlalchemy as sa

from helpers.exceptions import StoreError

METRICS = ("MAE", "MedAE", "MSE", "R2")
_FACTS = ("id", "run", "notebook", "source", "model", "model_version", "scheduled_at", "finished_at", "num_obs")
_PATHS = {
    "schedule": ("schedule",),
    "parameters": ("parameters",),
    "metrics": ("data", "metrics"),
    "standard_errors": ("data", "standard_errors"),
}

_decode = json.JSONDecoder().decode  # json.loads takes twice as long for what is as short


class TrialColumns(NamedTuple):
    """A trial.

    Attributes
    ----------
    id, run, notebook, source, model, model_version, scheduled_at, finished_at, schedule : str or None
        See `summaries.trial_document`; times are ISO 8601 in UTC.
    num_obs : int
    parameters : str
        JSON; empty where there are none.
    metrics, standard_errors : tuple of four float
        Of `METRICS`, in seconds, seconds squared or without a unit; NaN where one is missing or no number.
    """

    id: str
    run: str | None
    notebook: str | None
    source: str
    model: str
    model_version: str
    scheduled_at: str | None
    finished_at: str
    num_obs: int
    schedule: str | None
    parameters: str
    metrics: tuple[float, ...]
    standard_errors: tuple[float, ...]


def read(
    table: sa.Table, dialect: str, rows: Callable[[sa.Select], Iterator[sa.Row]], where: sa.ColumnElement | None = None
) -> Iterator[TrialColumns]:
    """Read trials without their documents; with them where the database finds one that it cannot take apart.

    Parameters
    ----------
    table : sqlalchemy.Table
        With the facts as columns, and the `document`.
    dialect : {"sqlite", "postgresql"}
    rows : callable
        Executes a query.
    where : sqlalchemy.ColumnElement, optional

    Yields
    ------
    TrialColumns

    Raises
    ------
    StoreError
        When the store cannot be read.
    """
    condition = sa.true() if where is None else where
    facts = [table.c[name] for name in _FACTS]
    parts = _PARTS[dialect](table)
    try:
        yield from map(_trial, rows(parts(sa.select(*facts)).where(condition)))
        return
    except StoreError as error:
        if not isinstance(error.__context__, sa.exc.DataError):
            raise
    # PostgreSQL refuses half a character and \u0000, which a text of a document may hold, before it gives a row.
    for *row, document in rows(sa.select(*facts, table.c.document).where(condition)):
        yield _trial((*row, *_taken(document)))


def _sqlite_parts(table: sa.Table) -> Callable[[sa.Select], sa.Select]:
    document = table.c.document

    def part(path: tuple[str, ...]) -> sa.ColumnElement:
        # What is no JSON has no parts; SQLite parses a document once for all of them.
        found = sa.func.json_extract(document, "$." + ".".join(path))
        return sa.case((sa.func.json_valid(document) == 1, found))

    return lambda query: query.add_columns(*(part(path) for path in _PATHS.values()))


def _postgresql_parts(table: sa.Table) -> Callable[[sa.Select], sa.Select]:
    json_type = sa.JSON()
    # A document is parsed once, with its three parts as its columns.
    fields = [sa.column("schedule", sa.Text), sa.column("parameters", json_type), sa.column("data", json_type)]
    parsed = sa.func.json_to_record(sa.cast(table.c.document, json_type)).table_valued(*fields)
    parsed = parsed.render_derived(name="parsed", with_types=True)
    data = parsed.c.data
    parts = [
        parsed.c.schedule,
        sa.cast(parsed.c.parameters, sa.Text),
        *(sa.cast(data.op("->")(name), sa.Text) for name in ("metrics", "standard_errors")),
    ]
    return lambda query: query.add_columns(*parts).select_from(table.join(parsed, sa.true()))


_PARTS = {"sqlite": _sqlite_parts, "postgresql": _postgresql_parts}


def _taken(document: str) -> list:
    """The parts of a document, as the database would give them."""
    taken = []
    for path in _PATHS.values():
        part = _parsed(document)
        for name in path:
            part = part.get(name) if isinstance(part, dict) else None
        taken.append(part if isinstance(part, str) or part is None else json.dumps(part))
    return taken


def _trial(row: tuple) -> TrialColumns:
    schedule, parameters, metrics, standard_errors = row[-4:]
    texts = (schedule if isinstance(schedule, str) else None, str(parameters or ""))
    return TrialColumns(*row[:-4], *texts, _numbers(metrics), _numbers(standard_errors))


def _parsed(text: object) -> object:
    try:
        return _decode(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _numbers(text: object) -> tuple[float, ...]:
    parsed = _parsed(text)
    given = parsed if isinstance(parsed, dict) else {}
    return tuple(_number(given.get(name)) for name in METRICS)


def _number(value: object) -> float:
    if type(value) is int:
        try:
            value = float(value)
        except OverflowError:  # hundreds of digits
            return math.nan
    return value if type(value) is float and math.isfinite(value) else math.nan
