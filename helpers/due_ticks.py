"""What becomes of ticks that are due: the policies of a schedule, as a function of nothing but its arguments."""

from dataclasses import dataclass
from datetime import datetime

from helpers.deployments import Tick
from helpers.policies import Policies

GRACE_SECONDS = 10.0  # a tick that is taken up so late is on time
MAX_WAITING = 100


@dataclass(frozen=True)
class Situation:
    """What the policies of a schedule look at.

    Attributes
    ----------
    now : datetime
    there_since : datetime
        Since when somebody has been there to take ticks up.
    gap : float
        The shortest interval of the schedule, seconds.
    going_since : datetime or None
        When the schedule's own run that is going was started.
    n_waiting : int
        Ticks that wait already.
    """

    now: datetime
    there_since: datetime
    gap: float
    going_since: datetime | None = None
    n_waiting: int = 0

    def is_late(self, tick: Tick) -> bool:
        """Whether a tick of the schedule was not taken up in time, because nobody was there.

        A tick is on time for `GRACE_SECONDS`; one that came while nobody was there, until the next one at most.
        """
        if not tick.by_schedule or tick.attempt != 1:
            return False  # whoever triggers a run by hand wants it, however late; a retry is due when it can be
        seconds = (self.now - tick.due_at).total_seconds()
        return seconds > GRACE_SECONDS or (tick.due_at < self.there_since and seconds >= self.gap)


@dataclass(frozen=True)
class Decision:
    """What becomes of a tick.

    Attributes
    ----------
    tick : Tick
    action : {"run", "wait", "skipped", "missed"}
    reason : str or None
        Why it does not run.
    """

    tick: Tick
    action: str
    reason: str | None = None


def decide(due: list[Tick], situation: Situation, policies: Policies) -> list[Decision]:
    """Choose for each tick that is due: it runs, waits for its turn, or is recorded with the reason why not.

    Parameters
    ----------
    due : list of Tick
        Those whose time has come and that nothing was decided on yet.
    situation : Situation
    policies : Policies

    Returns
    -------
    list of Decision
        At most one `run`, and none while a run is going or ticks wait.
    """
    due = sorted(due, key=lambda tick: (tick.due_at, tick.scheduled_at))
    late = [tick for tick in due if situation.is_late(tick)]
    on_time = [tick for tick in due if not situation.is_late(tick)]
    caught_up, missed = _after_outage(late, on_time, policies.missed)
    decisions = [Decision(tick, "missed", _why_missed(tick, situation.now, policies.missed)) for tick in missed]
    going_since, n_waiting = situation.going_since, situation.n_waiting
    is_free = going_since is None and not n_waiting
    may_wait = policies.overlap == "queue"
    for tick, is_to_wait in [(tick, policies.missed == "all") for tick in caught_up] + [(t, False) for t in on_time]:
        if is_free:
            is_free, going_since = False, situation.now
            decisions.append(Decision(tick, "run"))
        elif not (may_wait or is_to_wait or tick.attempt > 1):
            decisions.append(Decision(tick, "skipped", _why_skipped(going_since)))
        elif n_waiting >= MAX_WAITING and tick.attempt == 1:
            decisions.append(Decision(tick, "skipped", f"{MAX_WAITING} ticks wait already"))
        else:
            n_waiting += 1
            decisions.append(Decision(tick, "wait"))
    return decisions


def _after_outage(late: list[Tick], on_time: list[Tick], policy: str) -> tuple[list[Tick], list[Tick]]:
    """Of the late ticks, those that are taken up after all and those that are missed."""
    if policy == "all":
        return late, []
    has_newer = any(tick.by_schedule and tick.attempt == 1 for tick in on_time)
    if policy == "skip" or has_newer:
        return [], late
    return late[-1:], late[:-1]


def _why_missed(tick: Tick, now: datetime, policy: str) -> str:
    late = (now - tick.due_at).total_seconds()
    return f"nobody was there to run it; found {late:.0f} s late, and the policy for missed ticks is {policy}"


def _why_skipped(going_since: datetime | None) -> str:
    since = f", begun at {going_since:%H:%M:%S} UTC," if going_since else ""
    return f"another run of the schedule{since} was still going; the policy for overlaps is skip"
