"""Exact quantiles of float64 values that lie in many partitions, in few passes over them and in bounded memory."""

from collections.abc import Sequence
from dataclasses import InitVar, dataclass, replace
from operator import add

import numpy as np

from helpers.region_counts import (
    SLICE,
    WHOLE,
    Region,
    RegionCounter,
    RegionCounts,
    TopBitsCounter,
    codes_of,
    not_finite,
    value_of,
)

# Half the width of a bracket around a sample's quantile, whichever is more: in standard errors of the rank, and as a
# share of the sample, because neighbouring events are of one ticket and tell less than independent ones.
STANDARD_ERRORS = 5
RANK_SHARE = 0.05
BRACKET_BITS = 12  # 4,096 bins of a tenth of the values narrow enough, and are a sixteenth of what would travel


@dataclass(frozen=True)
class Tally:
    """What a search counted in some partitions; tallies of one search merge with `+`, and with `sum`.

    Attributes
    ----------
    num_values : int
    counts : tuple of RegionCounts
        One for each region of the search.
    """

    num_values: int
    counts: tuple[RegionCounts, ...]

    def __add__(self, other: "Tally") -> "Tally":
        if not isinstance(other, Tally):
            return NotImplemented
        if [part.region for part in self.counts] != [part.region for part in other.counts]:
            raise ValueError("the tallies are of two searches, or of two passes of one; merge those of one pass")
        return Tally(self.num_values + other.num_values, tuple(map(add, self.counts, other.counts)))

    def __radd__(self, other: int) -> "Tally":
        return self if other == 0 else NotImplemented  # sum() starts at 0


@dataclass(frozen=True)
class Search:
    """A search for exact quantiles: numpy's default, linear ones, and for 0.5 the median.

    Each pass counts every partition with `tally`, merges the tallies, and narrows the search. The first counts by the
    16 top bits of the values' codes (`Region`), which is 16 bins an octave. The next one looks into the bin that holds
    the rank: where that has at most 65,536 distinct values, it counts them and the search is done; else by the bin's
    next 16 bits. So it takes two passes where the bin has few distinct values, three for most measurements of any
    number, and **never more than four**, because after three a bin has only 65,536 codes left. With a guess it mostly
    is one where values repeat (whole seconds) and two where they do not: the first pass then also counts a narrow
    bracket around each quantile of the sample. A bad guess costs nothing but that chance.

    Parameters
    ----------
    quantiles : sequence of float, default (0.5,)
        Each from 0 to 1.
    guess : array-like of float, optional
        A sample of the values, for instance 100,000, from partitions all over the log: in the real one, which is in
        the order of time, the median of all is at 0.24 to 0.43 of the ranks of its beginning. It is not kept.
    regions, num_values, found
        What earlier passes learnt; left to `narrowed`.

    Raises
    ------
    ValueError
        When a quantile is not from 0 to 1.

    Notes
    -----
    Narrowing a histogram pass by pass: J. I. Munro, M. S. Paterson, "Selection and sorting with limited storage",
    Theoretical Computer Science 12 (1980). The order of the bits: M. Herf, "Radix tricks" (2001).

    Examples
    --------
    >>> partitions, search = [[3.0, 1.0], [], [4.0, 1.0]], Search()
    >>> while not search.is_done:
    ...     search = search.narrowed(sum(map(search.tally, partitions)))
    >>> search.values
    (2.0,)
    """

    quantiles: Sequence[float] = (0.5,)
    guess: InitVar[np.ndarray | None] = None
    regions: tuple[Region, ...] | None = None
    num_values: int | None = None
    found: tuple[tuple[int, float], ...] = ()

    def __post_init__(self, guess: np.ndarray | None) -> None:
        object.__setattr__(self, "quantiles", tuple(map(float, self.quantiles)))
        for quantile in self.quantiles:
            if not 0 <= quantile <= 1:
                raise ValueError(f"quantile {quantile} is not from 0 to 1")
        if self.regions is None:
            object.__setattr__(self, "regions", (WHOLE, *_brackets(self.quantiles, guess)))

    def tally(self, values: np.ndarray) -> Tally:
        """Count a partition's values, in memory that does not grow with their number.

        Parameters
        ----------
        values : ndarray of float64 of shape (n_values,)
            A view that is not contiguous is copied slice by slice, another type whole. May be empty.

        Returns
        -------
        Tally

        Raises
        ------
        ValueError
            When there are NaN or infinite values (it says how many), or `values` is not one-dimensional.
        """
        values = np.asarray(values, np.float64)
        if values.ndim != 1:
            raise ValueError(f"values of shape {values.shape}; give one dimension")
        counters = [TopBitsCounter() if region == WHOLE else RegionCounter(region) for region in self.regions]
        for start in range(0, len(values), SLICE):
            part = np.ascontiguousarray(values[start : start + SLICE])
            if not np.isfinite(part).all():
                raise ValueError(not_finite(values))
            for counter in counters:
                counter.count(part)
        return Tally(len(values), tuple(counter.counts() for counter in counters))

    def narrowed(self, tally: Tally) -> "Search":
        """The search with what a pass over all partitions found.

        Parameters
        ----------
        tally : Tally
            Of this search, all partitions' merged.

        Returns
        -------
        Search
            Done, or to be given another pass.

        Raises
        ------
        ValueError
            When there are no values, the tally is another search's, or the values are not those of the last pass.
        """
        if tuple(part.region for part in tally.counts) != self.regions:
            raise ValueError("the tally is of another search or another pass; give this one's")
        if not tally.num_values:
            raise ValueError("no values: quantiles of nothing are not defined")
        expected = [(self.num_values, tally.num_values)]
        expected += [(part.region.num_values, part.counts.sum()) for part in tally.counts]
        if any(before is not None and before != now for before, now in expected):
            raise ValueError(
                "the values changed between two passes; search again over partitions that stay as they are"
            )
        found, regions = dict(self.found), {}
        for rank in sorted({rank for q in self.quantiles for rank in _ranks(q, tally.num_values)[:2]} - set(found)):
            holding = filter(None, (part.holding(rank) for part in tally.counts))
            region = min(holding, key=lambda region: region.last - region.first)
            if region.first == region.last:
                found[rank] = value_of(region.first)
            else:
                regions[region] = None
        return replace(self, regions=tuple(regions), num_values=tally.num_values, found=tuple(found.items()))

    @property
    def is_done(self) -> bool:
        """Whether `values` are known."""
        return not self.regions

    @property
    def values(self) -> tuple[float, ...]:
        """Each quantile, to the bit what `np.median` gives for 0.5 and `np.quantile` for others.

        Raises
        ------
        ValueError
            When the search is not done.
        """
        if not self.is_done:
            raise ValueError("the search is not done; give it another pass")
        found = dict(self.found)
        between = ((q, *_ranks(q, self.num_values)) for q in self.quantiles)
        return tuple(
            found[low] if low == high else _interpolated(q, found[low], found[high], weight)
            for q, low, high, weight in between
        )


