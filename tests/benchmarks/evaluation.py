"""What the evaluation costs, beside the baseline's own flow in the same run: `make benchmark`.

The baseline (`../shared/baseline/seed.sh`) downloads and parses the whole log to score 100 rows, and stores nothing.
Ours is measured on the same log. What counts are the ratios: each is of medians of runs that alternate.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from statistics import median

import psutil

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared"
LOG = SHARED / "data" / "incident_event_log.zip"
SEED = SHARED / "baseline" / "seed.sh"
NOTEBOOK = REPOSITORY / "notebooks" / "evaluate_ticket_model.ipynb"
DAYBOOK = Path(sys.executable).with_name("daybook")
ROUNDS = int(os.environ.get("DAYBOOK_BENCHMARK_ROUNDS", 5))

# Each in an interpreter of its own, imports not counted: the first parse is a process's first.
ARROW = """
import pyarrow as pa, pyarrow.csv as pc, pyarrow.parquet
dates = ["opened_at", "resolved_at", "closed_at", "sys_created_at", "sys_updated_at"]
options = pc.ConvertOptions(column_types={d: pa.timestamp("s") for d in dates}, timestamp_parsers=["%d/%m/%Y %H:%M"],
                            null_values=["?"], strings_can_be_null=True)
"""
PARSES = {
    "pyarrow.csv, the CSV unzipped before": (ARROW, "pc.read_csv(csv, convert_options=options)"),
    "zipfile + pyarrow.csv, the zip": (
        ARROW + "import io, zipfile",
        "pc.read_csv(io.BytesIO(zipfile.ZipFile(log).read('incident_event_log.csv')), convert_options=options)",
    ),
    "ours: zip to typed cache, checked": ("from helpers.ticket_sources import cached_log", "cached_log(log)"),
}
SCORE = """
from helpers import metrics, models, summaries, tickets
import sklearn.metrics
def evaluate(batch_size):
    model = models.load("priority")
    batch = tickets.draw_batch(log, batch_size, 1, model.columns)
    actuals, predictions = tickets.time_to_close(batch.events), model.predict(batch.events)
    scores = {n: metrics.score(actuals, predictions, m) for n, m in metrics.METRICS.items()}
    return summaries.trial_summary("x", batch, actuals, predictions, scores, model)
evaluate(10)
"""
BATCH = SCORE.replace("evaluate(10)", "tickets.draw_batch(log, 10, 1)")


def seconds(setup: str, statement: str, home: str, **names: str) -> float:
    """Seconds that a statement takes in a fresh interpreter after its setup."""
    code = f"import time\n{chr(10).join(f'{n} = {v!r}' for n, v in names.items())}\n{textwrap.dedent(setup)}\n"
    code += f"began = time.perf_counter()\n{statement}\nprint(time.perf_counter() - began)"
    environment = os.environ | {"DAYBOOK_HOME": home}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def process(command: list[str], home: str) -> tuple[float, float, str]:
    """Wall seconds of a whole process, the largest resident memory of any of its kernels in MB, and what it printed."""
    began = time.perf_counter()
    environment = os.environ | {"DAYBOOK_HOME": home}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)
    peak = 0.0
    while child.poll() is None:
        for one in psutil.Process(child.pid).children(recursive=True):
            try:
                if "ipykernel_launcher" in " ".join(one.cmdline()):
                    peak = max(peak, one.memory_info().rss / 2**20)
            except psutil.Error:
                continue
        time.sleep(0.05)
    took = time.perf_counter() - began
    if child.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {child.stdout.read()}")
    return took, peak, child.stdout.read()


def parse_and_score(home: str) -> None:
    """The parse beside pyarrow's, and the cached batch and the whole log beside the seed's flow."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.unpack_archive(LOG, folder)
        names = {"csv": str(Path(folder) / "incident_event_log.csv"), "log": str(LOG)}
        times: dict[str, list[float]] = {name: [] for name in PARSES}
        for _ in range(ROUNDS):
            for name, (setup, statement) in PARSES.items():
                shutil.rmtree(Path(home) / "cache", ignore_errors=True)
                times[name].append(seconds(setup, statement, home, **names))
    base, zipped, ours = (median(taken) for taken in times.values())
    for name, taken in times.items():
        print(f"  {name:44s} {median(taken):7.3f} s")
    print(f"  ratio to pyarrow.csv {ours / base:.2f} (aim 1.5); with the unzipping on both sides {ours / zipped:.2f}")

    flows, batches, wholes = [], [], []
    for _ in range(ROUNDS):
        flows.append(json.loads(process([str(SEED), "local"], home)[2].splitlines()[-1])["flow_seconds"])
        batches.append(seconds(BATCH, "tickets.draw_batch(log, 1000, 1)", home, log=str(LOG)))
        wholes.append(seconds(SCORE, "evaluate(0)", home, log=str(LOG)))
    flow, batch, whole = median(flows), median(batches), median(wholes)
    print(f"  seed's flow, 100 rows                        {flow:7.3f} s")
    print(f"  cached batch of 1,000                        {batch:7.3f} s, ratio {batch / flow:.4f} (aim 0.015)")
    print(f"  all 141,712 events from the cache, scored    {whole:7.3f} s, ratio {whole / flow:.4f} (aim 0.1)")


