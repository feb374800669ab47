"""Batches of closed tickets, the seeds that reproduce them, and the target."""

import csv
import io
import itertools
import re
import time
import zipfile
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from helpers import log_partitions, ticket_draws, ticket_sample, ticket_sources, tickets
from helpers.exceptions import ParameterError, SourceError
from helpers.ticket_log import COLUMNS, read_log
from helpers.tickets import CHOSEN_SEED, choose_seed, draw_batch, time_to_close
from helpers.windows import window

TEXT = ticket_sample.make_log(40)
N_EVENTS = 276  # of the first 40 incidents


def as_csv(table: pa.Table) -> bytes:
    """A log of text as CSV."""
    buffer = io.BytesIO()
    pa.csv.write_csv(table, buffer, pa.csv.WriteOptions(quoting_style="none", quoting_header="none"))
    return buffer.getvalue()


def with_open_tickets(rows: list[int], column: str = "closed_at") -> pa.Table:
    """The log with `?` for the time in these rows, counted from 0."""
    values = TEXT[column].to_pylist()
    for row in rows:
        values[row] = "?"
    return TEXT.set_column(TEXT.schema.get_field_index(column), column, pa.array(values))


@pytest.fixture
def source(tmp_path) -> str:
    """The log in a CSV."""
    (tmp_path / "log.csv").write_bytes(as_csv(TEXT))
    return str(tmp_path / "log.csv")


@pytest.fixture
def closed_in_part(tmp_path) -> str:
    """The log with two events of open tickets and one without its update's time, rows 0, 1 and 275."""
    table = with_open_tickets([0, 1])
    place = table.schema.get_field_index("sys_updated_at")
    table = table.set_column(place, "sys_updated_at", with_open_tickets([275], "sys_updated_at")["sys_updated_at"])
    (tmp_path / "open.csv").write_bytes(as_csv(table))
    return str(tmp_path / "open.csv")


# The draw


def test_batch_is_rows_of_the_log(source):
    """A batch holds rows of the log in its order, named by their place: the columns asked for, and the groups'."""
    batch = draw_batch(source, batch_size=50, seed=7)
    log = read_log(Path(source)).select(["priority", "incident_state", "sys_updated_at", "closed_at"]).to_pandas()
    log = log.astype(dict.fromkeys(log.columns[2:], "datetime64[ms, UTC]"))  # Parquet's coarsest unit
    assert len(batch.events) == 50
    assert batch.events.index.is_monotonic_increasing
    assert batch.events.index.is_unique
    assert batch.events.index.name == "row"
    log["incident_state"] = log["incident_state"].cat.set_categories(batch.events["incident_state"].cat.categories)
    pd.testing.assert_frame_equal(batch.events, log.loc[batch.events.index], check_names=False)


def test_batch_says_where_it_comes_from(source):
    """Source, digest, seed and the numbers of events are those of the draw."""
    batch = draw_batch(source, batch_size=50, seed=7)
    log = ticket_sources.cached_log(source)
    assert (batch.source, batch.source_sha256, batch.seed) == (source, log.sha256, 7)
    assert (batch.num_available, batch.num_left_out, batch.notes) == (N_EVENTS, 0, [])


def test_same_seed_draws_the_same_batch(source):
    """A seed draws one batch again and again, another seed draws another one."""
    first = draw_batch(source, batch_size=50, seed=7).events
    pd.testing.assert_frame_equal(draw_batch(source, batch_size=50, seed=7).events, first)
    assert not draw_batch(source, batch_size=50, seed=8).events.index.equals(first.index)


def test_draw_of_a_seed_is_fixed():
    """Seed 1 draws these rows of the sample for as long as numpy keeps its streams, so that old trials reproduce."""
    # numpy's own example of the draw: default_rng(1).choice(28_448, 3, replace=False, shuffle=False), sorted.
    expected = sorted(np.random.Generator(np.random.PCG64(1)).choice(28_448, 3, replace=False, shuffle=False))
    assert draw_batch("sample", batch_size=3, seed=1).events.index.tolist() == expected


