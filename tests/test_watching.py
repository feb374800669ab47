"""A listing that stays, on a real terminal."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time

import pytest

from helpers import runs
from helpers.exceptions import ParameterError
from helpers.watching import ENTER, LEAVE, watch

pytestmark = pytest.mark.slow

COMMAND = [sys.executable, "-c", "from helpers.command_line import main; main()"]


class Terminal:
    """A process on a terminal of its own."""

    def __init__(self, *arguments: str, columns: int = 80, lines: int = 24, **environment: str):
        self._end, other = pty.openpty()
        self.resize(columns, lines)
        # Said there, as where tests run side by side, a size goes before the terminal's own.
        inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=inherited | {"TERM": "xterm"} | environment,
        )
        os.close(other)
        os.set_blocking(self._end, False)
        self.said = ""

    def resize(self, columns: int, lines: int) -> None:
        """Give the terminal another size, of which the kernel tells the process."""
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def read_until(self, text: str, seconds: float = 15) -> str:
        """What was said since the last call, until this text was."""
        since, limit = len(self.said), time.monotonic() + seconds
        while text not in self.said[since:]:
            assert time.monotonic() < limit, self.said[since:]
            with contextlib.suppress(BlockingIOError):
                self.said += os.read(self._end, 65536).decode()
            time.sleep(0.02)
        return self.said[since:]

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._end, keys)

    def close(self) -> int:
        """The exit code, after the rest of what was said."""
        code = self.process.wait(10)
        with contextlib.suppress(OSError):
            while block := os.read(self._end, 65536):
                self.said += block.decode()
        os.close(self._end)
        return code


def add_run(state: str, error: str | None = None, notebook: str = "n.ipynb") -> None:
    """A run of this home that ended so."""
    runs.RunRecord(notebook, {}).finish(state, error)


def test_a_watched_listing_follows_what_changes(home):
    """--watch shows a new run by itself, fits when resized, sends no escape of an error, and ends well."""
    add_run("failed", "bad \x1b[2J\x07 thing")
    terminal = Terminal("runs", "--watch", columns=150)
    first = terminal.read_until("Ctrl-C ends")
    assert first.startswith(ENTER)
    assert r"bad \x1b[2J\x07 thing" in first
    assert "\x1b[31mfailed\x1b[0m" in first
    add_run("completed")
    terminal.read_until("1 completed", seconds=5)
    terminal.read_until("Ctrl-C ends")
    terminal.resize(40, 6)
    small = terminal.read_until("Ctrl-C ends", seconds=1.5)  # at once, not with the next reading
    assert len(small.split("\r\n")) <= 6
    assert "…" in small
    terminal.press(b"\x03")
    assert terminal.close() == 0
    assert terminal.said.endswith(LEAVE)
    assert "Traceback" not in terminal.said
    for sequence in ("\x1b[2J", "\x07"):
        assert sequence not in terminal.said


def test_a_store_that_cannot_be_read_is_told_and_the_listing_stays(home):
    """What goes wrong is told in the last line, and the listing stays; SIGTERM too leaves the terminal as it was."""
    home.mkdir()
    (home / "trials.sqlite").write_text("no database " * 1000)
    terminal = Terminal("trials", "--watch", columns=200)
    terminal.read_until("file is not a database")
    terminal.process.send_signal(signal.SIGTERM)
    assert terminal.close() == 128 + signal.SIGTERM
    assert terminal.said.endswith(LEAVE)


def test_colours_are_left_out_when_they_are_not_wanted(home):
    """On a terminal with NO_COLOR the table has its trend and fits, and no escape sequence at all."""
    add_run("failed", "x" * 300)
    terminal = Terminal("runs", columns=60, NO_COLOR="1")
    terminal.read_until("…")
    assert terminal.close() == 0
    assert "1 failed" in terminal.said
    assert "\x1b" not in terminal.said
    assert max(map(len, terminal.said.split("\r\n"))) <= 60


def test_without_a_terminal_it_is_refused():
    """What is piped cannot be watched, which is said."""
    with pytest.raises(ParameterError, match="--watch needs a terminal"):
        watch(lambda *_: [])
