"""A stand-in for Saturn Cloud's HTTP interface, over a real Dask cluster, for the real dask-saturn client.

The answers follow what dask-saturn 0.4.4 reads: `POST api/dask_clusters` says `pending`, `starting`, `ready` or
`error`, and a refusal is a JSON object with a `message`. As on Saturn, a resource has one cluster, and a cluster is
ready once its scheduler is: the workers join later. Unlike there, a worker that dies is not replaced, certificates are
not signed (`…/csr`, which the client wants only off Saturn's machines) and a scheduler's size changes nothing.
"""

import asyncio
import contextlib
import json
import math
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
CLUSTER_ID = "0123456789abcdef0123456789abcdef"
SIZES = {  # name: what describe_sizes() shows, cores, memory in GB
    "medium": ("Medium - 2 cores - 4 GB RAM", 2, 4),
    "large": ("Large - 2 cores - 16 GB RAM", 2, 16),
    "xlarge": ("XLarge - 4 cores - 32 GB RAM", 4, 32),
}
SETTINGS = {"n_workers": 1, "worker_size": "medium", "scheduler_size": "medium", "nprocs": 1, "worker_is_spot": False}
SCHEDULER_SECONDS = 60.0
ANSWER_SECONDS = 10.0


class SaturnStandIn:
    """Saturn Cloud for one resource, on loopback, from entering a `with` to leaving it.

    Parameters
    ----------
    start_seconds : float, default 0.2
        Seconds for which a new cluster is pending before it starts. The client sleeps 5 to 9 s (or what is left of its
        `scheduler_service_wait_timeout`) before it asks again; with 0 the first answer is given once all is ready.
    settings : dict, optional
        What the resource's page on Saturn holds, for the options that a client does not send; see `SETTINGS`.
    worker_environment : dict of str, optional
        All variables of the worker processes, by default those of this process when the cluster starts.
    working_directory : Path, optional
        Where scheduler and workers run, by default an empty temporary folder.

    Attributes
    ----------
    environment : dict of str
        The variables that the client needs, with the token that it has to send.
    requests : list of (str, str, dict)
        Method, path and JSON body of each request, in the order of arrival.
    fail_with : str or None
        "unauthorized" refuses every token, "pending" never starts the cluster, "error" reports a broken one.
    stalled : str or None
        The last part of the paths that are not answered before the end: "info", "status", "scale", "dask_clusters", …
    """

    def __init__(self, start_seconds=0.2, settings=None, worker_environment=None, working_directory=None):
        self.start_seconds = start_seconds
        self.settings = SETTINGS | (settings or {})
        self.requests = []
        self.fail_with = None
        self.stalled = None
        self.ended = threading.Event()
        self._worker_environment = worker_environment
        self._working_directory = working_directory
        self._lock = threading.Lock()
        self._cluster = None
        self._start = None
        self._was_closed = False

    def __enter__(self):
        self._folder = tempfile.TemporaryDirectory(prefix="saturn-", ignore_cleanup_errors=True)
        self._server = ThreadingHTTPServer((LOOPBACK, 0), _Handler)
        self._server.daemon_threads = True
        self._server.saturn = self
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.environment = {
            "SATURN_BASE_URL": f"http://{LOOPBACK}:{self._server.server_port}/",
            "SATURN_TOKEN": secrets.token_hex(16),
            "SATURN_IS_INTERNAL": "true",
        }
        return self

    def __exit__(self, *exception):
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            if self._cluster:
                self._cluster.end()
        self._folder.cleanup()

    @property
    def process_ids(self):
        """Process ids of the live workers, a list of int."""
        return self._cluster.process_ids if self._cluster else []

    @property
    def workers(self):
        """Number of live worker processes."""
        return len(self.process_ids)

    @property
    def closed(self):
        """Whether a client has closed the cluster, and none has started it again."""
        return self._was_closed

    @property
    def status(self):
        """What `…/status` answers: pending, starting, running, error or closed."""
        status = self._cluster.check_status() if self._cluster else "closed"
        return self.fail_with if status != "closed" and self.fail_with in ("pending", "error") else status

    def answer(self, authorization, method, path, body):
        """The HTTP status and the JSON object that a request is answered with."""
        if self.fail_with == "unauthorized" or authorization != f"token {self.environment['SATURN_TOKEN']}":
            return 401, {"message": "The token is not valid."}
        match method, path.removeprefix("/api/dask_clusters").strip("/").split("/"):
            case "GET", ["info"]:
                sizes = [{"name": name, "display": display} for name, (display, _, _) in SIZES.items()]
                return 200, {"server_options": {"size": sizes}}
            case "POST", [""]:
                return 200, self._create(body)
            case "POST", ["reset"]:
                self._close()
                return 200, self._create(body)
            case _, [cluster_id, *action] if cluster_id == CLUSTER_ID and self._cluster:
                return self._answer_for_cluster(method, "".join(action), body)
        return 404, {"message": f"There is no {method} {path}."}

    def _answer_for_cluster(self, method, action, body):
        match method, action:
            case "GET", "" | "status":
                return 200, {"id": CLUSTER_ID, "status": self.status}
            case "POST", "close":
                self._close()
                return 200, {}
        if self.status != "running":
            return 409, {"message": f"The cluster is not running, its status is {self.status}."}
        match method, action:
            case "GET", "info":
                return 200, {
                    "scheduler_address": self._cluster.address,
                    "dashboard_link": f"http://{LOOPBACK}:{self._cluster.dashboard_port}/status",
                }
            case "GET", "scheduler_info":
                return 200, self._cluster.ask("identity", n_workers=-1)
            case "POST", "scale":
                self._cluster.scale(body["n"])
                return 200, {}
            case "POST", "adapt":
                self._cluster.adapt(body["minimum"], body["maximum"])
                return 200, {}
        return 404, {"message": f"A cluster has no {method} {action}."}

    def _create(self, options):
        with self._lock:
            if self._cluster is None or self._cluster.status == "closed":
                # Each start has its own folder: a scheduler's file of the last one would name a dead address.
                folder = Path(tempfile.mkdtemp(dir=self._folder.name))
                environment = dict(self._worker_environment or os.environ)
                directory = Path(self._working_directory or folder)
                self._cluster = _Cluster(self.settings | options, folder, environment, directory)
                self._was_closed = False
                self._start = threading.Thread(target=self._start_later, args=(self._cluster,), daemon=True)
                self._start.start()
        if not self.start_seconds and self.fail_with is None:
            self._start.join()
        status, current = self.status, self._cluster.settings
        ignored = [name for name, value in options.items() if current.get(name) != value]
        warnings = [f"The cluster exists; its settings are not changed: {', '.join(ignored)}."] if ignored else []
        errors = ["The cluster could not be started."] if status == "error" else []
        status = "ready" if status == "running" else status
        return {"id": CLUSTER_ID, "status": status, "warnings": warnings, "errors": errors}

    def _start_later(self, cluster):
        self.ended.wait(self.start_seconds)
        while self.fail_with in ("pending", "error") and not self.ended.wait(0.05):
            pass
        if not self.ended.is_set():
            cluster.start()

    def _close(self):
        with self._lock:
            if self._cluster:
                self._cluster.end()
            self._was_closed = True


