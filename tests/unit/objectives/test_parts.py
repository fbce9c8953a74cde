"""How a gradient is cut into messages."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pdehvd.objectives.parts import cut_gradients


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(1, 9), min_size=1, max_size=12), count=st.integers(1, 15))
def test_buckets_join_to_the_gradient(sizes, count):
    numbers = np.arange(sum(sizes), dtype=np.float64)
    gradients = [tf.constant(part) for part in np.split(numbers, np.cumsum(sizes)[:-1])]
    buckets = cut_gradients(gradients, count)
    assert 1 <= len(buckets) <= count
    np.testing.assert_array_equal(tf.concat(buckets, 0), numbers)


@pytest.mark.parametrize(
    ("sizes", "count", "expected"),
    [([4, 4, 4, 4], 2, [8, 8]), ([2, 2, 12], 2, [4, 12]), ([1] * 3, 9, [1, 1, 1]), ([5], 4, [5])],
)
def test_buckets_are_of_about_the_same_size(sizes, count, expected):
    assert [b.shape[0] for b in cut_gradients([tf.zeros([n, 1]) for n in sizes], count)] == expected
