"""Results of a flow's tasks, with the failure that came first told instead of the one that came last."""

from collections.abc import Iterable


def result_of(last, before: Iterable = ()):
    """Wait for the last task of a flow and give its result.

    A task whose input failed never runs, and says only "Run is in PENDING state"; so when the last one fails, those
    before it are asked first. Results of theirs are not fetched otherwise: on a cluster they may be large.

    Parameters
    ----------
    last : PrefectFuture
        Depends on the others, directly or not.
    before : iterable of PrefectFuture
        In the order in which they depend on each other.

    Returns
    -------
    object
        The result of `last`.

    Raises
    ------
    Exception
        Whatever the first failed task raised.
    """
    try:
        return last.result()
    except Exception:
        for future in before:
            future.result()
        raise
