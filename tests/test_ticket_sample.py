"""Tests of the generated log against the facts of the published one.

Unless a reason stands beside it, a tolerance is three standard errors of the same figure in 5,000 incidents drawn from
the published log, found by drawing 300 times: the sample is allowed to differ as much as such a draw, and no more.
"""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pytest

from helpers import ticket_sample_incidents
from helpers.ticket_log import read_log
from helpers.ticket_sample import CHUNK, COLUMN_ORDER, make_chunk, make_log, make_typed_log
from helpers.ticket_text import as_csv

REAL_LOG = Path(__file__).resolve().parents[2] / "shared/data/incident_event_log.zip"
NEEDS_REAL_LOG = pytest.mark.skipif(not REAL_LOG.exists(), reason="the real log does not lie beside the checkout")
TIMES = ["opened_at", "sys_created_at", "sys_updated_at", "resolved_at", "closed_at"]

STATE_SHARES = [
    ("New", 0.2569, 0.0111),
    ("Active", 0.2732, 0.0128),
    ("Resolved", 0.1817, 0.0048),
    ("Closed", 0.1763, 0.0050),
    ("Awaiting User Info", 0.1033, 0.0094),
    ("Awaiting Vendor", 0.0050, 0.0023),
    ("Awaiting Problem", 0.0033, 0.0017),
    ("Awaiting Evidence", 0.0003, 0.0005),
    ("-100", 0.00004, 0.0002),
]
PRIORITY_SHARES = [
    ("1 - Critical", 0.0159, 0.0067),
    ("2 - High", 0.0210, 0.0072),
    ("3 - Moderate", 0.9347, 0.0121),
    ("4 - Low", 0.0284, 0.0077),
]
MISSING_SHARES = [
    ("caller_id", 0.0002, 0.0009),
    ("opened_by", 0.0341, 0.0100),
    ("sys_created_by", 0.3745, 0.0230),
    ("sys_created_at", 0.3745, 0.0230),
    ("location", 0.0005, 0.0006),
    ("category", 0.0006, 0.0008),
    ("subcategory", 0.0008, 0.0009),
    ("u_symptom", 0.2326, 0.0207),
    ("cmdb_ci", 0.9969, 0.0033),
    ("assignment_group", 0.1003, 0.0110),
    ("assigned_to", 0.1940, 0.0152),
    ("problem_id", 0.9838, 0.0065),
    ("rfc", 0.9930, 0.0040),
    ("vendor", 0.9983, 0.0021),
    ("caused_by", 0.9998, 0.0007),
    ("closed_code", 0.0050, 0.0035),
    ("resolved_by", 0.0016, 0.0012),
    ("resolved_at", 0.0222, 0.0039),
]
OTHER_SHARES = [
    ("made_sla", "true", 0.9350, 0.0037),
    ("knowledge", "true", 0.1790, 0.0184),
    ("u_priority_confirmation", "true", 0.2891, 0.0101),
    ("notify", "Send Email", 0.0008, 0.0010),
    ("contact_type", "Phone", 0.9912, 0.0049),
    ("reopen_count", "0", 0.9837, 0.0081),
]
MEAN_COUNTS = [("reassignment_count", 1.104, 0.108), ("reopen_count", 0.0219, 0.0176), ("sys_mod_count", 5.081, 0.370)]
REMAINING_QUANTILES = [
    (0.05, 0, 0),  # a sixth of all events are closures
    (0.25, 433_080, 180),  # the log's times are whole minutes, and a standard error is less than one
    (0.50, 450_840, 9_400),
    (0.75, 954_780, 77_000),
    (0.90, 1_657_140, 132_000),
    (0.99, 8_644_740, 2_570_000),
]
LABELS = [  # how a label is written, and the number of distinct ones in the published log, `?` included
    ("caller_id", r"Caller \d+", 5_245),
    ("opened_by", r"Opened by  \d+", 208),
    ("sys_created_by", r"Created by \d+", 186),
    ("sys_updated_by", r"Updated by \d+", 846),
    ("location", r"Location \d+", 225),
    ("category", r"Category \d+", 59),
    ("subcategory", r"Subcategory \d+", 255),
    ("u_symptom", r"Symptom \d+", 526),
    ("cmdb_ci", r"cmdb_ci \d+", 51),
    ("assignment_group", r"Group \d+", 79),
    ("assigned_to", r"Resolver \d+", 235),
    ("problem_id", r"Problem ID  \d+", 253),
    ("rfc", r"CHG\d{7}", 182),
    ("closed_code", r"code \d+", 18),
    ("resolved_by", r"Resolved by \d+", 217),
]


