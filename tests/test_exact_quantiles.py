"""Exact quantiles of partitions against numpy, scikit-learn and pandas on the same values at once, to the bit."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import median_absolute_error

from helpers.exact_quantiles import SLICE, Search
from helpers.region_counts import MAX_KEYS

RNG = np.random.default_rng(4)
MANY = (0.0, 0.05, 0.25, 1 / 3, 0.5, 0.75, 0.9, 0.999, 1.0)


def bits(start, width, size):
    """Floats from 1.0 upwards that differ only in some of the lowest bits."""
    return (np.float64(start).view(np.uint64) + RNG.integers(0, 1 << width, size, np.uint64)).view(np.float64)


ADVERSARIAL = {
    "exponential": RNG.exponential(1e5, 5001),
    "whole seconds": np.floor(RNG.exponential(100, 4000)),
    "normal, even": RNG.normal(0, 1, 3000),
    "negative": -RNG.exponential(1e5, 2001),
    "all equal": np.full(1000, 7.1),
    "two values": np.where(RNG.random(1000) < 0.5, 0.1, 0.3),
    "two values, half each": np.repeat([0.1, 0.3], 500),
    "zeros of both signs": np.where(RNG.random(1001) < 0.5, 0.0, -0.0),
    "zeros among tiny ones": np.repeat([-5e-324, -0.0, 0.0, 5e-324], [300, 200, 200, 299]),
    "subnormals": RNG.integers(-1000, 1000, 2000) * 5e-324,
    "huge spans": 10 ** RNG.uniform(-300, 300, 2000) * RNG.choice([-1, 1], 2000),
    "the largest": RNG.choice([-1, 1], 101) * np.finfo(float).max,
    "the largest, even": RNG.choice([-1, 1], 100) * RNG.uniform(1e308, np.finfo(float).max, 100),
    "one row": np.array([-3.25]),
    "two rows": np.array([0.1, 0.7]),
    "equal in 32 bits": bits(1.0, 32, 5000),
    "equal in 48 bits": bits(-1.0, 16, 5000),
    "far apart": np.repeat([-1e300, 1e300], 500),
}


def cut(values, num_partitions, seed=0):
    """The values in random partitions, some of them empty."""
    edges = np.sort(np.random.default_rng(seed).integers(0, len(values) + 1, num_partitions - 1))
    return np.split(values, edges)


def found(partitions, quantiles=(0.5,), guess=None):
    """The quantiles, and in how many passes; searches and tallies travel by pickle, as they do on a cluster."""
    search, num_passes = Search(quantiles, guess), 0
    while not search.is_done:
        tallies = [pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(search)).tally(part))) for part in partitions]
        search = search.narrowed(sum(tallies))
        num_passes += 1
    return search.values, num_passes


def same(values, expected):
    """Whether floats are equal to the bit, the two zeros counting as one."""
    return [(value + 0.0).hex() for value in values] == [(float(value) + 0.0).hex() for value in expected]


def numpys(values, quantiles):
    """The median for 0.5 and numpy's default quantile for the others."""
    with np.errstate(all="ignore"):
        return [np.median(values) if q == 0.5 else np.quantile(values, q) for q in quantiles]


