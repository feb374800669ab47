"""What a tick of `daybook serve` costs, beside the baseline's own flow in the same run: `make benchmark`.

Ours: the evaluation notebook on the cached real log, a batch of 1,000, from the tick's due time to the stored trial,
and the CPU-seconds of all processes, Prefect's server among them. The baseline (`../shared/baseline/seed.sh local`)
runs between the ticks. What counts are the ratios of the medians.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from statistics import median

import psutil

from helpers import prefect_server, runs
from tests.benchmarks.evaluation import DAYBOOK, LOG, NOTEBOOK, SEED

TICKS = int(os.environ.get("DAYBOOK_BENCHMARK_TICKS", 20))
WARM_UP = 2  # the first tick's kernel imports, the second's is forked from what the first had imported
SEEDS = 5
INTERVAL = 15.0
BEFORE_SECONDS = 0.5
IDLE_SECONDS = 60.0


@contextlib.contextmanager
def serving(*options: str) -> Iterator[psutil.Process]:
    """A `daybook serve` of the evaluation notebook, ended at the end."""
    command = [str(DAYBOOK), "serve", str(NOTEBOOK), "-p", "source", str(LOG), *options]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def cpu_seconds(*families: psutil.Process) -> float:
    """CPU-seconds that these processes, their descendants, and those of theirs that have ended, have used so far."""
    total = 0.0
    for family in families:
        for process in [family, *family.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                total += sum(process.cpu_times()[:4])  # user, system, and both of the children that were waited for
    return total


def completed() -> list[dict]:
    """The completed runs of this home, oldest first."""
    return [facts for facts in reversed(runs.listing()) if facts["state"] == "completed"]


def wait_for_run(number: int) -> dict:
    """The completed run of this number, once it is there."""
    for _ in range(1200):
        if len(found := completed()) >= number:
            return found[number - 1]
        time.sleep(0.1)
    raise SystemExit(f"no {number} runs completed; see {runs.listing()[:3]}")


def after_due(facts: dict, moment: str) -> float:
    """Seconds from the tick's due time to a moment."""
    due = datetime.fromisoformat(facts["scheduled_at"])
    return (datetime.fromisoformat(moment) - due).total_seconds()


def seed() -> tuple[float, float]:
    """Wall and CPU-seconds of the baseline's whole process."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([str(SEED), "local"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ticks(aim: float, n_ticks: int, *options: str) -> None:
    """Ticks and the baseline in turn."""
    server = prefect_server.start().process
    walls, cpus, starts, seed_walls, seed_cpus = [], [], [], [], []
    done = len(completed())
    with serving("--every", f"{INTERVAL:g}s", *options) as serve:
        for number in range(done + 1, done + WARM_UP + n_ticks + 1):
            time.sleep(-(time.time() + BEFORE_SECONDS) % INTERVAL)  # idleness between ticks is measured by itself
            before, is_over = cpu_seconds(serve, server), len(completed()) >= number
            facts = wait_for_run(number)
            time.sleep(2.0)  # what the run's processes and the server do after it belongs to it
            used = cpu_seconds(serve, server) - before
            if number <= done + WARM_UP or is_over:  # on a busy machine the baseline may take longer than the interval
                continue
            trial = json.loads((Path(facts["folder"]) / "trial.json").read_text())
            walls.append(after_due(facts, trial["finished_at"]))
            starts.append(after_due(facts, facts["started_at"]))
            cpus.append(used)
            if len(seed_walls) < SEEDS:
                wall, cpu = seed()
                seed_walls.append(wall)
                seed_cpus.append(cpu)
    wall, cpu, seed_wall, seed_cpu = (median(values) for values in (walls, cpus, seed_walls, seed_cpus))
    print(f"  {' '.join(options) or 'cluster none'}: medians of {len(walls)} ticks, {len(seed_walls)} of the baseline")
    report("due time to stored trial", wall, seed_wall, aim)
    report("CPU of all processes", cpu, seed_cpu, aim)
    print(f"    due time to start        {median(starts):6.2f} s, at most {max(starts):.2f} s (aim 1 s)")


def report(what: str, ours: float, theirs: float, aim: float) -> None:
    """A line of the table."""
    print(f"    {what:24s} {ours:6.2f} s, baseline {theirs:6.2f} s: ratio {ours / theirs:.2f} (aim {aim})")


def idle() -> None:
    """What a `serve` costs that waits for its next tick, and the memory of each of its processes."""
    server = prefect_server.start().process
    with serving("--cron", "0 0 1 1 *") as serve:
        time.sleep(20.0)
        before, of_server = cpu_seconds(serve), cpu_seconds(server)
        time.sleep(IDLE_SECONDS)
        used = (cpu_seconds(serve) - before) / IDLE_SECONDS
        of_server = (cpu_seconds(server) - of_server) / IDLE_SECONDS
        print(f"  idle for {IDLE_SECONDS:.0f} s: {used:.2%} of a core (aim 1 %); Prefect's server {of_server:.2%}")
        for process in [serve, *serve.children(recursive=True), server]:
            name = " ".join(Path(word).name for word in process.cmdline()[1:5])
            memory = process.memory_full_info()
            print(f"    {name[:50]:50s} {memory.rss / 2**20:6.0f} MB, of its own {memory.uss / 2**20:6.0f} MB")


def main() -> None:
    """Run all of it; skips with the reason where the real log or the baseline is absent."""
    if not (LOG.exists() and SEED.exists()):
        raise SystemExit("skipped: the real log and the baseline are not beside the checkout, in ../shared")
    with tempfile.TemporaryDirectory() as home:
        os.environ["DAYBOOK_HOME"] = home
        try:
            print("ticks of daybook serve, the local Prefect server up, the log cached, a batch of 1,000")
            ticks(0.4, TICKS)
            ticks(0.5, TICKS // 2, "-p", "cluster", "local", "--warm-cluster")
            idle()
        finally:
            prefect_server.stop()


if __name__ == "__main__":
    main()