@pytest.fixture(scope="module", params=[498, 1])
def log(request: pytest.FixtureRequest) -> pd.DataFrame:
    """A sample of 5,000 incidents as text, with its times parsed and the remaining seconds beside them."""
    frame = make_log(5_000, seed=request.param).to_pandas()
    for column in TIMES:
        frame[f"{column} parsed"] = pd.to_datetime(frame[column].where(frame[column] != "?"), format="%d/%m/%Y %H:%M")
    return frame.assign(remaining=(frame["closed_at parsed"] - frame["sys_updated_at parsed"]).dt.total_seconds())


def _previous(log: pd.DataFrame, column: str) -> pd.Series:
    """The value at the event before, or a missing value at the first event of an incident."""
    return log.groupby("number", sort=False)[column].shift()


def test_has_the_columns_of_the_published_log_as_text() -> None:
    """The log has the 36 columns of the published one, in its order, all of them strings and none of them null."""
    table = make_log(10)
    assert len(COLUMN_ORDER) == 36
    assert tuple(table.column_names) == COLUMN_ORDER
    assert {field.type for field in table.schema} == {pa.string()}
    assert sum(column.null_count for column in table.columns) == 0


def test_same_seed_gives_the_same_bytes() -> None:
    """Two logs of one seed are equal, and a log of another seed is not."""
    assert make_log(200, seed=7).equals(make_log(200, seed=7))
    assert not make_log(200, seed=7).equals(make_log(200, seed=8))


@pytest.mark.parametrize("n_incidents", [1, 100, CHUNK, CHUNK + 3])
def test_short_log_begins_a_long_one(n_incidents: int) -> None:
    """The first incidents of a seed are the same however many follow."""
    short = make_log(n_incidents)
    assert len(short["number"].unique()) == n_incidents
    assert short.equals(make_log(2 * CHUNK).slice(0, short.num_rows))


def test_log_is_its_chunks_in_order() -> None:
    """Chunks made alone, in any order, are the rows of the whole log, and no two are alike."""
    second, first = make_chunk(1), make_chunk(0)
    assert pa.concat_tables([first, second]).equals(make_log(2 * CHUNK))
    assert not first["caller_id"].slice(0, 500).equals(second["caller_id"].slice(0, 500))


@pytest.mark.parametrize(("n_incidents", "first_chunk"), [(1, 0), (CHUNK + 700, 1)])
def test_typed_log_is_what_its_text_is_read_as(tmp_path: Path, n_incidents: int, first_chunk: int) -> None:
    """The typed log equals its own text, written as CSV and parsed, to the order of each dictionary."""
    text = make_log(first_chunk * CHUNK + n_incidents, seed=3)
    skipped = make_log(first_chunk * CHUNK, seed=3).num_rows if first_chunk else 0
    pyarrow.csv.write_csv(text.slice(skipped), tmp_path / "log.csv")
    expected, typed = read_log(tmp_path / "log.csv"), make_typed_log(n_incidents, 3, first_chunk)
    assert typed.equals(expected)
    assert typed.schema.equals(expected.schema)
    for column, values in zip(typed.column_names, typed.columns, strict=True):
        if pa.types.is_dictionary(values.type):
            assert values.chunk(0).dictionary.equals(expected[column].chunk(0).dictionary)


def test_chunks_beyond_ten_million_incidents_have_longer_numbers() -> None:
    """A log larger than seven digits can number goes on with eight."""
    numbers = make_typed_log(45, first_chunk=2_000 - 1)["number"].unique().to_pylist()
    assert numbers[0] == "INC9995045"
    numbers = make_typed_log(CHUNK, first_chunk=2_000 - 1)["number"].unique().to_pylist()
    assert numbers[4_954:4_956] == ["INC9999999", "INC10000000"]
    assert len(set(numbers)) == CHUNK


