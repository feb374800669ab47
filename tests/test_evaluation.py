"""The whole chain on the real log: what `daybook run` stores is what scikit-learn says of the same rows."""

import csv
import io
import json
import subprocess
import sys
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from sklearn.metrics import mean_absolute_error, mean_squared_error, median_absolute_error, r2_score

from helpers.trials import TrialStore

REPOSITORY = Path(__file__).resolve().parents[1]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def by_hand(real_log) -> dict[str, float]:
    """The four metrics over every event, without any of the helpers: csv, strptime, a dictionary of hours."""
    hours = {"1 - Critical": 6, "2 - High": 24, "3 - Moderate": 120, "4 - Low": 240}
    with zipfile.ZipFile(real_log).open("incident_event_log.csv") as file:
        rows = list(csv.DictReader(io.TextIOWrapper(file, "utf-8")))

    def moment(text: str) -> datetime:
        return datetime.strptime(text, "%d/%m/%Y %H:%M")

    actual = [(moment(row["closed_at"]) - moment(row["sys_updated_at"])).total_seconds() for row in rows]
    predicted = [hours[row["priority"]] * 3600.0 for row in rows]
    functions = {"MAE": mean_absolute_error, "MedAE": median_absolute_error, "MSE": mean_squared_error, "R2": r2_score}
    return {name: function(actual, predicted) for name, function in functions.items()}


@pytest.mark.parametrize("cluster", ["none", "local"])
def test_every_event_of_the_real_log_is_scored(cluster, by_hand, real_log, prefect):
    """The command completes, and the stored trial holds the metrics computed by hand over all 141,712 events."""
    notebook = REPOSITORY / "notebooks" / "evaluate_ticket_model.ipynb"
    command = [Path(sys.executable).with_name("daybook"), "run", notebook, "-p", "source", real_log]
    command += ["-p", "batch_size", "0", "-p", "cluster", cluster, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, outcome["state"], outcome["error"]) == (0, "completed", None), done.stderr[-2000:]
    (trial,) = TrialStore().documents()
    assert (trial["id"], trial["run"]) == (outcome["trial"], outcome["run"])
    assert trial["data"]["num_obs"] == 141_712
    assert trial["data"]["metrics"] == pytest.approx(by_hand, rel=1e-12)
    report = Path(outcome["folder"]) / "dask-report.html"
    assert report.exists() == (cluster == "local")
