"""How often float64 values occur, by the order of their bits: what the search for exact quantiles counts and merges."""

import sys
from dataclasses import dataclass, replace

import numpy as np

MAX_KEYS = 1 << 16  # of what one region's counts hold: distinct values, or bins
BIN_BITS = 16  # of the bins' number, unless a region says otherwise
SLICE = 1 << 17  # values worked on at once: 1 MiB, so that the temporaries stay in the processor's cache
SIGN = 1 << 63
TOP_16_BITS = 3 if sys.byteorder == "little" else 0  # of the four 16-bit words of a float64


@dataclass(frozen=True)
class Region:
    """A range of codes in which a rank is sought.

    A float64's code is its bits, all flipped where it is negative and the sign bit alone where it is not: an unsigned
    integer that sorts as the values do. -0.0 has the code of 0.0, so that the two count as one value.

    Attributes
    ----------
    first, last : int
        Codes, both inclusive.
    below, num_values : int, optional
        Values below the region and inside it, in all partitions; None as long as they are not counted.
    bin_bits : int, default 16
        Where it has more than 65,536 distinct values they are counted by at most two to the power of this bins.
    """

    first: int
    last: int
    below: int | None = None
    num_values: int | None = None
    bin_bits: int = BIN_BITS

    @property
    def coarsest(self) -> int:
        """Bits to drop from a code's distance to `first`: what is left numbers the bins."""
        return max(0, (self.last - self.first).bit_length() - self.bin_bits)


WHOLE = Region(0, (1 << 64) - 1, below=0)


@dataclass(frozen=True)
class RegionCounts:
    """How often what occurs in a region: its distinct values, or its bins once there are too many of those.

    Attributes
    ----------
    region : Region
    below : int
        Values below the region, counted only where the region does not know them.
    shift : int
        A key is a code's distance to `region.first` without its lowest `shift` bits: 0 when keys are distinct values.
    keys, counts : ndarray of unsigned int of shape (n_keys,)
        Ascending, and at most `MAX_KEYS`; of the smallest type that holds them, because tallies travel.
    """

    region: Region
    below: int
    shift: int
    keys: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, region: Region, below: int, shift: int, keys: np.ndarray, counts: np.ndarray) -> "RegionCounts":
        """Counts by ascending keys that may repeat and may be too many."""
        if len(keys):
            starts = _starts_of_runs(keys)
            if shift < region.coarsest and len(starts) > MAX_KEYS:
                keys, shift = keys >> np.uint64(region.coarsest - shift), region.coarsest
                starts = _starts_of_runs(keys)
            keys, counts = keys[starts], np.add.reduceat(counts, starts, dtype=np.int64)
        return cls(region, below, shift, _smallest(keys), _smallest(counts))

    def __add__(self, other: "RegionCounts") -> "RegionCounts":
        shift, below = max(self.shift, other.shift), self.below + other.below
        if not len(other.keys) or not len(self.keys):
            return replace(self if len(self.keys) else other, below=below)
        keys = np.concatenate([part.keys.astype(np.uint64) >> np.uint64(shift - part.shift) for part in (self, other)])
        # Of the two ascending runs the stable sort, a merge sort, makes one in linear time.
        order = np.argsort(keys, kind="stable")
        return self.of(self.region, below, shift, keys[order], np.concatenate([self.counts, other.counts])[order])

    def holding(self, rank: int) -> Region | None:
        """The part of the region that holds a rank, of one code where that is known to be its value."""
        until = np.cumsum(self.counts, dtype=np.int64)
        below = self.below if self.region.below is None else self.region.below
        position = rank - below
        if not len(until) or not 0 <= position < until[-1]:
            return None
        index = int(np.searchsorted(until, position, side="right"))
        first = self.region.first + (int(self.keys[index]) << self.shift)
        last = min(first + (1 << self.shift) - 1, self.region.last)
        num_values = int(self.counts[index])
        # No value has the code of -0.0, and as a bound it would let 0.0 in.
        last -= last == SIGN - 1 and first < last
        return Region(first, last, below + int(until[index]) - num_values, num_values)


class TopBitsCounter:
    """Counts all values by the 16 top bits of their codes."""

    def __init__(self) -> None:
        self.bins = np.zeros(MAX_KEYS, np.int64)

    def count(self, part: np.ndarray) -> None:
        """Add one slice, reading only the top word of each value."""
        bins = np.bincount(part.view(np.uint16)[TOP_16_BITS::4])
        self.bins[: len(bins)] += bins
        if len(bins) > SIGN >> 48 and bins[SIGN >> 48]:
            negative_zeros = np.count_nonzero(np.signbit(part) & (part == 0))
            self.bins[SIGN >> 48] -= negative_zeros
            self.bins[0] += negative_zeros

    def counts(self) -> RegionCounts:
        """What was counted, from the order of the bits to the order of the codes."""
        bins = np.concatenate([self.bins[: (SIGN >> 48) - 1 : -1], self.bins[: SIGN >> 48]])
        keys = np.flatnonzero(bins)
        return RegionCounts.of(WHOLE, 0, WHOLE.coarsest, keys, bins[keys])


class RegionCounter:
    """Counts the values of one region."""

    def __init__(self, region: Region) -> None:
        self.region, self.low, self.high = region, value_of(region.first), value_of(region.last)
        self.below = 0
        self.total = RegionCounts.of(region, 0, 0, np.empty(0, np.uint64), np.empty(0, np.uint64))
        self.pending: list[np.ndarray] = []

    def count(self, part: np.ndarray) -> None:
        """Add one slice."""
        under = part < self.low
        if self.region.below is None:
            self.below += np.count_nonzero(under)
        inside = part[(part <= self.high) ^ under]
        self.pending.append(codes_of(inside) - np.uint64(self.region.first))
        if sum(map(len, self.pending)) >= SLICE:
            self._add_pending()

    def counts(self) -> RegionCounts:
        """What was counted."""
        self._add_pending()
        return replace(self.total, below=self.below)

    def _add_pending(self) -> None:
        codes = np.concatenate([*self.pending, np.empty(0, np.uint64)])
        self.pending.clear()
        shift = self.total.shift
        if shift == self.region.coarsest:
            bins = np.bincount((codes >> np.uint64(shift)).view(np.int64))
            keys = np.flatnonzero(bins)
            counts = bins[keys]
        else:
            keys, counts = np.sort(codes), np.ones(len(codes), np.uint8)
        self.total += RegionCounts.of(self.region, 0, shift, keys, counts)


def not_finite(values: np.ndarray) -> str:
    """How many of the values are NaN and how many infinite, in words; empty where all are finite."""
    kinds = {"NaN": np.count_nonzero(np.isnan(values)), "infinite": np.count_nonzero(np.isinf(values))}
    said = " and ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    return said and f"{said} among {len(values):,} values"


def codes_of(values: np.ndarray) -> np.ndarray:
    """The codes of values; see `Region`."""
    bits = (values + 0.0).view(np.uint64)  # the sum turns -0.0 into 0.0
    return np.where(bits < SIGN, bits | np.uint64(SIGN), ~bits)


def value_of(code: int) -> float:
    """The value of a code."""
    bits = code - SIGN if code >= SIGN else ~code & (1 << 64) - 1
    return float(np.uint64(bits).view(np.float64))


def _starts_of_runs(keys: np.ndarray) -> np.ndarray:
    """Where each distinct key of an ascending array begins."""
    return np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))


def _smallest(array: np.ndarray) -> np.ndarray:
    """The array in the smallest unsigned type that holds it."""
    return array.astype(np.min_scalar_type(int(array.max()))) if len(array) else array
