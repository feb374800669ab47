"""`kill -9` of a kernel in the middle of a run: it has failed at once, with what there was, and the next tick runs."""

import os
import signal
import time
from pathlib import Path

import nbformat
import pytest
from serve_process import LEAVES_A_PROGRAM, cells, held_locks, of_run
from tiny_trial import STORE, TRIAL, serve_of

from helpers import runs
from helpers.trials import TrialStore

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("mode", [[], ["--cold"]], ids=["warm", "cold"])
def test_a_killed_kernel_fails_the_run(write_nb, prefect, home, mode):
    """Within 10 s the run has failed, with its cells so far, no trial and no process left; the next tick stores one."""
    code = [*cells(4, TRIAL, LEAVES_A_PROGRAM, "print('so far')"), STORE]
    with serve_of(write_nb, code, "--every", "2s", *mode, url=prefect) as serve:
        run = serve.wait_for_run()
        # The parameters' cell, and four before the one that sleeps.
        serve.wait(lambda: runs.read(Path(run["folder"]))["cells_done"] == 5, 10)
        kernel = int(serve.noted("begin")[-1][5])
        assert kernel == runs.read(Path(run["folder"]))["processes"][1][0]
        began = time.monotonic()
        os.kill(kernel, signal.SIGKILL)
        [failed, *_] = serve.wait_for_state("failed")
        took = time.monotonic() - began
        assert took < 10
        print(f"failed after {took:.1f} s")
        assert failed["run"] == run["run"]
        assert failed["error"] == "the kernel died before the last cell was done; out of memory, or killed?"
        assert failed["trial"] is None
        assert of_run(run["run"]) == []
        [path] = Path(failed["folder"]).glob("*.ipynb")
        executed = nbformat.read(path, as_version=4)
        assert [cell.outputs[0].text for cell in executed.cells if cell.source == "print('so far')"] == ["so far\n"]
        assert executed.cells[-1].execution_count is None
        assert not (Path(failed["folder"]) / "trial.json").exists()
        [completed, *_] = serve.wait_for_state("completed")
        assert [facts["state"] for facts in serve.runs() if facts["state"] not in ("skipped", "running")][:2] == [
            "failed",
            "completed",
        ]
        trial = TrialStore().documents()[-1]
        assert (trial["run"], trial["id"]) == (completed["run"], completed["trial"])
        serve.assert_one_record_a_tick(2)
        serve.end(signal.SIGTERM)
    assert held_locks(home) == []
