"""What one partition of a log says of a model: partial scores and tallies, small and mergeable, made where it lies."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from operator import add

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from helpers.exact_quantiles import Search, Tally
from helpers.exceptions import ModelError
from helpers.group_means import Means, means_by
from helpers.log_partitions import Partition, read_pieces
from helpers.models import Model
from helpers.partial_scores import PartialScores, partial_scores
from helpers.prediction_histogram import count_predictions
from helpers.standard_errors import ErrorMoments, error_moments
from helpers.ticket_draws import TARGET_COLUMNS, Availability, availability, available
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
    def columns(self) -> list[str]:
        """What is read of the log."""
        groups = (GROUPED_BY,) if self.needs_groups else ()
        groups += (STATE,) if self.has_details else ()
        return list(dict.fromkeys((*self.model.columns, *TARGET_COLUMNS, *groups)))

    @property
    def has_details(self) -> bool:
        """Whether more is asked than the metrics: the errors group by group, their spread, and where they are."""
        return self.is_first and self.group_search is not None

    @property
    def needs_groups(self) -> bool:
        """Whether something is asked of each group by itself."""
        return self.group_search is not None or any(series == "group" for series, _ in self.searches)

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
    groups : dict of (str or None) to (PartialScores, float)
        Of each group, with the sum of its predictions, seconds.
    tallies : dict of Key to Tally
    histogram : ndarray of int, of shape (n_bins,), or None
    errors : tuple of two float
        The smallest and the largest error, seconds.
    states : dict of (str or None) to Means
    moments : ErrorMoments
    predictions : ndarray of int, of shape (N_BINS, N_BINS), or None
        See `prediction_histogram.count_predictions`.
    """

    availability: Availability = field(default_factory=Availability)
    num_default_guess: int = 0
    scores: PartialScores = field(default_factory=PartialScores)
    groups: dict[str | None, tuple[PartialScores, float]] = field(default_factory=dict)
    tallies: dict[Key, Tally] = field(default_factory=dict)
    histogram: np.ndarray | None = None
    errors: tuple[float, float] = (np.inf, -np.inf)
    states: dict[str | None, Means] = field(default_factory=dict)
    moments: ErrorMoments = field(default_factory=ErrorMoments)
    predictions: np.ndarray | None = None

    def __add__(self, other: "Answer") -> "Answer":
        return Answer(
            self.availability + other.availability,
            self.num_default_guess + other.num_default_guess,
            self.scores + other.scores,
            _merged(self.groups, other.groups, lambda a, b: (a[0] + b[0], a[1] + b[1])),
            _merged(self.tallies, other.tallies, add),
            _added(self.histogram, other.histogram),
            (min(self.errors[0], other.errors[0]), max(self.errors[1], other.errors[1])),
            _merged(self.states, other.states, add),
            self.moments + other.moments,
            _added(self.predictions, other.predictions),
        )


@dataclass
class _Events:
    """The events of a partition that count; arrays of shape (n_events,), times in seconds."""

    availability: Availability
    num_default_guess: int
    target: np.ndarray
    predicted: np.ndarray
    groups: np.ndarray  # places in `labels`
    labels: list[str | None]
    states: np.ndarray  # places in `state_labels`
    state_labels: list[str | None]


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
    events = _read(read_pieces(partition, question.columns), question, drawn)
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


def _details(events: _Events) -> dict:
    """What an answer says of the events besides, by the names of its attributes."""
    groups = {}
    for place, label in enumerate(events.labels):
        rows = events.groups == place
        predicted = events.predicted[rows]
        groups[label] = (partial_scores(events.target[rows], predicted), float(predicted.sum()))
    return {
        "groups": groups,
        "states": means_by(events.states, events.state_labels, events.target, events.predicted),
        "moments": error_moments(events.target, events.predicted),
        "predictions": count_predictions(events.target, events.predicted),
    }


