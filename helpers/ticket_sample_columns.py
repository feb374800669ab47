"""Columns of the generated log as Arrow arrays, typed as `ticket_log.COLUMNS` says."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from helpers.ticket_sample_incidents import vocabulary
from helpers.ticket_sample_tables import CHUNK, FIRST_NUMBER, START


def numbers(chunk: int) -> pa.Array:
    """The numbers of a chunk's incidents; from ten million on they have eight digits."""
    first = FIRST_NUMBER + chunk * CHUNK
    digits = pa.array(np.arange(first, first + CHUNK)).cast(pa.string())
    return pc.binary_join_element_wise("INC", pc.utf8_lpad(digits, 7, "0"), "")


def take(texts: pa.Array | tuple[str, ...], places: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """The texts at these places, or none."""
    indices = pa.array(places.astype(np.int32), mask=missing)
    return pa.DictionaryArray.from_arrays(indices, texts if isinstance(texts, pa.Array) else pa.array(texts))


def label(column: str, quantiles: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """The labels at these quantiles, or none."""
    shares, labels = vocabulary(column)
    return take(labels, np.searchsorted(shares, quantiles, side="right"), missing)


def date(minutes: np.ndarray, missing: np.ndarray | None = None) -> pa.Array:
    """Times in UTC, or none."""
    moments = (START + minutes).astype("M8[s]").astype(np.int64)
    return pa.array(moments, mask=missing).cast(pa.timestamp("s", "UTC"))