def test_ranks_of_equal_values_are_in_their_order() -> None:
    """Equal values are ranked in the order in which they stand, whichever way a machine sorts."""
    values = np.tile([0.5, 0.25], 2_500)
    expected = (np.argsort(np.argsort(values, kind="stable"), kind="stable") + 0.5) / 5_000
    assert np.array_equal(ticket_sample_incidents._rank(values), expected)


def test_csv_of_a_typed_log_is_the_published_form() -> None:
    """A typed log is written line by line as the text is, header first."""
    text = make_log(20)
    lines = as_csv(make_typed_log(20), header=True).to_pybytes().decode().splitlines()
    assert lines == [",".join(COLUMN_ORDER), *(",".join(row.values()) for row in text.to_pylist())]


def test_number_of_events_is_heavy_tailed(log: pd.DataFrame) -> None:
    """An incident has 2 to 58 events, 5.69 on average."""
    n_events = log.groupby("number").size()
    assert n_events.size == 5_000
    # Quantiles are spread evenly, which leaves no sampling error: the tolerance is for the coarse tail.
    assert n_events.mean() == pytest.approx(5.687, abs=0.02)
    assert n_events.min() == 2
    assert 45 <= n_events.max() <= 58  # 45 is the median of 5,000 real incidents' largest


def test_incidents_are_together_and_in_order(log: pd.DataFrame) -> None:
    """Events of an incident stand together in order of time, and incidents in order of number and of opening."""
    assert log["number"].str.fullmatch(r"INC\d{7}").all()
    assert log["number"].is_monotonic_increasing
    assert log["opened_at parsed"].is_monotonic_increasing
    assert not (log["sys_updated_at parsed"] < _previous(log, "sys_updated_at parsed")).any()


def test_times_of_an_incident_are_in_order(log: pd.DataFrame) -> None:
    """Opened before created before updated before closed, and resolved between opened and closed."""
    assert (log["opened_at parsed"] <= log["sys_updated_at parsed"]).all()
    assert (log["sys_updated_at parsed"] <= log["closed_at parsed"]).all()
    created, resolved = log.dropna(subset="sys_created_at parsed"), log.dropna(subset="resolved_at parsed")
    assert (created["opened_at parsed"] <= created["sys_created_at parsed"]).all()
    assert (created["sys_created_at parsed"] <= created["sys_updated_at parsed"]).all()
    assert (resolved["opened_at parsed"] <= resolved["resolved_at parsed"]).all()
    assert (resolved["resolved_at parsed"] <= resolved["closed_at parsed"]).all()
    last_resolution = resolved[resolved["incident_state"] == "Resolved"].drop_duplicates("number", keep="last")
    assert (last_resolution["sys_updated_at"] == last_resolution["resolved_at"]).all()


def test_spans_the_year_of_the_published_log(log: pd.DataFrame) -> None:
    """Tickets are opened from 2016-02-29 to 2017-02-16, nearly all before June, and closed by 2017-02-18."""
    opened = log.drop_duplicates("number")["opened_at parsed"]
    assert opened.min().date() == pd.Timestamp("2016-02-29").date()
    # One ticket in 5,000 comes every day and a half by then, so that the last one may come the day before.
    assert pd.Timestamp("2017-02-15") <= opened.max() < pd.Timestamp("2017-02-17")
    assert log["closed_at parsed"].max() <= pd.Timestamp("2017-02-18 15:00")
    assert (opened < "2016-06-01").mean() == pytest.approx(0.989, abs=0.001)  # spread evenly: no sampling error


def test_dates_are_written_day_first_and_unpadded(log: pd.DataFrame) -> None:
    """Days and months have no leading zero, hours and minutes have one."""
    for column in TIMES:
        written = log.loc[log[column] != "?", column]
        assert written.str.fullmatch(r"[1-9]\d?/[1-9]\d?/201[67] \d\d:\d\d").all()
    assert log["opened_at"].str.startswith("29/2/2016 0").any()


@pytest.mark.parametrize("column", [*TIMES[:2], *TIMES[3:], "caller_id", "category", "closed_code", "resolved_by"])
def test_what_is_settled_once_is_the_same_at_every_event(log: pd.DataFrame, column: str) -> None:
    """Columns that the published log fills in afterwards do not change within an incident."""
    assert (log.groupby("number")[column].nunique() == 1).all()


