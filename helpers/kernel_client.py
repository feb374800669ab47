"""papermill's execution with what a run needs besides: a limit on the whole, atomic saves, and an honest end."""

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import nbformat
import papermill
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillException, PapermillExecutionError

from helpers import exceptions
from helpers.exceptions import RunError
from helpers.masking import mask
from helpers.runs import end_processes

MARKER = "daybook-reached-the-end"
KEPT_CHARACTERS = 50_000  # of the beginning, and of the end, of what a cell prints; the log has it all
START_SECONDS = 60.0
OUTPUT_SECONDS = 300  # for what a cell printed to arrive after its end; nbclient's own 4 s are too few for 40 MB
SOCKET_PATH_CHARACTERS = 90  # a Unix socket's path has 104 to 108 at most


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


def execute(
    notebook: Path,
    executed: Path,
    parameters: dict,
    environment: dict[str, str],
    log: TextIO,
    deadline: Deadline,
    on_progress: Callable[[int, int], None],
    on_executed: Callable[[], None],
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
    on_progress : callable
        Called with the number of code cells done and of all, after each.
    on_executed : callable
        Called once all cells are done, while the kernel shuts down.

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
            kernel_environment=os.environ | environment,
            deadline=deadline,
            on_progress=on_progress,
            on_executed=on_executed,
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


class _Manager(NotebookExecutionManager):
    """Saves the executed notebook whole or not at all, and tells how far it is."""

    def __init__(self, nb, copy_path: Path, on_progress):
        super().__init__(nb, output_path=None, progress_bar=False)
        self.copy_path = copy_path
        self.on_progress = on_progress
        self.n_code_cells = sum(cell.cell_type == "code" for cell in nb.cells)
        self.n_done = 0

    def save(self, **kwargs):
        temporary = self.copy_path.with_name(f"{self.copy_path.name}.part")
        nbformat.write(self.nb, temporary)
        os.replace(temporary, self.copy_path)
        self.last_save_time = self.now()

    def cell_complete(self, cell, cell_index=None, **kwargs):
        super().cell_complete(cell, cell_index, **kwargs)
        if cell.cell_type == "code" and cell.execution_count and cell.metadata.papermill.status == self.COMPLETED:
            self.n_done += 1
            self.on_progress(self.n_done, self.n_code_cells)


class _Stream:
    """What the notebook keeps of a cell's stdout or stderr: the beginning and the end, however much there is."""

    def __init__(self, name: str):
        self.room = KEPT_CHARACTERS
        self.n_beyond = 0
        self.tail = ""
        self.end = nbformat.v4.new_output("stream", name=name, text="")

    def beginning(self, text: str) -> str:
        """As much of the text as still belongs to the beginning."""
        head, rest = text[: self.room], text[self.room :]
        self.room -= len(head)
        self.n_beyond += len(rest)
        self.tail = (self.tail + rest)[-KEPT_CHARACTERS:]
        if left_out := self.n_beyond - len(self.tail):
            rest = f"\n… {left_out:,} characters are left out here; run.log has them …\n{self.tail}"
        self.end.text = rest if left_out else self.tail
        return head


class _Client(PapermillNotebookClient):
    """Stops at the run's deadline and at a cell that ended the interpreter."""

    def __init__(
        self,
        manager: _Manager,
        deadline: Deadline,
        environment: dict,
        on_executed: Callable,
        run_log: TextIO,
        **options,
    ):
        super().__init__(manager, **options)
        self.environment = environment
        self.on_executed = on_executed
        self.run_log = run_log
        self.streams: dict[tuple[int, str], _Stream] = {}
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
                self.papermill_execute_cells()
                if not any(cell.metadata.papermill.exception for cell in self.nb.cells):
                    self.ask_marker()
                    self.set_widgets_metadata()
                    # Its exit takes a second or two, in which the HTML can be made.
                    self.kc.shutdown()
                    self.on_executed()
        finally:
            # Such as the workers of the kernel's cluster when it was killed.
            end_processes(self.environment["DAYBOOK_RUN"])
        return self.nb

    def create_kernel_manager(self):
        """Talk to the kernel over Unix sockets that only this user can open, where their path is short enough."""
        manager = super().create_kernel_manager()
        if os.name == "posix" and len(self.sockets) < SOCKET_PATH_CHARACTERS - len("/kernel-ipc-5"):
            manager.transport = "ipc"
            manager.connection_file = os.path.join(self.sockets, "kernel.json")
        return manager

    async def async_start_new_kernel_client(self):
        try:
            return await super().async_start_new_kernel_client()
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
        if msg["msg_type"] != "stream":
            return super().process_message(msg, cell, cell_index)
        text, name = msg["content"]["text"], msg["content"]["name"]
        self.run_log.write(text)
        self.run_log.flush()
        stream = self.streams.setdefault((cell_index, name), _Stream(name))
        msg["content"]["text"] = stream.beginning(text)
        output = super().process_message(msg, cell, cell_index) if msg["content"]["text"] else None
        if stream.end.text and not any(output is stream.end for output in cell.outputs):
            cell.outputs.append(stream.end)
        return output

    def ask_marker(self):
        """Have the kernel answer once more: `os._exit(0)` in the last cell looks like success otherwise."""
        question = self.kc.execute("", silent=True, user_expressions={MARKER: "1 + 1"})
        reply = self.wait_for_reply(question, self.nb.cells[-1])  # with a cell, the deadline holds
        answer = (reply or {}).get("content", {}).get("user_expressions", {}).get(MARKER, {})
        if answer.get("data", {}).get("text/plain") != "2":
            raise DeadKernelError("the kernel did not answer after the last cell")


class _Engine(NBClientEngine):
    """papermill's engine with this module's manager and client."""

    @classmethod
    def execute_notebook(cls, nb, kernel_name, copy_path=None, on_progress=None, **options):
        manager = _Manager(nb, copy_path, on_progress)
        manager.notebook_start()
        try:
            cls.execute_managed_notebook(manager, kernel_name, **options)
        finally:
            _honest_statuses(manager)
            manager.save()
        return manager.nb

    @classmethod
    def execute_managed_notebook(
        cls, manager, kernel_name, deadline, kernel_environment, on_executed, stdout_file, **options
    ):
        client = _Client(
            manager, deadline, kernel_environment, on_executed, run_log=stdout_file, kernel_name=kernel_name
        )
        client.execute()


def _honest_statuses(manager: _Manager) -> None:
    """papermill's times of the whole, without its calling cells completed that never ran."""
    manager.end_time = manager.now()
    metadata = manager.nb.metadata.papermill
    metadata["end_time"] = manager.end_time.isoformat()
    metadata["duration"] = (manager.end_time - manager.start_time).total_seconds()


papermill_engines.register("daybook", _Engine)
