"""papermill's execution with what a run needs besides: a limit on the whole, atomic saves, and an honest end."""

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import nbformat
import papermill
import psutil
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError

from helpers import exceptions
from helpers.exceptions import RunError

MARKER = "daybook-reached-the-end"


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
            stderr_file=log,
            copy_path=executed,
            kernel_environment=os.environ | environment,
            deadline=deadline,
            on_progress=on_progress,
            on_executed=on_executed,
        )
    except PapermillExecutionError as error:
        raise RunError(_in_words(error)) from None
    except CellTimeoutError:
        raise RunError(f"the run took longer than its limit of {deadline.seconds:g} s and was ended") from None
    except DeadKernelError:
        raise RunError("the kernel died before the last cell was done; out of memory, or killed?") from None


def _in_words(error: PapermillExecutionError) -> str:
    """The failing cell's error in one line: an expected failure's own words, else its type too."""
    message = (error.evalue or "").strip().splitlines()
    message = message[0] if message else ""
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
        if cell.cell_type == "code" and cell.execution_count:
            self.n_done += 1
            self.on_progress(self.n_done, self.n_code_cells)


class _Client(PapermillNotebookClient):
    """Stops at the run's deadline and at a cell that ended the interpreter."""

    def __init__(self, manager: _Manager, deadline: Deadline, environment: dict, on_executed: Callable, **options):
        super().__init__(manager, **options)
        self.environment = environment
        self.on_executed = on_executed
        # nbclient's limit is a cell's; what is left of the run's is asked for before each.
        self.timeout_func = lambda cell: deadline.left()

    def execute(self):
        """Execute the notebook; papermill's own asks the kernel for its name at the end, which is no proof of life."""
        self.reset_execution_trackers()
        try:
            with self.setup_kernel(env=self.environment):
                self.papermill_execute_cells()
                if not any(cell.metadata.papermill.exception for cell in self.nb.cells):
                    self.ask_marker()
                    self.set_widgets_metadata()
                    # Its exit takes a second or two, in which the HTML can be made.
                    self.kc.shutdown()
                    self.on_executed()
        finally:
            self.end_children()
        return self.nb

    def execute_cell(self, cell, cell_index, **options):
        executed = super().execute_cell(cell, cell_index, **options)
        for output in cell.get("outputs", []):
            if output.output_type == "error" and output.ename == "SystemExit":
                raise RunError(f"cell [{cell.execution_count}] ended the notebook with SystemExit({output.evalue})")
        return executed

    def ask_marker(self):
        """Have the kernel answer once more: `os._exit(0)` in the last cell looks like success otherwise."""
        reply = self.wait_for_reply(self.kc.execute("", silent=True, user_expressions={MARKER: "1 + 1"}))
        answer = (reply or {}).get("content", {}).get("user_expressions", {}).get(MARKER, {})
        if answer.get("data", {}).get("text/plain") != "2":
            raise DeadKernelError("the kernel did not answer after the last cell")

    async def async_start_new_kernel(self, **options):
        await super().async_start_new_kernel(**options)
        pid = getattr(self.km.provisioner, "pid", None)
        with contextlib.suppress(psutil.Error):
            self.kernel_process = psutil.Process(pid) if pid else None

    kernel_process: psutil.Process | None = None

    def end_children(self):
        """End what the kernel left running, such as the workers of its cluster when it was killed."""
        with contextlib.suppress(psutil.Error):
            if self.kernel_process and self.kernel_process.is_running():
                for process in [*self.kernel_process.children(recursive=True), self.kernel_process]:
                    with contextlib.suppress(psutil.Error):
                        process.kill()


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
        cls, manager, kernel_name, deadline, kernel_environment, on_executed, stdout_file, stderr_file, **options
    ):
        client = _Client(
            manager,
            deadline,
            kernel_environment,
            on_executed,
            kernel_name=kernel_name,
            startup_timeout=options.get("start_timeout", 60),
            stdout_file=stdout_file,
            stderr_file=stderr_file,
        )
        client.execute()


def _honest_statuses(manager: _Manager) -> None:
    """papermill's times of the whole, without its calling cells completed that never ran."""
    manager.end_time = manager.now()
    metadata = manager.nb.metadata.papermill
    metadata["end_time"] = manager.end_time.isoformat()
    metadata["duration"] = (manager.end_time - manager.start_time).total_seconds()


papermill_engines.register("daybook", _Engine)
