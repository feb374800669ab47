"""Fixtures: a home of the test's own, the real log, one Prefect server, tiny notebooks, a real PostgreSQL."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import nbformat
import pytest

from helpers import prefect_server

REPOSITORY = Path(__file__).resolve().parents[1]
REAL_LOG = REPOSITORY.parent / "shared" / "data" / "incident_event_log.zip"


def pytest_configure() -> None:
    """Let signals reach what the tests start: in the background, and under nohup, some are ignored by all children."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    """A `DAYBOOK_HOME` of the test's own, and nothing of the developer's in the environment."""
    for name in [name for name in os.environ if name.startswith(("DAYBOOK_", "PREFECT_", "SATURN_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="session")
def real_log() -> Path:
    """The published log's zip, which the repository does not carry."""
    if not REAL_LOG.exists():
        pytest.skip("the real log is not beside the checkout, in ../shared/data")
    return REAL_LOG


@pytest.fixture(scope="session")
def server_url(tmp_path_factory) -> str:
    """The address of a real Prefect server, one for all tests, stopped at the end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAYBOOK_HOME", str(tmp_path_factory.mktemp("server")))
        patch.delenv("PREFECT_API_URL", raising=False)
        yield prefect_server.start().url
        prefect_server.stop()


@pytest.fixture
def prefect(server_url, monkeypatch) -> str:
    """The session's Prefect server, named in the environment."""
    monkeypatch.setenv("PREFECT_API_URL", server_url)
    return server_url


@pytest.fixture
def write_nb(tmp_path):
    """Write a notebook of these code cells; the first has the tag `parameters` when it is given by that name."""

    def write(cells: list[str], parameters: str | None = None, name: str = "tiny.ipynb") -> Path:
        nb = nbformat.v4.new_notebook(
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        )
        if parameters is not None:
            nb.cells.append(nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}))
        nb.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
        nbformat.write(nb, tmp_path / name)
        return tmp_path / name

    return write


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory) -> str:
    """The URL of a real PostgreSQL server on loopback, made in a temporary folder and stopped at the end."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
        Path(shutil.which("initdb") or "/nowhere/initdb").parent
    ]
    if not (found[-1] / "initdb").exists():
        pytest.skip("PostgreSQL's server programs are not installed (Debian: apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("postgresql", numbered=True)
    prefix: list[str] = []
    if os.geteuid() == 0:
        # The server refuses to run as root.
        prefix = ["runuser", "-u", "postgres", "--"]
        folder = Path("/tmp") / f"daybook-postgresql-{os.getpid()}"
        folder.mkdir()
        shutil.chown(folder, "postgres")
    data, port = folder / "data", free_port()

    def call(program: str, *arguments: str) -> None:
        subprocess.run([*prefix, str(found[-1] / program), *arguments], check=True, capture_output=True, cwd="/")

    call("initdb", "-D", str(data), "-A", "trust", "-U", "daybook", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -k {folder} -c fsync=off"
    call("pg_ctl", "-D", str(data), "-w", "-o", options, "-l", str(folder / "log"), "start")
    try:
        yield f"postgresql+psycopg://daybook:s3cret@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
