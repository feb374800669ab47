"""What a schedule knows of its ticks: those that were decided on, those that the server has shown, and attempts."""

from dataclasses import replace

from helpers import runs
from helpers.deployments import Tick

KEPT = 1000


class TickHistory:
    """The last ticks of a schedule.

    Parameters
    ----------
    past : list of dict
        The `run.json` of the schedule's runs, newest first.
    """

    def __init__(self, past: list[dict]):
        self._decided: dict[str, str] = {}  # the tick's time, and what became of it
        self._attempts: dict[str, int] = {}  # by flow run; Prefect counts only those in which the flow began
        self._shown: dict[str, None] = {}
        for facts in reversed(past):
            if facts["scheduled_at"]:
                self.decide(facts["scheduled_at"], facts["state"])
            if facts["flow_run"] and facts["state"] not in ("skipped", "missed"):
                self.begin(facts["flow_run"], facts["attempt"])

    def decide(self, tick: str, what: str) -> None:
        """Note what became of the tick of this time."""
        _put(self._decided, tick, what)

    def decided(self, tick: str) -> str | None:
        """What became of the tick of this time; None when nothing was decided yet."""
        return self._decided.get(tick)

    def begin(self, flow_run: str, attempt: int) -> None:
        """Note that an attempt was begun."""
        _put(self._attempts, flow_run, attempt)

    def counted(self, ticks: list[Tick]) -> list[Tick]:
        """The ticks, each with the number of the attempt that is due."""
        return [replace(tick, attempt=self._attempts.get(tick.flow_run, 0) + 1) for tick in ticks]

    def show(self, ticks: list[Tick]) -> None:
        """Note that the server has these: one that is gone later was cancelled, or the schedule was paused."""
        for tick in ticks:
            _put(self._shown, tick.text, None)

    def is_new(self, tick: str) -> bool:
        """Whether nothing was ever heard of the tick of this time."""
        return tick not in self._shown and tick not in self._decided


def of_schedule(name: str) -> list[dict]:
    """The `run.json` of a schedule's last runs, newest first."""
    return [facts for facts in runs.listing(KEPT) if facts["schedule"] == name]


def of_flow_run(flow_run: str) -> dict | None:
    """The last run that was made for a flow run."""
    return next((facts for facts in runs.listing(KEPT) if facts["flow_run"] == flow_run), None)


def _put(kept: dict, key: str, value) -> None:
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > 2 * KEPT:
        del kept[next(iter(kept))]
