"""A notebook's flow as the flow run that Prefect scheduled, and what Prefect's page shows of it besides."""

import os

from helpers import compute
from helpers.run_context import current
from helpers.runs import PART


def run(flow, *args, **kwargs):
    """Call a flow; in a scheduled run it becomes the flow run that Prefect scheduled, so that one run shows as one.

    Parameters
    ----------
    flow : prefect.Flow
    *args, **kwargs
        The flow's own.

    Returns
    -------
    object
        What the flow returns.
    """
    # Only the first flow of a notebook can be the scheduled one; its subprocesses' flows are none of it.
    flow_run = os.environ.pop("PREFECT__FLOW_RUN_ID", "")
    if not flow_run:
        return flow(*args, **kwargs)
    from uuid import UUID

    from prefect.flow_engine import load_flow_run, run_flow
    from prefect.utilities.callables import get_call_parameters

    # By hand, as the engine's own command does it: its parameters are the call's, not the deployment's.
    parameters = get_call_parameters(flow.fn, args, kwargs)
    return run_flow(flow, flow_run=load_flow_run(UUID(flow_run)), parameters=parameters)


def publish_links() -> None:
    """Put the way to the run's folder and to Dask's dashboard on the flow run's page. To be called inside a flow."""
    from prefect.artifacts import create_markdown_artifact

    active = compute.active()
    link = active.dashboard_link if active else None
    lines = []
    if folder := current().folder:
        final = folder.with_name(folder.name.removesuffix(PART))  # as it is called when the run has ended
        lines.append(f"- [Run folder]({final.as_uri()}): `{final}`")
    if link:
        lines.append(f"- [Dask dashboard]({link}), while the cluster is up")
    if lines:
        create_markdown_artifact(key="where-to-look", markdown="\n".join(lines))


def publish_metrics(trial: dict) -> None:
    """Put a trial's metrics as a table on the flow run's page. To be called inside a flow.

    Parameters
    ----------
    trial : dict
        As `summaries.trial_document` makes it.
    """
    from prefect.artifacts import create_table_artifact

    data = trial["data"]
    rows = [
        {"metric": name, "value": value, "unit": unit, "hours": None if per is None or value is None else value / per}
        for (name, value), (unit, per) in zip(data["metrics"].items(), UNITS, strict=True)
    ]
    counts = f"{data['num_obs']:,} of {data['num_available']:,} events"
    create_table_artifact(key="metrics", table=rows, description=f"Trial {trial['id']}: {counts}")


UNITS = (("s", 3600.0), ("s", 3600.0), ("s²", None), ("", None))  # and seconds an hour, by `metrics.METRICS`