def test_events_are_drawn_alike_often(source):
    """Over 400 seeds each event is drawn as often as chance has it: no event twice, none preferred."""
    n_seeds, size = 400, 46
    drawn = np.zeros(N_EVENTS)
    for seed in range(1, n_seeds + 1):
        rows = draw_batch(source, batch_size=size, seed=seed, columns=()).events.index
        assert len(set(rows)) == size
        drawn[rows] += 1
    share = size / N_EVENTS  # 1/6: 66.7 draws an event
    chi_square = ((drawn - n_seeds * share) ** 2 / (n_seeds * share * (1 - share))).sum()
    # The variance of one draw without replacement is as above; the sum has mean 276 and a deviation of 23.5.
    assert 276 - 4 * 23.5 < chi_square < 276 + 4 * 23.5


def test_batch_of_everything(source):
    """A batch size of 0, and one of the log's size, takes every event without a note."""
    for size in (0, N_EVENTS):
        batch = draw_batch(source, batch_size=size, seed=1)
        assert batch.events.index.tolist() == list(range(N_EVENTS))
        assert batch.notes == []


def test_batch_larger_than_the_log_is_noted(source):
    """A batch size beyond the log takes every event, and a note says so."""
    batch = draw_batch(source, batch_size=1000, seed=1)
    assert len(batch.events) == N_EVENTS
    assert batch.notes == ["batch_size 1,000 is larger than the log: all 276 events were scored"]


def test_events_of_open_tickets_are_left_out(closed_in_part):
    """Events without a close or an update are counted, and never drawn, whatever the batch size."""
    everything = draw_batch(closed_in_part, batch_size=0, seed=1)
    assert (everything.num_available, everything.num_left_out) == (N_EVENTS - 3, 3)
    assert everything.events.index.tolist() == list(range(2, 275))
    assert len(draw_batch(closed_in_part, batch_size=N_EVENTS, seed=1).notes) == 1
    for seed in range(1, 20):
        events = draw_batch(closed_in_part, batch_size=200, seed=seed).events
        assert not events.index.intersection([0, 1, 275]).size
        assert events.notna().all(axis=None)


def test_log_of_open_tickets_is_refused(tmp_path):
    """A log without any closed ticket has nothing to evaluate."""
    path = tmp_path / "open.csv"
    path.write_bytes(as_csv(with_open_tickets(list(range(N_EVENTS)))))
    with pytest.raises(SourceError, match=r"open\.csv: none of its 276 events is of a closed ticket; nothing to eval"):
        draw_batch(str(path), batch_size=10, seed=1)


