"""What a flow tells of its tasks' failures."""

import pytest

from helpers.flow_results import result_of


class Future:
    """A stand-in for Prefect's future that counts how often it is asked."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = 0

    def result(self):
        """Give the answer, or raise it."""
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_results_of_tasks_before_are_not_fetched_without_need():
    """When the last task succeeds, no other result is asked for."""
    before = Future("large")
    assert result_of(Future(7), [before]) == 7
    assert before.asked == 0


def test_the_first_failure_is_told():
    """When the last task could not run, the error of the first that failed is raised."""
    pending = RuntimeError("Run is in PENDING state")
    before = [Future(1), Future(ValueError("the cause")), Future(pending)]
    with pytest.raises(ValueError, match="the cause"):
        result_of(Future(pending), before)


def test_the_last_tasks_own_failure_is_told():
    """When all before succeeded, the last task's own error is raised."""
    with pytest.raises(KeyError):
        result_of(Future(KeyError("own")), [Future(1)])


@pytest.mark.slow
def test_a_failure_upstream_is_told_by_a_real_flow(prefect):
    """In a real flow the error of the task that failed is raised, and the flow run ends as failed."""
    from prefect import flow, task
    from prefect.task_runners import ThreadPoolTaskRunner

    @task
    def fail():
        raise ValueError("the cause")

    @task
    def use(value):
        return value

    @flow(task_runner=ThreadPoolTaskRunner())
    def both():
        first = fail.submit()
        return result_of(use.submit(first), [first])

    with pytest.raises(ValueError, match="the cause"):
        both()
    assert both(return_state=True).is_failed()
