"""What `daybook serve` makes sure of before it starts anything: nobody serves the same, and ticks can hold."""

import contextlib
import hashlib
from datetime import UTC, datetime
from statistics import median

import psutil
from filelock import Timeout

from helpers import masking, runs, served_state
from helpers.exceptions import ClusterError, ScheduleError
from helpers.parameters import declared
from helpers.served_notebooks import ServedNotebook

N_MEASURED = 10


def hold(served: list[ServedNotebook], stack: contextlib.ExitStack) -> None:
    """Take the locks of the schedules' names and of their notebooks, until the stack is left.

    Raises
    ------
    ScheduleError
        When another process has one of them; the line says which process.
    """
    names = {f"schedule-{one.name}": one for one in served}
    for one in served:
        digest = hashlib.sha256(str(one.notebook).encode()).hexdigest()[:12]
        names[f"notebook-{one.notebook.stem}-{digest}"] = one
    for name, one in names.items():
        try:
            stack.enter_context(served_state.lock(name))
        except Timeout:
            raise ScheduleError(_who_serves(one)) from None


def _who_serves(served: ServedNotebook) -> str:
    for facts in map(served_state.read, served_state.names()):
        is_notebook = str(served.notebook) == facts["notebook"]
        if (is_notebook or served.name == facts["name"]) and _is_alive(facts["process"]):
            what = served.notebook.name if is_notebook else f"a schedule named {served.name!r}"
            who = f"as {facts['name']!r} by process {facts['process'][0]} since {facts['since'][:19]}"
            return f"{what} is served already, {who}; stop that one first"
    return f"{served.notebook.name} is served already, by a process that is just starting; stop that one first"


def _is_alive(identity: list | None) -> bool:
    try:
        return bool(identity) and abs(runs.identity(identity[0])[1] - identity[1]) < 1
    except psutil.Error:
        return False


def cluster_options(served: list[ServedNotebook]) -> dict:
    """The options of the one cluster that all runs with cluster `local` are to use.

    Raises
    ------
    ClusterError
        When there is no such run, or they ask for different ones.
    """
    found = []
    for one in served:
        values = {name: parameter.default for name, parameter in declared(one.notebook).items()} | one.parameters
        if values.get("cluster") == "local" and (values.get("cluster_options") or {}) not in found:
            found.append(values.get("cluster_options") or {})
    if len(found) != 1:
        why = f"they ask for {len(found)} different clusters" if found else "none has the parameter cluster = local"
        raise ClusterError(
            f"--warm-cluster keeps one local cluster for all schedules, but {why}; correct their parameters"
        )
    return found[0]


def secrets(served: list[ServedNotebook]) -> dict[str, str]:
    """What the masked parameters of the schedules stand for."""
    found: dict[str, str] = {}
    for one in served:
        masking.mask_values(one.parameters, found)
    return found


def warnings(served: ServedNotebook, gap: float) -> list[str]:
    """What a person should know of a schedule beforehand, a line each.

    Parameters
    ----------
    served : ServedNotebook
    gap : float
        Seconds between its ticks.
    """
    found = [short_interval(served, gap), served.schedule.daylight_saving(datetime.now(UTC))]
    return [f"warning: {warning}" for warning in found if warning]


def short_interval(served: ServedNotebook, gap: float) -> str | None:
    """A line when ticks come faster, every `gap` seconds, than runs take: most of them would not run."""
    past = [facts for facts in runs.listing(100, served.notebook.name) if facts["state"] == "completed"][:N_MEASURED]
    if not past or (took := median(facts["seconds"] for facts in past)) <= gap:
        return None
    return (
        f"{served.name} ticks every {gap:g} s, but its last {len(past)} runs took {took:.1f} s (median); "
        f"what then happens is --overlap {served.policies.overlap}"
    )
