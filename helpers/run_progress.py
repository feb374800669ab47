"""How far a run is: a bar on a terminal, a line for each cell in a log."""

import sys
import time

from helpers.terminal import printable

MIMETYPE = "application/vnd.daybook.progress+json"  # of a line that a cell renews, to be shown beside the cells
SECONDS_BETWEEN_LINES = 10.0  # in a log


class Progress:
    """Shows a run's cells on stderr as they are done; to be used in a `with`."""

    def __init__(self):
        self._bar = None
        self._began = self._noted_at = time.monotonic()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *error) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, done: int, cells: int) -> None:
        """Show that so many code cells of so many are done."""
        if not sys.stderr.isatty():
            print(f"cell {done}/{cells} done, {time.monotonic() - self._began:.1f} s", file=sys.stderr, flush=True)
            return
        if self._bar is None:
            from tqdm import tqdm

            self._bar = tqdm(total=cells, unit="cell", file=sys.stderr)
        self._bar.update(done - self._bar.n)

    def note(self, text: str) -> None:
        """Show how far a cell says that it is; in a log a line now and then."""
        if self._bar is not None:
            self._bar.set_postfix_str(printable(text))
        elif not sys.stderr.isatty() and time.monotonic() - self._noted_at >= SECONDS_BETWEEN_LINES:
            self._noted_at = time.monotonic()
            print(f"{printable(text)}, {self._noted_at - self._began:.1f} s", file=sys.stderr, flush=True)
