"""A run of `daybook serve` that is going."""

import contextlib
import os
import signal
from dataclasses import dataclass
from datetime import datetime

from helpers import tick_history
from helpers.deployments import Tick

GUARD_SECONDS = 30.0  # past its limit a run ends itself; one that cannot is killed


@dataclass
class GoingRun:
    """A run that is going.

    Attributes
    ----------
    tick : Tick
    key : str
        The starter's.
    pid : int
        Of the run's process, which leads a session.
    since : datetime
    """

    tick: Tick
    key: str
    pid: int
    since: datetime

    def signal(self, signum: int) -> None:
        """Send a signal to the run's process; SIGKILL to its whole session."""
        with contextlib.suppress(OSError):
            (os.killpg if signum == signal.SIGKILL else os.kill)(self.pid, signum)

    def is_past(self, limit: float | None, now: datetime) -> bool:
        """Whether it should have ended itself at its limit, seconds, some time ago."""
        if limit is None or (now - self.since).total_seconds() < limit + GUARD_SECONDS:
            return False
        facts = tick_history.of_flow_run(self.tick.flow_run)
        started = facts and facts["started_at"]  # none while it waits for another run of the notebook to end
        return bool(started) and (now - datetime.fromisoformat(started)).total_seconds() > limit + GUARD_SECONDS
