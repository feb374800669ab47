"""The metrics of a log of any size, exact and in bounded memory: partition by partition, nothing is gathered.

The partitions are read where the work is (see `partition_map`). What comes back from each is as small for a million
events as for a thousand.
"""

import time
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from helpers import metrics, models, partition_map
from helpers.exact_quantiles import Search
from helpers.group_means import group_means
from helpers.log_partitions import PartitionedLog
from helpers.partition_scores import Answer, Key, Question, answer, sample
from helpers.prediction_histogram import prediction_histogram
from helpers.scoring_progress import ScoringProgress
from helpers.standard_errors import NEAR_MEDIAN, standard_errors
from helpers.ticket_draws import check_available, count_available, draw_notes, draw_positions
from helpers.ticket_sources import with_partitions
from helpers.tickets import check_batch
from helpers.windows import window

LARGE_BATCH = 1_000_000  # events; a larger batch is not brought together either
TARGET, MISS, ERROR = ("target", None), ("absolute_error", None), ("error", None)
MIN_PARTITIONS_TO_GUESS = 4  # with fewer a pass costs no more than a guess
GUESSED_FROM = (2, 8)  # partitions, at least and at most, spread over the log; one of eight between


@dataclass(frozen=True)
class ScoredLog:
    """What scoring a log found.

    Attributes
    ----------
    source, source_sha256 : str
        As asked for, and what tells it from another.
    seed : int
        Of the batch's draw.
    data : dict
        As `summaries.trial_summary` describes it; without `errors` and what follows where details were not asked for.
    num_passes : int
        How many times the log was read.
    seconds : float
        From the first read to the last answer.
    """

    source: str
    source_sha256: str
    seed: int
    data: dict
    num_passes: int
    seconds: float


def is_large(batch_size: int) -> bool:
    """Whether a batch is to be scored partition by partition: every event, or more than `LARGE_BATCH`."""
    return batch_size == 0 or batch_size > LARGE_BATCH


def score_log(
    source: str,
    model: str,
    batch_size: int = 0,
    seed: int = 1,
    closed_from: str = "",
    closed_to: str = "",
    has_details: bool = True,
) -> ScoredLog:
    """Score a model on a log, or on a batch drawn from it, without bringing the events together.

    Parameters
    ----------
    source : str
        See `ticket_sources.partitioned`. On a cluster, its workers must be able to read what it names.
    model : str
        See `models.load`.
    batch_size : int, default 0
        Number of events drawn without replacement, the same ones as `tickets.draw_batch` draws; 0 for all.
    seed : int, default 1
        Of the draw.
    closed_from, closed_to : str, default ""
        See `tickets.draw_batch`.
    has_details : bool, default True
        Also count the errors by size, and score each priority by itself; it takes one pass more.

    Returns
    -------
    ScoredLog
        MAE, MSE and R² as scikit-learn gives them for all events at once, to 12 digits; the medians to the last bit.

    Raises
    ------
    ParameterError, SourceError, ModelError
        As `tickets.draw_batch` and `models.load` raise them.
    ClusterError
        When a worker lacks what the model needs.

    Examples
    --------
    >>> score_log("sample", "priority").data["num_obs"]
    28448
    """
    check_batch(batch_size, seed)
    closing = window(closed_from, closed_to, names=("closed_from", "closed_to"))
    question = Question(models.load(model), closing, {TARGET: Search(), MISS: Search()})
    partition_map.require(question.model.packages)
    if has_details:
        searches = question.searches | {ERROR: Search(metrics.ERROR_ENDS), MISS: Search(NEAR_MEDIAN)}
        question = replace(question, searches=searches, group_search=Search(metrics.QUANTILES))
    return with_partitions(source, lambda log: _score(log, question, batch_size, seed))