def test_batch_does_not_depend_on_how_the_log_is_stored(source, tmp_path):
    """CSV, zip and Parquet of one log, typed or text, in one row group or many, give the same events."""
    columns = ("priority", "caller_id", "active", "sys_mod_count", "resolved_at")
    expected = draw_batch(source, batch_size=60, seed=3, columns=columns).events
    with zipfile.ZipFile(tmp_path / "log.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(source, "log.csv")
    pa.parquet.write_table(TEXT, tmp_path / "text.parquet", row_group_size=37)
    typed = read_log(Path(source))
    pa.parquet.write_table(typed, tmp_path / "typed.parquet")
    typed.to_pandas().to_parquet(tmp_path / "pandas.parquet", row_group_size=100)
    for name in ("log.zip", "text.parquet", "typed.parquet", "pandas.parquet"):
        events = draw_batch(str(tmp_path / name), batch_size=60, seed=3, columns=columns).events
        pd.testing.assert_frame_equal(events, expected)
        assert len(events) == 60


def in_parts(table: pa.Table, folder: Path, n_parts: int, kind: str) -> str:
    """A directory of so many parts of nearly one size."""
    folder.mkdir()
    for place, rows in enumerate(np.array_split(np.arange(len(table)), n_parts)):
        part, path = table.take(pa.array(rows)), folder / f"part-{place:05d}.{kind}"
        if kind == "csv":
            path.write_bytes(as_csv(part))
        else:
            pa.parquet.write_table(part, path, row_group_size=41)
    return str(folder)


PARTS = [("parquet", 1), ("parquet", 3), ("parquet", 40), ("csv", 1), ("csv", 3)]
DRAWS = [
    {"batch_size": 60},
    {"batch_size": 1},
    {"batch_size": 0},
    {"batch_size": 10_000},
    {"batch_size": 20, "closed_from": "2016-03-08", "closed_to": "2016-04-01"},
]


@pytest.mark.parametrize(("kind", "n_parts"), PARTS)
def test_batch_does_not_depend_on_the_partitions(closed_in_part, tmp_path, kind, n_parts):
    """One CSV file and any number of parts of either kind give the same batch of a seed, rows, labels and counts."""
    columns = ("priority", "caller_id", "active", "sys_mod_count", "resolved_at")
    text = pa.csv.read_csv(closed_in_part, convert_options=pa.csv.ConvertOptions(column_types=TEXT.schema))
    table = text if kind == "csv" else read_log(Path(closed_in_part))
    source = in_parts(table, tmp_path / "parts", n_parts, kind)
    for draw in DRAWS:
        expected = draw_batch(closed_in_part, seed=3, columns=columns, **draw)
        batch = draw_batch(source, seed=3, columns=columns, **draw)
        pd.testing.assert_frame_equal(batch.events, expected.events)
        for name in ("seed", "num_available", "num_left_out", "num_outside", "notes"):
            assert getattr(batch, name) == getattr(expected, name)
        assert batch.source == source
        assert batch.source_sha256 == ticket_sources.partitioned(source).sha256


def test_draw_from_parts_is_numpys(source, tmp_path):
    """The draw is numpy's choice among the events that can be drawn, whatever they are stored in."""
    parts = in_parts(read_log(Path(source)), tmp_path / "parts", 7, "parquet")
    chosen = np.random.default_rng(5).choice(N_EVENTS, size=30, replace=False, shuffle=False)
    assert draw_batch(parts, batch_size=30, seed=5).events.index.tolist() == sorted(chosen)


def test_only_parts_with_drawn_events_are_read_whole(source, tmp_path, monkeypatch):
    """All parts are counted by two columns; of three drawn events no more than three parts are read further."""
    parts = in_parts(read_log(Path(source)), tmp_path / "parts", 40, "parquet")
    read, read_pieces = [], log_partitions.read_pieces

    def spy(partition, columns):
        read.append((partition.name, len(columns)))
        return read_pieces(partition, columns)

    monkeypatch.setattr(tickets, "read_pieces", spy)
    monkeypatch.setattr(ticket_draws, "read_pieces", spy)
    rows = draw_batch(parts, batch_size=3, seed=1, columns=("priority", "caller_id")).events.index
    sizes = [len(part) for part in np.array_split(np.arange(N_EVENTS), 40)]
    holding = np.unique(np.searchsorted(np.cumsum(sizes), rows, side="right"))
    assert sorted(name for name, n_columns in read if n_columns == 2) == sorted(map(str, Path(parts).iterdir()))
    assert [name for name, n_columns in read if n_columns > 2] == [f"{parts}/part-{p:05d}.parquet" for p in holding]


def test_parts_without_closed_tickets(tmp_path, closed_in_part):
    """Parts of which nothing can be drawn are passed over; a log, or a window, of such parts alone is refused."""
    table = read_log(Path(closed_in_part))
    closed = draw_batch(closed_in_part, batch_size=0, seed=1).events["closed_at"]
    some = in_parts(pa.concat_tables([table.slice(0, 2), table]), tmp_path / "some", 139, "parquet")
    assert draw_batch(some, batch_size=0, seed=1).events.index.tolist() == list(range(4, 277))
    none = in_parts(table.slice(0, 2), tmp_path / "none", 2, "parquet")
    with pytest.raises(SourceError, match=r"none: none of its 2 events is of a closed ticket; nothing to evaluate"):
        draw_batch(none, batch_size=10, seed=1)
    span = f"from {closed.min().isoformat()} to {closed.max().isoformat()}"
    with pytest.raises(SourceError, match=re.escape("some: no ticket was closed from 2020-01-01T00:00:00+00:00; give")):
        draw_batch(some, 10, 1, closed_from="2020-01-01")
    with pytest.raises(SourceError, match=re.escape(f"give a window in its span, closed {span}")):
        draw_batch(some, 10, 1, closed_from="2020-01-01")


def test_positions_of_a_batch_by_hand():
    """Positions are those of one draw, cut at the partitions' ends and counted from each one's start."""
    chosen = np.sort(np.random.default_rng(9).choice(20, size=8, replace=False, shuffle=False))
    parts = ticket_draws.draw_positions([4, 0, 10, 6], batch_size=8, seed=9)
    assert [len(part) for part in parts] == [
        ((a <= chosen) & (chosen < b)).sum() for a, b in [(0, 4), (4, 4), (4, 14), (14, 20)]
    ]
    assert np.concatenate([part + start for part, start in zip(parts, (0, 4, 4, 14), strict=True)]).tolist() == list(
        chosen
    )
    for size in (0, 20, 21):
        everything = ticket_draws.draw_positions([4, 0, 10, 6], batch_size=size, seed=9)
        assert [part.tolist() for part in everything] == [list(range(number)) for number in (4, 0, 10, 6)]


def test_availability_of_parts_adds_up(closed_in_part):
    """The counts of any parts add up to the whole's, and the marks are those of the events that are drawn."""
    table, closing = read_log(Path(closed_in_part)), window("2016-03-20", "", names=("a", "b"))
    whole = ticket_draws.availability(table, closing)
    parts = [ticket_draws.availability(table.slice(start, 50), closing) for start in range(0, N_EVENTS, 50)]
    assert sum(parts, ticket_draws.Availability()) == whole
    drawn = draw_batch(closed_in_part, batch_size=0, seed=1, closed_from="2016-03-20")
    assert np.flatnonzero(ticket_draws.available(table, closing)).tolist() == drawn.events.index.tolist()
    assert ticket_draws.available(table, closing).dtype == bool
    counts = (drawn.num_available, drawn.num_available + drawn.num_outside, N_EVENTS)
    assert (whole.num_available, whole.num_closed, whole.num_events) == counts
    assert 0 < whole.num_available < whole.num_closed < whole.num_events


def test_span_is_of_what_could_be_drawn():
    """The first and the last close are those of events that have an update, too."""
    updated, first, last = datetime(2016, 2, 1), datetime(2016, 1, 1), datetime(2016, 2, 2)
    table = pa.table({"sys_updated_at": [None, updated, updated], "closed_at": [first, last, None]})
    table = table.cast(pa.schema([(column, COLUMNS[column]) for column in table.column_names]))
    found = ticket_draws.availability(table, window("", "", names=("a", "b")))
    assert (found.num_events, found.num_closed, found.num_available) == (3, 1, 1)
    assert [time.replace(tzinfo=None) for time in found.closed] == [last, last]


def test_batch_does_not_depend_on_the_row_groups_of_the_cache(source):
    """A log too large for one row group in the cache gives the same events, though its labels come in pieces."""
    expected = draw_batch(source, batch_size=60, seed=3, columns=("caller_id",)).events
    log = ticket_sources.cached_log(source)
    pa.parquet.write_table(pa.parquet.read_table(log.path), log.path, row_group_size=50)
    assert pa.parquet.read_metadata(log.path).num_row_groups == 6
    pd.testing.assert_frame_equal(draw_batch(source, batch_size=60, seed=3, columns=("caller_id",)).events, expected)


def test_damaged_cache_does_not_stop_a_draw(source):
    """A batch is drawn as before after the cached file was cut."""
    expected = draw_batch(source, batch_size=60, seed=3).events
    path = ticket_sources.cached_log(source).path
    path.write_bytes(path.read_bytes()[:3000])
    pd.testing.assert_frame_equal(draw_batch(source, batch_size=60, seed=3).events, expected)
    assert path.stat().st_size > 3000  # it was written again


# The window


@pytest.fixture(scope="module")
def closed_at(real_log) -> list[datetime]:
    """When each event's ticket was closed, read from the zip without the helpers."""
    with zipfile.ZipFile(real_log).open("incident_event_log.csv") as file:
        texts = [row["closed_at"] for row in csv.DictReader(io.TextIOWrapper(file, "utf-8"))]
    read = {text: datetime.strptime(text, "%d/%m/%Y %H:%M") for text in set(texts)}
    return [read[text] for text in texts]


@pytest.mark.parametrize(
    ("closed_from", "closed_to"),
    [
        ("2016-02-29T17:47", "2016-02-29T17:48"),
        ("2016-03-01", "2016-04-01"),
        ("2016-12-24T18:00", "2017-01-01"),
        ("2017-02-01", "2017-02-18"),
    ],
)
def test_window_of_the_real_log_is_what_csv_finds(real_log, closed_at, closed_from, closed_to):
    """The events of a window are the zip's rows whose closed_at, read without the helpers, lies in it."""
    first, end = datetime.fromisoformat(closed_from), datetime.fromisoformat(closed_to)
    expected = [row for row, closed in enumerate(closed_at) if first <= closed < end]
    batch = draw_batch(str(real_log), batch_size=0, seed=1, closed_from=closed_from, closed_to=closed_to)
    assert expected
    assert batch.events.index.tolist() == expected
    assert (batch.num_available, batch.num_left_out) == (len(expected), 0)
    assert batch.num_outside == 141_712 - len(expected)


def test_windows_side_by_side_make_the_log(real_log):
    """Windows of which each ends where the next begins hold each event of the published log once."""
    bounds = ["", "2016-02-29T17:48", "2016-04-01", "2017-01-01", ""]
    rows = []
    for start, end in itertools.pairwise(bounds):
        rows += draw_batch(str(real_log), batch_size=0, seed=1, closed_from=start, closed_to=end).events.index.tolist()
    assert sorted(rows) == list(range(141_712))


def test_window_takes_its_start_and_not_its_end(source):
    """A ticket closed at the very start is in, one closed at the very end is not; offsets are compared as moments."""
    closed = draw_batch(source, batch_size=0, seed=1).events["closed_at"].drop_duplicates().sort_values()
    first, second = (closed.iloc[place].isoformat() for place in (0, 1))
    batch = draw_batch(source, batch_size=0, seed=1, closed_from=first, closed_to=second)
    assert set(batch.events["closed_at"]) == {closed.iloc[0]}
    there = closed.iloc[0].tz_convert("Asia/Kolkata").isoformat()
    pd.testing.assert_frame_equal(draw_batch(source, 0, 1, closed_from=there, closed_to=second).events, batch.events)


def test_draw_in_a_window_is_of_its_events_alone(source):
    """A smaller batch is a seeded draw among the window's events, as of a log that held nothing else."""
    closed = draw_batch(source, batch_size=0, seed=1).events["closed_at"]
    middle = closed.median().isoformat()
    late = closed.index[closed >= pd.Timestamp(middle)]
    batch = draw_batch(source, batch_size=20, seed=7, closed_from=middle)
    chosen = np.random.default_rng(7).choice(len(late), size=20, replace=False, shuffle=False)
    assert batch.events.index.tolist() == sorted(late[chosen])
    assert batch.num_available == len(late)
    others = f"{N_EVENTS - len(late)} events of tickets closed at other times were not available"
    assert batch.notes == [f"only tickets closed from {middle}: {others}"]


def test_window_smaller_than_the_batch_is_noted(source):
    """A batch size beyond the window takes all of it, and the notes name the window and say so."""
    closed = draw_batch(source, batch_size=0, seed=1).events["closed_at"]
    size = int((closed > closed.min()).sum())
    batch = draw_batch(source, batch_size=1000, seed=1, closed_from=(closed.min() + timedelta(minutes=1)).isoformat())
    assert len(batch.events) == size < N_EVENTS
    assert batch.notes[0].startswith("only tickets closed from ")
    assert batch.notes[1:] == [f"batch_size 1,000 is larger than the window: all {size} events were scored"]


def test_open_tickets_are_left_out_whatever_the_window(closed_in_part):
    """What could be drawn, is still open, and was closed at other times makes the whole log, in any window."""
    middle = draw_batch(closed_in_part, batch_size=0, seed=1).events["closed_at"].median().isoformat()
    for limits in ({}, {"closed_from": middle}, {"closed_to": middle}):
        batch = draw_batch(closed_in_part, batch_size=0, seed=1, **limits)
        assert batch.num_left_out == 3
        assert batch.num_available + batch.num_left_out + batch.num_outside == N_EVENTS
        assert (batch.num_outside > 0) == bool(limits)
        assert not batch.events.index.intersection([0, 1, 275]).size


def test_window_without_closed_tickets_is_refused(closed_in_part):
    """A window in which nothing was closed is refused by its name, with the span in which tickets were closed."""
    closed = draw_batch(closed_in_part, batch_size=0, seed=1).events["closed_at"]
    with pytest.raises(SourceError) as caught:
        draw_batch(closed_in_part, 10, 1, closed_from="2020-01-01", closed_to="2020-02-01T00:00+01:00")
    window = "from 2020-01-01T00:00:00+00:00 to 2020-01-31T23:00:00+00:00"
    span = f"from {closed.min().isoformat()} to {closed.max().isoformat()}"
    message = f"{closed_in_part}: no ticket was closed {window}; give a window in its span, closed {span}"
    assert str(caught.value) == message


@pytest.mark.slow
def test_window_costs_next_to_nothing(real_log):
    """A cached batch of a month of the real log takes less than twice the time of one of the whole log."""

    def seconds(**limits) -> float:
        taken = []
        for _ in range(15):
            began = time.perf_counter()
            draw_batch(str(real_log), batch_size=1000, seed=1, **limits)
            taken.append(time.perf_counter() - began)
        return min(taken)  # what the machine does beside it only adds

    seconds()
    assert seconds(closed_from="2016-03-01", closed_to="2016-04-01") < 2 * seconds()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": -1}, "batch_size is -1; give the number of events, or 0 for all of them"),
        ({"seed": -1}, "seed is -1; give a whole number of at least 1"),
        ({"seed": 0}, "seed is 0; give a whole number of at least 1"),
        (
            {"closed_from": "March"},
            "closed_from is 'March', no date or time; give 2016-03-01 or 2016-03-01T06:00:00+01",
        ),
        ({"closed_to": "2016-02-30"}, "closed_to is '2016-02-30', no date or time; give 2016-03-01 or"),
        (
            {"closed_from": "2016-04-01", "closed_to": "2016-04-01T02:00+02:00"},
            "closed_from is '2016-04-01', which is not before closed_to, '2016-04-01T02:00+02:00'; give an earlier",
        ),
        ({"columns": ("prority",)}, "column 'prority' is not in the log's layout; choose from number, incident_state"),
    ],
)
def test_bad_parameters_are_refused_before_the_source_is_read(arguments, message):
    """What can be known to be wrong is said at once, in one line, though the source is wrong as well."""
    with pytest.raises(ParameterError) as caught:
        draw_batch("absent.csv", **({"batch_size": 10, "seed": 1} | arguments))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_all_columns_can_be_drawn(source):
    """Every column of the layout can be asked for, the target's once more, and comes in the order asked for."""
    events = draw_batch(source, batch_size=5, seed=1, columns=tuple(COLUMNS)).events
    assert events.columns.tolist() == list(COLUMNS)