def whole_runs(home: str) -> None:
    """`daybook run` beside the seed's process, cluster by cluster, and where the time of one goes."""
    subprocess.run(
        [str(DAYBOOK), "server", "start"],
        env=os.environ | {"DAYBOOK_HOME": home},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    try:
        for cluster, mode, aim in (("none", "local", 2.0), ("local", "dask", 1.5)):
            ours, seeds, peaks = [], [], []
            command = [str(DAYBOOK), "run", str(NOTEBOOK), "-p", "source", str(LOG), "-p", "cluster", cluster, "--json"]
            for _ in range(ROUNDS):
                took, peak, printed = process(command, home)
                ours.append(took)
                peaks.append(peak)
                seeds.append(process([str(SEED), mode], home)[0])
            ratio = median(ours) / median(seeds)
            print(
                f"  cluster={cluster:5s} {median(ours):6.2f} s; seed.sh {mode:5s} {median(seeds):6.2f} s; "
                f"ratio {ratio:.2f} (aim {aim}); kernel's peak memory {max(peaks):.0f} MB (aim 500)"
            )
            where_it_goes(json.loads(printed.splitlines()[-1]), median(ours))
    finally:
        subprocess.run(
            [str(DAYBOOK), "server", "stop"],
            env=os.environ | {"DAYBOOK_HOME": home},
            check=True,
            stdout=subprocess.DEVNULL,
        )


def where_it_goes(outcome: dict, whole: float) -> None:
    """A table of the last run's time, from the cells' own."""
    notebook = json.loads((Path(outcome["folder"]) / NOTEBOOK.name).read_text())
    parts = {"imports": "import uuid", "cluster": "clusters.connect", "flow": "compute.recorded", "charts": "show("}
    taken = dict.fromkeys(parts, 0.0)
    cells = 0.0
    for cell in notebook["cells"]:
        duration = cell["metadata"]["papermill"]["duration"] or 0.0
        cells += duration
        for part, text in parts.items():
            if cell["cell_type"] == "code" and text in "".join(cell["source"]):
                taken[part] += duration
    taken["other cells"] = cells - sum(taken.values())
    taken["interpreter, kernel's start and end, HTML"] = whole - cells
    for part, duration in taken.items():
        print(f"      {part:44s} {duration:6.2f} s")


def main() -> None:
    """Run all of it; skips with the reason where the real log or the baseline is absent."""
    if not (LOG.exists() and SEED.exists()):
        raise SystemExit("skipped: the real log and the baseline are not beside the checkout, in ../shared")
    with tempfile.TemporaryDirectory() as home:
        process([str(SEED), "local"], home)  # builds its environment at the first call
        print(f"medians of {ROUNDS} alternating runs\nhelpers alone, imports not counted")
        parse_and_score(home)
        print("whole processes, the local Prefect server up, the log cached, a batch of 1,000")
        whole_runs(home)


if __name__ == "__main__":
    main()
