"""A run, from its parameters to its folder: one path, whoever asks for it.

papermill executes a copy of the notebook. What it reports is not believed: after a crash its metadata calls every cell
completed, and `sys.exit(0)` in the middle passes for success. The state is judged by what is left: a cell's error, the
kernel's end, and a last question that the kernel must answer.
"""

import contextlib
import hashlib
import importlib
import json
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
from filelock import FileLock, Timeout

from helpers import masking, prefect_server, runs
from helpers.exceptions import DaybookError, ParameterError
from helpers.home import subfolder
from helpers.kernel_client import Deadline, Listener, execute
from helpers.parameters import checked
from helpers.recorded_progress import RecordedProgress
from helpers.run_context import RECORDED_PACKAGES, RunContext, now
from helpers.tick_parameters import with_tick

EXIT_CODES = {"completed": 0, "failed": 1, "skipped": 3, "cancelled": 130}


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes
    ----------
    run, state : str
    folder : str
    trial : str or None
        The id of the trial that it stored.
    seconds : float or None
    error : str or None
        One line.
    """

    run: str
    state: str
    folder: str
    trial: str | None
    seconds: float | None
    error: str | None

    @property
    def exit_code(self) -> int:
        """0 for a completed run, 1 failed, 3 skipped, 130 cancelled."""
        return EXIT_CODES.get(self.state, 1)


def run_notebook(
    notebook: Path,
    given: dict[str, object],
    scheduled_at: str | None = None,
    timeout: float | None = None,
    overlap: str = "skip",
    on_progress: Callable[[int, int], None] = lambda done, cells: None,
    schedule: str | None = None,
    attempt: int = 1,
    flow_run: str | None = None,
    lock: str | None = None,
    on_note: Callable[[str], None] = lambda text: None,
    has_code: bool = True,
) -> Outcome:
    """Execute a notebook headless into a run folder.

    Parameters
    ----------
    notebook : Path
    given : dict of str to object
        Parameters, checked against the notebook's own before anything starts.
    scheduled_at : str, optional
        The tick that asked for the run, ISO 8601 in UTC.
    timeout : float, optional
        Limit on the whole run, seconds.
    overlap : {"skip", "queue"}, default "skip"
        What to do when a run of the same notebook is going: record a skipped run, or wait for it.
    on_progress : callable, optional
        Called with the number of code cells done and of all, after each.
    schedule : str, optional
        The name of the schedule that the tick belongs to.
    attempt : int, default 1
        More for a retry of the tick.
    flow_run : str, optional
        The id of the flow run that Prefect scheduled, which the notebook's flow becomes.
    lock : str, optional
        The name under which runs keep out of each other's way; by default the notebook's path.
    on_note : callable, optional
        Called with each line by which a cell tells how far it is.
    has_code : bool, default True
        Whether the HTML shows the cells' code.

    Returns
    -------
    Outcome

    Raises
    ------
    DaybookError
        When the run cannot start: nothing is left then.
    """
    if not notebook.is_file():
        raise ParameterError(f"{notebook}: no such notebook; give the path of an .ipynb file")
    secrets: dict[str, str] = {}
    parameters = masking.mask_values(checked(notebook, with_tick(notebook, given, scheduled_at)), secrets)
    environment = prefect_server.environment() | masking.environment(secrets)
    runs.close_crashed()
    told = {"schedule": schedule, "attempt": attempt, "flow_run": flow_run, "served": runs.is_served()}
    told["path"] = runs.recorded_path(notebook)
    record = runs.RunRecord(notebook.name, parameters, scheduled_at, **told)
    with _terminable():
        try:
            with _turn(lock or str(notebook.resolve()), notebook.stem, overlap):
                progress = RecordedProgress(record, environment["PREFECT_API_URL"], on_progress, on_note)
                return _execute_in(record, notebook, environment, Deadline(timeout), progress, has_code)
        except Timeout:
            return _outcome(record, "skipped", f"another run of {notebook.name} was going")
        except KeyboardInterrupt as interrupt:  # while it waited for its turn
            return _outcome(record, "cancelled", _cancelled_by(interrupt))


def _turn(name: str, stem: str, overlap: str) -> FileLock:
    """The lock that keeps runs of this name apart; the operating system frees it when its holder dies."""
    name = f"{stem}-{hashlib.sha256(name.encode()).hexdigest()[:12]}.lock"
    return FileLock(subfolder("locks") / name, timeout=0 if overlap == "skip" else -1)


def _execute_in(
    record: runs.RunRecord,
    notebook: Path,
    environment: dict,
    deadline: Deadline,
    progress: RecordedProgress,
    has_code: bool,
) -> Outcome:
    told = {name: record.facts[name] for name in ("scheduled_at", "schedule", "attempt", "flow_run")}
    context = RunContext(record.run, record.folder, notebook.name, **told)
    executed = record.folder / notebook.name

    def describe(state: str, error: str | None = None) -> None:
        _note_trial(record, state)
        _write_report(executed, record.facts | {"state": state, "error": error}, has_code)

    record.update(state="running", started_at=now(), versions=_versions())
    # The kernel works on one core; what the export imports can be imported on another.
    threading.Thread(target=importlib.import_module, args=["helpers.reports"], daemon=True).start()
    environment = environment | context.environment()
    parameters = record.facts["parameters"]
    error, state = None, "completed"
    # What a kernel prints may hold half a character, which UTF-8 has no way to write.
    with (record.folder / "run.log").open("w", encoding="utf-8", errors="backslashreplace") as log:
        try:
            listener = Listener(progress.cell, lambda: describe("completed"), record.add_process, progress.note)
            execute(notebook, executed, parameters, environment, log, deadline, listener)
        except DaybookError as failure:
            error, state = str(failure), "failed"
        except KeyboardInterrupt as interrupt:
            error, state = _cancelled_by(interrupt), "cancelled"
        except OSError as failure:  # a full disk; where the record does not fit either, the next run says crashed
            with contextlib.suppress(OSError):
                record.finish("failed", f"{failure.strerror or failure}: {failure.filename or executed}")
            raise
        finally:
            progress.close(log)
        if error:
            print(error, file=log)
    if error:
        describe(state, error)
    return _outcome(record, state, error)


def _cancelled_by(interrupt: KeyboardInterrupt) -> str:
    return f"cancelled by {str(interrupt) or 'Ctrl-C'}"


def _outcome(record: runs.RunRecord, state: str, error: str | None = None) -> Outcome:
    folder = record.finish(state, error)
    return Outcome(record.run, state, str(folder), record.facts["trial"], record.facts["seconds"], error)


def _note_trial(record: runs.RunRecord, state: str) -> None:
    """Take over what the trial says of the run; its id only when the run got as far as to store it."""
    with contextlib.suppress(FileNotFoundError):
        trial = json.loads((record.folder / "trial.json").read_text())
        record.update(
            trial=trial["id"] if state == "completed" else None,
            flow_run=trial.get("flow_run"),
            source_sha256=trial["source_sha256"],
        )


def _write_report(executed: Path, facts: dict, has_code: bool) -> None:
    """The executed notebook as HTML; a report that cannot be made must not turn a good run into a failed one."""
    from helpers.reports import write_html  # 1.2 s of import, begun in the background when the run started

    try:
        write_html(nbformat.read(executed, as_version=4), executed.with_suffix(".html"), facts, has_code)
    except FileNotFoundError:
        pass  # the run ended before its first cell
    except Exception as failure:
        print(f"daybook: no HTML report: {type(failure).__name__}: {failure}", file=sys.stderr)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {package: version(package) for package in RECORDED_PACKAGES}


@contextlib.contextmanager
def _terminable():
    """SIGTERM, which cron, systemd and Kubernetes send, ends a run in a recorded state as Ctrl-C does."""

    def interrupt(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second one would interrupt the recording of the first
        raise KeyboardInterrupt("SIGTERM")

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