# The target


def test_time_to_close_by_hand():
    """The target is the seconds from the update to the close, also over midnight, a month's end and a leap day."""
    events = pd.DataFrame(
        {
            "sys_updated_at": pd.to_datetime(["2016-02-28 23:59", "2016-03-01 10:00", "2016-02-29 00:00"], utc=True),
            "closed_at": pd.to_datetime(["2016-03-01 00:00", "2016-03-01 10:00", "2017-02-28 00:00"], utc=True),
        },
        index=[7, 3, 5],
    )
    target = time_to_close(events)
    # One minute and the leap day; nothing; a year of 365 days.
    assert target.to_dict() == {7: 86_460.0, 3: 0.0, 5: 31_536_000.0}
    assert (target.name, target.dtype) == ("time_to_close", "float64")


def test_time_to_close_of_the_real_log(real_log):
    """The published log's target has its published mean and quantiles, in seconds, and no left out event."""
    batch = draw_batch(str(real_log), batch_size=0, seed=1)
    assert (batch.num_available, batch.num_left_out) == (141_712, 0)
    target = time_to_close(batch.events)
    assert target.mean() == pytest.approx(910_731.9, abs=0.05)
    quantiles = target.quantile([0, 0.05, 0.25, 0.5, 0.75, 0.99, 1])
    assert quantiles.tolist() == [0, 0, 433_080, 450_840, 954_780, pytest.approx(8_644_740, abs=30), 29_486_100]


