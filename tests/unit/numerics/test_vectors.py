"""Vectors in pieces mean what whole ones do, and these have the bits of plain operations."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pdehvd.comm.group import Solo
from pdehvd.config.root import register_builtin
from pdehvd.numerics.vectors import Pieces, Replicated
from pdehvd.optimizers.base import Needs, stalled
from pdehvd.optimizers.clipping import clipped
from pdehvd.optimizers.kfac import KFAC
from pdehvd.optimizers.kfac_sampled import SampledKFAC
from pdehvd.spec import registered
from tests.support.crew import Crew

register_builtin()
COUNTS = st.lists(st.integers(0, 9), min_size=1, max_size=4)
NUMBERS = st.floats(-1e3, 1e3, width=32)


def on_pieces(counts, work):
    """Return what work(vectors) returns on the rank of each piece, each a thread."""
    return Crew(len(counts)).run(lambda group: work(Pieces(group, tuple(counts))))


@st.composite
def cut_vectors(draw):
    """Return how a vector is cut, two of them and two columns, in either precision."""
    counts = draw(COUNTS)
    size, dtype = sum(counts), draw(st.sampled_from([np.float32, np.float64]))
    a, b, columns = (
        draw(arrays(dtype, shape, elements=NUMBERS)) for shape in (size, size, (size, 2))
    )
    return counts, a, b, columns


@settings(max_examples=60, deadline=None)
@given(cut_vectors())
def test_pieces_have_the_inner_products_of_the_whole(case):
    counts, a, b, columns = case
    whole = Replicated()
    close = {"rtol": 1e3 * np.finfo(a.dtype).eps, "atol": 1e9 * np.finfo(a.dtype).eps}

    def numbers(vectors):
        x, y = vectors.own(a), vectors.own(b)
        sums = [vectors.dot(x, y), vectors.norm(x), *vectors.products(x, vectors.own(columns))]
        return sums, vectors.maximum(x), vectors.whole(x), vectors.whole(vectors.own(columns))

    expected = numbers(whole)
    for sums, *exact in on_pieces(counts, numbers):
        np.testing.assert_allclose(sums, expected[0], **close)
        for found, right in zip(exact, expected[1:], strict=True):
            np.testing.assert_array_equal(found, right)


@settings(max_examples=60, deadline=None)
@given(cut_vectors())
def test_whole_vectors_take_plain_operations(case):
    _, a, b, columns = case
    vectors = Replicated()
    assert vectors.dot(a, b) == float(a @ b)
    assert vectors.norm(a) == float(np.linalg.norm(a))
    assert vectors.maximum(a) == float(np.max(np.abs(a), initial=0.0))
    np.testing.assert_array_equal(vectors.products(a, columns), a @ columns)
    x, y = tf.constant(a), tf.constant(b)
    assert [float(n) for n in vectors.norms([x, y], "n")] == [float(tf.norm(n)) for n in (x, y)]
    assert float(vectors.dots([(x, y)], "n")[0]) == float(tf.reduce_sum(x * y))
    assert vectors.whole(a) is a and vectors.own(a) is a


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
@pytest.mark.parametrize("size", [0.0, 1e-3, 0.3, 1.0, 1e3, float("inf"), float("nan")])
def test_clipping_has_the_bits_of_tensorflows(size, dtype, compiled):
    plain = tf.function(lambda g: tf.clip_by_norm(g, 0.7), jit_compile=compiled)
    ours = tf.function(lambda g: clipped(g, 0.7, Replicated()), jit_compile=compiled)
    gradient = tf.constant(size * np.random.default_rng(3).standard_normal(101), dtype)
    np.testing.assert_array_equal(ours(gradient), plain(gradient))


@given(COUNTS, st.data())
@settings(max_examples=60, deadline=None)
def test_a_layer_is_shared_by_those_that_hold_its_entries(counts, data):
    total = sum(counts)
    cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=5)))
    sizes = np.diff([0, *cuts, total]).tolist()
    found = on_pieces(counts, lambda vectors: vectors.own_sizes(sizes))
    assert [sum(own) for own in found] == counts
    assert [sum(own) for own in zip(*found, strict=True)] == sizes
    owner = np.repeat(np.arange(len(counts)), counts)
    layer = np.repeat(np.arange(len(sizes)), sizes)
    for rank, own in enumerate(found):
        assert own == tuple(np.sum(layer[owner == rank] == n) for n in range(len(sizes)))
    assert Replicated().own_sizes(sizes) == tuple(sizes)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 4])
def test_one_entry_decides_on_all_ranks(bad, place):
    a = np.arange(5.0)
    spoilt = a.copy()
    spoilt[place] = bad

    def decisions(vectors):
        x, y = vectors.own(a), vectors.own(spoilt)
        equal, finite = (vectors.equal(x, x), vectors.equal(x, y)), (vectors.finite(x),)
        return *equal, *finite, vectors.finite(tf.constant(y)), abs(vectors.maximum(y))

    for found in [*on_pieces([1, 0, 4], decisions), decisions(Replicated())]:
        np.testing.assert_array_equal(found, [True, False, True, False, abs(bad)])


@pytest.mark.parametrize("gradient", [[3.0, 0.0, -5.0], [0.0, 0.0, 1e-200], [0.0, 0.0, 0.0]])
def test_why_a_method_stalls_is_the_same_on_all_ranks(gradient):
    whole = np.array(gradient)

    def text(vectors):
        return str(stalled("nothing lowers the loss", 2.0, vectors.own(whole), vectors))

    assert set(on_pieces([2, 0, 1], text)) == {text(Replicated())}


def test_there_is_a_count_for_each_rank():
    with pytest.raises(ValueError, match="2 pieces for 1 ranks"):
        Pieces(Solo(), (3, 4))


@pytest.mark.parametrize(("name", "spec"), registered("optimizer").items())
def test_an_optimizer_works_on_pieces_or_says_why_not(name, spec):
    assert spec.needs.whole != Needs().whole


def test_what_stands_for_kfac_on_grids_has_its_reason():
    assert SampledKFAC.needs.whole == KFAC.needs.whole