@pytest.mark.parametrize("num_partitions", [1, 2, 7, 100])
@pytest.mark.parametrize("values", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_quantiles_are_numpys_to_the_bit(values, num_partitions):
    """Whatever the values and the partitioning, every quantile is what numpy gives for all values at once."""
    values = np.random.default_rng(num_partitions).permutation(values)
    found_values, num_passes = found(cut(values, num_partitions), MANY)
    assert same(found_values, numpys(values, MANY))
    assert num_passes <= 4


@pytest.mark.parametrize("values", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_median_is_everyones_to_the_bit(values):
    """The median is numpy's, pandas' and, of absolute values, scikit-learn's median absolute error."""
    (median,), _ = found(cut(values, 5))
    (of_absolute,), _ = found(cut(np.abs(values), 5))
    with np.errstate(all="ignore"):
        assert same([median, median], [np.median(values), pd.Series(values).median()])
        assert same([of_absolute], [median_absolute_error(np.zeros(len(values)), values)])


@pytest.mark.parametrize("seed", range(40))
def test_any_fraction_of_any_number_of_values(seed):
    """Random fractions of few random values are interpolated to the bit as numpy does."""
    rng = np.random.default_rng(seed)
    values = rng.choice([rng.normal(0, 1, 50), rng.exponential(1e5, 50), rng.integers(0, 9, 50) * 0.1])
    values, quantiles = values[: rng.integers(1, 51)], tuple(rng.random(20))
    assert same(found(cut(values, 3, seed), quantiles)[0], numpys(values, quantiles))


def test_the_order_of_merging_does_not_matter():
    """A chain, a tree and the reverse order of the tallies give equal counts."""
    search = Search(guess=RNG.exponential(1e5, 1000))
    tallies = [search.tally(part) for part in cut(RNG.exponential(1e5, 200_000), 16)]
    tree = list(tallies)
    while len(tree) > 1:
        tree = [a + b for a, b in zip(tree[::2], tree[1::2], strict=True)]
    merged = [sum(tallies), sum(reversed(tallies)), tree[0], sum(tallies[1:], start=tallies[0])]
    assert {tally.num_values for tally in merged} == {200_000}
    for tally in merged[1:]:
        for counts, expected in zip(tally.counts, merged[0].counts, strict=True):
            assert counts.below == expected.below
            assert counts.keys.tolist() == expected.keys.tolist()
            assert counts.counts.tolist() == expected.counts.tolist()


@pytest.mark.parametrize(
    ("values", "guess", "num_passes"),
    [
        (np.full(300_000, 7.1), None, 2),  # one bin, in it one value
        (RNG.integers(0, 2, 300_000) * 1.0, None, 2),
        (np.floor(RNG.exponential(1e5, 300_000)), None, 2),  # 1/16 of an octave of whole seconds: some thousands
        # 2**16 values in the bin are counted one by one.
        (np.repeat(1 + np.arange(MAX_KEYS) * 2.0**-21, 2), None, 2),
        # One more are not: their bins by the next 16 bits hold two each.
        (np.repeat(1 + np.arange(MAX_KEYS + 1) * 2.0**-21, 2), None, 3),
        # The second pass learns nothing, the third leaves some three values in each bin of 65,536 codes.
        (bits(1.0, 32, 200_000), None, 4),
        (np.full(300_000, 7.1), np.full(100, 7.1), 1),
        (np.floor(RNG.exponential(1e5, 300_000)), np.floor(RNG.exponential(1e5, 10_000)), 1),
        # The median of all is at 1 - 2**(-10/9) = 0.537 of this sample.
        (np.floor(RNG.exponential(1e5, 300_000)), np.floor(RNG.exponential(0.9e5, 100_000)), 1),
        # And at 0.6 of these 100, two of their standard errors away.
        (60 * np.floor(RNG.exponential(1e5, 300_000) / 60), -75_650 * np.log1p(-np.linspace(0.005, 0.995, 100)), 1),
        # A tenth of 800,000 distinct values is more than 65,536; one of 4,096 bins of them is not.
        (RNG.exponential(1e5, 800_000), RNG.exponential(1e5, 100_000), 2),
        (bits(1.0, 32, 200_000), bits(1.0, 32, 1000), 1),
        # Unbounded on both sides: not even worth the whole range by 16 bits.
        (bits(1.0, 32, 200_000), [-1.0, 0.0, 3.0], 4),
    ],
)
def test_number_of_passes(values, guess, num_passes):
    """Few distinct values end the search early, a guess earlier, and no values make it more than four passes."""
    assert found(np.array_split(values, 3), guess=guess) == ((np.median(values),), num_passes)


@pytest.mark.parametrize(
    "guess",
    [
        RNG.normal(1e9, 1, 1000),  # far above
        -RNG.exponential(1e5, 1000),  # below
        RNG.exponential(1.01e5, 10_000),  # near by
        np.zeros(10),
        [-0.0, 5e-324],
        [np.nan, np.inf, 1e5],
        [],
    ],
    ids=str,
)
def test_a_bad_guess_never_makes_a_wrong_answer(guess):
    """Whatever the guess, the quantiles are the same, and in no more passes than without."""
    values = RNG.exponential(1e5, 20_001)
    expected, most = found(cut(values, 4), MANY)
    found_values, num_passes = found(cut(values, 4), MANY, guess)
    assert found_values == expected
    assert same(expected, numpys(values, MANY))
    assert num_passes <= most


def test_every_value_of_a_small_log_is_a_guess_that_needs_one_pass():
    """With all values as the guess the brackets hold the ranks; NaN among them do not move the brackets."""
    values = RNG.normal(0, 1, 5000)
    found_values, num_passes = found(cut(values, 4), MANY, np.append(values, np.full(5000, np.nan)))
    assert (same(found_values, numpys(values, MANY)), num_passes) == (True, 1)


def test_slices_are_joined():
    """Values are worked on in slices; a partition of several, and of one value more, loses none."""
    for size in (SLICE - 1, SLICE, SLICE + 1, 2 * SLICE + 1):
        values = RNG.normal(0, 1, size)
        assert found([values], (0.5, 0.9))[0] == (np.median(values), np.quantile(values, 0.9))


def test_other_types_and_strides_are_taken():
    """A column of a matrix, integers and a Series are counted as their values."""
    matrix = RNG.normal(0, 1, (1000, 3))
    assert found([matrix[:, 1], matrix[::-1, 2]])[0] == (np.median(matrix[:, 1:]),)
    assert found([np.arange(10), pd.Series([3.5])])[0] == (4.0,)  # the sixth of 0, 1, 2, 3, 3.5, 4, …


@pytest.mark.parametrize("first", [[], [1.0, 2.0]])
def test_not_finite_values_are_refused_by_name(first):
    """NaN and infinity are named and counted, over the whole partition, in the first pass as in the next."""
    values = np.full(2 * SLICE, 1.5)
    values[[1, -1]], values[-2] = np.nan, -np.inf
    search = Search().narrowed(Search().tally(first)) if first else Search()
    with pytest.raises(ValueError, match=r"^2 NaN and 1 infinite among 262,144 values$"):
        search.tally(values)
    with pytest.raises(ValueError, match=r"^1 infinite among 2 values$"):
        search.tally([np.inf, 0.0])


def test_nothing_is_refused():
    """A search over empty partitions alone says that there are no values."""
    with pytest.raises(ValueError, match="no values"):
        found([[], []])


def test_values_that_change_between_passes_are_noticed():
    """Another number of values, or another in the bin, is refused instead of a wrong answer."""
    search = Search().narrowed(Search().tally([1.0, 2.0, 2.01]))
    assert not search.is_done
    for changed in ([2.0, 2.01], [1.0, 2.0, 5.0]):
        with pytest.raises(ValueError, match="changed between two passes"):
            search.narrowed(search.tally(changed))


def test_tallies_of_other_passes_are_refused():
    """A tally is merged and used with those of its own search and pass alone."""
    search = Search()
    tally = search.tally([1.0, 2.0, 2.01])
    after = search.narrowed(tally)
    with pytest.raises(ValueError, match="of two searches"):
        tally + after.tally([1.0])
    with pytest.raises(ValueError, match="another pass"):
        after.narrowed(tally)
    with pytest.raises(TypeError):
        tally + 1
    with pytest.raises(TypeError):
        1 + tally
    with pytest.raises(ValueError, match="not done"):
        _ = after.values


@pytest.mark.parametrize("quantile", [-0.1, 1.1, np.nan])
def test_quantiles_are_from_0_to_1(quantile):
    """A quantile outside 0 to 1 is refused."""
    with pytest.raises(ValueError, match="is not from 0 to 1"):
        Search((0.5, quantile))


def test_one_dimension_is_asked_for():
    """A table is refused."""
    with pytest.raises(ValueError, match="one dimension"):
        Search().tally(np.zeros((2, 2)))


def test_what_travels_is_small():
    """A search does not carry its guess, and a tally of 800,000 values is some kilobytes: 6.4 MB made 3 or 12 kB."""
    values = RNG.exponential(1e5, 800_000)
    search = Search(guess=values[:100_000])
    assert len(pickle.dumps(search)) < 1000
    assert len(pickle.dumps(Search().tally(values))) < 4000
    assert len(pickle.dumps(search.tally(values))) < 20_000


@pytest.mark.parametrize("guess", [None, RNG.random(1000)])
def test_memory_does_not_grow_with_the_values(guess):
    """In each pass the peak for 3,000,000 values is that for half of them, of some megabytes."""
    values = 1 + RNG.random(3_000_000) / 16  # one bin: the second pass meets all of them
    search = Search(guess=guess if guess is None else 1 + guess / 16)
    while not search.is_done:
        peaks = []
        for size in (len(values) // 2, len(values)):
            tracemalloc.start()
            tally = search.tally(values[:size])
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < 1.1 * peaks[0] < 16e6
        search = search.narrowed(tally)
    assert search.values == (np.median(values),)
