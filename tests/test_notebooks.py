"""The committed notebooks: executed, readable, and computing today what they show."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from sample_history import write_sample_history

from helpers.parameters import declared

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def nbval(path: Path, folder: Path) -> subprocess.CompletedProcess:
    """Run nbval over a notebook in a process of its own: it takes over the collection."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--nbval", str(path)]
    command += [
        f"--nbval-sanitize-with={REPOSITORY / 'tests/nbval_sanitize.cfg'}",
        f"--rootdir={folder}",
        "-c",
        os.devnull,
    ]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ, cwd=REPOSITORY, check=False)


@pytest.mark.slow
@each_notebook
def test_notebook_computes_what_it_shows(path, prefect, tmp_path):
    """Executed anew in another home, every output that is not of the moment is the committed one."""
    write_sample_history()
    checked = nbval(path, tmp_path)
    assert checked.returncode == 0, checked.stdout[-3000:]


@pytest.mark.slow
def test_nbval_sees_a_changed_number(prefect, tmp_path):
    """A committed metric that is not what the notebook computes fails the check."""
    nb = nbformat.read(REPOSITORY / "notebooks/evaluate_ticket_model.ipynb", as_version=4)
    cell = next(cell for cell in nb.cells if "metrics_table(trial)" in cell.source)
    cell.outputs[0].data["text/plain"] = cell.outputs[0].data["text/plain"].replace("MAE  ", "MAE  1")
    nbformat.write(nb, tmp_path / "changed.ipynb")
    checked = nbval(tmp_path / "changed.ipynb", tmp_path)
    assert checked.returncode == 1
    assert "metrics_table(trial)" in checked.stdout


@each_notebook
def test_notebook_is_committed_executed(path):
    """Code cells are numbered 1 to n in order, none failed, and none is longer than a screen."""
    code = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert all(output.output_type != "error" for cell in code for output in cell.outputs)
    assert max(len(cell.source.splitlines()) for cell in code) <= 30


@each_notebook
def test_notebook_is_a_document(path):
    """It opens with a title, and no more than three code cells follow one another without a word."""
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    assert cells[0].source.startswith("# ")
    kinds = "".join(cell.cell_type[0] for cell in cells)
    assert "cccc" not in kinds


@each_notebook
def test_notebook_names_no_machine(path):
    """No absolute path, host name or home folder is in it."""
    text = path.read_text()
    for place in (str(REPOSITORY), str(Path.home()) + "/", os.uname().nodename + ".", "/site-packages/", "/tmp/"):
        assert place not in text


@each_notebook
def test_every_parameter_is_found_and_explained(path):
    """papermill sees each line of the parameters cell, with a type and a comment."""
    cell = next(
        cell for cell in nbformat.read(path, as_version=4).cells if "parameters" in cell.metadata.get("tags", [])
    )
    parameters = declared(path)
    assert len(parameters) == len(cell.source.splitlines())
    assert all(parameter.type_name and parameter.help for parameter in parameters.values())
