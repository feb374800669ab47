"""Ways in which `daybook serve` starts a run's process: forked from a zygote, or as a fresh `daybook run`."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from helpers.child_runs import COMMAND
from helpers.exceptions import RunError
from helpers.masking import VARIABLE
from helpers.zygote_process import ZygoteProcess

HELPERS = Path(__file__).parent
SERVED = {"DAYBOOK_SERVED": "1"}  # what tells a run that its schedule's process answers for it


@dataclass(frozen=True)
class Request:
    """What a run is started with.

    Attributes
    ----------
    notebook : Path
    given : dict
        Parameters, with their secrets.
    scheduled_at, schedule, flow_run : str or None
    attempt : int
    timeout : float or None
        Seconds.
    overlap : {"skip", "queue"}
    environment : dict of str to str
        Added to this process's.
    """

    notebook: Path
    given: dict
    scheduled_at: str | None
    schedule: str | None
    flow_run: str | None = None
    attempt: int = 1
    timeout: float | None = None
    overlap: str = "skip"
    environment: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Ended:
    """How a run's process ended.

    Attributes
    ----------
    code : int
        As `daybook run`'s; negative for a signal.
    outcome : dict or None
        See `execution.Outcome`; None when the process died before it could say.
    refused : str or None
        Why the run could not start.
    """

    code: int
    outcome: dict | None = None
    refused: str | None = None


class ColdStarter:
    """Starts each run as a `daybook run` of its own: everything is imported anew."""

    name = "cold"

    def __init__(self):
        self._going: dict[str, subprocess.Popen] = {}

    def start(self, request: Request) -> tuple[str, int]:
        """Start a run.

        Returns
        -------
        str, int
            A key for `ended`, and the process id, which leads a session of its own.
        """
        command = [*COMMAND, str(request.notebook), "-f", "/dev/stdin", "--json"]
        command += ["--overlap", request.overlap]
        command += ["--scheduled-at", request.scheduled_at] if request.scheduled_at else []
        command += ["--timeout", str(request.timeout)] if request.timeout else []
        told = SERVED | {"DAYBOOK_SCHEDULE": request.schedule, "DAYBOOK_ATTEMPT": str(request.attempt)}
        told["PREFECT__FLOW_RUN_ID"] = request.flow_run
        environment = os.environ | {name: value or "" for name, value in told.items()} | request.environment
        environment.pop(VARIABLE, None)  # a run is given its own secrets, and has no business with those of others
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            start_new_session=True,
        )
        # Through a pipe: on a command line everybody on the machine could read a password.
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            json.dump(request.given, pipe)
        key = uuid.uuid4().hex
        self._going[key] = process
        return key, process.pid

    def ended(self) -> dict[str, Ended]:
        """The runs that have ended since the last call."""
        found = {key: process for key, process in self._going.items() if process.poll() is not None}
        for key in found:
            del self._going[key]
        return {key: _as_said(process) for key, process in found.items()}

    def close(self) -> None:
        """Kill what still runs."""
        for process in self._going.values():
            _kill_session(process.pid)
            process.wait()


def _as_said(process: subprocess.Popen) -> Ended:
    """The outcome that `daybook run --json` prints last."""
    with process.stdout as pipe:
        lines = pipe.read().splitlines()
    try:
        said = json.loads(lines[-1])
    except (IndexError, ValueError):
        return Ended(process.returncode)
    if process.returncode == 2:
        return Ended(2, refused=said["error"])
    return Ended(process.returncode, said)


class WarmStarter:
    """Forks each run from a zygote, which has imported what the kernels of the last runs had imported.

    What is imported beforehand are installed packages and these helpers: a module that lies beside a notebook is
    imported by each run itself, as it is then.
    """

    name = "warm"

    def __init__(self):
        self._learned: set[str] = set()
        self._refused: set[str] = set()
        self._sources = _fingerprint()
        self._zygote = ZygoteProcess(set())
        self._successor: ZygoteProcess | None = None  # is importing what was learned, while the other one serves
        self._retired: list[ZygoteProcess] = []

    def start(self, request: Request) -> tuple[str, int]:
        """As `ColdStarter.start`."""
        if self._sources != (sources := _fingerprint()):
            self._sources = sources
            self._drop_successor()
            self._replace(ZygoteProcess(self._learned - self._refused))
        key = uuid.uuid4().hex
        names = ("scheduled_at", "schedule", "flow_run", "attempt", "timeout", "overlap")
        asked = {"id": key, "notebook": str(request.notebook), "given": request.given}
        asked |= {
            "environment": SERVED | request.environment,
            "options": {name: getattr(request, name) for name in names},
        }
        try:
            return key, self._zygote.fork(asked)
        except RunError:  # it was killed
            self._replace(ZygoteProcess(self._learned - self._refused))
            return key, self._zygote.fork(asked)

    def ended(self) -> dict[str, Ended]:
        """As `ColdStarter.ended`."""
        found: dict[str, Ended] = {}
        for zygote in (self._zygote, *self._retired):
            for said in zygote.ended():
                found[said["id"]] = Ended(said["code"], said.get("outcome"), said.get("refused"))
                self._learned.update(said.get("modules", ()))
        for zygote in [zygote for zygote in self._retired if not zygote.going]:
            zygote.close()
            self._retired.remove(zygote)
        self._prepare()
        return found

    def close(self) -> None:
        """End the zygote, and with it what still runs."""
        self._drop_successor()
        for zygote in (self._zygote, *self._retired):
            zygote.close()

    def _prepare(self) -> None:
        """Have a successor import what was learned, and let it take over when it is ready."""
        if self._zygote.has_died and self._zygote.is_ready:  # and not one that cannot start at all
            self._replace(ZygoteProcess(self._learned - self._refused))
        if self._successor:
            self._look_at_successor(self._successor)
        if not self._successor and (wanted := self._learned - self._refused - self._zygote.modules):
            self._successor = ZygoteProcess(self._zygote.modules | wanted)

    def _look_at_successor(self, successor: ZygoteProcess) -> None:
        successor.ended()  # none has; takes in what it says
        if successor.threaded or (successor.has_died and not successor.is_ready):
            # What starts a thread in it, or ends it, is left to each run.
            self._refused |= successor.threaded or successor.modules - self._zygote.modules
            self._drop_successor()
        elif successor.is_ready:
            self._successor = None
            self._replace(successor)

    def _replace(self, zygote: ZygoteProcess) -> None:
        """Fork from another one from now on; the old one stays until its runs have ended."""
        self._retired.append(self._zygote)
        self._zygote = zygote

    def _drop_successor(self) -> None:
        if self._successor:
            self._successor.close()
            self._successor = None


def choose(cold: bool, say: Callable[[str], None]) -> ColdStarter | WarmStarter:
    """The way in which runs are started.

    Parameters
    ----------
    cold : bool
        As the person asked.
    say : callable
        Takes a line for the person, when there is no choice.
    """
    if not cold and sys.platform == "darwin":
        say("runs start as fresh interpreters, as with --cold: macOS's frameworks do not survive a fork")
        cold = True
    return ColdStarter() if cold else WarmStarter()


def _fingerprint() -> dict[str, int]:
    """When each helper was changed last."""
    return {entry.path: entry.stat().st_mtime_ns for entry in os.scandir(HELPERS) if entry.name.endswith(".py")}


def _kill_session(pid: int) -> None:
    with contextlib.suppress(OSError):
        os.killpg(pid, signal.SIGKILL)
