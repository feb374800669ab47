"""What is installed, reachable or wrong on this machine, and the command that mends it."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata

from helpers import prefect_server
from helpers.exceptions import DaybookError
from helpers.home import REPOSITORY, home
from helpers.masking import mask

LOCK = REPOSITORY / "requirements.lock"
ENOUGH_BYTES = 2**30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    subject, what : str
    mend : str
        The command that mends it; empty when nothing is wrong.
    """

    subject: str
    what: str
    mend: str = ""

    @property
    def is_fine(self) -> bool:
        """Whether nothing is to be mended."""
        return not self.mend


def findings() -> Iterator[Finding]:
    """Look at everything in turn."""
    yield _python()
    yield _packages()
    yield _kernel()
    yield (found := _home())
    if found.is_fine:  # what follows looks into it
        yield _prefect()
        yield _store()
    yield _saturn()


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    wrong = not (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding("Python", version, "install Python 3.11, 3.12 or 3.13, then: make env" if wrong else "")


def _packages() -> Finding:
    """The installed versions against the lock's, which holds for some packages one version for each Python."""
    if not LOCK.exists():
        return Finding("packages", "no requirements.lock beside the helpers, so not compared")
    pins: dict[str, set[str]] = {}
    for name, version in re.findall(r"(?m)^([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)", LOCK.read_text()):
        pins.setdefault(name, set()).add(version)
    installed = {d.metadata["Name"].lower().replace("_", "-"): d.version for d in metadata.distributions()}
    other = [
        f"{n} {installed[n]} (locked {' or '.join(pins[n])})"
        for n in pins
        if installed.get(n, "") not in pins[n] | {""}
    ]
    absent = [name for name in _named() if name not in installed]
    if absent or other:
        said = [f"not installed: {', '.join(absent)}"] if absent else []
        said += [f"not as locked: {', '.join(other[:5])}"] if other else []
        return Finding("packages", "; ".join(said), "make env")
    return Finding("packages", f"{len(installed)} installed, as locked")


def _named() -> list[str]:
    """The packages that pyproject.toml names, as far as this daybook was installed with its metadata."""
    requirements = metadata.requires("daybook") or []
    return [re.match(r"[\w.-]+", r)[0].lower().replace("_", "-") for r in requirements if "extra ==" not in r]


def _kernel() -> Finding:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    try:
        command = KernelSpecManager().get_kernel_spec("python3").argv[0]
    except NoSuchKernel:
        return Finding("kernel", "no kernel named python3", "make env")
    folder, own = os.path.dirname(command), os.path.dirname(sys.executable)
    same = not folder or os.path.realpath(folder) == os.path.realpath(own)
    mend = f"{sys.executable} -m ipykernel install --sys-prefix"
    return Finding("kernel", f"python3 runs {command}", "" if same else mend)


def _home() -> Finding:
    try:
        folder = home()
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Finding("home", f"cannot be written ({error})", "export DAYBOOK_HOME=/a/folder/of/yours")
    free = shutil.disk_usage(folder).free
    said = f"{folder}, {free / 2**30:.1f} GB free"
    return Finding("home", said, "" if free > ENOUGH_BYTES else "free space, or export DAYBOOK_HOME=/another/disk")


def _prefect() -> Finding:
    if url := os.environ.get("PREFECT_API_URL"):
        fine = prefect_server.is_healthy(url)
        said = f"PREFECT_API_URL={mask(url)} {'answers' if fine else 'does not answer'}"
        return Finding("Prefect server", said, "" if fine else "unset PREFECT_API_URL, or start that server")
    server = prefect_server.find()
    return Finding("Prefect server", f"up at {server.page}" if server else "not up; the first run starts it")


def _store() -> Finding:
    from helpers.trials import TrialStore

    try:
        store = TrialStore()
        return Finding("trial store", f"{store}, {len(store.documents())} trials")
    except DaybookError as error:
        return Finding("trial store", str(error), "correct DAYBOOK_STORE, or start the database")


def _saturn() -> Finding:
    names = [name for name in ("SATURN_BASE_URL", "SATURN_TOKEN") if os.environ.get(name)]
    if not names:
        return Finding("Saturn Cloud", "not configured, so cluster 'saturn' is not available")
    from helpers import saturn

    try:
        return Finding("Saturn Cloud", saturn.sizes())
    except DaybookError as error:
        return Finding("Saturn Cloud", str(error), "set SATURN_BASE_URL and SATURN_TOKEN as Saturn shows them")
