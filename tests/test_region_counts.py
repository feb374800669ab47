"""The order of the bits, and counts that stay small and merge."""

import numpy as np
import pytest

from helpers.region_counts import MAX_KEYS, SIGN, Region, RegionCounter, codes_of, not_finite, value_of

LARGEST, TINIEST = np.finfo(float).max, 5e-324
# A float64 has 11 bits of exponent and 52 of fraction, so 1.0 is 1023 << 52.
ASCENDING = [-LARGEST, -1.0, -TINIEST, 0.0, TINIEST, 1.0, np.nextafter(1.0, 2.0), LARGEST]


def counted(region, *parts):
    """The counts of a region in some slices."""
    counter = RegionCounter(region)
    for part in parts:
        counter.count(np.asarray(part, float))
    return counter.counts()


def test_codes_sort_as_the_values_do():
    """Codes ascend with the values, step by one from a float to the next, and give the value back to the bit."""
    codes = codes_of(np.array(ASCENDING))
    assert codes.tolist() == sorted(codes.tolist())
    assert len(set(codes.tolist())) == len(ASCENDING)
    assert codes[3:6].tolist() == [SIGN, SIGN + 1, SIGN + (1023 << 52)]
    assert codes[6] - codes[5] == 1
    assert [value_of(int(code)).hex() for code in codes] == [float(value).hex() for value in ASCENDING]


def test_both_zeros_have_one_code():
    """-0.0 counts as 0.0."""
    assert codes_of(np.array([-0.0])) == codes_of(np.array([0.0])) == SIGN


def test_counts_are_of_distinct_values_until_there_are_too_many():
    """65,536 distinct values are counted one by one; one more, and it is by at most as many bins, none lost."""
    first = int(codes_of(np.array([1.0]))[0])
    region = Region(first, first + (1 << 40))
    values = 1.0 + np.arange(MAX_KEYS + 1) * 2.0**-40
    fine, coarse = counted(region, values[:-1], values[:-1]), counted(region, values, values)
    assert (fine.shift, len(fine.keys), set(fine.counts.tolist())) == (0, MAX_KEYS, {2})
    assert coarse.shift == region.coarsest == 41 - 16
    assert len(coarse.keys) <= MAX_KEYS
    assert coarse.counts.sum() == 2 * len(values)


def test_fine_and_coarse_counts_merge():
    """Merging distinct values with bins gives the bins that all values together would have given."""
    first = int(codes_of(np.array([1.0]))[0])
    region = Region(first, first + (1 << 40))
    many, few = 1.0 + np.arange(MAX_KEYS + 1) * 2.0**-40, 1.0 + np.arange(3) * 2.0**-30
    expected = counted(region, many, few)
    for merged in (counted(region, many) + counted(region, few), counted(region, few) + counted(region, many)):
        assert (merged.shift, merged.below) == (expected.shift, expected.below)
        assert merged.keys.tolist() == expected.keys.tolist()
        assert merged.counts.tolist() == expected.counts.tolist()


def test_the_last_bin_ends_with_its_region():
    """Where the region is no whole number of bins, what holds its last rank does not reach beyond it."""
    first = int(codes_of(np.array([1.0]))[0])
    region = Region(first, first + (1 << 40), below=7)
    counts = counted(region, 1.0 + np.arange(MAX_KEYS + 1) * 2.0**-40, [value_of(region.last)])
    holding = counts.holding(7 + MAX_KEYS + 1)
    assert holding == Region(region.last, region.last, below=7 + MAX_KEYS + 1, num_values=1)
    assert counts.holding(6) is counts.holding(7 + MAX_KEYS + 2) is None


def test_merging_finds_out_that_there_are_too_many():
    """Two halves that each have few enough distinct values, but not together, merge to bins."""
    first = int(codes_of(np.array([1.0]))[0])
    region = Region(first, first + (1 << 40))
    values = 1.0 + np.arange(MAX_KEYS + 2) * 2.0**-40
    merged = counted(region, values[::2]) + counted(region, values[1::2])
    assert merged.shift == region.coarsest
    assert merged.counts.sum() == len(values)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0, -LARGEST], ""),
        ([1.0, np.nan], "1 NaN among 2 values"),
        ([np.inf, 1.0, -np.inf], "2 infinite among 3 values"),
        ([np.nan, np.inf, np.nan], "2 NaN and 1 infinite among 3 values"),
    ],
)
def test_not_finite_names_and_counts(values, words):
    """The words say which kinds there are and how many of each."""
    assert not_finite(np.array(values)) == words
