"""What a notebook's code can know of the run that it is in; by hand, in JupyterLab, there is none."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from helpers.masking import mask_values

RECORDED_PACKAGES = ("daybook", "dask", "distributed", "numpy", "pandas", "prefect", "pyarrow", "scikit-learn")


@dataclass(frozen=True)
class RunContext:
    """A headless run, as its process described it in the environment.

    Attributes
    ----------
    run : str or None
        The run's id; None by hand.
    folder : Path or None
        Where the run's files go while it runs.
    notebook : str or None
        The notebook's name, without its folder.
    scheduled_at : str or None
        The tick that asked for the run, ISO 8601 in UTC; None by hand.
    schedule : str or None
        The name of the schedule that the tick belongs to.
    attempt : int
        1, or more for a retry of the tick.
    flow_run : str or None
        The flow run that Prefect scheduled, which the notebook's flow is to become.
    """

    run: str | None = None
    folder: Path | None = None
    notebook: str | None = None
    scheduled_at: str | None = None
    schedule: str | None = None
    attempt: int = 1
    flow_run: str | None = None

    def environment(self) -> dict[str, str]:
        """The variables from which `current` makes this again in a child process."""
        values = {"RUN": self.run, "RUN_FOLDER": self.folder, "NOTEBOOK": self.notebook}
        values |= {"SCHEDULED_AT": self.scheduled_at, "SCHEDULE": self.schedule, "ATTEMPT": self.attempt}
        named = {f"DAYBOOK_{name}": str(value or "") for name, value in values.items()}
        # Prefect's own name, by which its workers hand a flow run to the process that they start for it.
        return named | {"PREFECT__FLOW_RUN_ID": self.flow_run or ""}


def current() -> RunContext:
    """The run that this process belongs to."""

    def value(name: str) -> str | None:
        return os.environ.get(f"DAYBOOK_{name}") or None

    folder = value("RUN_FOLDER")
    # Jupyter's server names the notebook of a kernel that was started by hand.
    by_hand = Path(os.environ.get("JPY_SESSION_NAME", "")).name or None
    return RunContext(
        run=value("RUN"),
        folder=Path(folder) if folder else None,
        notebook=value("NOTEBOOK") or by_hand,
        scheduled_at=value("SCHEDULED_AT"),
        schedule=value("SCHEDULE"),
        attempt=int(value("ATTEMPT") or 1),
        flow_run=os.environ.get("PREFECT__FLOW_RUN_ID") or None,
    )


def now() -> str:
    """The time now, ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def provenance() -> dict:
    """What a trial records of the run that made it. To be called at the start of a flow, in its own process.

    Returns
    -------
    dict
        `run`, `flow_run`, `notebook`, `scheduled_at`, `schedule` (each None where there is none), `parameters` (the
        flow's, as they were used), `started_at` and `versions`.
    """
    from prefect.runtime import flow_run  # 1.3 s of import, paid already where there is a flow

    context = current()
    return {
        "run": context.run,
        "flow_run": str(flow_run.id) if flow_run.id else None,
        "notebook": context.notebook,
        "parameters": mask_values(flow_run.parameters, {}),
        "scheduled_at": context.scheduled_at,
        "schedule": context.schedule,
        "started_at": now(),
        "versions": {package: version(package) for package in RECORDED_PACKAGES},
    }
