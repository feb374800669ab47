"""Kernels that are forked: which notebooks get one, how it starts and ends, and what is left of it."""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client.kernelspec import KernelSpec

from helpers import forked_kernel
from helpers.forked_kernel import WaitingKernel, is_waiting_for
from helpers.zygote_process import ZygoteProcess

OURS = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


@contextlib.contextmanager
def waiting():
    """A forked process that waits; dismissed at the end."""
    kernel = forked_kernel.fork_ahead()
    try:
        yield kernel
    finally:
        kernel.dismiss()
        forked_kernel._ahead = None


@pytest.mark.parametrize(
    ("argv", "env", "is_ours"),
    [
        (OURS, {}, True),
        (["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], {}, True),
        ([sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", "-f", "x"], {"MINE": "1"}, True),
        ([sys.executable, "-O", "-m", "ipykernel_launcher", "-f", "x"], {}, False),
        (OURS, {"PYTHONPATH": "/elsewhere"}, False),
        (["uv", "run", "python", "-m", "ipykernel_launcher", "-f", "x"], {}, False),
        (["/usr/bin/python3", "-m", "ipykernel_launcher", "-f", "x"], {}, False),
        ([sys.executable, "-m", "another_kernel", "-f", "x"], {}, False),
        (["R", "--slave", "-e", "IRkernel::main()"], {}, False),
    ],
)
def test_only_this_interpreters_kernel_is_forked(argv, env, is_ours):
    """A kernel of another interpreter, language or option is started the ordinary way."""
    assert not is_waiting_for(KernelSpec(argv=argv))
    with waiting():
        assert is_waiting_for(KernelSpec(argv=argv, env=env)) is is_ours


def test_another_environment_of_the_same_python_is_another_interpreter(tmp_path):
    """Virtual environments whose interpreters are links to one file are told apart."""
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin" / "python"
    link.symlink_to(os.path.realpath(sys.executable))
    with waiting():
        assert not is_waiting_for(KernelSpec(argv=[str(link), *OURS[1:]]))


def test_a_kernel_that_is_not_needed_ends():
    """A process that waited in vain ends with 0, also when whoever forked it is gone."""
    with waiting() as kernel:
        assert kernel.poll() is None
    assert kernel.returncode == 0
    with waiting() as kernel:
        kernel.kill()
        assert kernel.wait() == -signal.SIGKILL
        kernel.terminate()  # nobody is there, and no other process may be hit


def test_a_code_that_somebody_else_took_is_no_error():
    """A process that was waited for elsewhere, as `end_processes` does, counts as ended."""
    with waiting() as kernel:
        psutil.Process(kernel.pid).kill()
        os.waitpid(kernel.pid, 0)
        assert kernel.poll() == 0
        assert kernel.wait() == 0


def test_what_it_is_not_to_have_is_closed_in_it():
    """A file descriptor that is not for the kernel is open here alone."""
    read, write = os.pipe()
    kernel = forked_kernel.fork_ahead(not_for_it=[write])
    os.close(write)
    assert os.read(read, 1) == b""  # nobody holds the other end, though the kernel lives
    assert kernel.poll() is None
    kernel.dismiss()
    os.close(read)
    forked_kernel._ahead = None


EXITS = {
    "a flow": "from prefect import flow, task\n@task\ndef f(): pass\n@flow\ndef g(): f.submit().result()\ng()",
    "a cluster": "from helpers import clusters; c = clusters.connect('local', {'n_workers': 1}); c.close()",
    "a cluster that nobody closed": "from helpers import clusters; c = clusters.connect('local', {'n_workers': 1})",
    "BLAS": "import numpy; a = numpy.random.rand(600, 600); float((a @ a).sum()) > 0",
    "a program": "import subprocess; p = subprocess.Popen(['sleep', '300'])",
    "a thread": "import threading, time; threading.Thread(target=time.sleep, args=[300]).start()",
}


@pytest.mark.slow
@pytest.mark.usefixtures("prefect")
@pytest.mark.parametrize("what", EXITS)
def test_exits_are_bounded(write_nb, home, what):
    """Whatever a notebook leaves in its forked kernel, the run completes and ends soon after its last cell."""
    zygote = ZygoteProcess({"prefect_dask", "distributed", "numpy"})
    try:
        notebook = write_nb([EXITS[what], "import time; time.time()"])
        took = []
        for key in "abc":
            zygote.fork({"id": key, "notebook": str(notebook), "given": {}, "options": {}, "environment": {}})
            ends = time.monotonic() + 60
            while not (said := zygote.ended()):
                assert time.monotonic() < ends
                time.sleep(0.02)
            took.append(time.time() - last_value(said[0]))
            assert said[0]["outcome"]["state"] == "completed"
        print(what, [round(seconds, 2) for seconds in took])
        # The kernel is given 2.5 s to end, then SIGTERM, then SIGKILL.
        assert max(took) < 10
    finally:
        zygote.close()


@pytest.mark.slow
@pytest.mark.usefixtures("prefect")
def test_what_programs_say_is_in_the_log(write_nb, home):
    """What a cell's programs, and the kernel's own descriptors, write goes to run.log, in the right run."""
    zygote = ZygoteProcess(set())
    try:
        code = "import os, subprocess, sys; subprocess.run('echo from a program; echo an error >&2', shell=True)"
        notebook = write_nb([code, "sys.__stdout__.write('at the end, unflushed')"])
        zygote.fork({"id": "a", "notebook": str(notebook), "given": {}, "options": {}, "environment": {}})
        ends = time.monotonic() + 60
        while not (said := zygote.ended()):
            assert time.monotonic() < ends
            time.sleep(0.02)
        log = (Path(said[0]["outcome"]["folder"]) / "run.log").read_text()
        for words in ("from a program", "an error", "at the end, unflushed"):
            assert words in log
    finally:
        zygote.close()


def last_value(said: dict) -> float:
    """The number that the last cell of a run put out."""
    [path] = Path(said["outcome"]["folder"]).glob("*.ipynb")
    return float(nbformat.read(path, as_version=4).cells[-1].outputs[-1].data["text/plain"])


def test_a_waiting_kernel_looks_like_a_process():
    """The provisioner finds on it what it uses of `subprocess.Popen`."""
    for name in ("poll", "wait", "send_signal", "kill", "terminate", "stdin", "stdout", "stderr"):
        assert hasattr(WaitingKernel, name)
