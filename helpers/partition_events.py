"""The events of a partition that count in a trial: their target, their prediction, and the groups that they are in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from helpers.models import Model
from helpers.ticket_draws import Availability, availability, available
from helpers.windows import Window


@dataclass(frozen=True)
class Events:
    """Events of closed tickets; arrays of shape (n_events,).

    Attributes
    ----------
    availability : Availability
        Of the partition; of nothing unless it was asked for.
    num_default_guess : int
        See `models.Model.num_default_guess`; 0 unless it was asked for.
    target, predicted : ndarray of float64, seconds
    groups : dict of str to (ndarray of int, list of (str or None))
        By column: each event's place in the labels, and the labels.
    """

    availability: Availability
    num_default_guess: int
    target: np.ndarray
    predicted: np.ndarray
    groups: dict[str, tuple[np.ndarray, list[str | None]]]


def read_events(
    pieces: Iterable[pa.Table],
    model: Model,
    closing: Window,
    grouped_by: Sequence[str] = (),
    is_counted: bool = False,
    drawn: np.ndarray | None = None,
) -> Events:
    """Take the events that count, with the model's prediction for each.

    Parameters
    ----------
    pieces : iterable of pyarrow.Table
        The partition's events in order, with `sys_updated_at`, `closed_at` and what the model and the groups need.
    model : Model
    closing : Window
        Only events of tickets closed in it count.
    grouped_by : sequence of str, default ()
        Text columns.
    is_counted : bool, default False
        Also count what can be drawn and what got a default guess.
    drawn : array of int, optional
        The places, among the events that can be drawn, of those that count; by default all.

    Returns
    -------
    Events

    Raises
    ------
    ModelError
        When the model fails on the events.
    """
    found, num_default, num_before = Availability(), 0, 0
    targets, predictions = [np.empty(0)], [np.empty(0)]
    groups = {column: ([np.empty(0, np.intp)], []) for column in grouped_by}
    for piece in pieces:
        if is_counted:
            found += availability(piece, closing)
        usable = available(piece, closing)
        if drawn is not None:
            rows = np.flatnonzero(usable)
            first, last = np.searchsorted(drawn, (num_before, num_before + len(rows)))
            piece = piece.take(pa.array(rows[drawn[first:last] - num_before]))
            num_before += len(rows)
        elif not usable.all():
            piece = piece.filter(pa.array(usable))
        frame = piece.select(list(model.columns)).to_pandas()
        targets.append(_seconds(piece["closed_at"], piece["sys_updated_at"]))
        predictions.append(model.predict(frame).to_numpy(np.float64))
        if is_counted:
            num_default += model.num_default_guess(frame)
        for column, (places, labels) in groups.items():
            places.append(_places(piece[column], labels))
    by_column = {column: (np.concatenate(places), labels) for column, (places, labels) in groups.items()}
    return Events(found, num_default, np.concatenate(targets), np.concatenate(predictions), by_column)


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
