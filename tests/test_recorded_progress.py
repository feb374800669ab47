"""What a run says of itself while it goes, as run.json has it."""

import json

from helpers import recorded_progress, runs
from helpers.recorded_progress import RecordedProgress


def recorded(record) -> tuple:
    """The run's progress, as others read it now."""
    facts = json.loads((record.folder / "run.json").read_text())
    return facts["cells_done"], facts["cells"], facts["progress"]


def test_the_last_line_of_a_cell_is_recorded_until_it_is_done(monkeypatch, tmp_path):
    """The first line at once, then one in two seconds; the caller hears all; none is left when the cell is done."""
    clock = [100.0]
    monkeypatch.setattr(recorded_progress.time, "monotonic", lambda: clock[0])
    record = runs.RunRecord("n.ipynb", {})
    cells, notes = [], []
    progress = RecordedProgress(record, "http://127.0.0.1:1/api", lambda *done: cells.append(done), notes.append)
    progress.cell(3, 9)
    assert recorded(record) == (3, 9, None)
    progress.note("1 of 40")
    assert recorded(record) == (3, 9, "1 of 40")
    clock[0] += 1.9
    progress.note("2 of 40")
    assert recorded(record) == (3, 9, "1 of 40")
    clock[0] += 0.2
    progress.note("3 of 40")
    assert recorded(record) == (3, 9, "3 of 40")
    progress.cell(4, 9)
    assert recorded(record) == (4, 9, None)
    progress.note("<img src=x>" + "y" * 10_000)  # of the next cell, and at once
    assert recorded(record)[2] == "<img src=x>" + "y" * 489
    assert (cells, notes[:3]) == ([(3, 9), (4, 9)], ["1 of 40", "2 of 40", "3 of 40"])
    with (tmp_path / "log").open("w") as log:
        progress.close(log)
    assert (tmp_path / "log").read_text() == ""  # no flow run, so nobody was to be told
    folder = record.finish("failed", "one line")
    assert runs.read(folder)["progress"] is None
