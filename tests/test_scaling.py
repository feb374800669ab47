"""What the notebook about scaling measures, and what it concludes from it."""

import distributed
import pytest

from helpers import scaling, scoring
from helpers.compute import Compute
from helpers.partition_scores import Answer


@pytest.fixture
def log() -> str:
    """A log of one chunk of incidents."""
    return scaling.made_log(5000)


def test_a_log_is_made_once(log, home):
    """The second call finds the folder, of that many incidents with 5.69 events each."""
    parts = {path: path.stat().st_mtime_ns for path in (home / "cache").glob("made-*/*.parquet")}
    assert scaling.made_log(5000) == log
    assert {path: path.stat().st_mtime_ns for path in (home / "cache").glob("made-*/*.parquet")} == parts
    assert scoring.score_log(log, "priority").data["num_obs"] == 28_448


def test_timings_are_of_each_size(log):
    """There is a row for each batch and log, in order, whose seconds and rate belong together."""
    found = scaling.timings("here", [(log, 100), (log, 0)])
    assert list(found["where"]) == ["here", "here"]
    assert list(found["events"]) == [100, 28_448]
    assert (found["seconds"] > 0).all()
    assert found["events_a_second"].tolist() == pytest.approx((found["events"] / found["seconds"]).tolist())
    assert found["MAE"][1] == scoring.score_log(log, "priority").data["metrics"]["MAE"]


def test_a_partition_s_cost_is_measured(log):
    """The largest partition's events, the CPU that they took, and the bytes of the answer."""
    cost = scaling.partition_cost(log)
    assert cost.events == cost.answer.scores.num_obs == 28_448
    assert 0 < cost.worker_seconds < 5
    assert 500 < cost.bytes < 20_000


def test_a_scheduler_s_cost_is_that_of_each_partition(log):
    """All the answers are merged, and what it took is told by partition."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    cost = scaling.partition_cost(log)
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster, set_as_default=False) as client:
        compute = Compute("local", client=client)
        with compute.recorded():
            found = scaling.scheduler_cost(compute, cost, 40)
    assert (found.n_workers, found.n_partitions, found.bytes) == (2, 40, cost.bytes)
    assert 0 < found.seconds < 1


def test_projection_by_hand():
    """Ten million events are ten partitions; each takes 2 s of a worker and 0.5 s of the scheduler."""
    partition = scaling.PartitionCost(events=500_000, worker_seconds=1.0, bytes=1000, answer=Answer())
    scheduler = scaling.SchedulerCost(n_workers=50, n_partitions=1000, seconds=0.5, bytes=1000.0)
    found = scaling.projection(10_000_000, [1, 3, 10, 20], partition, scheduler)
    # Three workers do ten partitions in four rounds of 2 s; ten could in 2 s, but the scheduler needs 5.
    assert found["seconds"].tolist() == [20.0, 8.0, 5.0, 5.0]
    assert found["scheduler_load"].tolist() == [0.25, 0.625, 1.0, 1.0]
    assert found["MB_through_scheduler"].tolist() == [0.01] * 4
    assert found.index.tolist() == [1, 3, 10, 20]


def test_the_chart_has_a_line_for_each_place(log):
    """Each place where tasks ran is a line of its own, named in the legend."""
    import pandas as pd

    rows = [scaling.timings(where, [(log, 10), (log, 0)]) for where in ("this process", "1 worker")]
    chart = scaling.timings_chart(pd.concat(rows, ignore_index=True))
    assert [item.label.value for item in chart.legend[0].items] == ["this process", "1 worker"]
    assert chart.xaxis[0].axis_label == "events"
