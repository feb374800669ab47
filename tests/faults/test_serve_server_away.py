"""A `daybook serve` that was away together with the Prefect server, which so made no ticks."""

import signal
import time

import pytest
from serve_process import cells, factory

from helpers import prefect_server

pytestmark = pytest.mark.slow


def test_serve_and_the_server_were_away(home, write_nb, tmp_path):
    """Ticks that no server has made are found all the same, from what serve noted, and run as the policy says."""
    with factory(write_nb, tmp_path)(cells(0), "--every", "3s", "--missed", "all") as serve:
        serve.wait_for_state("completed", 2)
        serve.end(signal.SIGTERM)
        last = max(facts["scheduled_at"] for facts in serve.runs())
        assert prefect_server.find() is None
        # The server had made a hundred ticks ahead, and would find them again: the next one knows of none.
        for file in (home / "prefect").glob("prefect.db*"):
            file.unlink()
        time.sleep(15)
        serve.start()
        serve.wait_for_line("serving", number=2)
        n_before = serve.states()["completed"]
        serve.wait(lambda: serve.states()["completed"] >= n_before + 2)
        # Those that still wait are in nobody's memory but the file's.
        serve.end(signal.SIGTERM)
        serve.start()
        serve.wait_for_line("serving", number=3)
        serve.wait(lambda: serve.states()["completed"] >= n_before + 8 and not serve.gaps(3))
        serve.end(signal.SIGTERM)
        ticks = serve.assert_one_record_a_tick(3)
        states = {facts["scheduled_at"]: facts["state"] for facts in serve.runs()}
        away = [tick for tick in ticks if tick > last][:5]
        # One that was going, or beginning, when serve was ended may have been cancelled.
        assert [states[tick] for tick in away].count("completed") >= 4
        assert {states[tick] for tick in away} <= {"completed", "cancelled"}
        if "cancelled" not in states.values():  # such a run notes no end
            serve.assert_never_two()
