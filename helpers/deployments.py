"""Schedules as Prefect's server knows them: deployments, their scheduled flow runs, and the states of those."""

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from helpers.exceptions import RefusedError, ServerError
from helpers.flow_run_tags import tags_of
from helpers.masking import mask, mask_values
from helpers.notebook_flows import flow_name, parameter_schema
from helpers.parameters import declared
from helpers.served_notebooks import ServedNotebook

if TYPE_CHECKING:
    from uuid import UUID

REQUEST_SECONDS = 30.0  # while serving begins: a server that has just been started is slow
BRISK_SECONDS = 5.0
LAST_SECONDS = 1.5
PAGE = 200  # flow runs that the server tells of at once
FIRST_TICKS = 100


@dataclass(frozen=True)
class Tick:
    """A moment at which a schedule, or a person on Prefect's page, asks for a run.

    Attributes
    ----------
    scheduled_at : datetime
        The tick's own time, UTC; a retry keeps it.
    due_at : datetime
        When the run is to start: later than `scheduled_at` for a retry.
    flow_run : str or None
        Prefect's flow run; None for a tick that the server was not there to make.
    attempt : int
    by_schedule : bool
        Not triggered by hand.
    parameters : dict
        The flow run's.
    """

    scheduled_at: datetime
    due_at: datetime
    flow_run: str | None = None
    attempt: int = 1
    by_schedule: bool = True
    parameters: dict | None = None

    @property
    def text(self) -> str:
        """The tick's time as runs record it."""
        return self.scheduled_at.astimezone(UTC).isoformat(timespec="milliseconds")


