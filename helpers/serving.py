"""`daybook serve`: takes the ticks of schedules up at their time, and records what becomes of each.

Prefect's server makes the ticks, as scheduled flow runs of deployments; a `Lane` claims each when it is due and starts
the notebook's run for it. What must outlive this process is elsewhere: ticks on the server, runs in their folders, and
the time up to which ticks were seen in `served_state`.
"""

import contextlib
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

from helpers import masking, own_server, prefect_server, runs, served_state, serving_checks, starters, stop_signals
from helpers.deployments import Deployments
from helpers.exceptions import ServerError
from helpers.run_context import now as now_text
from helpers.schedule_lane import Lane
from helpers.served_notebooks import ServedNotebook
from helpers.starters import ColdStarter, Ended, WarmStarter
from helpers.warm_cluster import WarmCluster

POLL_SECONDS = 5.0  # a run that is triggered by hand is found within it
AGAIN_SECONDS = 1.0  # a server that is only busy answers then
AHEAD = timedelta(seconds=30)  # a tick that is known so long beforehand is taken up on the moment
GOING_SECONDS = 0.1  # how often runs that are going are looked at
STATE_SECONDS = 10.0  # how stale the time is up to which ticks were seen
PAUSED_SECONDS = 60.0  # in which a pause is noticed of a schedule that has no tick soon
REPORT_SECONDS = 2.0  # for the server, of what it does not know yet, before ticks are looked at again
STOP_SECONDS = 9.0  # for runs to record their end
LAST_SECONDS = 2.0  # for what has to be closed after them, each


