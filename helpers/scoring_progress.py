"""How far a long scoring is: one line that is renewed in the notebook, and that a headless run passes on."""

import time
from collections.abc import Sequence
from typing import Self

from helpers.log_partitions import Partition
from helpers.run_progress import MIMETYPE

SECONDS_BETWEEN = 0.5
SHOWN_AFTER = 1.0  # seconds; what ends sooner needs no line


class ScoringProgress:
    """Counts the partitions that are done; to be used in a `with`.

    Parameters
    ----------
    partitions : sequence of Partition
        That a pass reads.

    Attributes
    ----------
    num_passes : int
        Begun so far.
    """

    def __init__(self, partitions: Sequence[Partition]):
        self.num_passes = 0
        self._rows = [partition.num_rows for partition in partitions]
        self._num_done = self._rows_done = 0
        self._began = self._pass_began = time.monotonic()
        self._shown_at = self._began + SHOWN_AFTER - SECONDS_BETWEEN
        self._line = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error) -> None:
        if self._line is not None:
            self._show(f"{self._events()} read in {self.num_passes} passes, {time.monotonic() - self._began:.1f} s")

    def begin_pass(self) -> None:
        """Count from the beginning again."""
        self.num_passes += 1
        self._num_done = self._rows_done = 0
        self._pass_began = time.monotonic()

    def done(self, place: int) -> None:
        """Note that the partition at this place is done, and show it every half second."""
        self._num_done += 1
        self._rows_done += self._rows[place] or 0
        if time.monotonic() - self._shown_at >= SECONDS_BETWEEN:
            self._shown_at = time.monotonic()
            self._show(self.text())

    def text(self) -> str:
        """Events scored, events a second and the time that is left of this pass, as far as they are known."""
        took = max(time.monotonic() - self._pass_began, 1e-9)
        left = took / max(self._num_done, 1) * (len(self._rows) - self._num_done)
        if None not in self._rows:
            left = took / max(self._rows_done, 1) * (sum(self._rows) - self._rows_done)
        rate = f", {self._rows_done / took / 1e6:.2f} million a second" if self._rows_done else ""
        return f"pass {self.num_passes}: {self._events()}{rate}, {left:.0f} s left"

    def _events(self) -> str:
        if None in self._rows:  # a CSV file's events are known once they are read
            return f"{self._num_done:,} of {len(self._rows):,} partitions"
        return f"{self._rows_done:,} of {sum(self._rows):,} events"

    def _show(self, text: str) -> None:
        """Renew the line in the notebook; elsewhere there is none."""
        import sys

        shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
        if not shell:
            return
        from IPython.display import display

        data = {"text/plain": text, MIMETYPE: {"text": text}}
        if self._line is None:
            self._line = display(data, raw=True, display_id=True)
        else:
            self._line.update(data, raw=True)