def _score(log: PartitionedLog, question: Question, batch_size: int, seed: int) -> ScoredLog:
    """Ask pass by pass, until nothing is left to be asked."""
    began, drawn = time.perf_counter(), None
    with ScoringProgress(log.partitions) as progress:

        def ask(question: Question) -> Answer:
            progress.begin_pass()
            arguments = (log.partitions,) if drawn is None else (log.partitions, drawn)
            return partition_map.merged(partial(answer, question), *arguments, on_done=progress.done)

        if batch_size:
            counts = partition_map.each(partial(count_available, closing=question.closing), log.partitions)
            drawn = draw_positions([count.num_available for count in counts], batch_size, seed)
        first = _guessed(question, log)
        total = ask(first)
        check_available(total.availability, log.source, first.closing)
        searches, histogram = _narrowed({}, first, total), None
        while following := _following(first, searches, histogram):
            asked = ask(following)
            searches = _narrowed(searches, first, asked)
            if asked.histogram is not None:
                histogram = metrics.error_histogram(following.edges, asked.histogram, total.errors)
    data = _data(total, searches) | {"notes": draw_notes(total.availability, batch_size, first.closing)}
    if first.group_search is not None:
        data |= {"errors": histogram, **_details(total, searches, data["metrics"])}
    return ScoredLog(log.source, log.sha256, seed, data, progress.num_passes, time.perf_counter() - began)


def _guessed(question: Question, log: PartitionedLog) -> Question:
    """The question with guesses at the quantiles from a few partitions' first events, which spare a pass or two."""
    number = len(log.partitions)
    if number < MIN_PARTITIONS_TO_GUESS:
        return question
    # In the middle of as many equal shares of the log.
    shares = int(np.clip(number // 8, *GUESSED_FROM))
    places = [(2 * share + 1) * number // (2 * shares) for share in range(shares)]
    samples: dict[Key, list[np.ndarray]] = {}
    for found in partition_map.each(partial(sample, question), [log.partitions[place] for place in places]):
        for key, values in found.items():
            samples.setdefault(key, []).append(values)
    searches = {
        key: Search(question.search(key).quantiles, guess=np.concatenate(values)) for key, values in samples.items()
    }
    return replace(question, searches=question.searches | searches)


def _narrowed(searches: dict[Key, Search], first: Question, asked: Answer) -> dict[Key, Search]:
    """The searches with what a pass found."""
    found = {key: (searches.get(key) or first.search(key)).narrowed(tally) for key, tally in asked.tallies.items()}
    return searches | found


def _following(first: Question, searches: dict[Key, Search], histogram: dict | None) -> Question | None:
    """What is to be asked next: where quantiles are not yet found, and the errors by size once their ends are."""
    left = {key: search for key, search in searches.items() if not search.is_done}
    edges = None
    if ERROR in searches and ERROR not in left and histogram is None:
        edges = metrics.error_edges(*searches[ERROR].values)
    if not left and edges is None:
        return None
    return replace(first, searches=left, is_first=False, group_search=None, edges=edges)


def _data(total: Answer, searches: dict[Key, Search]) -> dict:
    """What a trial tells of the events as a whole."""
    scores, target = total.scores.scores(), total.scores.target
    [median], misses = searches[TARGET].values, searches[MISS].values
    miss = misses[len(misses) // 2]
    found = total.availability
    return {
        "num_obs": total.scores.num_obs,
        "metrics": {"MAE": scores["MAE"], "MedAE": miss, "MSE": scores["MSE"], "R2": scores["R2"]},
        "target": {"mean": target["mean"], "median": median, "min": target["min"], "max": target["max"]},
        "num_default_guess": total.num_default_guess,
        "num_available": found.num_available,
        "num_left_out": found.num_events - found.num_closed,
        "num_outside": found.num_closed - found.num_available,
    }


def _details(total: Answer, searches: dict[Key, Search], scores: dict) -> dict:
    """What a trial tells of the events besides the errors by size."""
    return {
        "standard_errors": standard_errors(total.moments, scores, searches[MISS].values),
        "predicted_actual": prediction_histogram(total.predictions),
        "by_priority": _by_group(total, searches),
        "by_state": group_means(total.states),
    }


def _by_group(total: Answer, searches: dict[Key, Search]) -> list[dict]:
    """What a trial tells of each group, as `metrics.errors_by` does: in the order of names, the missing one last."""
    means = (
        {name: row[name] for name in ("group", "num_obs", "predicted", "mae")} for row in group_means(total.groups)
    )
    return [row | {"actual": list(searches["group", row["group"]].values)} for row in means]
