"""How far a run is, told to all who ask: the caller, those who read `run.json`, and Prefect's page."""

import contextlib
import time
from collections.abc import Callable
from typing import TextIO

from helpers import runs
from helpers.flow_run_progress import FlowRunProgress

SECONDS_BETWEEN = 2.0  # of the lines by which a cell says how far it is; each is a file written to the disk
NOTE_CHARACTERS = 500


class RecordedProgress:
    """Takes what a run says of itself while it goes.

    Parameters
    ----------
    record : runs.RunRecord
    server : str
        The address of the Prefect server's API; it is told of runs alone whose flow run it has made.
    on_cell, on_note : callable
        The caller's, told of everything (see `kernel_client.Listener`).
    """

    def __init__(
        self,
        record: runs.RunRecord,
        server: str,
        on_cell: Callable[[int, int], None],
        on_note: Callable[[str], None],
    ):
        self._record = record
        self._on_cell = on_cell
        self._on_note = on_note
        flow_run = record.facts["flow_run"]
        self._page = FlowRunProgress(server, flow_run) if flow_run else None
        self._noted_at = float("-inf")
        self._cells = (0, 0)

    def cell(self, done: int, cells: int) -> None:
        """Record that so many code cells of so many are done."""
        self._cells = (done, cells)
        self._noted_at = float("-inf")
        self._record.update(cells_done=done, cells=cells, progress=None)
        if self._page:
            self._page.show(done, cells)
        self._on_cell(done, cells)

    def note(self, text: str) -> None:
        """Record how far a cell says that it is; in between `SECONDS_BETWEEN` the caller alone is told."""
        if time.monotonic() - self._noted_at >= SECONDS_BETWEEN:
            self._noted_at = time.monotonic()
            with contextlib.suppress(OSError):  # a full disk is the next cell's matter
                self._record.update(progress=text[:NOTE_CHARACTERS])
            if self._page:
                self._page.show(*self._cells, text)
        self._on_note(text)

    def close(self, log: TextIO) -> None:
        """Tell Prefect's page the last of it, and the log why it could not be told."""
        if self._page:
            self._page.close()
            if self._page.problem:
                print(f"daybook: the progress is not on Prefect's page: {self._page.problem}", file=log)
