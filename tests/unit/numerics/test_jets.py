import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from pdehvd.numerics import jets
from pdehvd.numerics.plans import axes, canonical_operator, chain_rule, unit


def indices(dimension, order):
    return [
        index
        for index in itertools.product(range(order + 1), repeat=dimension)
        if sum(index) <= order
    ]


def monomials(powers):
    """Return x^m y^n for each (m, n) as a function of [N, 2], and its partial of a multi-index."""

    def function(x):
        a, b = x[:, 0], x[:, 1]
        return tf.stack([math.prod([a] * m + [b] * n) for m, n in powers], axis=1)

    def partial(x, index):
        columns = []
        for p in powers:
            factors = [
                math.perm(n, m) * x[:, d] ** max(n - m, 0)
                for d, (n, m) in enumerate(zip(p, index, strict=True))
            ]
            columns.append(np.prod(factors, axis=0))
        return np.stack(columns, axis=1)

    return function, partial


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 3).filter(lambda m: sum(m) <= 4), max_size=5))
def test_a_plan_is_the_downward_closure(requested):
    plan = jets.plan(3, requested)
    below = {
        index
        for top in [*requested, (0, 0, 0)]
        for index in itertools.product(*(range(order + 1) for order in top))
    }
    assert set(plan.partials) == below
    assert len(plan.partials) == len(below)
    assert plan.partials[0] == (0, 0, 0)
    assert [sum(index) for index in plan.partials] == sorted(sum(index) for index in below)


def test_an_operator_brings_only_the_first_derivatives_that_it_multiplies():
    heat = [((0, 0, 1), 1.0), ((2, 0, 0), -0.5), ((0, 2, 0), -0.5)]
    plan = jets.plan(3, [], [heat])
    assert set(plan.partials) == {(0, 0, 0), (1, 0, 0), (0, 1, 0)}
    assert plan.channels == 4
    assert plan.order == 2


def test_an_operator_of_first_order_needs_no_other_channel():
    plan = jets.plan(2, [], [[((1, 0), 2.0), ((0, 1), 3.0)]])
    assert plan.partials == ((0, 0),)
    assert plan.order == 1


def test_channels_are_found_by_partial_and_by_number():
    laplacian, same = [((2, 0), 1.0), ((0, 2), 1.0)], [((0, 2), 1.0), ((2, 0), 0.5), ((2, 0), 0.5)]
    other = [((1, 1), 1.0)]
    plan = jets.plan(2, [(1, 0)], [laplacian, same, other])
    given = [laplacian, same, other]
    assert plan.channel((1, 0)) == plan.partials.index((1, 0))
    assert plan.channel(0, given) == plan.channel(1, given) == len(plan.partials)
    assert plan.channel(2, given) == plan.channels - 1
    assert plan.channel(1) == plan.channels - 1
    with pytest.raises(KeyError, match="no channel"):
        plan.channel((3, 0))
    with pytest.raises(KeyError, match="no channel"):
        plan.channel(0, [[((2, 0), 7.0)]])


@pytest.mark.parametrize(
    ("requested", "operators", "message"),
    [
        ([(1, 0, 0)], [], "not a multi-index"),
        ([(-1, 0)], [], "not a multi-index"),
        ([(3, 2)], [], "order 5"),
        ([], [[((3, 0), 1.0)]], "order 3"),
        ([], [[((0, 0), 1.0)]], "order 1 and 2 only"),
        ([], [[((2, 0), 1.0), ((2, 0), -1.0)]], "at least one term"),
    ],
)
def test_bad_plans_are_refused(requested, operators, message):
    with pytest.raises(ValueError, match=message):
        jets.plan(2, requested, operators)


def test_canonical_operators_merge_terms():
    assert canonical_operator([((0, 2), 1.0), ((2, 0), 1), ((0, 2), 2.0), ((1, 1), 0.0)]) == (
        ((0, 2), 3.0),
        ((2, 0), 1.0),
    )


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_the_chain_rule_counts_all_partitions(order):
    bell = [1, 1, 2, 5, 15][order]
    for index in indices(2, order):
        if sum(index) == order:
            terms = [term for terms in chain_rule(index).values() for term in terms]
            assert sum(count for count, _ in terms) == bell
            for _, blocks in terms:
                assert tuple(map(sum, zip(*blocks, strict=True))) == index


def test_the_chain_rule_of_a_mixed_third_derivative():
    assert {order: set(terms) for order, terms in chain_rule((2, 1)).items()} == {
        1: {(1, ((2, 1),))},
        2: {(2, ((1, 0), (1, 1))), (1, ((0, 1), (2, 0)))},
        3: {(1, ((0, 1), (1, 0), (1, 0)))},
    }


def test_axes_and_units():
    assert axes((2, 0, 1)) == (0, 0, 2)
    assert unit(1, 3) == (0, 1, 0)


@pytest.mark.parametrize("compiled", [False, True])
def test_nested_tapes_differentiate_polynomials_exactly(compiled):
    powers = [(4, 1), (2, 3)]
    function, partial = monomials(powers)
    operator = [((2, 0), 1.0), ((1, 1), -0.5), ((0, 1), 2.0)]
    plan = jets.plan(2, [(3, 0), (1, 2), (4, 0)] if not compiled else [(3, 1)], [operator])
    x = np.random.default_rng(0).uniform(0.5, 2, (4, 2))

    def run(points):
        return jets.nested(function, points, plan)

    out = (tf.function(run, jit_compile=True) if compiled else run)(tf.constant(x))
    for index, value in zip(plan.partials, out, strict=False):
        np.testing.assert_allclose(value, partial(x, index), rtol=1e-12, err_msg=str(index))
    wanted = sum(factor * partial(x, index) for index, factor in operator)
    np.testing.assert_allclose(out[-1], wanted, rtol=1e-12)


