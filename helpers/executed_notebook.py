"""The executed copy of a notebook: saved whole at each cell, with the beginning and the end of what its cells print."""

import os
from collections.abc import Callable
from pathlib import Path

import nbformat
from papermill.engines import NotebookExecutionManager

KEPT_CHARACTERS = 50_000  # of the beginning, and of the end, of what a cell prints; the log has it all


class ExecutedNotebook(NotebookExecutionManager):
    """Saves the executed notebook whole or not at all, and tells how far it is.

    Parameters
    ----------
    nb : NotebookNode
    copy_path : Path
    on_progress : callable
        Called with the number of code cells done and of all, after each.
    """

    def __init__(self, nb: nbformat.NotebookNode, copy_path: Path, on_progress: Callable[[int, int], None]):
        super().__init__(nb, output_path=None, progress_bar=False)
        self.copy_path = copy_path
        self.on_progress = on_progress
        self.n_code_cells = sum(cell.cell_type == "code" for cell in nb.cells)
        self.n_done = 0

    def save(self, **kwargs):
        """Write the copy; a reader sees the last one or this one."""
        temporary = self.copy_path.with_name(f"{self.copy_path.name}.part")
        try:
            # nbformat's own `write` validates the whole each time, and only prints what it finds.
            temporary.write_text(nbformat.v4.writes(self.nb) + "\n", encoding="utf-8")
            os.replace(temporary, self.copy_path)
        except OSError as error:  # of a full disk a write names no file
            temporary.unlink(missing_ok=True)
            error.filename = error.filename or str(self.copy_path)
            raise
        self.last_save_time = self.now()

    def cell_start(self, cell, cell_index=None, **kwargs):
        """Mark a cell as running, without saving: run.json shows it, at half the cost."""
        cell.metadata.papermill |= {"start_time": self.now().isoformat(), "status": self.RUNNING, "exception": False}

    def cell_complete(self, cell, cell_index=None, **kwargs):
        """Mark a cell as done, and save what it put out."""
        if cell.cell_type != "code":
            cell.metadata.papermill |= {"end_time": self.now().isoformat(), "status": self.COMPLETED}
            return
        super().cell_complete(cell, cell_index, **kwargs)
        if cell.execution_count and cell.metadata.papermill.status == self.COMPLETED:
            self.n_done += 1
            self.on_progress(self.n_done, self.n_code_cells)

    def close(self) -> None:
        """Save papermill's times of the whole, without its calling cells completed that never ran."""
        self.end_time = self.now()
        metadata = self.nb.metadata.papermill
        metadata["end_time"] = self.end_time.isoformat()
        metadata["duration"] = (self.end_time - self.start_time).total_seconds()
        self.save()


class Stream:
    """What the notebook keeps of a cell's stdout or stderr: the beginning and the end, however much there is.

    Parameters
    ----------
    name : {"stdout", "stderr"}

    Attributes
    ----------
    end : NotebookNode
        An output with the end of it; without text as long as all of it belongs to the beginning.
    """

    def __init__(self, name: str):
        self.room = KEPT_CHARACTERS
        self.n_beyond = 0
        self.tail = ""
        self.end = nbformat.v4.new_output("stream", name=name, text="")

    def beginning(self, text: str) -> str:
        """As much of the text as still belongs to the beginning."""
        head, rest = text[: self.room], text[self.room :]
        self.room -= len(head)
        self.n_beyond += len(rest)
        self.tail = (self.tail + rest)[-KEPT_CHARACTERS:]
        if left_out := self.n_beyond - len(self.tail):
            rest = f"\n… {left_out:,} characters are left out here; run.log has them …\n{self.tail}"
        self.end.text = rest if left_out else self.tail
        return head
