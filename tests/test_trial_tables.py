"""The tables of a trial, with numbers by hand."""

from helpers.prediction_histogram import batch_prediction_histogram
from helpers.trial_tables import by_priority_table, by_state_table, errors_table, metrics_table, times_table

HOUR, DAY = 3600.0, 86400.0
TRIAL = {
    "data": {
        "metrics": {"MAE": 5400.0, "MedAE": 1800.0, "MSE": 4 * HOUR**2, "R2": -0.125},
        "errors": {"edges": [-100 * DAY, -10 * DAY, 0.0, 10 * DAY], "counts": [10, 50, 40]},
        "by_priority": [
            {
                "group": "2 - High",
                "num_obs": 3,
                "predicted": 24 * HOUR,
                "mae": HOUR,
                "actual": [0, 900, HOUR, DAY, 1e6],
            },
            {"group": None, "num_obs": 1, "predicted": 180 * HOUR, "mae": 0.0, "actual": [180 * HOUR] * 5},
        ],
    }
}


def test_metrics_are_read_in_hours():
    """Each metric stands beside its unit and, for a reader, in hours or per cent."""
    table = metrics_table(TRIAL)
    assert table["value"].to_dict() == {"MAE": "5,400 s", "MedAE": "1,800 s", "MSE": "5.184e+07 s²", "R2": "-0.1250"}
    assert table["reads_as"].to_dict() == {"MAE": "1.5 h", "MedAE": "0.5 h", "MSE": "(2.0 h)²", "R2": "-12.5%"}


def test_an_undefined_metric_is_no_nan():
    """R² of one event is a dash, and its meaning says why."""
    scores = TRIAL["data"]["metrics"] | {"R2": None}
    table = metrics_table({"data": {"metrics": scores}})
    assert table.loc["R2"].tolist() == ["-", "-", "not defined for a single event"]
    assert not table.astype(str).apply(lambda column: column.str.contains("nan")).any(axis=None)


def test_each_priority_in_hours():
    """Each priority has its tickets, prediction, error and quantiles in hours; the missing one is named so."""
    table = by_priority_table(TRIAL)
    assert table.columns.tolist() == [
        "tickets", "predicted", "MAE", "actual_5%", "actual_25%", "actual_50%", "actual_75%", "actual_95%",
    ]  # fmt: skip
    assert table.index.tolist() == ["2 - High", "missing"]
    assert table.loc["2 - High"].tolist() == [3, 24.0, 1.0, 0.0, 0.2, 1.0, 24.0, 277.8]  # 900 s are 0.25, to even
    assert table.loc["missing"].tolist() == [1, 180.0, 0.0] + [180.0] * 5
    assert by_priority_table({"data": {}}).empty


def test_each_state_in_hours():
    """Each state has its tickets, means and error in hours; an older trial, which tells none, has no row."""
    rows = [{"group": "New", "num_obs": 2, "predicted": HOUR, "actual": DAY, "mae": 23 * HOUR}]
    table = by_state_table({"data": {"by_state": [*rows, rows[0] | {"group": None}]}})
    assert table.loc["New"].tolist() == table.loc["missing"].tolist() == [2, 1.0, 24.0, 23.0]
    assert by_state_table({"data": {}}).empty


def test_errors_are_counted_by_size():
    """The chart's bins are put together, two a row here, and none of the tickets is lost or estimated."""
    table = errors_table(TRIAL, bins_a_row=2)
    # Bins of 10, 50 and 40 tickets between -100, -10, 0 and 10 days.
    assert table["tickets"].to_dict() == {"-100.0 to 0.0": 60, "0.0 to 10.0": 40}
    assert table["share"].tolist() == [0.6, 0.4]


def test_a_missing_name_takes_no_others_place():
    """A state that is called `missing` and events without a state are two rows."""
    rows = [{"group": group, "num_obs": 1, "predicted": 0.0, "actual": 0.0, "mae": 0.0} for group in ("missing", None)]
    assert by_state_table({"data": {"by_state": rows}}).index.tolist() == ["missing", "missing"]


def test_tickets_are_counted_by_their_time():
    """Each ticket is in the range of its actual and of its predicted time; ranges beyond the first and last are not."""
    # Ranges are of two octaves from 64 s on: 1024 to 4096 s holds the hour, 65536 s (18.2 h) to 262144 s (3.0 d) a day.
    histogram = batch_prediction_histogram([HOUR, HOUR, 0.0], [HOUR, DAY, 1e12])
    table = times_table({"data": {"predicted_actual": histogram}})
    assert table.index[[0, 1, 3, -1]].tolist() == [
        "below 1 min",
        "1 min to 4 min",
        "17 min to 1.1 h",
        "776.7 d and more",
    ]
    assert table.loc["below 1 min"].tolist() == [1, 0]
    assert table.loc["17 min to 1.1 h"].tolist() == [2, 1]
    assert table.loc["18.2 h to 3.0 d"].tolist() == [0, 1]
    assert table.sum().tolist() == [3, 3]
    one = times_table({"data": {"predicted_actual": batch_prediction_histogram([HOUR], [HOUR])}})
    assert one.index.tolist() == ["17 min to 1.1 h"]
    assert times_table({"data": {}}).empty