def test_nested_tapes_of_a_function_that_ignores_a_coordinate():
    plan = jets.plan(2, [(0, 2)])
    out = jets.nested(lambda x: x[:, :1] ** 2, tf.constant([[3.0, 1.0]]), plan)
    assert [float(value[0, 0]) for value in out] == [9.0, 0.0, 0.0]


def test_an_operator_without_partials_in_nested_tapes():
    plan = jets.plan(2, [], [[((1, 0), 2.0), ((0, 1), 3.0)]])
    out = jets.nested(lambda x: x[:, :1] * x[:, 1:], tf.constant([[3.0, 5.0]]), plan)
    assert float(out[1][0, 0]) == 2 * 5 + 3 * 3


def exponential(z, order):
    return [tf.exp(z)] * (order + 1)


@settings(max_examples=15, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda d: st.lists(
            st.tuples(*[st.integers(0, 4)] * d).filter(lambda m: sum(m) <= 4),
            min_size=1,
            max_size=3,
        )
    ),
    st.integers(0, 2**31),
)
def test_layers_agree_with_nested_tapes(requested, seed):
    random = np.random.default_rng(seed)
    dimension = len(requested[0])
    operator = [
        (unit_sum, random.normal())
        for unit_sum in indices(dimension, 2)
        if sum(unit_sum) > 0 and random.uniform() < 0.6
    ]
    plan = jets.plan(dimension, requested, [operator] if operator else [])
    first = tf.constant(random.normal(size=(dimension, 3)) / 2)
    second = tf.constant(random.normal(size=(3, 2)) / 2)
    bias = tf.constant(random.normal(size=3))
    x = tf.constant(random.normal(size=(2, dimension)))

    def taylor(points):
        inner = jets.linear(jets.inputs(plan, points), first, bias)
        bent = jets.elementwise(plan, inner, exponential)
        both = jets.concatenate([bent, jets.add(inner, bent)])
        return jets.full(jets.linear(both, tf.concat([second, 2 * second], axis=0)))

    def direct(points):
        inner = points @ first + bias
        bent = tf.exp(inner)
        return bent @ second + 2 * (inner + bent) @ second

    for one, other in zip(taylor(x), jets.nested(direct, x, plan), strict=True):
        scale = 1 + np.abs(other).max()
        np.testing.assert_allclose(one, other, atol=1e-12 * scale)


def test_inputs_are_scaled_and_shifted():
    plan = jets.plan(2, [(2, 0), (0, 1)], [[((1, 0), 3.0), ((0, 2), 1.0)]])
    x = tf.constant([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]])
    jet = jets.inputs(plan, x, tf.constant([2.0, 10.0]), tf.constant([1.0, 5.0]))
    np.testing.assert_array_equal(jet[0], [[0, 2, 4], [0, 10, 20]])
    np.testing.assert_array_equal(jet[plan.channel((1, 0))], [[2], [0]])
    np.testing.assert_array_equal(jet[plan.channel((0, 1))], [[0], [10]])
    assert jet[plan.channel((2, 0))] is None
    np.testing.assert_array_equal(jet[plan.channel(0)], [[6], [0]])


def test_full_writes_zeros_and_constants_out():
    value, constant = tf.reshape(tf.range(6.0), [2, 3]), tf.constant([[7.0], [8.0]])
    out = jets.full([value, constant, None])
    np.testing.assert_array_equal(out[0], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(out[1], [[7, 8]] * 3)
    np.testing.assert_array_equal(out[2], np.zeros((3, 2)))


def test_concatenation_keeps_constants_small_and_zeros_absent():
    one = [tf.ones([1, 3]), tf.constant([[2.0]]), None, None]
    two = [tf.zeros([2, 3]), tf.constant([[3.0], [4.0]]), None, tf.ones([2, 3])]
    out = jets.concatenate([one, two])
    assert out[0].shape == (3, 3)
    np.testing.assert_array_equal(out[1], [[2], [3], [4]])
    assert out[2] is None
    np.testing.assert_array_equal(out[3], [[0] * 3, [1] * 3, [1] * 3])


def test_the_number_of_points_may_be_unknown_when_traced():
    plan = jets.plan(1, [(1,), (2,)])
    weight = tf.constant([[2.0, 3.0]])

    @tf.function(input_signature=[tf.TensorSpec([None, 1])])
    def run(x):
        inner = jets.linear(jets.inputs(plan, x), weight)
        return jets.full(jets.concatenate([inner, jets.elementwise(plan, inner, exponential)]))

    value, first, second = run(tf.constant([[0.0], [1.0], [2.0]]))
    np.testing.assert_allclose(value[:, 2], np.exp([0, 2, 4]), rtol=1e-6)
    np.testing.assert_allclose(first[:, :2], [[2, 3]] * 3)
    np.testing.assert_allclose(second[:, 3], 9 * np.exp([0, 3, 6]), rtol=1e-6)