def sample(question: Question, partition: Partition) -> dict[Key, np.ndarray]:
    """The series of some of a partition's events, from which to guess where the quantiles are."""
    piece = next(read_pieces(partition, question.columns))
    # From first to last: a log is often in the order of time, and its beginning is not like the rest.
    spread = np.arange(0, len(piece), max(1, len(piece) // SAMPLE_ROWS))
    events = _read([piece.take(pa.array(spread))], question, None)
    error = events.predicted - events.target
    return {key: np.array(values) for key, _, values in _series(question, events, error)}


def _read(pieces: Iterable[pa.Table], question: Question, drawn: np.ndarray | None) -> _Events:
    """The events of a partition that count, with the model's prediction for each."""
    found, num_default, num_before = Availability(), 0, 0
    targets, predictions = [np.empty(0)], [np.empty(0)]
    places, labels, of_states, states = [np.empty(0, np.intp)], [], [np.empty(0, np.intp)], []
    for piece in pieces:
        if question.is_first:
            found += availability(piece, question.closing)
        usable = available(piece, question.closing)
        if drawn is not None:
            rows = np.flatnonzero(usable)
            first, last = np.searchsorted(drawn, (num_before, num_before + len(rows)))
            piece = piece.take(pa.array(rows[drawn[first:last] - num_before]))
            num_before += len(rows)
        elif not usable.all():
            piece = piece.filter(pa.array(usable))
        frame = piece.select(list(question.model.columns)).to_pandas()
        targets.append(_seconds(piece["closed_at"], piece["sys_updated_at"]))
        predictions.append(question.model.predict(frame).to_numpy(np.float64))
        if question.is_first:
            num_default += question.model.num_default_guess(frame)
        if question.needs_groups:
            places.append(_places(piece[GROUPED_BY], labels))
        if question.has_details:
            of_states.append(_places(piece[STATE], states))
    target, predicted, groups, of_states = map(np.concatenate, (targets, predictions, places, of_states))
    return _Events(found, num_default, target, predicted, groups, labels, of_states, states)


def _series(question: Question, events: _Events, error: np.ndarray) -> Iterator[tuple[Key, Search, np.ndarray]]:
    """Each series that is searched, with its values in the partition."""
    whole = {"target": lambda: events.target, "error": lambda: error, "absolute_error": lambda: np.abs(error)}
    for (series, group), search in question.searches.items():
        if series != "group":
            yield (series, group), search, whole[series]()
    for place, label in enumerate(events.labels):
        key = ("group", label)
        if search := question.search(key):
            yield key, search, events.target[events.groups == place]


def _seconds(end: pa.ChunkedArray, start: pa.ChunkedArray) -> np.ndarray:
    """The time from one to the other, without missing ones, as pandas' `total_seconds` gives it."""
    # Partitions are read with times in whole seconds, whatever their files hold.
    return pc.subtract(end, start).cast(pa.int64()).to_numpy().astype(np.float64)


def _places(column: pa.ChunkedArray, labels: list[str | None]) -> np.ndarray:
    """The place of each event's group among the labels, to which new ones are added."""
    encoded = column.unify_dictionaries().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):  # an empty one
        encoded = encoded.dictionary_encode().combine_chunks()
    own = [*encoded.dictionary.to_pylist(), None]
    codes = encoded.indices.fill_null(len(own) - 1).to_numpy()
    used = np.flatnonzero(np.bincount(codes, minlength=len(own)))
    place = np.zeros(len(own), np.intp)
    for code in used:
        if own[code] not in labels:
            labels.append(own[code])
        place[code] = labels.index(own[code])
    return place[codes]


def _histogram(edges: np.ndarray | None, error: np.ndarray) -> np.ndarray | None:
    if edges is None:
        return None
    # By number and range: for edges that it is given, numpy searches the bin of each value.
    return np.histogram(np.clip(error, edges[0], edges[-1]), len(edges) - 1, (edges[0], edges[-1]))[0]


def _added(one: np.ndarray | None, other: np.ndarray | None) -> np.ndarray | None:
    if one is None or other is None:
        return other if one is None else one
    return one + other


def _merged(one: dict, other: dict, merge) -> dict:
    both = dict(one)
    for key, value in other.items():
        both[key] = merge(both[key], value) if key in both else value
    return both