# Seeds


def test_seed_by_hand_is_fixed():
    """Without a scheduled time 0 stands for one seed, which draws."""
    assert choose_seed(0) == choose_seed(0, None) == choose_seed(0, "") == CHOSEN_SEED >= 1


@pytest.mark.parametrize("seed", [1, 42, 2**32 - 1])
def test_given_seed_is_kept(seed):
    """A seed other than 0 is kept, by hand and at a scheduled time."""
    assert choose_seed(seed) == choose_seed(seed, "2026-03-01T10:00:00Z") == seed


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_bounds_is_refused(seed):
    """A seed below 0 or beyond 32 bits is refused."""
    with pytest.raises(ParameterError, match=f"seed is {seed}; give 0 to have one chosen, or a whole number from 1 to"):
        choose_seed(seed)


def test_scheduled_times_have_seeds_of_their_own():
    """A schedule of every minute has another seed at each tick of a week, all within the bounds."""
    ticks = [datetime(2026, 3, 1) + timedelta(minutes=minute) for minute in range(7 * 24 * 60)]
    seeds = {choose_seed(0, f"{tick.isoformat()}Z") for tick in ticks}
    # 10,080 of 2**32 collide once in 85 weeks.
    assert len(seeds) == len(ticks)
    assert min(seeds) >= 1
    assert max(seeds) < 2**32


@pytest.mark.parametrize(
    "notation",
    [
        "2026-03-01T10:00:00+00:00",
        "2026-03-01T10:00:00.000000Z",
        "2026-03-01 10:00:00+00:00",
        "2026-03-01T11:00:00+01:00",
        "2026-03-01T05:00:00-05:00",
        "2026-03-02T00:00:00+14:00",
    ],
)
def test_tick_has_one_seed_in_every_notation(notation):
    """One instant has one seed, whatever its offset, so that a retry on a worker elsewhere draws the same batch."""
    assert choose_seed(0, notation) == choose_seed(0, "2026-03-01T10:00:00Z")


def test_seed_of_a_tick_never_changes():
    """The seed of a time is a fixed function of it, so that a trial can be repeated years later."""
    # SeedSequence of the microseconds since 1970 is stable by numpy's own promise.
    microseconds = 1_772_359_200 * 10**6  # date -u -d 2026-03-01T10:00:00Z +%s
    expected = int(np.random.SeedSequence(microseconds).generate_state(1)[0])
    assert choose_seed(0, "2026-03-01T10:00:00Z") == expected
