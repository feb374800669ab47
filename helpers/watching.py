"""A listing that stays on the terminal and follows what changes."""

import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from helpers.exceptions import DaybookError, ParameterError
from helpers.terminal import cut, has_colours, is_terminal, printable, terminal_size

SECONDS = 2.0
# The alternate screen keeps what was there; the cursor would blink over the table.
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
TOP, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


def watch(lines: Callable[[int, int, bool], list[str]], seconds: float = SECONDS) -> None:
    """Show a listing until Ctrl-C, anew every two seconds and when the terminal's size changes.

    Parameters
    ----------
    lines : callable
        Called with the terminal's columns, the lines that there is room for, and whether colours are wanted; gives
        the lines, each no wider than the terminal. What it cannot read is said above the last lines that it gave.
    seconds : float
        Between two readings.

    Raises
    ------
    ParameterError
        When no terminal is there.
    """
    if not is_terminal():
        raise ParameterError("--watch needs a terminal; leave it out where the output goes to a file or a program")
    resized = threading.Event()
    before = {
        signal.SIGWINCH: signal.signal(signal.SIGWINCH, lambda *_: resized.set()),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)),
    }
    sys.stdout.write(ENTER)
    shown: list[str] = []
    try:
        while True:
            columns, height = terminal_size()
            problem = ""
            try:
                shown = lines(columns, max(height - 1, 1), has_colours())
            except (DaybookError, OSError) as error:
                problem = printable(str(error))
            _draw(shown, problem, columns, height)
            if resized.wait(seconds):
                resized.clear()
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        sys.stdout.write(LEAVE)
        sys.stdout.flush()


def _draw(lines: list[str], problem: str, columns: int, height: int) -> None:
    """Write the screen anew in one go, over the last one: to clear it first would flicker."""
    told = problem or "every 2 s; Ctrl-C ends"
    foot = cut(f"{datetime.now(UTC):%H:%M:%S} UTC; {told}", columns)
    body = lines[: max(height - 1, 0)]
    text = "".join(f"{line}{REST_OF_LINE}\r\n" for line in body)
    sys.stdout.write(f"{TOP}{text}{foot}{REST_OF_LINE}{REST_OF_SCREEN}")
    sys.stdout.flush()
