"""`daybook serve` as a real process, and what its runs, its server and the machine say of it."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Self

import httpx
import psutil

from helpers import runs, served_state

DAYBOOK = [sys.executable, "-c", "from helpers.command_line import main; main()"]
START_SECONDS = 120.0  # on a machine where others work too
SLEEPS = """
import os, time
from datetime import UTC, datetime
def note(what):
    tick, attempt = os.environ.get("DAYBOOK_SCHEDULED_AT"), os.environ.get("DAYBOOK_ATTEMPT") or 1
    with open(journal, "a") as file:
        print(what, os.environ["DAYBOOK_RUN"], time.time(), tick or "-", attempt, os.getpid(), file=file)
note("begin")
"""
# What a notebook's own code leaves behind when it is killed: a program in a session of its own.
LEAVES_A_PROGRAM = "import subprocess; subprocess.Popen(['sleep', '1000'], start_new_session=True)"


def cells(seconds: float, *more: str) -> list[str]:
    """A notebook that writes into its parameter `journal` when it begins and when it ends."""
    return [SLEEPS, *more, f"time.sleep({seconds})", "note('end')"]


def factory(write_nb, tmp_path: Path, url: str | None = None) -> Callable[..., "Serve"]:
    """What makes a `Serve` of a notebook of some cells, named anew each time: tests share a Prefect server."""

    def make(code: list[str], *options: str) -> Serve:
        name = f"n{uuid.uuid4().hex[:8]}"
        notebook = write_nb(code, f"journal: str = {str(tmp_path / f'{name}.journal')!r}", f"{name}.ipynb")
        return Serve(notebook, *options, url=url)

    return make


class Serve:
    """A `daybook serve`, for a `with` block; at the end it is killed with all that it has started.

    Parameters
    ----------
    notebook : Path
        Or a file of schedules.
    *options : str
    url : str, optional
        The address of the Prefect server; without it, serve starts the home's own.
    """

    def __init__(self, notebook: Path, *options: str, url: str | None = None):
        self.notebook = notebook
        self.name = notebook.stem
        self.options = options
        self.url = url
        self.log = notebook.with_suffix(".serve.log")
        self.journal = notebook.with_suffix(".journal")
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_) -> None:
        children = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        self.process.kill()
        self.process.wait()
        for child in children:
            if psutil.pid_exists(child.pid):
                child.kill()
        runs.end_going(set(served_state.names()))
        if self.url:
            # A schedule that is left would make the server busy until the last test has ended.
            for deployment in ask(self.url, "deployments/filter", deployments={"name": {"any_": list(self.names())}}):
                ask(self.url, f"deployments/{deployment['id']}", "DELETE")

    def names(self) -> set[str]:
        """The schedules that it serves."""
        return {self.name, *served_state.names()}

    def start(self) -> None:
        """Start it, for the first time or again."""
        environment = os.environ | ({"PREFECT_API_URL": self.url} if self.url else {})
        if not self.url:
            environment.pop("PREFECT_API_URL", None)
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [*DAYBOOK, "serve", str(self.notebook), *self.options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
            )

    def said(self) -> str:
        """What it has printed so far."""
        return self.log.read_text()

    def wait_for_line(self, text: str, seconds: float = START_SECONDS, number: int = 1) -> None:
        """Wait until it has said this so many times."""
        self.wait(lambda: self.said().count(text) >= number, seconds, f"{text!r} was not said")

    def wait(self, is_so, seconds: float = START_SECONDS, what: str = "it did not happen"):
        """Wait until this function's value is true, and return it."""
        ends = time.monotonic() + seconds
        while not (value := is_so()):
            assert self.process.poll() is None, f"it has ended:\n{self.said()}"
            assert time.monotonic() < ends, f"{what} within {seconds} s:\n{self.said()}"
            time.sleep(0.05)
        return value

    def end(self, number: int, seconds: float = 60.0) -> float:
        """Send a signal; how many seconds it took to end."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(seconds)
        return time.monotonic() - began

    def kill(self) -> None:
        """`kill -9`."""
        self.end(signal.SIGKILL)

    def runs(self) -> list[dict]:
        """The runs of its schedules, oldest first."""
        return [facts for facts in reversed(runs.listing()) if facts["schedule"] in self.names()]

    def states(self) -> Counter:
        """How many runs there are of each state."""
        return Counter(facts["state"] for facts in self.runs())

    def wait_for_state(self, state: str, number: int = 1, seconds: float = START_SECONDS) -> list[dict]:
        """Wait until so many runs have ended in this state; those runs."""

        def found() -> list[dict]:
            return [facts for facts in self.runs() if facts["state"] == state and facts["finished_at"]]

        self.wait(lambda: len(found()) >= number, seconds, f"{number} {state} runs")
        return found()

    def wait_for_run(self, seconds: float = START_SECONDS) -> dict:
        """Wait until the cells of a run are going; its facts."""

        def found() -> list[dict]:
            begun = {run for _, run, *_ in self.noted("begin")} - {run for _, run, *_ in self.noted("end")}
            return [facts for facts in self.runs() if facts["run"] in begun and facts["state"] == "running"]

        return self.wait(found, seconds, "no run began")[0]

    def noted(self, what: str) -> list[list[str]]:
        """Lines of the notebook's journal: what, run, time, tick, attempt, process."""
        text = self.journal.read_text() if self.journal.exists() else ""
        return [line.split() for line in text.splitlines() if line.startswith(what)]

    def flow_runs(self) -> list[dict]:
        """The flow runs of its deployment that are past or going."""
        found = ask(self.url, "flow_runs/filter", deployments={"name": {"any_": [self.name]}}, limit=200)
        return [one for one in found if one["state_name"] not in ("Scheduled", "Late")]

    def deployment(self) -> dict:
        """Its deployment, of which there is one."""
        [found] = ask(self.url, "deployments/filter", deployments={"name": {"any_": [self.name]}})
        return found

    def assert_never_two(self) -> None:
        """No run's cells began before the last run's had ended, as the notebook itself has noted."""
        text = self.journal.read_text()
        order = [line.split()[0] for line in text.splitlines()]
        assert order == ["begin", "end"] * (len(order) // 2) + ["begin"] * (len(order) % 2), text

    def assert_one_record_a_tick(self, gap: float) -> list[str]:
        """Each tick from the first to the last has exactly one record; those ticks."""
        ticks = sorted(facts["scheduled_at"] for facts in self.runs())
        assert len(set(ticks)) == len(ticks), ticks
        assert self.gaps(gap) == []
        return ticks

    def gaps(self, gap: float) -> list[str]:
        """The ticks after which one of this distance in seconds has no record."""
        ticks = sorted({facts["scheduled_at"] for facts in self.runs()})
        times = [datetime.fromisoformat(tick).timestamp() for tick in ticks]
        return [ticks[n] for n in range(len(ticks) - 1) if round(times[n + 1] - times[n] - gap, 3)]


def ask(url: str, path: str, method: str = "POST", **body):
    """Ask a Prefect server, without its client."""
    # Its SQLite is locked now and then, on a machine where others work too.
    ends = time.monotonic() + START_SECONDS
    while (answer := httpx.request(method, f"{url}/{path}", json=body, timeout=60)).status_code == 503:
        assert time.monotonic() < ends, answer.text
        time.sleep(0.5)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def of_run(run: str) -> list[psutil.Process]:
    """The live processes that have the run's name in their environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("DAYBOOK_RUN") == run and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            pass
    return found


def alive(identities: list) -> list[int]:
    """Which of these processes, as `runs.identity` makes them, live."""
    found = []
    for pid, created in identities:
        try:
            process = psutil.Process(pid)
            if abs(process.create_time() - created) < 1 and process.status() != psutil.STATUS_ZOMBIE:
                found.append(pid)
        except psutil.Error:
            pass
    return found


def family(pid: int) -> list[list]:
    """A process and all below it, as `runs.identity` makes them."""
    process = psutil.Process(pid)
    return [runs.identity(one.pid) for one in (process, *process.children(recursive=True))]


def assert_nothing_left(home: Path, processes: list, port: int | None = None) -> None:
    """None of these processes, no lock, no unfinished run, nobody at the port."""
    assert alive(processes) == []
    assert held_locks(home) == []
    assert not [path for path in home.iterdir() if path.name.endswith(".part") or path.name.startswith(".2")]
    if port:
        with contextlib.closing(socket.socket()) as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def held_locks(home: Path) -> list[str]:
    """The locks of a home that a process holds."""
    held = {int(line.split()[5].split(":")[2]) for line in Path("/proc/locks").read_text().splitlines()}
    return [path.name for path in home.rglob("*.lock") if path.stat().st_ino in held]


def described(path: Path) -> dict:
    """A JSON file's contents."""
    return json.loads(path.read_text())
