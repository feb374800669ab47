"""A zygote as the process sees it that started it: what it is asked, and what it answers."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time

from helpers.exceptions import RunError
from helpers.masking import VARIABLE

START_SECONDS = 60.0
END_SECONDS = 5.0


class ZygoteProcess:
    """A zygote, and the runs that it has forked.

    Parameters
    ----------
    modules : set of str
        To be imported, where they can be.

    Attributes
    ----------
    pid : int
    going : dict of str to int
        The runs' process ids.
    is_ready : bool
        Whether it has imported all.
    threaded : set of str
        Modules whose import started a thread: nothing can safely be forked from it.
    """

    def __init__(self, modules: set[str]):
        self.modules = modules
        self.going: dict[str, int] = {}
        self.is_ready = False
        self.threaded: set[str] = set()
        self._answers = b""
        self._ended: list[dict] = []
        self._process = subprocess.Popen(
            # As Jupyter starts its kernels: the debugger warns of frozen modules otherwise.
            [sys.executable, "-Xfrozen_modules=off", "-P", "-m", "helpers.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # A run is given its own secrets, and has no business with those of others.
            env={name: value for name, value in os.environ.items() if name != VARIABLE},
            start_new_session=True,
            bufsize=0,
        )
        self.pid = self._process.pid
        self._ask({"import": sorted(modules)})

    @property
    def has_died(self) -> bool:
        """Whether its process has ended."""
        return self._process.poll() is not None

    def fork(self, request: dict) -> int:
        """Start a run; waits until all is imported.

        Parameters
        ----------
        request : dict
            As `helpers.zygote` takes it.

        Returns
        -------
        int
            The process id, which leads a session of its own.

        Raises
        ------
        RunError
            When it does not answer.
        """
        self._ask(request)
        ends = time.monotonic() + START_SECONDS
        while (left := ends - time.monotonic()) > 0 and self._read(left):
            if request["id"] in self.going:
                return self.going[request["id"]]
        self._process.kill()
        raise RunError("the process that runs are forked from did not answer; the tick is lost")

    def ended(self) -> list[dict]:
        """What was said at the end of each run that has ended: its `id`, its `code`, and more."""
        while self._read(0):
            pass
        if self.has_died:  # nobody is left to hear how its runs end
            for key, pid in self.going.items():
                with contextlib.suppress(OSError):
                    os.killpg(pid, signal.SIGKILL)
                self._ended.append({"id": key, "code": -signal.SIGKILL})
            self.going.clear()
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """End it, and what it has forked."""
        self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            # One that has forked nothing may be importing for seconds yet.
            self._process.wait(END_SECONDS if self.going else 0)
        self._process.kill()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, request: dict) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(request).encode() + b"\n")

    def _read(self, seconds: float) -> bool:
        """Take in what it says within this time; False when there was nothing, or nothing more will come."""
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            return False
        block = self._process.stdout.read(65536)
        *lines, self._answers = (self._answers + block).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return bool(block)

    def _take(self, answer: dict) -> None:
        if "ready" in answer:
            self.is_ready, self.threaded = True, set(answer["threaded"])
        elif "pid" in answer:
            self.going[answer["id"]] = answer["pid"]
        else:
            self.going.pop(answer["id"], None)
            self._ended.append(answer)