class Deployments:
    """A client of Prefect's server, for the deployments of one `daybook serve`.

    To be made after `prefect_server.connect()`: Prefect reads its settings when it is imported.
    """

    def __init__(self):
        from prefect.client.orchestration import get_client

        self._stack = contextlib.ExitStack()
        self._client = self._stack.enter_context(
            get_client(sync_client=True, httpx_settings={"timeout": REQUEST_SECONDS})
        )
        self._mark = f"taken up by daybook serve {uuid.uuid4().hex}"
        self._is_ending = self._has_failed = False

    def be_brisk(self, is_ending: bool = False) -> None:
        """Wait less for answers; at the end, for no more than one that does not come."""
        from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

        # Prefect would try again for a minute, in which nobody hears a signal; whoever calls tries again anyway.
        self._stack.enter_context(temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}))
        self._is_ending = is_ending
        self._client._client.timeout = LAST_SECONDS if is_ending else BRISK_SECONDS

    def close(self) -> None:
        """Close the connections."""
        with contextlib.suppress(Exception):
            self._stack.close()

    def apply(self, served: ServedNotebook) -> str:
        """Make or update the deployment of a schedule; what was paused on Prefect's page stays paused.

        Returns
        -------
        str
            The deployment's id.

        Raises
        ------
        ServerError
            When the server cannot be reached or refuses.
        """
        from prefect.client.schemas.actions import DeploymentScheduleCreate

        flow = flow_name(served.notebook)
        before = self._existing(f"{flow}/{served.name}")
        active = all(schedule.active for schedule in before.schedules) if before else True
        with self._reaching():
            made = self._client.create_deployment(
                flow_id=self._client.create_flow_from_name(flow),
                name=served.name,
                # Without a slug, which its page would show instead of when the schedule ticks.
                schedules=[DeploymentScheduleCreate(schedule=served.schedule.prefect_schedule(), active=active)],
                parameters=mask_values(served.parameters, {}),
                description=_description(served),
                tags=_tags(served),  # its flow runs have them too
                entrypoint=served.notebook.name,
                parameter_openapi_schema=parameter_schema(served.notebook),
                enforce_parameter_schema=True,
            )
            # The server's own scheduler comes by within a minute: too late for the first ticks of a short interval.
            self._client.request("POST", f"/deployments/{made}/schedule", json={"max_runs": FIRST_TICKS})
        return str(made)

    def is_paused(self, deployment: str) -> bool | None:
        """Whether someone paused it, or its schedule, on Prefect's page; None when it is gone."""
        from prefect.exceptions import ObjectNotFound

        try:
            with self._reaching():
                found = self._client.read_deployment(_uuid(deployment))
        except ObjectNotFound:
            return None
        return found.paused or not any(schedule.active for schedule in found.schedules)

    def scheduled(self, deployments: list[str], before: datetime) -> dict[str, list[Tick]]:
        """The ticks of each deployment that nobody has begun, oldest first."""
        ids = [_uuid(deployment) for deployment in deployments]
        with self._reaching():
            # This tells the server besides that somebody is there: its page calls the deployments ready.
            found = self._client.get_scheduled_flow_runs_for_deployments(ids, scheduled_before=before)
        while len(found) and len(found) % PAGE == 0:
            more = self._scheduled_after(ids, before, len(found))
            if not more:
                break
            found += more
        ticks: dict[str, list[Tick]] = {deployment: [] for deployment in deployments}
        for flow_run in found:
            ticks[str(flow_run.deployment_id)].append(_tick(flow_run))
        return ticks

    def _scheduled_after(self, ids: list["UUID"], before: datetime, offset: int) -> list:
        """More of what `scheduled` asks for, which tells of the oldest alone."""
        from prefect.client.schemas import filters, sorting

        asked = filters.FlowRunFilter(
            deployment_id=filters.FlowRunFilterDeploymentId(any_=ids),
            state=filters.FlowRunFilterState(type=filters.FlowRunFilterStateType(any_=["SCHEDULED"])),
            next_scheduled_start_time=filters.FlowRunFilterNextScheduledStartTime(before_=before),
        )
        order = sorting.FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC
        with self._reaching():
            return self._client.read_flow_runs(flow_run_filter=asked, sort=order, limit=PAGE, offset=offset)

    def unfinished(self, deployment: str) -> list[Tick]:
        """Flow runs that Prefect believes to be going."""
        from prefect.client.schemas import filters

        states = filters.FlowRunFilterState(
            type=filters.FlowRunFilterStateType(any_=["PENDING", "RUNNING", "CANCELLING"])
        )
        theirs = filters.DeploymentFilter(id=filters.DeploymentFilterId(any_=[_uuid(deployment)]))
        with self._reaching():
            found = self._client.read_flow_runs(
                flow_run_filter=filters.FlowRunFilter(state=states), deployment_filter=theirs
            )
        return [_tick(flow_run) for flow_run in found]

    def create(self, deployment: str, tick: Tick) -> str:
        """Make the flow run of a tick that the server was not there to make; its id."""
        from prefect.states import Scheduled

        with self._reaching():
            made = self._client.create_flow_run_from_deployment(
                _uuid(deployment),
                state=Scheduled(scheduled_time=tick.scheduled_at),
                idempotency_key=f"{deployment} {tick.text}",
            )
        return str(made.id)

    def claim(self, flow_run: str) -> bool:
        """Take a scheduled flow run; False when it is gone, paused, cancelled or somebody else's by now.

        One that was taken here before stays taken: the server's answer may have been lost.
        """
        from prefect.exceptions import ObjectNotFound
        from prefect.states import Pending

        try:
            with self._reaching():
                answer = self._client.set_flow_run_state(flow_run, Pending(message=self._mark))
                if answer.status == "ACCEPT":
                    return True
                state = self._client.read_flow_run(_uuid(flow_run)).state
        except ObjectNotFound:
            return False
        return state.is_pending() and state.message == self._mark

    def state(self, flow_run: str) -> str | None:
        """The type of a flow run's state, such as `RUNNING`; None when the flow run is gone."""
        from prefect.exceptions import ObjectNotFound

        try:
            with self._reaching():
                return self._client.read_flow_run(_uuid(flow_run)).state_type.value
        except ObjectNotFound:
            return None

    def close_flow_run(self, flow_run: str, state: str, reason: str | None = None) -> None:
        """Give a flow run the state in which its run ended, unless it has that already.

        Parameters
        ----------
        flow_run : str
        state : str
            One of `runs.STATES`; a skipped or missed tick shows as a cancelled flow run of that name.
        reason : str, optional
        """
        from prefect.exceptions import ObjectNotFound
        from prefect.states import State

        kind = {"skipped": "cancelled", "missed": "cancelled"}.get(state, state).upper()
        if self.state(flow_run) in (kind, None):
            return
        wanted = State(type=kind, name=state.capitalize(), message=mask(reason or "") or None)
        with contextlib.suppress(ObjectNotFound), self._reaching():
            self._client.set_flow_run_state(flow_run, wanted, force=True)

    def retry(self, flow_run: str, at: datetime, reason: str) -> None:
        """Have a failed flow run scheduled again; it keeps its tick's time."""
        from prefect.states import AwaitingRetry

        with self._reaching():
            self._client.set_flow_run_state(
                flow_run, AwaitingRetry(scheduled_time=at, message=mask(reason)), force=True
            )

    def _existing(self, name: str):
        from prefect.exceptions import ObjectNotFound

        with contextlib.suppress(ObjectNotFound), self._reaching():
            return self._client.read_deployment_by_name(name)
        return None

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        """Turn the ways in which a server can be away into one error; what it says of a request passes."""
        import httpx
        from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

        if self._is_ending and self._has_failed:
            raise ServerError("the Prefect server does not answer, and it is not asked again")
        try:
            yield
            self._has_failed = False
        except ObjectNotFound:
            raise
        except PrefectHTTPStatusError as error:
            code, said = error.response.status_code, error.response.text[:200]
            if error.response.is_server_error:  # such as 503, when its SQLite is locked
                raise ServerError(f"the Prefect server does not answer (it says {code})") from None
            raise RefusedError(f"the Prefect server answered {code}: {said}") from None
        except (httpx.HTTPError, OSError, RuntimeError) as error:
            self._has_failed = True
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise ServerError(f"the Prefect server does not answer ({said})") from None


def _tick(flow_run) -> Tick:
    return Tick(
        scheduled_at=flow_run.expected_start_time,
        due_at=flow_run.next_scheduled_start_time or flow_run.expected_start_time,
        flow_run=str(flow_run.id),
        by_schedule=bool(flow_run.auto_scheduled),
        parameters=flow_run.parameters,
    )


def _tags(served: ServedNotebook) -> list[str]:
    defaults = {name: parameter.default for name, parameter in declared(served.notebook).items()}
    return tags_of(served.notebook.name, defaults | served.parameters, served.name)


def _description(served: ServedNotebook) -> str:
    policies = ", ".join(f"{name}: {value}" for name, value in served.policies.described().items() if value)
    return f"{served.notebook.name}, {served.schedule}. Executed by `daybook serve`. Policies: {policies}."


def _uuid(text: str) -> "UUID":
    from uuid import UUID

    return UUID(text)
