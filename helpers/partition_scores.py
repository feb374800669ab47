"""What one partition of a log says of a model: partial scores and tallies, small and mergeable, made where it lies."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from operator import add

import numpy as np
import pyarrow as pa

from helpers.exact_quantiles import Search, Tally
from helpers.exceptions import ModelError
from helpers.group_means import Means, means_by
from helpers.log_partitions import Partition, read_pieces
from helpers.models import Model
from helpers.partial_scores import PartialScores, partial_scores
from helpers.partition_events import Events, read_events
from helpers.prediction_histogram import count_predictions
from helpers.standard_errors import ErrorMoments, error_moments
from helpers.ticket_draws import TARGET_COLUMNS, Availability
from helpers.windows import Window

GROUPED_BY = "priority"
STATE = "incident_state"
SAMPLE_ROWS = 8192  # of a partition's first piece, spread over it, for a guess at where the quantiles are

Key = tuple[str, str | None]  # a series (`target`, `error`, `absolute_error`, `group`), and of the last one which group


@dataclass(frozen=True)
class Question:
    """What one pass asks of each partition.

    Attributes
    ----------
    model : Model
    closing : Window
        Only events of tickets closed in it count.
    searches : dict of Key to Search
        What is still sought. In the first pass a group that is not named here is sought with `group_search`.
    is_first : bool
        Counts and partial scores are asked for too.
    group_search : Search or None
        None where groups are not asked for.
    edges : ndarray or None
        Of a histogram of the errors, what lies beyond counted in the outer bins.
    """

    model: Model
    closing: Window
    searches: dict[Key, Search]
    is_first: bool = True
    group_search: Search | None = None
    edges: np.ndarray | None = None

    @property
    def has_details(self) -> bool:
        """Whether more is asked than the metrics: the errors group by group, their spread, and where they are."""
        return self.is_first and self.group_search is not None

    @property
    def needs_groups(self) -> bool:
        """Whether something is asked of each group by itself."""
        return self.group_search is not None or any(series == "group" for series, _ in self.searches)

    @property
    def grouped_by(self) -> tuple[str, ...]:
        """The columns by which events are grouped."""
        return (GROUPED_BY,) * self.needs_groups + (STATE,) * self.has_details

    @property
    def columns(self) -> list[str]:
        """What is read of the log."""
        return list(dict.fromkeys((*self.model.columns, *TARGET_COLUMNS, *self.grouped_by)))

    def read(self, pieces: Iterable[pa.Table], drawn: np.ndarray | None = None) -> Events:
        """The events that count; see `partition_events.read_events`."""
        return read_events(pieces, self.model, self.closing, self.grouped_by, self.is_first, drawn)

    def search(self, key: Key) -> Search | None:
        """What is sought in a series; None where nothing is."""
        return self.searches.get(key, self.group_search if key[0] == "group" else None)


@dataclass(frozen=True)
class Answer:
    """What partitions answered to a question; answers of the same pass merge with `+`.

    Attributes
    ----------
    availability : Availability
    num_default_guess : int
    scores : PartialScores
        Of all events.
    groups : dict of (str or None) to Means
    tallies : dict of Key to Tally
    histogram : ndarray of int, of shape (n_bins,), or None
    errors : tuple of two float
        The smallest and the largest error, seconds.
    states : dict of (str or None) to Means
    moments : ErrorMoments
    predictions : Counter of int
        See `prediction_histogram.count_predictions`.
    """

    availability: Availability = field(default_factory=Availability)
    num_default_guess: int = 0
    scores: PartialScores = field(default_factory=PartialScores)
    groups: dict[str | None, Means] = field(default_factory=dict)
    tallies: dict[Key, Tally] = field(default_factory=dict)
    histogram: np.ndarray | None = None
    errors: tuple[float, float] = (np.inf, -np.inf)
    states: dict[str | None, Means] = field(default_factory=dict)
    moments: ErrorMoments = field(default_factory=ErrorMoments)
    predictions: Counter[int] = field(default_factory=Counter)

    def __add__(self, other: "Answer") -> "Answer":
        return Answer(
            self.availability + other.availability,
            self.num_default_guess + other.num_default_guess,
            self.scores + other.scores,
            _merged(self.groups, other.groups, add),
            _merged(self.tallies, other.tallies, add),
            other.histogram if self.histogram is None else self.histogram + other.histogram,
            (min(self.errors[0], other.errors[0]), max(self.errors[1], other.errors[1])),
            _merged(self.states, other.states, add),
            self.moments + other.moments,
            self.predictions + other.predictions,
        )


def answer(question: Question, partition: Partition, drawn: np.ndarray | None = None) -> Answer:
    """Answer a pass's question for one partition, in memory that does not grow with the log.

    Parameters
    ----------
    question : Question
    partition : Partition
    drawn : array of int, optional
        The places, among the partition's events that can be drawn, of those that count (see
        `ticket_draws.draw_positions`); by default all.

    Returns
    -------
    Answer

    Raises
    ------
    SourceError
        When the partition cannot be read.
    ModelError
        When the model fails on its events, or predicts NaN or infinity.
    """
    events = question.read(read_pieces(partition, question.columns), drawn)
    error = events.predicted - events.target
    try:
        tallies = {key: search.tally(values) for key, search, values in _series(question, events, error)}
        if not question.is_first:
            return Answer(tallies=tallies, histogram=_histogram(question.edges, error))
        total = Answer(
            events.availability,
            events.num_default_guess,
            partial_scores(events.target, events.predicted),
            tallies=tallies,
            errors=(float(error.min()), float(error.max())) if len(error) else (np.inf, -np.inf),
        )
        return replace(total, **_details(events)) if question.has_details else total
    except ValueError as failure:  # NaN or infinity; of times there are none
        raise ModelError(f"{partition.name}: model {question.model.name!r}: {failure}") from None


def _details(events: Events) -> dict:
    """What an answer says of the events besides, by the names of its attributes."""
    return {
        "groups": means_by(*events.groups[GROUPED_BY], events.target, events.predicted),
        "states": means_by(*events.groups[STATE], events.target, events.predicted),
        "moments": error_moments(events.target, events.predicted),
        "predictions": count_predictions(events.target, events.predicted),
    }


def sample(question: Question, partition: Partition) -> dict[Key, np.ndarray]:
    """The series of some of a partition's events, from which to guess where the quantiles are."""
    piece = next(read_pieces(partition, question.columns))
    # From first to last: a log is often in the order of time, and its beginning is not like the rest.
    spread = np.arange(0, len(piece), max(1, len(piece) // SAMPLE_ROWS))
    events = question.read([piece.take(pa.array(spread))])
    error = events.predicted - events.target
    return {key: np.array(values) for key, _, values in _series(question, events, error)}


def _series(question: Question, events: Events, error: np.ndarray) -> Iterator[tuple[Key, Search, np.ndarray]]:
    """Each series that is searched, with its values in the partition."""
    whole = {"target": lambda: events.target, "error": lambda: error, "absolute_error": lambda: np.abs(error)}
    for (series, group), search in question.searches.items():
        if series != "group":
            yield (series, group), search, whole[series]()
    places, labels = events.groups.get(GROUPED_BY, (None, ()))
    for place, label in enumerate(labels):
        key = ("group", label)
        if search := question.search(key):
            yield key, search, events.target[places == place]


def _histogram(edges: np.ndarray | None, error: np.ndarray) -> np.ndarray | None:
    if edges is None:
        return None
    # By number and range: for edges that it is given, numpy searches the bin of each value.
    return np.histogram(np.clip(error, edges[0], edges[-1]), len(edges) - 1, (edges[0], edges[-1]))[0]


def _merged(one: dict, other: dict, merge) -> dict:
    both = dict(one)
    for key, value in other.items():
        both[key] = merge(both[key], value) if key in both else value
    return both
