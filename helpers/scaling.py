"""How scoring scales: timings beside each other, what they say of larger logs, and a scheduler put to the test."""

import pickle
import time
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from helpers import partition_map
from helpers.compute import Compute
from helpers.exact_quantiles import Search
from helpers.log_partitions import open_log
from helpers.models import load
from helpers.partition_scores import Answer, Question, answer
from helpers.scoring import MISS, TARGET, score_log
from helpers.windows import Window

PARTITION_ROWS = 1_000_000
FASTEST_OF = 3  # what else the machine does only ever adds


def made_log(incidents: int) -> str:
    """A generated log of so many incidents in the home's cache, made at the first call.

    Parameters
    ----------
    incidents : int
        With 5.69 events each on average.

    Returns
    -------
    str
        Its folder, a source.
    """
    from helpers.home import subfolder
    from helpers.log_making import make
    from helpers.ticket_sources import SAMPLE_VERSION

    folder = subfolder("cache") / f"made-v{SAMPLE_VERSION}-{incidents}"
    if not folder.exists():
        make(incidents, folder)
    return str(folder)


def timings(where: str, sizes: Iterable[tuple[str, int]], model: str = "priority") -> pd.DataFrame:
    """Score batches and logs of several sizes where tasks run now, the fastest of three times each.

    Parameters
    ----------
    where : str
        What the rows are to be called.
    sizes : iterable of (str, int)
        Source, and batch size or 0.
    model : str, default "priority"

    Returns
    -------
    DataFrame
        `where`, `events`, `seconds` (from the first read to the last answer), `events_a_second`, `MAE` (seconds).
    """
    rows = []
    for source, batch_size in sizes:
        scored = [score_log(source, model, batch_size, has_details=False) for _ in range(FASTEST_OF)]
        seconds, events = min(one.seconds for one in scored), scored[0].data["num_obs"]
        mae = scored[0].data["metrics"]["MAE"]
        row = {"where": where, "events": events, "seconds": seconds, "events_a_second": events / seconds, "MAE": mae}
        rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class PartitionCost:
    """What one partition costs.

    Attributes
    ----------
    events : int
    worker_seconds : float
        CPU of one thread, for the one pass that a guess mostly leaves.
    bytes : int
        Of its answer, as it travels.
    answer : Answer
    """

    events: int
    worker_seconds: float
    bytes: int
    answer: Answer


def partition_cost(source: str, model: str = "priority") -> PartitionCost:
    """Measure the largest partition of a log, in this thread, the fastest of three times.

    Parameters
    ----------
    source : str
        A partitioned log.
    model : str, default "priority"

    Returns
    -------
    PartitionCost
    """
    partition = max(open_log(source).partitions, key=lambda partition: partition.num_rows or 0)
    question = Question(load(model), Window(), {TARGET: Search(), MISS: Search()})
    seconds = []
    for _ in range(FASTEST_OF):
        began = time.thread_time()
        found = answer(question, partition)
        seconds.append(time.thread_time() - began)
    return PartitionCost(found.scores.num_obs, min(seconds), len(pickle.dumps(found)), found)


@dataclass(frozen=True)
class SchedulerCost:
    """What a partition costs the scheduler.

    Attributes
    ----------
    n_workers, n_partitions : int
    seconds, bytes : float
        A partition: of the whole process, so at most the scheduler's; and of the answer as it travels.
    """

    n_workers: int
    n_partitions: int
    seconds: float
    bytes: float


def scheduler_cost(compute: Compute, cost: PartitionCost, n_partitions: int) -> SchedulerCost:
    """Have a cluster in this process merge answers that are there already: what is left is the scheduling.

    Parameters
    ----------
    compute : Compute
        Of a cluster whose `recorded` block is open.
    cost : PartitionCost
        Whose answer each task gives.
    n_partitions : int

    Returns
    -------
    SchedulerCost
    """
    found, n_workers = cost.answer, len(compute.client.scheduler_info(n_workers=-1)["workers"])
    partition_map.merged(_given, [found] * n_workers)  # connections are made
    began = time.process_time()
    merged = partition_map.merged(_given, [found] * n_partitions)
    took = time.process_time() - began
    assert merged.scores.num_obs == found.scores.num_obs * n_partitions
    return SchedulerCost(n_workers, n_partitions, took / n_partitions, cost.bytes)


def _given(found: Answer) -> Answer:
    return found


def projection(
    events: int, n_workers: Iterable[int], partition: PartitionCost, scheduler: SchedulerCost
) -> pd.DataFrame:
    """Time and the scheduler's load on paper, from the measured costs.

    Parameters
    ----------
    events : int
        Of the log, in partitions of `PARTITION_ROWS`.
    n_workers : iterable of int
        Of one thread each, as fast as here.
    partition : PartitionCost
    scheduler : SchedulerCost

    Returns
    -------
    DataFrame
        By `workers`: `seconds`, the longer of the workers' and the scheduler's; `scheduler_load`, the share of that
        time in which the scheduler is busy; `MB_through_scheduler` at most, were each answer to go through it.
    """
    n_partitions = -(-events // PARTITION_ROWS)
    workers = np.array(list(n_workers))
    a_partition = partition.worker_seconds * PARTITION_ROWS / partition.events
    busy = np.ceil(n_partitions / workers) * a_partition
    scheduling = n_partitions * scheduler.seconds
    seconds = np.maximum(busy, scheduling)
    megabytes = n_partitions * scheduler.bytes / 1e6
    return pd.DataFrame(
        {"seconds": seconds, "scheduler_load": scheduling / seconds, "MB_through_scheduler": megabytes},
        index=pd.Index(workers, name="workers"),
    )


def timings_chart(timings: pd.DataFrame):
    """Seconds against events, a line for each place where tasks ran; both axes logarithmic.

    Parameters
    ----------
    timings : DataFrame
        As `timings` gives it, of one or several places.

    Returns
    -------
    bokeh.plotting.figure
    """
    from bokeh.models import NumeralTickFormatter
    from bokeh.plotting import figure

    chart = figure(
        title="Seconds to score, by number of events",
        x_axis_label="events",
        y_axis_label="seconds",
        x_axis_type="log",
        y_axis_type="log",
        height=300,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tooltips=[("where", "@where"), ("events", "@events{0,0}"), ("seconds", "@seconds{0.000}")],
    )
    chart.xaxis.formatter = NumeralTickFormatter(format="0a")
    styles = zip(("#1f77b4", "#c2570c", "#2c6e3f"), ("solid", "dashed", "dotted"), strict=True)
    for (where, rows), (colour, dash) in zip(timings.groupby("where", sort=False), styles, strict=False):
        chart.line("events", "seconds", source=rows, color=colour, line_dash=dash, line_width=2, legend_label=where)
        chart.scatter("events", "seconds", source=rows, color=colour, size=8, legend_label=where)
    chart.legend.location = "top_left"
    return chart
