"""Ctrl-C, SIGTERM and a closed terminal, for a process that has to end what it has started."""

import contextlib
import os
import select
import signal
from collections.abc import Callable

import psutil

GONE_SECONDS = 1.0
NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class StopSignals:
    """Takes the signals that ask a process to end, for a `with` block.

    Parameters
    ----------
    on_first : callable
        Called on the first signal, whatever the process is doing.
    on_second : callable
        Called on the second one; then the process ends at once.

    Attributes
    ----------
    number : int or None
        The first signal, once it has come.
    """

    def __init__(self, on_first: Callable[[], None], on_second: Callable[[], None]):
        self.number: int | None = None
        self._on_first = on_first
        self._on_second = on_second
        self._is_interrupting = False
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "StopSignals":
        self._wakeup, wake = os.pipe()
        self._stack.callback(os.close, self._wakeup)
        self._stack.callback(os.close, wake)
        os.set_blocking(wake, False)
        self._stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(wake))
        for number in NUMBERS:
            if signal.getsignal(number) != signal.SIG_IGN or number != signal.SIGHUP:  # nohup ignores SIGHUP
                self._stack.callback(signal.signal, number, signal.signal(number, self._handle))
        return self

    def __exit__(self, *_) -> None:
        self._stack.close()

    def interrupting(self, call: Callable[[], None]) -> None:
        """Call what may take long, such as waiting for others to start; the first signal leaves it at once."""
        try:
            self._is_interrupting = True
            if self.number is None:
                call()
        except KeyboardInterrupt:
            pass
        finally:
            self._is_interrupting = False

    def sleep(self, seconds: float) -> None:
        """Sleep, unless a signal has come or comes."""
        if select.select([self._wakeup], [], [], max(seconds, 0))[0]:
            os.read(self._wakeup, 4096)

    def _handle(self, number: int, _frame) -> None:
        if self.number is None:
            self.number = number
            self._on_first()
            if self._is_interrupting:
                self._is_interrupting = False
                raise KeyboardInterrupt
            return
        try:
            self._on_second()
        finally:
            os._exit(128 + number)


def kill_children(spared: int | None = None) -> None:
    """Kill all processes below this one and see them gone; one of its children may be spared, with what is below it."""
    killed = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            for process in [*child.children(recursive=True), child] if child.pid != spared else []:
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    killed.append(process)
    psutil.wait_procs(killed, timeout=GONE_SECONDS)
