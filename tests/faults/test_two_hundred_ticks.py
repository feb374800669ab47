"""Two hundred ticks in a row, one a second: nothing of `daybook serve` grows, and every trial is there once."""

import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from tiny_trial import STORE, TRIAL, serve_of

from helpers.trials import TrialStore

pytestmark = pytest.mark.slow
TICKS = 200
WARM_UP = 50  # the zygote learns, allocators fill, and Prefect's client meets each of its routes
KILOBYTES_A_TICK = 20.0  # the history of a thousand ticks, which is bounded, takes one or two


def look(serve: psutil.Process) -> dict[str, dict[str, float]]:
    """What serve and its zygote hold: memory of their own, and numbers of descriptors, threads and processes."""
    found = {}
    zygotes = [child for child in serve.children() if "helpers.zygote" in child.cmdline()]
    for name, process in (("serve", serve), ("zygote", zygotes[-1])):
        found[name] = {
            "kB": process.memory_full_info().uss / 1024,
            "descriptors": process.num_fds(),
            "threads": process.num_threads(),
        }
    found["serve"]["processes"] = len(serve.children())
    return found


def test_nothing_grows(write_nb, prefect):
    """In 200 ticks, one a second, neither memory nor descriptors, threads or processes grow; each tick is recorded."""
    with serve_of(write_nb, [TRIAL, STORE], "--every", "1s", url=prefect) as serve:
        serve.wait_for_state("completed", 3)  # the zygote learns from the first
        process = psutil.Process(serve.process.pid)
        ends = time.monotonic() + 230
        seen = []
        while len(serve.runs()) < TICKS and time.monotonic() < ends:
            seen.append(look(process))
            time.sleep(2)
        serve.end(signal.SIGTERM)
        states = serve.states()
        ticks = serve.assert_one_record_a_tick(1)
    assert len(ticks) >= TICKS
    rest = seen[len(seen) * WARM_UP // TICKS :]
    slopes = {}
    for name in ("serve", "zygote"):
        for what in rest[0][name]:
            line = np.polyfit(np.arange(len(rest)), [one[name][what] for one in rest], 1)
            slopes[f"{name} {what}"] = line[0] * len(rest) / (TICKS - WARM_UP)
    print(states, {name: round(slope, 4) for name, slope in slopes.items()})
    print(seen[0], seen[-1], sep="\n")
    for name, slope in slopes.items():
        # A run that is just beginning or ending is a process and a pipe more: less than one in all the ticks.
        assert slope < (KILOBYTES_A_TICK if name.endswith("kB") else 1 / TICKS), name
    trials = [trial["scheduled_at"] for trial in TrialStore().documents()]
    of_state = {state: {run["scheduled_at"] for run in serve.runs() if run["state"] == state} for state in states}
    assert len(set(trials)) == len(trials)
    # The run that SIGTERM ended may have stored its trial before.
    assert of_state["completed"] <= set(trials) <= of_state["completed"] | of_state.get("cancelled", set())
    assert not set(states) - {"completed", "skipped", "cancelled"}
    # One that takes more than its second is the reason why the next is skipped; on a busy machine many do.
    assert states["completed"] >= TICKS / 10
    assert not list(Path(serve.runs()[0]["folder"]).parent.glob("*.part"))
