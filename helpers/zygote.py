"""A process that has only imported, from which runs and their kernels are forked: `python -m helpers.zygote`.

It reads one JSON document a line from stdin and answers on stdout. When stdin ends, it kills what it has forked, and
ends. It has one thread and opens no connection: a process that has either cannot safely be forked.

The first request is `{"import": [modules]}`; the answer, `{"ready": true, "threaded": [modules]}`, names those whose
import started a thread. Each other request is a run: `{"id", "notebook", "given", "options", "environment"}`. Answers:
`{"id", "pid"}` when it was forked, and `{"id", "code"}` when it has ended, with `outcome` or `refused` where it said
so, and the installed `modules` that its kernel had imported besides.
"""

import contextlib
import dataclasses
import gc
import importlib
import importlib.util
import json
import os
import selectors
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path

# What a run's own process needs; what its kernel needs is learned from the first run.
RUN_MODULES = ("helpers.execution", "helpers.reports", "ipykernel.kernelapp", "prefect.flow_engine")
BLOCK = 65536


class Zygote:
    """Forks a process for each run, and tells how it ended."""

    def __init__(self):
        self._selector = selectors.DefaultSelector()
        self._pids: dict[str, int] = {}
        self._pipes: dict[str, int] = {}
        self._said: dict[str, bytes] = {}
        self._request = b""
        self._imported: set[str] = set()

    def load(self, modules: list[str]) -> None:
        """Import what can be imported, and tell which modules start threads."""
        threaded = []
        for name in [*RUN_MODULES, *filter(_is_installed, modules)]:
            n_threads = threading.active_count()
            # A module can do anything when it is imported, and say anything.
            with contextlib.suppress(Exception, SystemExit), contextlib.redirect_stdout(sys.stderr):
                importlib.import_module(name)
            if threading.active_count() > n_threads:
                threaded.append(name)
        _rehearse()
        self._imported = set(sys.modules)
        # Objects that no collection looks at stay on the pages that all forks share.
        gc.collect()
        gc.freeze()
        _say({"ready": True, "threaded": threaded})

    def serve(self) -> None:
        """Answer until stdin ends."""
        self._selector.register(0, selectors.EVENT_READ)
        try:
            while True:
                for key, _ in self._selector.select():
                    if key.fd == 0 and not self._read_requests():
                        return
                    if key.fd != 0:
                        self._read_run(key.data)
        except BrokenPipeError:
            pass  # whoever asked is gone
        finally:
            for pid in self._pids.values():
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def _read_requests(self) -> bool:
        """Do what was asked for; False at the end."""
        block = os.read(0, BLOCK)
        *lines, self._request = (self._request + block).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if "import" in request:
                self.load(request["import"])
            else:
                self._fork(request)
        return bool(block)

    def _fork(self, request: dict) -> None:
        run = request["id"]
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                self._selector.close()
                for pipe in (read, *self._pipes.values()):
                    os.close(pipe)
                code = self._run(request, write)
            except BaseException:  # nobody else would tell of it
                traceback.print_exc()
            finally:
                os._exit(code)
        os.close(write)
        self._pids[run], self._pipes[run], self._said[run] = pid, read, b""
        self._selector.register(read, selectors.EVENT_READ, run)
        _say({"id": run, "pid": pid})

    def _read_run(self, run: str) -> None:
        """Take what a run says of itself, and pass it on at its end."""
        if block := os.read(self._pipes[run], BLOCK):
            self._said[run] += block
            return
        pipe = self._pipes.pop(run)
        self._selector.unregister(pipe)
        os.close(pipe)
        _, status = os.waitpid(self._pids.pop(run), 0)
        said = {}
        with contextlib.suppress(ValueError):  # it was killed before it had said all
            said = json.loads(self._said.pop(run))
        _say({"id": run, "code": os.waitstatus_to_exitcode(status)} | said)

    def _run(self, request: dict, write: int) -> int:
        """The whole life of a run's process; its exit code, as `daybook run` would give it."""
        os.setsid()  # Ctrl-C on a terminal is for the one who asked for the run to pass on
        signal.signal(signal.SIGINT, signal.default_int_handler)
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.dup2(null, 1)
        os.environ.update(request["environment"])
        from helpers import forked_kernel, kernel_client
        from helpers.exceptions import DaybookError
        from helpers.execution import run_notebook

        # The end of the pipe tells that this process has ended, so its kernel must not hold it.
        kernel = forked_kernel.fork_ahead(not_for_it=[write])
        try:
            outcome = run_notebook(Path(request["notebook"]), request["given"], **request["options"])
            said, code = {"outcome": dataclasses.asdict(outcome)}, outcome.exit_code
        except (DaybookError, OSError) as error:
            said, code = {"refused": str(error)}, 2
        finally:
            kernel.dismiss()
        modules = [name for name in kernel_client.modules_of_last_kernel if name not in self._imported]
        with open(write, "wb") as pipe:
            pipe.write(json.dumps(said | {"modules": modules}).encode())
        return code


def _is_installed(module: str) -> bool:
    """Whether a module of this name is an installed package's, and not one that lies in the working directory."""
    from helpers.kernel_client import INSTALLED

    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return False
    places = [*(spec.submodule_search_locations or ()), spec.origin or ""] if spec else []
    return module != "__main__" and any(os.path.join(place, "").startswith(INSTALLED) for place in places)


def _rehearse() -> None:
    """Make a report of nothing, so that templates and regular expressions are compiled before the first fork."""
    import nbformat

    from helpers.reports import write_html

    v4 = nbformat.v4
    table = v4.new_output("execute_result", {"text/html": "<table><tr><td>1</td></tr></table>", "text/plain": "1"})
    chart = v4.new_output("display_data", {"application/javascript": "1"})
    cells = [
        v4.new_markdown_cell("# A `word`\n\n- [a](http://b) *c*"),
        v4.new_code_cell("f(x) + 1", outputs=[table, chart]),
    ]
    facts = dict.fromkeys(("run", "state", "error", "trial", "scheduled_at", "started_at", "parameters"))
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(Exception):
        write_html(v4.new_notebook(cells=cells), Path(folder, "rehearsal.html"), facts)


def _say(answer: dict) -> None:
    os.write(1, json.dumps(answer).encode() + b"\n")


def main() -> None:
    """Import, then answer on stdout until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Zygote().serve()


if __name__ == "__main__":
    main()
