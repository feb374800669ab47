"""Runs in processes of their own, `daybook run` each: several at a time, and all ended when this process is."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

import yaml

STOP_SECONDS = 10.0  # a run records its end within a second or two; a kernel that does not listen takes some more
# -P: a module of the working directory must not stand in for one of daybook's.
COMMAND = [sys.executable, "-P", "-m", "helpers.command_line", "run"]


class ChildRuns:
    """The runs that are going; in a `with`, the first Ctrl-C or SIGTERM ends them in a recorded state.

    They have `STOP_SECONDS` for it; a second signal kills them at once. Once stopped, no more are started.
    """

    def __init__(self):
        self.stopped = False
        self._going: set[subprocess.Popen] = set()
        # Of one thread again and again: a second signal can arrive while the first one's handler holds it.
        self._lock = threading.RLock()
        self._before: dict = {}
        self._limit = threading.Timer(STOP_SECONDS, self.kill)
        self._limit.daemon = True

    def __enter__(self) -> "ChildRuns":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, lambda *_: self.kill() if self.stopped else self.stop())
        return self

    def __exit__(self, *error) -> None:
        self._limit.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stop(self) -> None:
        """Ask the runs that are going to end, as SIGTERM asks, and start no more."""
        with self._lock:
            if self.stopped:
                return
            self.stopped = True
            for child in self._going:
                child.send_signal(signal.SIGTERM)
        self._limit.start()

    def kill(self) -> None:
        """Kill the runs that are going; what their kernels leave is `runs.close_crashed`'s to end."""
        with self._lock:
            for child in self._going:
                child.kill()

    def run(self, notebook: Path, given: dict[str, object], options: list[str], environment: Mapping[str, str]) -> dict:
        """Run a notebook, and wait for its end. To be called from any thread.

        Parameters
        ----------
        notebook : Path
        given : dict of str to object
            Parameters. They do not stand on the command line, which all users of a machine can read.
        options : list of str
            More of `daybook run`'s.
        environment : mapping of str to str
            The process's.

        Returns
        -------
        dict
            What `daybook run --json` prints: `state`, `error`, `run`, `folder`, `trial` and `seconds`; the state is
            `not started` after `stop`.
        """
        command = [*COMMAND, str(notebook), "-f", "/dev/stdin", *options, "--json"]
        # Files, not pipes: a kernel that outlives its killed run would keep a pipe open.
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            with self._lock:
                if self.stopped:
                    return {"state": "not started"}
                child = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=output,
                    stderr=errors,
                    env=dict(environment),
                    start_new_session=True,  # Ctrl-C in the terminal is for this process, which passes it on
                )
                self._going.add(child)
            try:
                with contextlib.suppress(BrokenPipeError), child.stdin:
                    child.stdin.write(yaml.safe_dump(given, allow_unicode=True).encode())
                child.wait()
            finally:
                with self._lock:
                    self._going.discard(child)
            return _outcome(child.returncode, self.stopped, _text(output), _text(errors))


def _text(file) -> str:
    file.seek(max(0, os.fstat(file.fileno()).st_size - 100_000))
    return file.read().decode(errors="replace")


def _outcome(code: int, stopped: bool, output: str, errors: str) -> dict:
    """What a run's process said last; one that could not speak any more is judged by how it ended."""
    try:
        outcome = json.loads(output.splitlines()[-1])
        if "state" in outcome:
            return outcome
    except (ValueError, IndexError, TypeError):
        pass
    if code < 0:
        how = f"the run's process was ended by {signal.Signals(-code).name}"
        return {"state": "cancelled" if stopped else "failed", "error": how}
    said = [line.strip() for line in errors.splitlines() if line.strip()]
    return {"state": "failed", "error": said[-1] if said else f"the run's process ended with code {code}"}
