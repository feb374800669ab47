"""papermill's execution with what a run needs besides: a limit on the whole, and an honest end."""

import asyncio
import contextlib
import os
import site
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import papermill
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_core.utils import ensure_event_loop
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillException, PapermillExecutionError

from helpers import exceptions, forked_kernel
from helpers.exceptions import RunError
from helpers.executed_notebook import ExecutedNotebook, Stream
from helpers.home import REPOSITORY
from helpers.masking import mask
from helpers.run_progress import MIMETYPE
from helpers.runs import end_processes, identity

MARKER = "daybook-reached-the-end"
START_SECONDS = 60.0
OUTPUT_SECONDS = 300  # for what a cell printed to arrive after its end; nbclient's own 4 s are too few for 40 MB
SOCKET_PATH_CHARACTERS = 90  # a Unix socket's path has 104 to 108 at most
# Where modules lie that are the same in each run: installed packages, and these helpers.
_FOLDERS = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
INSTALLED = tuple(
    os.path.join(folder, "") for folder in {*_FOLDERS, *site.getsitepackages(), str(REPOSITORY / "helpers")}
)
MODULES = (
    "' '.join(n for n, m in list(__import__('sys').modules.items())"
    f" if (getattr(m, '__file__', None) or '').startswith({INSTALLED!r}))"
)

modules_of_last_kernel: list[str] = []  # of a completed run: what could be imported before the next