@pytest.mark.parametrize(("state", "share", "tolerance"), STATE_SHARES)
def test_share_of_state(log: pd.DataFrame, state: str, share: float, tolerance: float) -> None:
    """Each state has its share of the events."""
    assert (log["incident_state"] == state).mean() == pytest.approx(share, abs=tolerance)


def test_states_follow_a_ticket(log: pd.DataFrame) -> None:
    """A ticket begins as New two times in three, ends as Closed, and is inactive then alone; Resolved comes before."""
    incidents = log.groupby("number")["incident_state"]
    assert set(log["incident_state"]) <= {state for state, _, _ in STATE_SHARES}
    assert (incidents.first() == "New").mean() == pytest.approx(0.658, abs=0.02)  # 3 standard errors of 5,000 shares
    assert (incidents.last() == "Closed").all()
    assert (incidents.nth(-2) == "Resolved").all()
    assert ((log["incident_state"] == "Closed") == (log["active"] == "false")).all()


@pytest.mark.parametrize(("priority", "share", "tolerance"), PRIORITY_SHARES)
def test_share_of_priority(log: pd.DataFrame, priority: str, share: float, tolerance: float) -> None:
    """Each priority has its share of the events."""
    assert (log["priority"] == priority).mean() == pytest.approx(share, abs=tolerance)


def test_priority_follows_from_impact_and_urgency(log: pd.DataFrame) -> None:
    """A pair of impact and urgency has one priority: that of the published log's table."""
    pairs = log.groupby(["impact", "urgency"])["priority"].unique().map(list)
    expected = {
        ("1 - High", "1 - High"): ["1 - Critical"],
        ("1 - High", "2 - Medium"): ["2 - High"],
        ("2 - Medium", "1 - High"): ["2 - High"],
        ("2 - Medium", "2 - Medium"): ["3 - Moderate"],
        ("3 - Low", "1 - High"): ["3 - Moderate"],
        ("2 - Medium", "3 - Low"): ["4 - Low"],
        ("3 - Low", "2 - Medium"): ["4 - Low"],
        ("3 - Low", "3 - Low"): ["4 - Low"],
    }
    assert pairs.to_dict() == expected


@pytest.mark.parametrize(("column", "share", "tolerance"), MISSING_SHARES)
def test_share_of_missing_values(log: pd.DataFrame, column: str, share: float, tolerance: float) -> None:
    """Each column is `?` in its share of the events."""
    assert (log[column] == "?").mean() == pytest.approx(share, abs=tolerance)


def test_only_the_columns_with_missing_values_have_them(log: pd.DataFrame) -> None:
    """No column is `?` that never is in the published log."""
    with_missing = {column for column in COLUMN_ORDER if (log[column] == "?").any()}
    assert with_missing <= {column for column, _, _ in MISSING_SHARES}


@pytest.mark.parametrize(("column", "value", "share", "tolerance"), OTHER_SHARES)
def test_share_of_value(log: pd.DataFrame, column: str, value: str, share: float, tolerance: float) -> None:
    """Flags and contacts have their shares of the events."""
    assert (log[column] == value).mean() == pytest.approx(share, abs=tolerance)


@pytest.mark.parametrize(("column", "mean", "tolerance"), MEAN_COUNTS)
def test_counts_never_decrease(log: pd.DataFrame, column: str, mean: float, tolerance: float) -> None:
    """A count starts at 0, never decreases within an incident, and has the published mean."""
    counts = log[column].astype(int)
    previous = counts.groupby(log["number"]).shift()
    assert (counts[previous.isna()] == 0).all()
    assert not (counts < previous).any()
    assert counts.mean() == pytest.approx(mean, abs=tolerance)


def test_each_event_is_a_modification(log: pd.DataFrame) -> None:
    """`sys_mod_count` grows at every event."""
    counts = log["sys_mod_count"].astype(int)
    assert (counts.groupby(log["number"]).diff().dropna() >= 1).all()


def test_group_changes_only_when_reassigned(log: pd.DataFrame) -> None:
    """Within an incident the group is the same for as long as the reassignment count is."""
    stages = log.groupby(["number", "reassignment_count"])["assignment_group"].nunique()
    assert (stages == 1).all()


