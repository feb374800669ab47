"""The trial store: one document a trial, in a SQLite file or a PostgreSQL database, through SQLAlchemy."""

import contextlib
import json
import os
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from helpers import trial_columns
from helpers.exceptions import StoreError
from helpers.home import home, write_whole
from helpers.masking import mask, reveal
from helpers.run_context import current
from helpers.trial_facts import FACTS, refuse_unfit

if TYPE_CHECKING:
    import pandas as pd  # imported by `read` alone: a command that lists trials needs none of its 0.6 s

SCHEMA_VERSION = 1
LOCK_SECONDS = float(os.environ.get("DAYBOOK_STORE_LOCK_SECONDS", 30))

_TRIALS = uuid.UUID("8d5f8f3c-3f0e-5d0b-9a53-6f4e0c1b7a21")  # the namespace of the ids that ticks give

_metadata = sa.MetaData()
_schema = sa.Table("daybook_schema", _metadata, sa.Column("version", sa.Integer, primary_key=True))
_trials = sa.Table(
    "trials",
    _metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("run", sa.String(200), unique=True),  # null for a trial made by hand in a notebook: those may be many
    sa.Column("notebook", sa.String(500)),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("source_sha256", sa.String(64), nullable=False),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("model_version", sa.String(200), nullable=False),
    sa.Column("scheduled_at", sa.String(40)),
    sa.Column("started_at", sa.String(40), nullable=False),
    sa.Column("finished_at", sa.String(40), nullable=False, index=True),  # ISO 8601 in UTC sorts as text
    sa.Column("num_obs", sa.BigInteger, nullable=False),
    sa.Column("document", sa.Text, nullable=False),
)
_CHUNK = 5000  # values in one IN: SQLite takes 32,766, PostgreSQL's protocol 65,535
_INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class TrialStore:
    """Trials in a database, opened at the first use.

    Parameters
    ----------
    url : str, default ""
        A SQLAlchemy URL (`sqlite:///…`, `postgresql+psycopg://…`) or the path of a SQLite file; empty for the one in
        `DAYBOOK_STORE`, else `trials.sqlite` in `DAYBOOK_HOME`.
    lock_seconds : float, optional
        To wait for a lock at most; `DAYBOOK_STORE_LOCK_SECONDS`, else 30, by default.

    Raises
    ------
    StoreError
        When it is no such URL.
    """

    def __init__(self, url: str = "", lock_seconds: float | None = None):
        self.lock_seconds = LOCK_SECONDS if lock_seconds is None else lock_seconds
        url = reveal(url or os.environ.get("DAYBOOK_STORE") or str(home() / "trials.sqlite"))
        try:
            is_url = "://" in url
            self.url = sa.make_url(url) if is_url else sa.URL.create("sqlite", database=os.path.expanduser(url))
        except (sa.exc.ArgumentError, ValueError):
            raise StoreError(f"store {mask(url)!r} is no URL; give postgresql+psycopg://… or a SQLite path") from None
        self.dialect = self.url.get_backend_name()
        if self.dialect not in _INSERT:
            raise StoreError(f"store {self}: {self.dialect} is not supported; give sqlite or postgresql+psycopg")
        if "@" in (self.url.host or ""):
            raise StoreError(f"store {mask(url)!r} has an @ too many; write one in a user or a password as %40")
        if self.dialect == "sqlite" and (not self.url.database or self.url.database.startswith((":memory:", "file:"))):
            raise StoreError(f"store {self} is no file that keeps trials; give the path of one")

    def __str__(self) -> str:
        return mask(self.url.render_as_string(hide_password=True))

    def __repr__(self) -> str:
        # An absolute path says more of the machine than of the store.
        where = os.path.basename(self.url.database or "") if self.dialect == "sqlite" else str(self)
        return f"<TrialStore {where}>"

    def write(self, document: dict) -> bool:
        """Store a trial, whole and durably; a trial whose id or run is there already changes nothing.

        Parameters
        ----------
        document : dict
            As `summaries.trial_summary` makes it; JSON values, and no NaN or infinity among them.

        Returns
        -------
        bool
            Whether it is new.

        Raises
        ------
        StoreError
            When the document lacks a fact or holds a NaN, or the database cannot be written.
        """
        refuse_unfit(document)
        row = {fact: document[fact] for fact in FACTS}
        row |= {"num_obs": document["data"]["num_obs"], "document": json.dumps(document, allow_nan=False)}
        insert = _INSERT[self.dialect](_trials).values(row).on_conflict_do_nothing()
        with self._errors(), self._prepared_engine.begin() as connection:
            # Without the option psycopg's count is lost, and says -1.
            return connection.execute(insert, execution_options={"preserve_rowcount": True}).rowcount == 1

    def documents(self, last: int | None = None, **facts: list) -> list[dict]:
        """The trials' documents, newest first, at most `last` of them; none where there is no store yet.

        With facts, such as `notebook=["a.ipynb"]`, only those of the trials whose fact is one of the values.
        """
        query = sa.select(_trials.c.document).order_by(_trials.c.finished_at.desc(), _trials.c.id).limit(last)
        query = query.where(*(_trials.c[name].in_(values) for name, values in facts.items()))
        return [json.loads(row.document) for row in self._rows(query)]

    def census(self) -> tuple[int, str]:
        """The number of trials and the latest `finished_at`, by which a reader sees whether there is something new."""
        query = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(_trials.c.finished_at), ""))
        rows = [tuple(row) for row in self._rows(query.select_from(_trials))]
        return rows[0] if rows else (0, "")

    def ids(self, since: str = "") -> set[str]:
        """The ids of all trials, or of those that finished at a time or later: ISO 8601 in UTC."""
        query = sa.select(_trials.c.id).where(_trials.c.finished_at >= since if since else sa.true())
        return {row.id for row in self._rows(query)}

    def columns(self, ids: Sequence[str] | None = None) -> Iterator[trial_columns.TrialColumns]:
        """What a table or a chart of many trials needs, without their documents.

        Parameters
        ----------
        ids : sequence of str, optional
            Of the trials; by default all.

        Yields
        ------
        TrialColumns
            A trial each, in no order.

        Raises
        ------
        StoreError
            When the store cannot be read.
        """
        if ids is None:
            yield from trial_columns.read(_trials, self.dialect, self._rows)
            return
        for first in range(0, len(ids), _CHUNK):
            wanted = _trials.c.id.in_(ids[first : first + _CHUNK])
            yield from trial_columns.read(_trials, self.dialect, self._rows, wanted)

    def read(self, last: int | None = None) -> "pd.DataFrame":
        """Read trials back as a table.

        Parameters
        ----------
        last : int, optional
            At most so many, the newest; by default all.

        Returns
        -------
        DataFrame of shape (n_trials, n_columns)
            Newest first, indexed by trial id. Times are UTC timestamps; MAE and MedAE seconds, MSE seconds squared.
        """
        import pandas as pd

        metrics = ["MAE", "MedAE", "MSE", "R2"]
        rows = [
            {
                **{f: d[f] for f in FACTS},
                "seed": d.get("seed"),
                "num_obs": d["data"]["num_obs"],
                **d["data"]["metrics"],
            }
            for d in self.documents(last)
        ]
        table = pd.DataFrame(rows, columns=[*FACTS, "seed", "num_obs", *metrics]).set_index("id")
        table[metrics] = table[metrics].astype(float)
        for time in ("scheduled_at", "started_at", "finished_at"):
            table[time] = pd.to_datetime(table[time], format="ISO8601", utc=True)
        return table

    def _rows(self, query: sa.Select) -> Iterator[sa.Row]:
        """What a query finds; nothing where there is no store yet."""
        if self.dialect == "sqlite" and not self._file_exists():
            return
        with self._errors(is_reading=True), self._engine.connect() as connection:
            if sa.inspect(connection).has_table("trials"):
                self._check_version(connection)
                yield from connection.execute(query)

    @cached_property
    def _engine(self) -> sa.Engine:
        # libpq takes 2 s at least.
        connect_seconds = max(2, min(10, round(self.lock_seconds)))
        arguments = {"timeout": self.lock_seconds} if self.dialect == "sqlite" else {"connect_timeout": connect_seconds}
        try:
            # No pool: a connection held over fork or for an idle hour is worth less than the millisecond it saves.
            engine = sa.create_engine(self.url, poolclass=sa.NullPool, connect_args=arguments)
        except ImportError as error:
            raise StoreError(f"store {self}: its driver is not installed ({error}); use postgresql+psycopg") from None
        if self.dialect == "postgresql":
            # It waits for ever otherwise. Asked for anew in each transaction, which leaves the URL's options alone.
            limit = f"SET LOCAL lock_timeout = {max(1, round(self.lock_seconds * 1000))}"
            sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(limit))
        return engine

    @cached_property
    def _prepared_engine(self) -> sa.Engine:
        """The engine, with the tables there: made by whoever comes first, while the others wait."""
        if self.dialect == "sqlite" and not self._file_exists():
            # Readers then do not block the writer. SQLite does not wait for the lock here: who has it does the same.
            with contextlib.suppress(sa.exc.OperationalError), self._engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        with self._engine.begin() as connection:
            if not sa.inspect(connection).has_table("trials"):
                lock = "BEGIN IMMEDIATE" if self.dialect == "sqlite" else "SELECT pg_advisory_xact_lock(20160229)"
                connection.exec_driver_sql(lock)
                for table in _metadata.sorted_tables:
                    connection.execute(sa.schema.CreateTable(table, if_not_exists=True))
                    for index in table.indexes:
                        connection.execute(sa.schema.CreateIndex(index, if_not_exists=True))
                connection.execute(
                    _INSERT[self.dialect](_schema).values(version=SCHEMA_VERSION).on_conflict_do_nothing()
                )
            self._check_version(connection)
        return self._engine

    def _file_exists(self) -> bool:
        return os.path.exists(self.url.database)

    def _check_version(self, connection: sa.Connection) -> None:
        version = connection.scalar(sa.select(sa.func.max(_schema.c.version)))
        if version != SCHEMA_VERSION:
            raise StoreError(f"store {self} has schema {version}, this daybook knows {SCHEMA_VERSION}; update daybook")

    def _errors(self, is_reading: bool = False) -> "_StoreErrors":
        return _StoreErrors(self, is_reading)


