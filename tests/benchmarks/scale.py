"""Scoring a whole log and one a hundred times as large, beside the seed's flow and polars in the same run.

polars is what one would use on one machine: it lives in an environment of its own, `.venv-polars`, with one thread.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from helpers import clusters, scaling, scoring
from tests.benchmarks.evaluation import LOG, REPOSITORY, SEED, process

ROUNDS = int(os.environ.get("DAYBOOK_BENCHMARK_ROUNDS", 5))
INCIDENTS = int(os.environ.get("DAYBOOK_BENCHMARK_INCIDENTS", 2_500_000))  # 14.2 million events
POLARS = REPOSITORY / ".venv-polars" / "bin" / "python"
POLARS_LOCK = Path(__file__).with_name("polars.lock")
# The same four metrics over the same files, the way its manual has it; resident memory at most, in MB.
PROGRAM = """
import os, resource, sys, time
os.environ["POLARS_MAX_THREADS"] = "1"
import polars as pl
began = time.perf_counter()
hours = {"1 - Critical": 6.0, "2 - High": 24.0, "3 - Moderate": 120.0, "4 - Low": 240.0}
predicted = pl.col("priority").cast(pl.String).replace_strict(hours, default=180.0, return_dtype=pl.Float64) * 3600.0
actual = (pl.col("closed_at") - pl.col("sys_updated_at")).dt.total_milliseconds() / 1000.0
events = pl.scan_parquet(sys.argv[1] + "/*.parquet").select(y=actual, p=predicted).drop_nulls("y")
error = pl.col("p") - pl.col("y")
squares = (error**2).sum()
found = events.select(
    MAE=error.abs().mean(), MedAE=error.abs().median(), MSE=(error**2).mean(),
    R2=1 - squares / ((pl.col("y") - pl.col("y").mean()) ** 2).sum(), events=pl.len(),
).collect()
took = time.perf_counter() - began
print(found.row(0), took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, sep=";")
"""


def install_polars() -> None:
    """Make polars' environment, at the first call."""
    if POLARS.exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(POLARS.parents[1])], check=True)
    pip = [str(POLARS), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    subprocess.run([*pip, "-r", str(POLARS_LOCK)], check=True)


def polars(log: str) -> tuple[float, float]:
    """Seconds, imports not counted, and the process's largest resident memory in MB."""
    done = subprocess.run([str(POLARS), "-c", PROGRAM, log], capture_output=True, text=True, check=True)
    _, took, peak = done.stdout.strip().split(";")
    return float(took), float(peak)


def peak_megabytes() -> float:
    """The largest resident memory of this process so far, from being forked on."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def ours(log: str, n_workers: int, rounds: int = ROUNDS) -> tuple[list[float], float, float]:
    """Seconds of each round on so many workers of one thread, the largest memory of any in MB, and a round's CPU."""
    with clusters.connect("local", {"n_workers": n_workers, "threads_per_worker": 1}) as compute, compute.recorded():
        scoring.score_log(log, "priority", has_details=False)  # a worker's first pass imports
        before = sum(compute.client.run(time.process_time).values())
        taken = [timed(log) for _ in range(rounds)]
        cpu = (sum(compute.client.run(time.process_time).values()) - before) / rounds
        return taken, max(compute.client.run(peak_megabytes).values()), cpu


def timed(log: str, has_details: bool = False) -> float:
    """Seconds of one scoring."""
    began = time.perf_counter()
    scoring.score_log(log, "priority", has_details=has_details)
    return time.perf_counter() - began


def whole_log(home: str) -> None:
    """The published log beside the seed's flow, which scores 100 rows of it."""
    flow = statistics.median(
        json.loads(process([str(SEED), "local"], home)[2].splitlines()[-1])["flow_seconds"] for _ in range(ROUNDS)
    )
    timed(str(LOG))  # parses it
    here = statistics.median(timed(str(LOG)) for _ in range(ROUNDS))
    there = statistics.median(ours(str(LOG), 2)[0])
    print(f"the whole published log, from the cache; the seed's flow over 100 rows of it takes {flow:.2f} s")
    print(f"  in this process            {here:6.3f} s, ratio {here / flow:.3f} (aim 0.07)")
    print(f"  on a warm local cluster    {there:6.3f} s, ratio {there / flow:.3f} (aim 0.25)")


def a_hundred_copies() -> None:
    """A generated log of 14.2 million events on one worker and on two, beside polars and a tenth of the log."""
    log, tenth = scaling.made_log(INCIDENTS), scaling.made_log(INCIDENTS // 10)
    events = scoring.score_log(log, "priority", has_details=False).data["num_obs"]
    tenth_events = scoring.score_log(tenth, "priority", has_details=False).data["num_obs"]
    by_polars, one, two, small, peaks, cpus = [], [], [], [], {}, {"one": [], "two": [], "tenth": []}
    for _ in range(ROUNDS):  # alternating
        took, peaks["polars"] = polars(log)
        by_polars.append(took)
        for name, taken, *arguments in (("one", one, log, 1), ("two", two, log, 2), ("tenth", small, tenth, 1)):
            seconds, peak, cpu = ours(*arguments, rounds=2)
            taken += seconds
            cpus[name].append(cpu)
            peaks[name] = max(peak, peaks.get(name, 0.0))
    base, one, two, small = (statistics.median(taken) for taken in (by_polars, one, two, small))
    print(f"{events:,} generated events, medians of {ROUNDS} alternating rounds")
    for name, taken in (("polars, one thread", base), ("one worker", one), ("two workers", two)):
        print(f"  {name:26s} {taken:6.2f} s, {events / taken / 1e6:5.2f} million events a second")
    print(f"  one worker to polars       {base / one:6.2f} times its speed (aim 0.9)")
    print(f"  two workers to polars      {base / two:6.2f} times its speed (aim 1.5)")
    print(f"  two workers to one         {one / two:6.2f} times its speed (aim 1.7)")
    print(f"  a worker's memory          {peaks['one']:6.0f} MB, polars' {peaks['polars']:.0f} MB: ratio "
          f"{peaks['one'] / peaks['polars']:.2f} (aim 0.33); of two {peaks['two']:.0f} MB (aim 1000)")  # fmt: skip
    print(f"  to that for {tenth_events:,}   {peaks['one'] / peaks['tenth']:6.2f} times the memory (aim 1.3)")
    ratio = one / events / (small / tenth_events)
    of_cpu = statistics.median(cpus["one"]) / events / (statistics.median(cpus["tenth"]) / tenth_events)
    print(f"  cost of an event, to that for {tenth_events:,}: in the worker's CPU {of_cpu:.2f} (aim 0.85 to 1.15), "
          f"in seconds with all that is done once {ratio:.2f}")  # fmt: skip
    details = statistics.median(timed(log, has_details=True) for _ in range(2))
    print(f"  with the errors by size and by priority, in this process: {details:.2f} s")


def main() -> None:
    """Run all of it; what needs the real log and the baseline is left out where they are absent."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["DAYBOOK_HOME"] = home
        if LOG.exists() and SEED.exists():
            process([str(SEED), "local"], home)  # builds its environment at the first call
            whole_log(home)
        else:
            print("left out: the real log and the baseline are not beside the checkout, in ../shared")
        install_polars()
        a_hundred_copies()


if __name__ == "__main__":
    main()