def _brackets(quantiles: Sequence[float], guess: np.ndarray | None) -> list[Region]:
    """A range around each quantile of a sample, open to the side where the sample does not bound it.

    Ranges that overlap are one: each costs a look at all values.
    """
    sample = np.asarray([] if guess is None else guess, np.float64)
    codes = np.sort(codes_of(sample[np.isfinite(sample)]))
    brackets: list[tuple[int, int]] = []
    for quantile in sorted(quantiles) if len(codes) else ():
        middle = quantile * (len(codes) - 1)
        half = STANDARD_ERRORS * np.sqrt(len(codes) * quantile * (1 - quantile)) + 1
        half = max(half, RANK_SHARE * len(codes))
        low, high = int(np.floor(middle - half)), int(np.ceil(middle + half))
        first = codes[low] if low > 0 else codes_of(-np.finfo(float).max)
        last = codes[high] if high < len(codes) - 1 else codes_of(np.finfo(float).max)
        if brackets and first <= brackets[-1][1]:
            first, last = brackets[-1][0], max(last, brackets.pop()[1])
        brackets.append((int(first), int(last)))
    return [Region(first, last, bin_bits=BRACKET_BITS) for first, last in brackets]


def _ranks(quantile: float, num_values: int) -> tuple[int, int, float]:
    """The two ranks, counted from 0, that a quantile lies between, and how far along."""
    if quantile == 0.5:
        return (num_values - 1) // 2, num_values // 2, 0.5
    position = quantile * (num_values - 1)
    low = min(int(position), num_values - 1)
    return low, min(low + 1, num_values - 1), position - low


def _interpolated(quantile: float, low: float, high: float, weight: float) -> float:
    """What numpy computes between two neighbours, by letting it do so."""
    # As in numpy the result is infinite where the computation overflows.
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.median([low, high]) if quantile == 0.5 else np.quantile([low, high], weight))