@pytest.mark.parametrize(("column", "pattern", "n_real"), LABELS)
def test_labels_are_named_and_skewed_as_in_the_published_log(
    log: pd.DataFrame, column: str, pattern: str, n_real: int
) -> None:
    """Labels have the published names, no more of them than published, and some are far more common than others."""
    labels = log.loc[log[column] != "?", column]
    assert labels.str.fullmatch(pattern).all()
    counts = labels.value_counts()
    # Columns that only a few dozen of 5,000 incidents fill in show a part of their labels, the others nearly all.
    assert n_real / 6 <= counts.size <= n_real
    assert counts.iloc[0] >= 1.5 * counts.mean()


@pytest.mark.parametrize(("quantile", "seconds", "tolerance"), REMAINING_QUANTILES)
def test_quantile_of_time_to_close(log: pd.DataFrame, quantile: float, seconds: float, tolerance: float) -> None:
    """The time from an event to the closure has the published quantiles."""
    assert log["remaining"].quantile(quantile) == pytest.approx(seconds, abs=tolerance)


def test_time_to_close_is_never_negative_and_has_its_mean(log: pd.DataFrame) -> None:
    """The time from an event to the closure is 0 at the least, 911,000 s on average, 341 days at the most."""
    assert log["remaining"].min() == 0
    assert log["remaining"].mean() == pytest.approx(910_732, abs=79_900)
    assert 0.8 * 29_486_100 <= log["remaining"].max() <= 31_000_000  # the longest that fits into the span is 355 days


def test_most_tickets_are_closed_five_days_after_their_resolution(log: pd.DataFrame) -> None:
    """The closing job runs within the hour once five days have passed; one ticket in seven escapes it."""
    tickets = log.drop_duplicates("number").dropna(subset="resolved_at parsed")
    hours = (tickets["closed_at parsed"] - tickets["resolved_at parsed"]).dt.total_seconds() / 3600
    # 85.7 % in the published log; the days in March without the job weigh more or less with the month's arrivals.
    assert hours.between(120, 121.1).mean() == pytest.approx(0.857, abs=0.03)


def test_priority_says_little_about_the_time_to_close(log: pd.DataFrame) -> None:
    """Guessing 6, 24, 120 or 240 hours from the priority scores as badly as on the published log: R² -0.08."""
    guess = log["priority"].str[0].map({"1": 6, "2": 24, "3": 120, "4": 240}) * 3600
    error = log["remaining"] - guess
    r2_score = 1 - (error**2).mean() / log["remaining"].var(ddof=0)
    assert r2_score == pytest.approx(-0.082, abs=0.0183)
    assert error.abs().mean() == pytest.approx(646_115, abs=81_500)


@NEEDS_REAL_LOG
def test_facts_are_those_of_the_real_log() -> None:
    """The shares that the other tests expect are those of the real log itself, to their last digit."""
    columns = ["incident_state", "priority", *(column for column, _, _ in MISSING_SHARES)]
    options = pa.csv.ConvertOptions(include_columns=columns, column_types=dict.fromkeys(columns, pa.string()))
    with zipfile.ZipFile(REAL_LOG) as archive, archive.open("incident_event_log.csv") as file:
        real = pa.csv.read_csv(pa.BufferReader(file.read()), convert_options=options).to_pandas()
    expected = {("incident_state", state): share for state, share, _ in STATE_SHARES}
    expected |= {("priority", priority): share for priority, share, _ in PRIORITY_SHARES}
    expected |= {(column, "?"): share for column, share, _ in MISSING_SHARES}
    measured = {key: (real[key[0]] == key[1]).mean() for key in expected}
    assert measured == pytest.approx(expected, abs=0.00006)


@NEEDS_REAL_LOG
def test_no_row_is_copied_from_the_real_log() -> None:
    """No incident of the sample has the caller, the category and the times of a real one."""
    columns = ["caller_id", "category", "opened_at", "closed_at"]
    options = pa.csv.ConvertOptions(include_columns=columns, column_types=dict.fromkeys(columns, pa.string()))
    with zipfile.ZipFile(REAL_LOG) as archive, archive.open("incident_event_log.csv") as file:
        real = pa.csv.read_csv(pa.BufferReader(file.read()), convert_options=options).to_pandas()
    sample = make_log().select(columns).to_pandas()
    assert sample.drop_duplicates().merge(real.drop_duplicates(), on=columns).empty
