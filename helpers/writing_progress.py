"""How far the writing of a log is: a bar on a terminal, a line now and then in a log."""

import sys
import time

LINE_SECONDS = 5.0


class WritingProgress:
    """Shows on stderr how many events are written; to be used in a `with`."""

    def __init__(self):
        self._bar = None
        self._began = self._last = time.monotonic()

    def __enter__(self) -> "WritingProgress":
        return self

    def __exit__(self, *error) -> None:
        if self._bar is not None:
            self._bar.close()

    def update(self, events: int, share: float) -> None:
        """Show that so many events are written, which are this share of all, 0 to 1."""
        if sys.stderr.isatty():
            if self._bar is None:
                from tqdm import tqdm

                self._bar = tqdm(unit=" events", unit_scale=True, file=sys.stderr)
            self._bar.total = round(events / share)
            self._bar.update(events - self._bar.n)
            return
        now = time.monotonic()
        if now - self._last >= LINE_SECONDS:
            self._last, passed = now, now - self._began
            left = passed * (1 - share) / share
            rate = f"{events:,} events written, {events / passed:,.0f} a second"
            print(f"{rate}, {left:.0f} s left", file=sys.stderr, flush=True)
