"""Two `daybook serve` of one notebook, or of one name; and one `serve` of a file with two schedules of one notebook."""

import os
import re
import signal
import subprocess

import pytest
from serve_process import DAYBOOK, Serve, cells, factory

pytestmark = pytest.mark.slow


@pytest.fixture
def make(write_nb, tmp_path, prefect):
    """Makes a `Serve`."""
    return factory(write_nb, tmp_path, prefect)


def second(serve, *arguments: str) -> subprocess.CompletedProcess:
    """Another `daybook serve`, which is to leave by itself."""
    environment = os.environ | {"PREFECT_API_URL": serve.url}
    command = [*DAYBOOK, "serve", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_the_second_says_who_serves_and_leaves(make, write_nb):
    """The same notebook, by whatever name or path, or another one by the same name: one line, exit code 2."""
    with make(cells(0), "--every", "1h") as serve:
        serve.wait_for_line("serving")
        serve.wait(lambda: (serve.notebook.parent / "home" / "schedules" / f"{serve.name}.json").exists())
        link = serve.notebook.with_name("link.ipynb")
        link.symlink_to(serve.notebook)
        other = write_nb(["1"], name="other.ipynb")
        who = rf"as '{serve.name}' by process {serve.process.pid} since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d"
        for arguments, what in [
            ([str(serve.notebook)], serve.notebook.name),
            ([str(serve.notebook), "--name", "another"], serve.notebook.name),
            ([str(link)], serve.notebook.name),
            ([str(other), "--name", serve.name], f"a schedule named '{serve.name}'"),
        ]:
            done = second(serve, *arguments, "--every", "1h")
            assert done.returncode == 2
            assert re.fullmatch(
                rf"daybook: {re.escape(what)} is served already, {who}; stop that one first\n", done.stderr
            ), done.stderr
        # And the first one serves on, what the others tried has changed nothing of it.
        assert serve.process.poll() is None
        serve.end(signal.SIGTERM)
        serve.start()
        serve.wait_for_line("serving", number=2)


def test_two_schedules_of_one_notebook_in_one_serve(make, write_nb, tmp_path, prefect):
    """A file may serve a notebook twice: both tick, and never two runs at once."""
    name = make(cells(0.5)).notebook
    file = tmp_path / "schedules.yaml"
    schedules = "".join(
        f"- {{name: {name.stem}-{kind}, notebook: {name.name}, every: {every}}}\n"
        for kind, every in (("a", "3s"), ("b", "4s"))
    )
    file.write_text(f"schedules:\n{schedules}")
    with Serve(file, url=prefect) as serve:
        serve.journal = name.with_suffix(".journal")
        serve.wait(
            lambda: (
                {f["schedule"] for f in serve.runs() if f["state"] == "completed"}
                == {f"{name.stem}-a", f"{name.stem}-b"}
            )
        )
        serve.wait(lambda: serve.states()["completed"] >= 5)
        serve.end(signal.SIGTERM)
        serve.assert_never_two()
        assert set(serve.states()) <= {"completed", "skipped", "cancelled"}