class Deadline:
    """A moment by which a run must have ended.

    Parameters
    ----------
    seconds : float or None
        From now; None for no limit.
    """

    def __init__(self, seconds: float | None = None):
        self.seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds that are left, at least 0.01; None without a limit."""
        return None if self._end is None else max(self._end - time.monotonic(), 0.01)


@dataclass(frozen=True)
class Listener:
    """What is called while a notebook is executed.

    Attributes
    ----------
    on_progress : callable
        With the number of code cells done and of all, after each.
    on_executed : callable
        Once all cells are done, while the kernel shuts down.
    on_kernel : callable
        With the kernel's process id, once there is one.
    on_note : callable
        With each line by which a cell tells how far it is (see `run_progress.MIMETYPE`).
    """

    on_progress: Callable[[int, int], None]
    on_executed: Callable[[], None]
    on_kernel: Callable[[int], None]
    on_note: Callable[[str], None]


def execute(
    notebook: Path,
    executed: Path,
    parameters: dict,
    environment: dict[str, str],
    log: TextIO,
    deadline: Deadline,
    listener: Listener,
) -> None:
    """Execute a copy of a notebook in a kernel of its own.

    Parameters
    ----------
    notebook, executed : Path
        Read from and written to; the copy is there, whole, from the first cell on.
    parameters : dict
        Checked.
    environment : dict of str to str
        Added to the kernel's.
    log : file
        Takes what the cells print.
    deadline : Deadline
        For the whole run.
    listener : Listener

    Raises
    ------
    RunError
        When a cell fails, the kernel ends before the last cell is done, or the deadline passes.
    """
    try:
        papermill.execute_notebook(
            # papermill formats paths as templates: a brace in a folder's name is not a placeholder.
            str(notebook).replace("{", "{{").replace("}", "}}"),
            None,
            parameters=parameters,
            engine_name="daybook",
            progress_bar=False,
            stdout_file=log,
            copy_path=executed,
            # An empty variable takes away the one that this process has.
            kernel_environment={
                name: v for name, v in (os.environ | environment).items() if v or name not in environment
            },
            deadline=deadline,
            listener=listener,
        )
    except PapermillExecutionError as error:
        raise RunError(_in_words(error)) from None
    except CellTimeoutError as error:
        if deadline.seconds is None:
            raise RunError(str(error).splitlines()[0]) from None
        raise RunError(f"the run took longer than its limit of {deadline.seconds:g} s and was ended") from None
    except DeadKernelError:
        raise RunError("the kernel died before the last cell was done; out of memory, or killed?") from None
    except NoSuchKernel as error:
        raise RunError(f"no kernel named {error.name!r} is installed; install it, or choose another in Lab") from None
    except PapermillException as error:
        raise RunError(str(error).strip().splitlines()[0]) from None


def _in_words(error: PapermillExecutionError) -> str:
    """The failing cell's error in one line: an expected failure's own words, else its type too."""
    message = (error.evalue or "").strip().splitlines()
    message = mask(message[0]) if message else ""
    expected = isinstance(getattr(exceptions, error.ename, None), type)
    said = message if expected else f"{error.ename}: {message}".rstrip(": ")
    return f"{said} (in cell [{error.exec_count}])"


class _Client(PapermillNotebookClient):
    """Stops at the run's deadline and at a cell that ended the interpreter."""

    def __init__(
        self,
        manager: ExecutedNotebook,
        deadline: Deadline,
        environment: dict,
        listener: Listener,
        run_log: TextIO,
        **options,
    ):
        super().__init__(manager, **options)
        self.environment = environment
        self.listener = listener
        self.kernel: list = []
        self.run_log = run_log
        self.streams: dict[tuple[int, str], Stream] = {}
        self.iopub_timeout = OUTPUT_SECONDS
        self.on_cell_executed = self.refuse_exit
        # nbclient's limit is a cell's; what is left of the run's is asked for before each.
        self.timeout_func = lambda cell: deadline.left()
        self.startup_timeout = int(min(START_SECONDS, deadline.left() or START_SECONDS)) or 1

    def execute(self):
        """Execute the notebook; papermill's own asks the kernel for its name at the end, which is no proof of life."""
        self.reset_execution_trackers()
        # What its cluster's workers and the programs that it calls write belongs to the log too, not to the terminal.
        started_with = {"env": self.environment, "stdout": self.run_log, "stderr": self.run_log}
        try:
            with tempfile.TemporaryDirectory(prefix="daybook-") as self.sockets, self.setup_kernel(**started_with):
                with _no_word_of_tasks():
                    self.papermill_execute_cells()
                if not any(cell.metadata.papermill.exception for cell in self.nb.cells):
                    self.ask_marker()
                    self.set_widgets_metadata()
                    # Its exit takes a second or two, in which the HTML can be made.
                    self.kc.shutdown()
                    self.listener.on_executed()
        finally:
            # Such as the workers of the kernel's cluster when it was killed.
            end_processes(self.environment["DAYBOOK_RUN"], self.kernel)
        return self.nb

    def create_kernel_manager(self):
        """Talk to the kernel over Unix sockets that only this user can open, where their path is short enough."""
        manager = super().create_kernel_manager()
        if forked_kernel.is_waiting_for(manager.kernel_spec):
            manager.kernel_spec.metadata["kernel_provisioner"] = {"provisioner_name": forked_kernel.PROVISIONER}
        if os.name == "posix" and len(self.sockets) < SOCKET_PATH_CHARACTERS - len("/kernel-ipc-5"):
            manager.transport = "ipc"
            manager.connection_file = os.path.join(self.sockets, "kernel.json")
        return manager

    # The synchronous ones: `setup_kernel` calls these, which nbclient makes of its own asynchronous ones.
    def start_new_kernel(self, **options):
        super().start_new_kernel(**options)
        self.kernel = [identity(self.km.provisioner.pid)]
        self.listener.on_kernel(self.km.provisioner.pid)

    def start_new_kernel_client(self):
        try:
            return super().start_new_kernel_client()
        except RuntimeError as error:
            raise RunError(f"the kernel {self.kernel_name!r} did not start: {str(error).splitlines()[0]}") from None

    def execute_cell(self, cell, cell_index, **options):
        try:
            return super().execute_cell(cell, cell_index, **options)
        except BaseException:
            self.nb_man.cell_exception(cell, cell_index)  # else papermill calls it completed
            raise

    def refuse_exit(self, cell, cell_index, execute_reply):
        """Call a cell that ended the interpreter a failure: the cells after it did not run."""
        content = execute_reply["content"]
        if content.get("ename") == "SystemExit":
            how = f"SystemExit({content.get('evalue', '')})"
        elif any(payload.get("source") == "ask_exit" for payload in content.get("payload", [])):
            how = "quit() or exit()"
        else:
            return
        raise RunError(f"cell [{cell.execution_count}] ended the notebook with {how}")

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"] == "clear_output":
            self.streams.clear()
        if note := (msg["content"].get("data") or {}).get(MIMETYPE):
            self.listener.on_note(str(note.get("text", "")))
        if msg["msg_type"] != "stream":
            return super().process_message(msg, cell, cell_index)
        text, name = msg["content"]["text"], msg["content"]["name"]
        self.run_log.write(text)
        self.run_log.flush()
        stream = self.streams.setdefault((cell_index, name), Stream(name))
        msg["content"]["text"] = stream.beginning(text)
        output = super().process_message(msg, cell, cell_index) if msg["content"]["text"] else None
        if stream.end.text and not any(output is stream.end for output in cell.outputs):
            cell.outputs.append(stream.end)
        return output

    def ask_marker(self):
        """Have the kernel answer once more: `os._exit(0)` in the last cell looks like success otherwise."""
        expressions = {MARKER: "1 + 1", "modules": MODULES}
        question = self.kc.execute("", silent=True, user_expressions=expressions)
        reply = self.wait_for_reply(question, self.nb.cells[-1])  # with a cell, the deadline holds
        answers = (reply or {}).get("content", {}).get("user_expressions", {})
        said = {name: answer.get("data", {}).get("text/plain", "") for name, answer in answers.items()}
        modules_of_last_kernel[:] = said.get("modules", "").strip("'").split()
        if said.get(MARKER) != "2":
            raise DeadKernelError("the kernel did not answer after the last cell")


@contextlib.contextmanager
def _no_word_of_tasks():
    """When it is interrupted, a cell's task fails while the kernel is ended: asyncio would print that nobody asked."""
    try:
        yield
    except KeyboardInterrupt:
        for task in asyncio.all_tasks(ensure_event_loop()):
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise


class _Engine(NBClientEngine):
    """papermill's engine with this module's manager and client."""

    @classmethod
    def execute_notebook(cls, nb, kernel_name, copy_path=None, listener=None, **options):
        manager = ExecutedNotebook(nb, copy_path, listener.on_progress)
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, listener=listener, **options)
        finally:
            manager.close()
        return manager.nb

    @classmethod
    def execute_managed_notebook(
        cls, manager, kernel_name, deadline, kernel_environment, listener, stdout_file, **options
    ):
        client = _Client(
            manager,
            deadline,
            kernel_environment,
            listener,
            run_log=stdout_file,
            kernel_name=kernel_name,
        )
        client.execute()


papermill_engines.register("daybook", _Engine)