class Serving:
    """The process that serves schedules.

    Parameters
    ----------
    served : list of ServedNotebook
    cold : bool, default False
        Start each run as a fresh interpreter instead of forking it from one that has imported.
    warm_cluster : bool, default False
        Keep one local Dask cluster for the runs that ask for cluster `local`.
    """

    def __init__(self, served: list[ServedNotebook], cold: bool = False, warm_cluster: bool = False):
        self.served = served
        self.cold = cold
        self.cluster_options = serving_checks.cluster_options(served) if warm_cluster else None
        self.cluster: WarmCluster | None = None
        self.starter: ColdStarter | WarmStarter | None = None
        self.deployments: Deployments | None = None
        self.lanes: list[Lane] = []
        self.away_since: float | None = None
        self.has_disk = True
        self.names = {one.name for one in served}
        self.server = own_server.OwnServer(self.names)
        self.signals = stop_signals.StopSignals(self._end_runs, self._kill)
        self._ended: dict[str, Ended] = {}
        self._since = now_text()
        self._next_poll = self._next_look = 0.0
        self._written: dict[str, tuple[float, dict]] = {}

    def run(self) -> int:
        """Serve until SIGTERM or Ctrl-C.

        Returns
        -------
        int
            The exit code: 0 after SIGTERM, 130 after Ctrl-C.

        Raises
        ------
        DaybookError
            When it cannot start: another process serves one of the notebooks, or the Prefect server is not there.
        """
        with contextlib.ExitStack() as stack:
            serving_checks.hold(self.served, stack)
            stack.enter_context(self.signals)
            stack.callback(self._close)
            self.signals.interrupting(self._open)
            while not self.signals.number:
                self._turn()
        return 130 if self.signals.number == signal.SIGINT else 0

    def _open(self) -> None:
        # First of all: nothing of an earlier run may be going while the server is started.
        if closed := runs.end_going(self.names):
            _say(f"closed as crashed: {', '.join(closed)}")
        prefect_server.connect()
        os.environ.update(masking.environment(serving_checks.secrets(self.served)))
        self.starter = starters.choose(self.cold, _say)
        self._make_cluster()
        self.deployments = Deployments()
        for one in self.served:
            text = served_state.read(one.name)["seen_until"]
            seen = datetime.fromisoformat(text) if text else datetime.now(UTC)
            lane = Lane(one, self.deployments, self.starter, self._environment(), _say, seen, set(closed))
            self.lanes.append(lane)
            lane.reconcile()
            _say(f"serving {one.name}: {one.schedule}; {self._page(lane)}")
            for warning in serving_checks.warnings(one, lane.gap):
                _say(warning)
        self.deployments.be_brisk()

    def _turn(self) -> None:
        """Look at what is due and what has ended, then sleep until there is something to look at again."""
        try:
            self._take_ended(may_retry=True)
            self._ask_server()
            self.has_disk = True
        except OSError as error:
            if self.has_disk:
                _say(f"{error.strerror or error}: {error.filename or '-'}; ticks wait until that is mended")
            self.has_disk = False
            self._next_poll = time.monotonic() + POLL_SECONDS
        self._write_states()
        self._sleep()

    def _ask_server(self) -> None:
        is_polling = time.monotonic() >= self._next_poll
        try:
            if is_polling:
                self._poll()
            if self.away_since is None and not self.signals.number:
                for lane in self.lanes:
                    lane.act(datetime.now(UTC))
                    if is_polling:
                        lane.watch(datetime.now(UTC))
        except ServerError as error:
            if self.away_since is None:
                self.away_since = time.monotonic()
                _say(f"{error}; ticks wait until it does")
            self._next_poll = time.monotonic() + AGAIN_SECONDS
            self.server.start_again()

    def _take_ended(self, may_retry: bool) -> None:
        self._ended |= self.starter.ended()
        for lane in self.lanes:
            if lane.going and lane.going.key in self._ended:
                key = lane.going.key
                lane.finish(self._ended[key], may_retry)  # on a full disk once more
                del self._ended[key]

    def _poll(self) -> None:
        """Ask the server for ticks, and tell it what it does not know yet."""
        self._next_poll = time.monotonic() + POLL_SECONDS
        now = datetime.now(UTC)
        brought = [lane.reports.bring(REPORT_SECONDS) for lane in self.lanes]
        if not all(brought):
            self._next_poll = 0.0
        scheduled = self.deployments.scheduled([lane.deployment for lane in self.lanes], now + AHEAD)
        if self.away_since is not None:
            for lane in self.lanes:
                lane.there_since = now
            _say(f"the Prefect server is back after {time.monotonic() - self.away_since:.0f} s")
            self.away_since = None
        for lane in self.lanes:
            lane.expect(scheduled[lane.deployment], now)
            if time.monotonic() > self._next_look:
                lane.look_whether_paused()
        if time.monotonic() > self._next_look:
            self._next_look = time.monotonic() + PAUSED_SECONDS
        self._make_cluster()

    def _sleep(self) -> None:
        wake = [self._next_poll - time.monotonic()]
        if self.away_since is None and self.has_disk:
            now = datetime.now(UTC)
            wake += [(due - now).total_seconds() for lane in self.lanes if (due := lane.next_due())]
        if any(lane.going for lane in self.lanes):
            wake.append(GOING_SECONDS)
        self.signals.sleep(min(wake))

    def _make_cluster(self) -> None:
        """Make the warm cluster, or make it anew when its process has died."""
        if self.cluster_options is None or (self.cluster and self.cluster.is_up):
            return
        self.cluster = WarmCluster(self.cluster_options)
        _say(f"Dask cluster at {self.cluster.address}, dashboard {self.cluster.dashboard_link}")
        for lane in self.lanes:
            lane.environment = self._environment()

    def _environment(self) -> dict[str, str]:
        return self.cluster.environment if self.cluster else {}

    def _write_states(self, stopped_at: str | None = None) -> None:
        """Tell other processes what changed, and now and then up to which time ticks were seen."""
        for lane in self.lanes:
            facts = {
                "waits_for": "the Prefect server" if self.away_since is not None else None,
                "paused": lane.is_paused,
                "next": lane.next_ticks(),
                "cluster": self.cluster.dashboard_link if self.cluster else None,
                "stopped_at": stopped_at,
            }
            at, before = self._written.get(lane.name, (-STATE_SECONDS, {}))
            if facts != before or time.monotonic() - at > STATE_SECONDS:
                seen = {"seen_until": lane.done_until().isoformat(timespec="milliseconds")}
                with contextlib.suppress(OSError):  # a full disk does not end the schedules
                    served_state.write(lane.name, self._lasting(lane) | facts | seen)
                    self._written[lane.name] = (time.monotonic(), facts)

    def _lasting(self, lane: Lane) -> dict:
        return {
            "name": lane.name,
            "notebook": str(lane.served.notebook),
            "schedule": str(lane.served.schedule),
            "shortest_gap": lane.gap,
            "policies": lane.served.policies.described(),
            "process": runs.identity(os.getpid()),
            "since": self._since,
            "page": self._page(lane),
            "starter": self.starter.name,
        }

    def _page(self, lane: Lane) -> str:
        return f"{os.environ['PREFECT_API_URL'].removesuffix('/api')}/deployments/deployment/{lane.deployment}"

    def _end_runs(self) -> None:
        """Have the runs that are going end, as soon as the signal is there."""
        for lane in self.lanes:
            if lane.going:
                lane.going.signal(signal.SIGTERM)

    def _kill(self) -> None:
        """End at once: whoever asks twice does not want to wait."""
        stop_signals.kill_children(spared=self.server.pid)
        runs.end_going(self.names)
        if not self.server.is_needed():
            stop_signals.kill_children()

    def _close(self) -> None:
        """End the runs that are going, in a recorded state, and all that this process has started."""
        if self.deployments:
            self.deployments.be_brisk(is_ending=True)
        ends = time.monotonic() + STOP_SECONDS
        self._end_runs()
        while any(lane.going for lane in self.lanes):
            with contextlib.suppress(OSError):
                self._take_ended(may_retry=False)
            if time.monotonic() > ends:
                for lane in self.lanes:
                    if lane.going:
                        lane.going.signal(signal.SIGKILL)
            time.sleep(GOING_SECONDS)
        self._write_states(stopped_at=now_text())
        if self.deployments:
            self.deployments.close()
        parts = [part.close for part in (self.starter, self.cluster, self.server) if part]
        parts += [lambda lane=lane: lane.notices.close(LAST_SECONDS) for lane in self.lanes]
        threads = [threading.Thread(target=close, daemon=True) for close in parts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _say(line: str) -> None:
    """A line for the person who watches, or for the journal; with the time, as the seconds matter."""
    printable = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    with contextlib.suppress(OSError):  # nobody may be reading any more
        print(f"{datetime.now(UTC):%H:%M:%S} {printable}", file=sys.stderr, flush=True)
