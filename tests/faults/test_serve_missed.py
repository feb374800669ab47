"""A `daybook serve` that was away for some ticks, while the Prefect server went on making them."""

import signal
import time
from datetime import datetime

import pytest
from serve_process import cells, factory

pytestmark = pytest.mark.slow


@pytest.fixture
def make(write_nb, tmp_path, prefect):
    """Makes a `Serve`."""
    return factory(write_nb, tmp_path, prefect)


# Ticks of 3 s, away for five of them: the newest of the five is taken for on time if it is not older than 3 s.
@pytest.mark.parametrize("policy", ["latest", "skip", "all"])
def test_serve_was_away_for_five_ticks(make, policy):
    """What the policy says runs, oldest first and one at a time; each of the others is recorded as missed."""
    with make(cells(0), "--every", "3s", "--missed", policy) as serve:
        serve.wait_for_state("completed", 2)
        serve.kill()
        last = max(facts["scheduled_at"] for facts in serve.runs())
        time.sleep(16)
        back = time.time()
        serve.start()
        serve.wait_for_line("serving", number=2)
        n_before = len([facts for facts in serve.runs() if facts["scheduled_at"] <= last])
        n_wanted = 9 if policy == "all" else 3
        serve.wait(lambda: serve.states()["completed"] >= n_before + n_wanted, what="ticks did not run afterwards")
        serve.end(signal.SIGTERM)
        ticks = serve.assert_one_record_a_tick(3)
        away = [tick for tick in ticks if last < tick][: int((back - datetime.fromisoformat(last).timestamp()) // 3)]
        assert len(away) in (5, 6)
        states = {facts["scheduled_at"]: facts["state"] for facts in serve.runs()}
        became = [states[tick] for tick in away]
        if policy == "all":
            assert set(became) == {"completed"}
            begun = [tick for *_, tick, _, _ in serve.noted("begin")]
            assert begun == sorted(begun)
        else:
            assert became[:-1] == ["missed"] * (len(away) - 1)
            assert became[-1] in ("completed", "missed")  # the newest: younger than a tick's distance, or superseded
            reasons = {facts["error"] for facts in serve.runs() if facts["state"] == "missed"}
            assert all(reason.endswith(f"and the policy for missed ticks is {policy}") for reason in reasons)
        serve.assert_never_two()
