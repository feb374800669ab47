"""The one Prefect server of this home: the one that `PREFECT_API_URL` names, else a local one, started once.

Without an address Prefect starts a server for every flow and every Dask worker (250 MB and 9 s each), so every process
of daybook's is given one here before it imports Prefect.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
from filelock import FileLock

from helpers.exceptions import ServerError
from helpers.home import subfolder, write_whole
from helpers.masking import mask

START_SECONDS = 120.0  # 9 s usually, 18 s in a fresh home, more on a busy machine
HEALTH_SECONDS = 5.0
STOP_SECONDS = 15.0

# What Prefect is told wherever daybook runs it; a value that the person has set stands.
SETTINGS = {
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",  # a missing server is an error, not one more server
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",  # without a network, telemetry ends in "database is locked"
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_SETTINGS_PATH": str(Path(__file__).with_name("prefect_logging.yml")),
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "DASK_LOGGING__DISTRIBUTED": "warning",
}


@dataclass(frozen=True)
class LocalServer:
    """A local Prefect server's process.

    Attributes
    ----------
    pid : int
    created : float
        When the process started, seconds since 1970, as `psutil` says: a process id alone is used again.
    url : str
        The API's address.
    """

    pid: int
    created: float
    url: str

    @property
    def page(self) -> str:
        """The address of Prefect's page."""
        return self.url.removesuffix("/api")

    @property
    def process(self) -> psutil.Process | None:
        """The process, or None when it has ended."""
        try:
            process = psutil.Process(self.pid)
            alive = abs(process.create_time() - self.created) < 1 and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return process if alive else None


def connect() -> str:
    """Find or start the server, and tell this process and its children about it.

    To be called before Prefect is imported, which reads its settings then; where it is imported already, they are read
    again.

    Returns
    -------
    str
        The API's address, now also in the environment.

    Raises
    ------
    ServerError
        When the server that `PREFECT_API_URL` names does not answer, or the local one does not start.
    """
    os.environ.update(environment())
    if imported := sys.modules.get("prefect.context"):
        # Such as by the check of a cron line. Its settings of then would have it start a server of its own.
        imported.refresh_global_settings_context()
    return os.environ["PREFECT_API_URL"]


def environment() -> dict[str, str]:
    """The environment variables that `connect` sets, after making sure of the server."""
    named = os.environ.get("PREFECT_API_URL")
    if named:
        _refuse_unfit(named)
    settings = {name: os.environ.get(name, value) for name, value in SETTINGS.items()}
    settings["PREFECT_HOME"] = os.environ.get("PREFECT_HOME") or str(subfolder("prefect"))
    return settings | {"PREFECT_API_URL": named or start().url}


def find() -> LocalServer | None:
    """The local server of this home that is up, or None."""
    server = recorded()
    return server if server and server.process and is_healthy(server.url) else None


def start() -> LocalServer:
    """The local server of this home, started unless it is up; of many callers at once one starts it.

    Raises
    ------
    ServerError
        When it ends or does not answer within `START_SECONDS`; the message has its last words.
    """
    if server := find():
        return server
    with FileLock(subfolder("prefect") / "server.lock"):
        if server := find():
            return server
        stop()  # one that is there but does not answer
        return _launch(_port())


def stop(seconds: float = STOP_SECONDS) -> bool:
    """End the local server of this home, by force after so many seconds; False when there was none."""
    server = recorded()
    process = server and server.process
    if process:
        with contextlib.suppress(psutil.NoSuchProcess):
            family = [process, *process.children(recursive=True)]
            process.send_signal(signal.SIGTERM)
            _, left = psutil.wait_procs(family, timeout=seconds)
            for member in left:
                member.kill()
            psutil.wait_procs(left, timeout=STOP_SECONDS)
    # The record stays: the next server takes the same port, so that a bookmark of Prefect's page lasts.
    return bool(process)


def is_healthy(url: str) -> bool:
    """Whether a Prefect server answers at this API address within `HEALTH_SECONDS`."""
    return _asked(url, "health") is not None


def _refuse_unfit(url: str) -> None:
    """Refuse an address where no Prefect server answers, or one of another major version."""
    named = f"the Prefect server at PREFECT_API_URL={mask(url)}"
    if not is_healthy(url):
        raise ServerError(f"{named} does not answer; start it, or unset the variable")
    theirs, ours = _asked(url, "admin/version"), version("prefect")
    # Prefect keeps its API compatible within a major version; older servers leave out what they do not know.
    if not isinstance(theirs, str) or theirs.split(".")[0] != ours.split(".")[0]:
        said = f"is version {theirs}" if isinstance(theirs, str) else "does not say its version"
        raise ServerError(f"{named} {said}, this daybook speaks to {ours.split('.')[0]}.x; name another, or unset it")


def _asked(url: str, path: str) -> object:
    """What a server answers to a question, from JSON; None when it does not."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}) if "127.0.0.1" in url else urllib.request.ProxyHandler()
    )
    try:
        with opener.open(f"{url.rstrip('/')}/{path}", timeout=HEALTH_SECONDS) as answer:
            return json.loads(answer.read(2**16)) if answer.status == 200 else None
    except (OSError, ValueError, http.client.HTTPException):
        return None


def _launch(port: int) -> LocalServer:
    log = subfolder("prefect") / "server.log"
    # Nothing of the run that happens to start it: it outlives that, and has no use for its secrets.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    environment = {name: value for name, value in kept.items() if name != "PREFECT_API_URL"} | SETTINGS
    environment["PREFECT_HOME"] = str(subfolder("prefect"))
    environment["PREFECT_SERVER_UI_API_URL"] = f"http://127.0.0.1:{port}/api"  # its page asks at port 4200 otherwise
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=subfolder("prefect"),
            start_new_session=True,  # Ctrl-C in the terminal of the run that started it is not for the server
        )
    server = LocalServer(child.pid, psutil.Process(child.pid).create_time(), f"http://127.0.0.1:{port}/api")
    _write_record(server)
    print("Starting the local Prefect server, once (about 10 s) …", file=sys.stderr, flush=True)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise ServerError(f"the Prefect server ended with code {child.returncode}: {_last_line(log)}; see {log}")
        if is_healthy(server.url):
            return server
        time.sleep(0.1)
    stop()
    raise ServerError(f"the Prefect server did not answer within {START_SECONDS:.0f} s: {_last_line(log)}; see {log}")


def _port() -> int:
    """The port of the last server of this home if it is free, else any free one."""
    last = recorded()
    for port in (int(last.url.split(":")[2].split("/")[0]) if last else 0, 0):
        with socket.socket() as probe:
            # As the server does itself: connections that it just closed do not keep the port from it.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise ServerError("no free port on 127.0.0.1 for the Prefect server")


def _record() -> Path:
    return subfolder("prefect") / "server.json"


def recorded() -> LocalServer | None:
    """The local server that was started last in this home, whether it is up or not."""
    try:
        return LocalServer(**json.loads(_record().read_text()))
    except (OSError, ValueError, TypeError):
        return None  # none was ever started here, or the record was cut short: then there is nothing to find


def _write_record(server: LocalServer) -> None:
    write_whole(_record(), json.dumps(asdict(server)))


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
