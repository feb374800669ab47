"""One schedule as `daybook serve` works it off: ticks that are due, a run that is going, ticks that wait."""

import signal
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from helpers import due_ticks, retention, runs, tick_history
from helpers.deployments import Deployments, Tick
from helpers.exceptions import RunError, ServerError
from helpers.flow_run_reports import FlowRunReports
from helpers.going_run import GoingRun
from helpers.masking import mask_values
from helpers.notices import Notices
from helpers.served_notebooks import ServedNotebook
from helpers.starters import Ended, Request
from helpers.tick_history import KEPT, TickHistory

LINES = 5  # of ticks that did not run, for the person who watches; the runs have all of them


class Lane:
    """A schedule's ticks and its run.

    Parameters
    ----------
    served : ServedNotebook
    deployments : Deployments
    starter : ColdStarter or WarmStarter
    environment : dict of str to str
        Added to each run's.
    say : callable
        Takes a line for the person who watches.
    seen_until : datetime
        Up to when ticks were seen by an earlier `daybook serve`; now where there was none.
    untold : set of str
        Runs that nobody was told of yet.
    """

    def __init__(
        self,
        served: ServedNotebook,
        deployments: Deployments,
        starter,
        environment: dict,
        say: Callable,
        seen_until: datetime,
        untold: set[str] = frozenset(),
    ):
        self.served = served
        self.deployments = deployments
        self.starter = starter
        self.environment = environment
        self.say = say
        self.seen_until = seen_until
        self.there_since = datetime.now(UTC)
        self.gap = served.schedule.shortest_gap()
        self.deployment = deployments.apply(served)
        self.is_paused = False
        self.going: GoingRun | None = None
        self.upcoming: list[Tick] = []
        self.waiting: deque[Tick] = deque()
        self._next: list[datetime] = []
        self.reports = FlowRunReports(deployments)
        self._begun: dict[str, Tick] = {}  # by time: asked for, and the server has not answered
        self._masked = mask_values(served.parameters, {})
        past = tick_history.of_schedule(self.name)
        self.history = TickHistory(past)
        told = [facts for facts in past if facts["run"] not in untold][:100]
        self.notices = Notices(served.policies.notify, told, served.notebook, served.policies.retries)
        for facts in past:
            if facts["run"] in untold:
                self._tell(facts)

    @property
    def name(self) -> str:
        """The schedule's name."""
        return self.served.name

    def expect(self, scheduled: list[Tick], now: datetime) -> None:
        """Take note of the ticks that the server has, and of those that it was not there to make.

        Parameters
        ----------
        scheduled : list of Tick
            As the server has them now: one that was expected and is gone was cancelled, or the schedule was paused.
        now : datetime

        Raises
        ------
        ServerError
        """
        lost = [Tick(at, at) for at in self.served.schedule.ticks(self.seen_until, now, limit=KEPT)]
        its_own = {tick.text for tick in scheduled if tick.by_schedule} | self._begun.keys()
        lost = [tick for tick in lost if self.history.is_new(tick.text) and tick.text not in its_own]
        gone = {tick.text for tick in self.upcoming if tick.by_schedule and tick.due_at > now} - its_own
        if lost or gone or (self.is_paused and its_own):
            self.look_whether_paused()
        if len(lost) == KEPT and not self.is_paused:
            why = f"as all ticks up to {lost[0].text}: nobody was there; the {KEPT} newest have records of their own"
            self._record(Tick(self.seen_until, self.seen_until), "missed", why)
        flow_runs = {tick.flow_run for tick in self._begun.values()}
        found = self.history.counted([tick for tick in scheduled if tick.flow_run not in flow_runs])
        self.upcoming = [*self._begun.values(), *(tick for tick in found if not self._is_known(tick))]
        self.upcoming += [] if self.is_paused else lost
        self.history.show([tick for tick in scheduled if tick.by_schedule])
        self.seen_until = now

    def look_whether_paused(self) -> None:
        """Ask the server; a deployment that was deleted on its page is made again, for a schedule must not end unseen.

        Raises
        ------
        ServerError
        """
        is_paused = self.deployments.is_paused(self.deployment)
        if is_paused is None:
            self.deployment = self.deployments.apply(self.served)
            self.say(f"{self.name}: its deployment was gone from the Prefect server, and is made again")
        elif is_paused != self.is_paused:
            self.say(f"{self.name}: {'paused' if is_paused else 'resumed'} on Prefect's page")
        self.is_paused = bool(is_paused)

    def act(self, now: datetime) -> None:
        """Do what the policies say about the ticks that are due.

        Raises
        ------
        ServerError
            When the server is away; the ticks that nothing was done about are found again by the next `expect`.
        """
        due = [tick for tick in self.upcoming if tick.due_at <= now]
        since = self.going.since if self.going else None
        situation = due_ticks.Situation(now, self.there_since, self.gap, since, len(self.waiting))
        decisions = due_ticks.decide(due, situation, self.served.policies) if due else []
        n_said = 0
        for decision in decisions:
            if decision.action == "run":
                self._begin(decision.tick)
            elif decision.action == "wait":
                self.waiting.append(decision.tick)
            else:
                self._record(decision.tick, decision.action, decision.reason, is_quiet=n_said >= LINES)
                n_said += 1
            self.upcoming.remove(decision.tick)
            self.history.decide(decision.tick.text, decision.action)
        if n_said > LINES:
            self.say(f"{self.name}: … and {n_said - LINES} ticks more that did not run; `daybook runs` has them")
        while self.waiting and not self.going:
            tick = self.waiting.popleft()
            try:
                self._begin(tick)
            except ServerError:
                self.waiting.appendleft(self._begun.pop(tick.text))
                raise

    def reconcile(self) -> None:
        """Give flow runs that Prefect believes to be going the state in which their run ended."""
        for tick in self.deployments.unfinished(self.deployment):
            facts = tick_history.of_flow_run(tick.flow_run)
            if facts is None:
                self._record(tick, "crashed", "daybook serve ended before the run began")
            else:
                self._report_end(replace(tick, attempt=facts["attempt"]), facts, may_retry=True)

    def done_until(self) -> datetime:
        """Up to when nothing would be lost with this process: of a tick that waits no server may know."""
        pending = [tick for tick in (*self.waiting, *self.upcoming, *self._begun.values()) if tick.flow_run is None]
        return min([self.seen_until, *(tick.scheduled_at - timedelta(milliseconds=1) for tick in pending)])

    def next_due(self) -> datetime | None:
        """When the next tick that is known is due."""
        return min((tick.due_at for tick in self.upcoming), default=None)

    def next_ticks(self, number: int = 3) -> list[str]:
        """When the schedule asks for its next runs; nothing while it is paused."""
        if self.is_paused:
            return []
        # Computed when one has passed, not each time: a rule takes 30 ms.
        if len(self._next) < number or self._next[0] <= datetime.now(UTC):
            self._next = self.served.schedule.next(datetime.now(UTC), number)
        return [Tick(at, at).text for at in self._next]

    def watch(self, now: datetime) -> None:
        """Look after the run that is going: its limit, and a cancellation on Prefect's page.

        Raises
        ------
        ServerError
        """
        if not self.going:
            return
        if self.going.is_past(self.served.policies.timeout, now):
            self.going.signal(signal.SIGKILL)
        if self.deployments.state(self.going.tick.flow_run) in ("CANCELLING", "CANCELLED"):
            self.going.signal(signal.SIGTERM)

    def finish(self, ended: Ended, may_retry: bool = True) -> None:
        """Record how the run that was going ended, tell whoever is to be told, and clear up."""
        going, facts = self.going, self._facts(self.going, ended)
        self.going = None
        self._report_end(going.tick, facts, may_retry)
        self._tell(facts)
        policies = self.served.policies
        if policies.keep or policies.keep_days:
            retention.prune(policies.keep, policies.keep_days, schedule=self.name)

    def _is_known(self, tick: Tick) -> bool:
        """Whether something was decided about a tick; a retry, or one by hand, is another than the schedule's own."""
        if any(waiting.flow_run == tick.flow_run for waiting in self.waiting):
            return True
        what = self.history.decided(tick.text) if tick.by_schedule and tick.attempt == 1 else None
        if what:
            # The server was not there to be told, or it has made the tick of a run a second time.
            self.reports.add_unless_known(tick.flow_run, "missed" if what == "missed" else "skipped")
        return what is not None

    def _begin(self, tick: Tick) -> None:
        self._begun[tick.text] = tick
        if tick.flow_run is None:
            tick = replace(tick, flow_run=self.deployments.create(self.deployment, tick))
            self._begun[tick.text] = tick
        is_ours = self.deployments.claim(tick.flow_run)
        del self._begun[tick.text]
        if not is_ours:
            return  # it was cancelled or paused in the last seconds, or is somebody else's
        policies = self.served.policies
        asked = {"scheduled_at": tick.text, "schedule": self.name, "flow_run": tick.flow_run, "attempt": tick.attempt}
        asked |= {"timeout": policies.timeout, "overlap": policies.overlap, "environment": self.environment}
        request = Request(self.served.notebook, self._parameters(tick), **asked)
        try:
            key, pid = self.starter.start(request)
        except (RunError, OSError) as error:
            self._record(tick, "failed", str(error))
            return
        self.going = GoingRun(tick, key, pid, datetime.now(UTC))
        self.history.begin(tick.flow_run, tick.attempt)

    def _parameters(self, tick: Tick) -> dict:
        """The tick's parameters, as somebody may have changed them on Prefect's page, with their secrets."""
        if tick.parameters is None:
            return self.served.parameters
        return {
            name: self.served.parameters[name] if value == self._masked.get(name, object()) else value
            for name, value in tick.parameters.items()
        }

    def _record(self, tick: Tick, state: str, reason: str, is_quiet: bool = False) -> None:
        """A run that never was, with the reason."""
        facts = self._made(tick, state, reason)
        if tick.flow_run:
            self.reports.close(tick.flow_run, state, reason)
        self._tell(facts, is_quiet)

    def _made(self, tick: Tick, state: str, reason: str) -> dict:
        told = {"schedule": self.name, "attempt": tick.attempt, "flow_run": tick.flow_run}
        told["path"] = runs.recorded_path(self.served.notebook)
        record = runs.RunRecord(self.served.notebook.name, self._masked, tick.text, **told)
        return runs.read(record.finish(state, reason))

    def _facts(self, going: GoingRun, ended: Ended) -> dict:
        """The facts of the run's folder, which is made here when the run came to none."""
        if ended.outcome:
            return runs.read(Path(ended.outcome["folder"]))
        if ended.refused:
            return self._made(going.tick, "failed", ended.refused)
        going.signal(signal.SIGKILL)
        runs.end_going({self.name})
        facts = tick_history.of_flow_run(going.tick.flow_run)
        if facts and facts["attempt"] == going.tick.attempt:
            return facts
        if ended.code == -signal.SIGTERM:
            return self._made(going.tick, "cancelled", "cancelled by SIGTERM before it began")
        return self._made(going.tick, "crashed", runs.CRASHED)

    def _report_end(self, tick: Tick, facts: dict, may_retry: bool) -> None:
        state, error = facts["state"], facts["error"]
        if may_retry and state in ("failed", "crashed") and tick.attempt <= self.served.policies.retries:
            at = datetime.now(UTC) + timedelta(seconds=self.served.policies.delay(tick.attempt))
            self.reports.retry(tick.flow_run, at, error or state)
            # Known here too: the server is asked for ticks seconds apart.
            self.upcoming.append(replace(tick, due_at=at, attempt=tick.attempt + 1))
        else:
            self.reports.close(tick.flow_run, state, error)

    def _tell(self, facts: dict, is_quiet: bool = False) -> None:
        attempt = f", attempt {facts['attempt']}" if facts["attempt"] != 1 else ""
        took = "" if facts["seconds"] is None else f" in {facts['seconds']:.1f} s"
        why = f": {facts['error']}" if facts["error"] else ""
        if not is_quiet:
            self.say(
                f"{self.name}, tick of {(facts['scheduled_at'] or '-')[:19]}{attempt}: {facts['state']}{took}{why}"
            )
        self.notices.note(facts, Path(facts["folder"]) / "run.log")
