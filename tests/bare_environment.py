"""A Python environment that knows Dask, pandas, pyarrow and Prefect and nothing of ours, made without a network."""

import json
import os
import subprocess
import sys
import time
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Self

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES = ("dask", "distributed", "pandas", "pyarrow", "prefect")


def make_environment(folder: Path, packages: tuple[str, ...] = PACKAGES) -> Path:
    """Make a virtual environment of these packages, and what they require, out of the running one.

    Parameters
    ----------
    folder : Path
        Where the environment is to be; its packages are links into the running environment's.
    packages : tuple of str
        Distributions, as `pip install` takes them.

    Returns
    -------
    Path
        The environment's interpreter, of the running one's version.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    said = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    )
    site = Path(said.stdout.strip())
    for needed in closure(packages):
        for entry in _entries(needed):
            link = site / entry.name
            if not link.exists():
                link.symlink_to(entry)
    return python


def closure(packages: tuple[str, ...]) -> list[Distribution]:
    """The installed distributions of these names and of all that they require here, each once."""
    found: dict[str, Distribution] = {}
    seen = set()
    waiting = [Requirement(name) for name in packages]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (key := (name, frozenset(requirement.extras))) in seen:
            continue
        seen.add(key)
        found[name] = distribution(name)
        for required in map(Requirement, found[name].requires or []):
            marker = required.marker
            if not marker or any(marker.evaluate({"extra": extra}) for extra in ("", *requirement.extras)):
                waiting.append(required)
    return list(found.values())


def _entries(needed: Distribution) -> set[Path]:
    """What the distribution has put into its `site-packages`: folders and single modules, not its programs."""
    site = Path(needed.locate_file(""))
    tops = {Path(file).parts[0] for file in needed.files or []} - {"..", "__pycache__", "/"}
    return {site / top for top in tops if (site / top).exists()}


class BareCluster:
    """A Dask scheduler and workers that are started from such an environment, in an empty folder.

    Parameters
    ----------
    python : Path
        The environment's interpreter.
    folder : Path
        Made, and used for the processes' files.
    host : str, default "127.0.0.1"
        The scheduler's address.
    prefix : tuple of str
        Put before the scheduler's command, such as `ip netns exec hub`.
    environment : dict of str to str, optional
        Variables for all processes, such as Dask's settings.
    """

    def __init__(self, python: Path, folder: Path, host: str = "127.0.0.1", prefix=(), environment=None):
        self.python, self.folder = python, folder
        self.environment = environment or {}
        self.processes: list[subprocess.Popen] = []
        (folder / "empty").mkdir(parents=True)
        described = folder / "scheduler.json"
        options = ["--host", host, "--port", "0", "--no-dashboard", "--scheduler-file", str(described)]
        self._start("dask_scheduler", options, prefix)
        self._wait(described.exists)
        self.address = json.loads(described.read_text())["address"]

    def add_worker(self, host: str = "127.0.0.1", prefix=(), python: Path | None = None, **variables: str):
        """Start a worker with one thread; it is there when the scheduler says so."""
        scratch = str(self.folder / f"scratch-{len(self.processes)}")
        options = [self.address, "--host", host, "--nthreads", "1", "--local-directory", scratch]
        options += ["--no-nanny", "--no-dashboard"]
        return self._start("dask_worker", options, prefix, python, variables)

    def _start(self, program: str, options: list[str], prefix=(), python: Path | None = None, variables=None):
        # -P: Python would look for modules in the working directory.
        command = [*prefix, str(python or self.python), "-P", "-m", f"distributed.cli.{program}", *options]
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        with (self.folder / f"{program}-{len(self.processes)}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder / "empty",
                env=kept | self.environment | (variables or {}),
            )
        self.processes.append(process)
        return process

    def _wait(self, is_so, seconds: float = 60) -> None:
        ends = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > ends or self.processes[-1].poll() is not None:
                self.close()
                logs = [log.read_text() for log in self.folder.glob("*.log")]
                raise RuntimeError("the cluster did not start: " + "\n".join(logs)[-2000:])
            time.sleep(0.05)

    def close(self) -> None:
        """Kill the processes: they have no children and nothing to save, and ending in peace can take them 10 s."""
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error) -> None:
        self.close()