def trial_id(provenance: dict) -> str:
    """A trial's name: by hand one that no other has; at a tick always the same, so that a retry is stored once.

    Parameters
    ----------
    provenance : dict
        As `run_context.provenance` makes it. A tick's trial is named by its notebook, schedule, time and parameters
        but for `store`: the place does not make it another trial.

    Returns
    -------
    str
        A UUID.
    """
    if not provenance["scheduled_at"]:
        return str(uuid.uuid4())
    tick = datetime.fromisoformat(provenance["scheduled_at"]).astimezone(UTC).isoformat()
    parameters = {name: value for name, value in provenance["parameters"].items() if name != "store"}
    facts = [provenance["notebook"], provenance.get("schedule"), tick, parameters]
    return str(uuid.uuid5(_TRIALS, json.dumps(facts, sort_keys=True)))


def keep(trial: dict, store: str = "") -> None:
    """Store a trial, and then what waited for the same store; a copy outlives a store that is down.

    In a headless run one more goes to the run folder, and stays there.

    Parameters
    ----------
    trial : dict
        The document.
    store : str, default ""
        See `TrialStore`.

    Raises
    ------
    StoreError
        See `TrialStore.write`.
    """
    from helpers import unstored_trials  # which imports this module

    refuse_unfit(trial)
    if folder := current().folder:
        write_whole(folder / "trial.json", json.dumps(trial, indent=1, allow_nan=False))
    target = TrialStore(store)
    with unstored_trials.copied(trial, store):
        target.write(trial)
    unstored_trials.replay_some(store)


class _StoreErrors:
    """Turns a database's error into one line that names the store and never its password."""

    def __init__(self, store: TrialStore, is_reading: bool):
        self.store = store
        self.what = "it cannot be read" if is_reading else "nothing was written by this call"

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind, error, trace) -> None:
        # Of half a character, and of a number beyond 64 bits, the driver's own error comes through.
        if isinstance(error, sa.exc.SQLAlchemyError | UnicodeError | OverflowError):
            cause = getattr(error, "orig", None) or error
            reason = mask((str(cause).strip() or type(cause).__name__).splitlines()[0])
            folder = os.path.dirname(os.path.abspath(self.store.url.database or ""))
            lost = self.store.dialect == "sqlite" and not os.path.exists(folder)
            hint = f"; make its folder {folder}" if lost else ""
            raise StoreError(f"store {self.store}: {reason}; {self.what}{hint}") from None
