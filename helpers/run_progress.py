"""How far a run is: a bar on a terminal, a line for each cell in a log."""

import sys
import time


class Progress:
    """Shows a run's cells on stderr as they are done; to be used in a `with`."""

    def __init__(self):
        self._bar = None
        self._began = time.monotonic()

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
