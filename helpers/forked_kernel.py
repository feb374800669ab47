"""Kernels that are forked from a process that has only imported, through jupyter_client's provisioner interface.

A run's process forks its kernel before it does anything else (`fork_ahead`); that process waits to be told its
connection file and environment, which the provisioner does where another would start an interpreter.
"""

import atexit
import contextlib
import json
import os
import signal
import socket
import sys
import threading
import traceback

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.provisioning import LocalProvisioner

PROVISIONER = "daybook-forked"  # as pyproject.toml registers it
LAUNCHER = "ipykernel_launcher"
SIZE_BYTES = 8


class WaitingKernel:
    """A forked process that is to become a kernel; with `subprocess.Popen`'s methods, as the provisioner uses them.

    Attributes
    ----------
    pid : int
    returncode : int or None
        As of `subprocess.Popen`.
    """

    stdin = stdout = stderr = None

    def __init__(self, pid: int, channel: socket.socket):
        self.pid = pid
        self.returncode: int | None = None
        self._channel: socket.socket | None = channel

    def start(self, arguments: list[str], environment: dict[str, str], cwd: str | None, streams: list[int]) -> None:
        """Let it become a kernel with these arguments; its stdout and stderr go to these two files."""
        channel, self._channel = self._channel, None
        told = json.dumps({"arguments": arguments, "environment": environment, "cwd": cwd}).encode()
        with channel:
            socket.send_fds(channel, [len(told).to_bytes(SIZE_BYTES, "big")], streams)
            channel.sendall(told)

    def dismiss(self) -> None:
        """End it if it has not become a kernel."""
        if self._channel is not None:
            self._channel.close()
            self.wait()

    def poll(self) -> int | None:
        """The return code, or None while it lives."""
        return self._awaited(os.WNOHANG)

    def wait(self) -> int:
        """Wait for its end; the return code."""
        return self._awaited(0)

    def _awaited(self, options: int) -> int | None:
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, options)
            except ChildProcessError:
                self.returncode = 0  # somebody else took its code, as when the run's processes are ended
            else:
                self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def send_signal(self, signum: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, signum)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)


_ahead: WaitingKernel | None = None


def fork_ahead(not_for_it: list[int] = ()) -> WaitingKernel:
    """Fork the process that the next kernel of this one will be; to be called while there is one thread.

    Parameters
    ----------
    not_for_it : list of int, default ()
        File descriptors that it is not to have.

    Returns
    -------
    WaitingKernel
        To be dismissed at the end, whether it was needed or not.
    """
    global _ahead
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            ours.close()
            for descriptor in not_for_it:
                os.close(descriptor)
            _become_kernel(theirs)
        except BaseException:  # into the run's log
            traceback.print_exc()
        finally:
            os._exit(1)
    theirs.close()
    _ahead = WaitingKernel(pid, ours)
    return _ahead


def is_waiting_for(spec: KernelSpec) -> bool:
    """Whether a process waits that can become this kernel: IPython's, of this interpreter, started without options."""
    if _ahead is None or LAUNCHER not in spec.argv or any(name.startswith("PYTHON") for name in spec.env):
        return False
    interpreter, *options = spec.argv[: spec.argv.index(LAUNCHER)]
    return _is_this_interpreter(interpreter) and set(options) <= {"-m", "-Xfrozen_modules=off"}


def _is_this_interpreter(command: str) -> bool:
    if command in ("python", f"python{sys.version_info[0]}", "python{}.{}".format(*sys.version_info)):
        return True  # jupyter_client takes these for the interpreter that it runs in
    # The folders too: the interpreters of all virtual environments may be links to one file.
    folders = {os.path.realpath(os.path.dirname(path)) for path in (command, sys.executable)}
    return len(folders) == 1 and os.path.realpath(command) == os.path.realpath(sys.executable)


class ForkedKernel(LocalProvisioner):
    """Starts the kernel that `fork_ahead` has made ready."""

    async def launch_kernel(self, cmd: list[str], **kwargs) -> dict:
        """Have the waiting process become the kernel.

        Parameters
        ----------
        cmd : list of str
            The kernel's command; what follows the launcher is handed on.
        **kwargs
            `env`, `cwd`, and the files `stdout` and `stderr`, as for `subprocess.Popen`.

        Returns
        -------
        dict
            The connection's facts.
        """
        global _ahead
        self.process, _ahead = _ahead, None
        self.pid = self.pgid = self.process.pid
        streams = [kwargs["stdout"].fileno(), kwargs["stderr"].fileno()]
        # The kernel ends when this process has; the variable that tells others so is read when ipykernel is imported.
        arguments = [*cmd[cmd.index(LAUNCHER) + 1 :], f"--IPKernelApp.parent_handle={os.getpid()}"]
        self.process.start(arguments, kwargs["env"], kwargs.get("cwd"), streams)
        return self.connection_info


def _become_kernel(channel: socket.socket) -> None:
    """Wait for the word, then be a kernel to the end; never returns to what was forked."""
    os.setsid()
    size, streams, *_ = socket.recv_fds(channel, SIZE_BYTES, 2)
    if not size:
        os._exit(0)  # the run was refused or skipped
    with channel, channel.makefile("rb") as words:
        told = json.loads(words.read(int.from_bytes(size, "big")))
    for stream, target in zip((os.open(os.devnull, os.O_RDONLY), *streams), (0, 1, 2), strict=True):
        os.dup2(stream, target)
        os.close(stream)
    os.environ.clear()
    os.environ.update(told["environment"])
    os.chdir(told["cwd"] or ".")
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()  # NumPy's global generator is the same in every fork; Python's is not
    os._exit(_kernel_main(told["arguments"]))


def _kernel_main(arguments: list[str]) -> int:
    """The kernel's whole life, with what an interpreter does at its end; the exit code."""
    from ipykernel.kernelapp import IPKernelApp

    sys.argv = [LAUNCHER, *arguments]
    code = 0
    try:
        IPKernelApp.launch_instance(arguments)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    with contextlib.suppress(Exception):
        threading._shutdown()  # joins the notebook's threads; a fork is not given it by the interpreter
    atexit._run_exitfuncs()
    for stream in (sys.__stdout__, sys.__stderr__):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    return code
