"""Execute notebooks in place, as they are committed: `python -m tests.execute_notebooks notebooks/*.ipynb`.

In a home of its own, with a history of trials of the sample: no trial of the developer's shows in the outputs, and
nothing of this machine is in them.
"""

import os
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from helpers import prefect_server
from tests.sample_history import write_sample_history


def execute(path: Path) -> None:
    """Execute one notebook in a fresh kernel and write it back with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": path.parent}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)  # times of each cell: noise in every diff
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
    nbformat.write(notebook, path)
    print(f"executed {path}")


def main() -> None:
    """Execute the notebooks that the command line names."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["DAYBOOK_HOME"] = home
        write_sample_history()
        prefect_server.start()  # here, so that no notebook says that it did
        try:
            for path in sys.argv[1:]:
                execute(Path(path))
        finally:
            prefect_server.stop()


if __name__ == "__main__":
    main()