class _Cluster:
    """A real Dask scheduler and its workers, each a process that leads a group of its own."""

    def __init__(self, settings, folder, environment, directory):
        self.settings = settings
        self.status = "pending"
        self._folder, self._environment, self._directory = folder, environment, directory
        self._lock = threading.RLock()
        self._scheduler = None
        self._workers = []  # a list of worker processes for each of Saturn's workers
        self._bounds = None

    @property
    def process_ids(self):
        return [process.pid for group in list(self._workers) for process in group if process.poll() is None]

    def check_status(self):
        if self.status == "running" and self._scheduler.poll() is not None:
            self.status = "error"
        return self.status

    def start(self):
        file = self._folder / "scheduler.json"
        arguments = ["--port", "0", "--dashboard-address", f"{LOOPBACK}:0", "--scheduler-file", str(file)]
        with self._lock:
            if self.status != "pending":  # closed meanwhile
                return
            self.status = "starting"
            # Its own end, in case a killed test run cannot bring it; the workers follow their scheduler.
            self._scheduler = self._spawn("scheduler", [*arguments, "--idle-timeout", "5 minutes"], os.environ)
        deadline = time.monotonic() + SCHEDULER_SECONDS
        while self.status == "starting" and not self._read_address(file):
            if self._scheduler.poll() is not None or time.monotonic() > deadline:
                self.status = "error"
            time.sleep(0.05)
        with self._lock:
            if self.status == "starting":
                self.scale(self.settings["n_workers"])
                self.status = "running"

    def scale(self, n, bounds=None):
        with self._lock:
            self._bounds = bounds
            while len(self._workers) < n and self.status != "closed":
                self._workers.append(self._spawn_worker(len(self._workers)))
            numbers = range(n, len(self._workers))
            names = [f"{number}-{process}" for number in numbers for process in range(self.settings["nprocs"])]
            if names:
                self.ask("retire_workers", names=names, close_workers=True)
                retired = [process for group in self._workers[n:] for process in group]
                _wait(retired)  # they end by themselves, and hang if they are told to meanwhile
                _end(retired)
                del self._workers[n:]

    def adapt(self, minimum, maximum):
        bounds = (minimum, maximum)
        self.scale(min(max(len(self._workers), minimum), maximum), bounds)
        threading.Thread(target=self._follow_load, args=(bounds,), daemon=True).start()

    def ask(self, operation, **arguments):
        """What the scheduler answers, over Dask's own protocol."""

        async def ask():
            from distributed.core import rpc

            async with rpc(self.address) as scheduler:
                return await getattr(scheduler, operation)(**arguments)

        # Limited, since the lock is held meanwhile and leaving the `with` waits for it.
        return asyncio.run(asyncio.wait_for(ask(), ANSWER_SECONDS))

    def end(self):
        with self._lock:
            self.status = "closed"
            # In this order: a worker whose scheduler goes first waits for it.
            _end([process for group in self._workers for process in group])
            _end([self._scheduler] if self._scheduler else [])
            self._workers = []

    def _follow_load(self, bounds):
        # A later scale or adapt puts other bounds in the place of these.
        while self.status == "running" and self._bounds is bounds:
            with contextlib.suppress(OSError), self._lock:
                wanted = math.ceil(self.ask("adaptive_target") / self.settings["nprocs"])
                if self.status == "running" and self._bounds is bounds:
                    self.scale(min(max(wanted, bounds[0]), bounds[1]), bounds)
            time.sleep(0.5)

    def _read_address(self, file):
        with contextlib.suppress(OSError, ValueError):
            identity = json.loads(file.read_text(encoding="utf-8"))
            self.address, self.dashboard_port = identity["address"], identity["services"]["dashboard"]
            return True
        return False

    def _spawn_worker(self, number):
        _, cores, memory = SIZES[self.settings["worker_size"]]
        processes = self.settings["nprocs"]
        options = {
            "--nthreads": str(self.settings.get("nthreads") or max(1, cores // processes)),
            "--memory-limit": f"{memory / processes}GB",
            "--local-directory": str(self._folder),
            # Even with --no-dashboard a worker has a web server, without an address on 0.0.0.0.
            "--dashboard-address": f"{LOOPBACK}:0",
            "--death-timeout": "60",
        }
        # Without a nanny the process that is started is the one that works; nprocs are so many processes here.
        arguments = [self.address, "--no-nanny", "--no-dashboard", *(part for pair in options.items() for part in pair)]
        names = [f"{number}-{process}" for process in range(processes)]
        return [self._spawn("worker", [*arguments, "--name", name], self._environment) for name in names]

    def _spawn(self, kind, arguments, environment):
        # -P: as under the `dask` command, the working directory is not on sys.path.
        command = [sys.executable, "-P", "-m", f"distributed.cli.dask_{kind}", "--host", LOOPBACK, *arguments]
        with (self._folder / f"{kind}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self._directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        saturn, path = self.server.saturn, urlsplit(self.path).path
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw or "{}")
        except ValueError:
            body = {}
        saturn.requests.append((self.command, path, body))
        if saturn.stalled and path.endswith(f"/{saturn.stalled}"):
            saturn.ended.wait()
            return
        try:
            code, answer = saturn.answer(self.headers.get("Authorization"), self.command, path, body)
        except Exception as error:  # the client reads `message` from every refusal
            code, answer = 500, {"message": repr(error)}
        # Once it has computed, a scheduler's identity holds a few dicts with tuples for keys, which JSON has not.
        content = json.dumps(answer, default=str, skipkeys=True).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)

    do_POST = do_GET

    def log_message(self, *arguments):
        pass  # stderr belongs to the test


def _end(processes):
    """End each process, and what it has started, by its id."""
    for process in processes:
        process.terminate()
    _wait(processes)
    for process in processes:
        # The group outlives its leader if a task has started a process.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait(processes, seconds=3.0):
    deadline = time.monotonic() + seconds
    for process in processes:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0, deadline - time.monotonic()))
