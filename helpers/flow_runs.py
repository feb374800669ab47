"""A notebook's flow as the flow run that Prefect scheduled, and what Prefect's page shows of it besides."""

import os
from pathlib import Path
from uuid import UUID

from helpers import compute
from helpers.flow_run_tags import tags_of
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
    from prefect.context import FlowRunContext
    from prefect.flow_engine import load_flow_run, run_flow
    from prefect.utilities.callables import get_call_parameters

    # Only the first flow of a notebook can be the scheduled one; its subprocesses' flows are none of it.
    scheduled = os.environ.pop("PREFECT__FLOW_RUN_ID", "")
    if not scheduled and FlowRunContext.get():
        return flow(*args, **kwargs)  # a part of the flow that calls it
    # By hand, as the engine's own command does it: its parameters are the call's, not the deployment's.
    parameters = get_call_parameters(flow.fn, args, kwargs)
    flow_run = load_flow_run(UUID(scheduled)) if scheduled else _created(flow, parameters)
    return run_flow(flow, flow_run=flow_run, parameters=parameters)


def _created(flow, parameters: dict):
    """A flow run as the engine makes it, with tags; those of `prefect.tags` would cost each task a request besides."""
    from prefect.client.orchestration import get_client
    from prefect.context import TagsContext
    from prefect.states import Pending

    context = current()
    tags = {*TagsContext.get().current_tags, *tags_of(context.notebook, parameters, context.schedule)}
    with get_client(sync_client=True) as client:
        told = flow.serialize_parameters(parameters)
        return client.create_flow_run(flow, parameters=told, state=Pending(), tags=tags)


def publish_links() -> None:
    """Put the way to the run's folder and to Dask's dashboard on the flow run's page. To be called inside a flow."""
    from prefect.artifacts import create_markdown_artifact

    active = compute.active()
    link = active.dashboard_link if active else None
    lines = []
    if folder := current().folder:
        final = folder.with_name(folder.name.removesuffix(PART))  # as it is called when the run has ended
        lines.append(f"- [Run folder]({final.as_uri()}): `{final}`")
        if notebook := current().notebook:
            report = final / Path(notebook).with_suffix(".html").name
            lines.append(f"- [The notebook as HTML]({report.as_uri()}), once the run has ended: `{report}`")
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
    errors = data.get("standard_errors") or {}
    rows = [_row(name, value, errors.get(name)) for name, value in (data.get("metrics") or {}).items()]
    counts = f"{data.get('num_obs', 0):,} events"
    if "num_available" in data:
        counts = f"{data['num_obs']:,} of {data['num_available']:,} events"
    create_table_artifact(key="metrics", table=rows, description=f"Trial {trial['id']}: {counts}")


def _row(name: str, value: float | None, error: float | None) -> dict:
    """A metric, its standard error where the trial has one, and both in hours where they are durations."""
    unit = UNITS.get(name, "")
    row = {"metric": name, "value": value, "±": error, "unit": unit}
    hours = {"hours": value, "± hours": error} if unit == "s" else {"hours": None, "± hours": None}
    return row | {key: None if number is None else round(number / 3600, 2) for key, number in hours.items()}


UNITS = {"MAE": "s", "MedAE": "s", "MSE": "s²"}  # of `metrics.METRICS`; R2 has none
