"""The line that tells how far a long scoring is."""

from pathlib import Path

import pytest

from helpers import scoring_progress
from helpers.execution import run_notebook
from helpers.partitions import Partition


def partitions(*rows: int | None) -> list[Partition]:
    """Partitions of so many rows."""
    return [Partition("log", "part", "part", "parquet", 1, "", 0, 1, 0, number) for number in rows]


def test_events_and_the_time_left_are_told(monkeypatch):
    """Half of the events in two seconds: a million a second, and two seconds left."""
    clock = [100.0]
    monkeypatch.setattr(scoring_progress.time, "monotonic", lambda: clock[0])
    progress = scoring_progress.ScoringProgress(partitions(1_500_000, 500_000, 2_000_000))
    progress.begin_pass()
    clock[0] += 2
    progress.done(0)
    progress.done(1)
    assert progress.text() == "pass 1: 2,000,000 of 4,000,000 events, 1.00 million a second, 2 s left"
    progress.begin_pass()
    clock[0] += 1
    assert progress.text().startswith("pass 2: 0 of 4,000,000 events")


def test_partitions_are_told_where_events_are_not_known(monkeypatch):
    """Of CSV parts the events are known once they are read: partitions are counted instead."""
    clock = [100.0]
    monkeypatch.setattr(scoring_progress.time, "monotonic", lambda: clock[0])
    progress = scoring_progress.ScoringProgress(partitions(None, None, None, None))
    progress.begin_pass()
    clock[0] += 5
    progress.done(2)
    assert progress.text() == "pass 1: 1 of 4 partitions, 15 s left"


LONG = """
import time
from helpers.partitions import Partition
from helpers.scoring_progress import ScoringProgress
parts = [Partition("log", "part", "part", "parquet", 1, "", 0, 1, 0, 1000) for _ in range(4)]
with ScoringProgress(parts) as progress:
    progress.begin_pass()
    for place in range(4):
        time.sleep(0.6)
        progress.done(place)
"""


@pytest.mark.slow
@pytest.mark.usefixtures("prefect")
def test_a_run_passes_the_line_on_and_the_notebook_keeps_the_last(write_nb):
    """Whoever runs the notebook is told of the line as it is renewed; the executed notebook holds how it ended."""
    noted = []
    outcome = run_notebook(write_nb([LONG]), {}, on_note=noted.append)
    assert outcome.state == "completed"
    assert noted[0].startswith("pass 1: 2,000 of 4,000 events")
    assert noted[-1].startswith("4,000 of 4,000 events read in 1 passes, 2.")
    [page] = Path(outcome.folder).glob("*.ipynb")
    text = page.read_text()
    assert text.count("4,000 of 4,000 events read") >= 1
    assert "2,000 of 4,000" not in text
