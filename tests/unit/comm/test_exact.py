"""Sums that depend on no order: whole numbers that cannot overflow, and what they round."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pdehvd.comm.aggregation import ExactSum
from pdehvd.comm.exact import FixedPoint, size_of
from pdehvd.comm.exact_totals import exact_total, exact_total_of_large
from pdehvd.comm.group import Solo

FINITE = st.floats(allow_nan=False, allow_infinity=False, width=64)


def words_of(point, values, largest):
    values, largest = (tf.constant(x, tf.float64) for x in (values, largest))
    return point.integers(values, largest).numpy()


def total(point, values):
    """Return the sum of values [N] through words."""
    values = np.asarray(values, np.float64)
    largest = float(size_of(tf.constant(values), [0]))
    words = words_of(point, values, largest).sum(1)
    return float(point.floats(tf.constant(words), tf.constant(largest, tf.float64), tf.float64))


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(FINITE, min_size=1, max_size=40),
    words=st.sampled_from([1, 2]),
    data=st.data(),
)
def test_every_order_and_every_partition_give_the_same_bits(values, words, data):
    point = FixedPoint(40, words)
    array = np.array(values)
    largest = float(size_of(tf.constant(array), [0]))
    expected = words_of(point, array, largest).sum(1)
    shuffled = array[data.draw(st.permutations(range(len(values))))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(values)), max_size=4)))
    parts = [words_of(point, part, largest).sum(1) for part in np.split(shuffled, cuts)]
    np.testing.assert_array_equal(np.sum(parts, 0), expected)


@settings(max_examples=60, deadline=None)
@given(values=st.lists(FINITE, min_size=1, max_size=40))
def test_two_words_are_as_good_as_a_compensated_sum(values):
    try:
        exact = math.fsum(values)
    except OverflowError:
        exact = math.inf
    got = total(FixedPoint(40), values)
    if math.isfinite(exact) and math.isfinite(got):
        assert abs(got - exact) <= 3e-16 * abs(exact) + 2.0**-100 * max(map(abs, values)) + 2e-270
    else:
        assert max(map(abs, values)) > 1e306


@settings(max_examples=60, deadline=None)
@given(values=st.lists(FINITE, min_size=1, max_size=40))
def test_one_word_is_enough_for_single_precision(values):
    # Forty of the largest numbers have a sum too.
    small = [value / 64 for value in values]
    got = total(FixedPoint(40, 1), small)
    assert abs(got - math.fsum(small)) <= 160 * 2.0**-56 * max(map(abs, small)) + 2e-240


@given(count=st.integers(1, 2**38))
def test_the_words_of_any_number_of_contributions_stay_below_the_largest_int64(count):
    point = FixedPoint(count)
    # A word is at most 2^b, so that no partial sum is larger than this.
    assert count * 2**point.bits <= 2**62 < np.iinfo(np.int64).max
    assert count * 2 ** (point.bits + 1) > 2**62


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("size", [5e-324, 1e-300, 1.0, 2.0**40, np.finfo(float).max / 1e6])
def test_the_largest_contributions_of_all_do_not_overflow(sign, size):
    count = 4096
    # Just below a power of two a number fills its words to the last bit.
    value = np.nextafter(2.0 ** math.frexp(size)[1], 0.0)
    got = total(FixedPoint(count), np.full(count, sign * value))
    expected = sign * value * count
    assert got == expected if value > 1e-200 else abs(got - expected) < 1e-200


def test_too_many_contributions_are_refused():
    with pytest.raises(ValueError, match="bits in a word"):
        FixedPoint(2**39)


def test_what_is_no_number_makes_its_own_row_nan():
    rows = np.array([[[1.0, 2.0], [3.0, 4.0]], [[1.0, np.nan], [3.0, 4.0]]])
    for bad in (np.nan, np.inf, -np.inf):
        rows[1, 0, 1] = bad
        (got,) = exact_total(Solo(), [tf.constant(rows)], 2, "test")
        assert np.all(np.isnan(got[0]))
        np.testing.assert_array_equal(got[1], [6.0, 8.0])


def test_small_entries_beside_large_ones_keep_their_digits():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((12, 1, 500)) * 10.0 ** rng.uniform(-12, 0, 500)
    (got,) = exact_total(Solo(), [tf.constant(values)], 12, "test")
    exact = np.array([math.fsum(column) for column in values[:, 0].T])
    assert np.max(np.abs(got[0] - exact) / np.abs(exact)) < 3e-16


def test_arrays_one_at_a_time_give_the_same_sum():
    values = np.random.default_rng(5).standard_normal((7, 30))
    (expected,) = exact_total(Solo(), [tf.constant(values[:, None])], 7, "test")
    for bound in (np.abs(values).max(), 1e9):
        got = exact_total_of_large(Solo(), list(values[::-1]), float(bound), 7, "test")
        np.testing.assert_array_equal(got, expected[0])
    assert np.all(np.isnan(exact_total_of_large(Solo(), list(values), math.nan, 7, "test")))


@pytest.mark.parametrize(
    ("chunk", "items", "count"), [(None, 101, 12), (None, 5, 5), (None, 120_000, 59), (17, 101, 6)]
)
def test_the_number_of_chunks_depends_on_the_batch_alone(chunk, items, count):
    assert ExactSum(chunk=chunk).chunks(items) == count
