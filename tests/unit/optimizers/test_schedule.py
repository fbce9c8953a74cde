import math

import pytest
import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from pdehvd.optimizers.schedule import (
    Constant,
    Cosine,
    Exponential,
    InverseTime,
    LearningRate,
    Piecewise,
)


def at(schedule, step):
    return float(schedule(tf.constant(float(step), tf.float64)))


def test_formulas():
    assert at(Constant(value=0.3), 7) == 0.3
    assert at(Exponential(initial=2.0, decay=0.5, every=10), 15) == pytest.approx(2 * 0.5**1.5)
    assert at(Exponential(initial=2.0, decay=0.5, every=10, staircase=True), 19) == 1.0
    cosine = Cosine(initial=1.0, final=0.2, steps=100)
    assert at(cosine, 25) == pytest.approx(0.2 + 0.8 * (1 + math.cos(math.pi / 4)) / 2)
    assert at(cosine, 500) == pytest.approx(0.2)
    assert at(InverseTime(initial=1.0, decay=2.0, every=10), 5) == pytest.approx(0.5)


def test_piecewise_changes_at_its_boundaries():
    schedule = Piecewise(boundaries=[10, 20], values=[3.0, 2.0, 1.0])
    assert [at(schedule, n) for n in (0, 9, 10, 19, 20, 99)] == [3.0, 3.0, 2.0, 2.0, 1.0, 1.0]


def test_warm_up_is_linear_and_ends_at_the_rate():
    schedule = Constant(value=1.0, warmup=4)
    assert [at(schedule, n) for n in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_precision_is_that_of_the_step():
    assert Cosine(initial=0.1, steps=3)(tf.constant(1.0, tf.float32)).dtype == tf.float32
    rate = Constant(value=0.1)(tf.constant(0.0, tf.float64))
    assert float(rate) == 0.1


def test_a_number_is_a_constant_rate():
    adapter = TypeAdapter(LearningRate)
    assert adapter.validate_python(0.01) == Constant(value=0.01)
    for wrong in (True, -1, 0, "fast", math.inf, {"name": "cosine", "initial": 1}):
        with pytest.raises((ValidationError, ValueError)):
            adapter.validate_python(wrong)


def test_piecewise_needs_one_value_more_and_growing_boundaries():
    for boundaries in ([], [1, 2], [5, 3]):
        with pytest.raises((ValidationError, ValueError)):
            Piecewise(boundaries=boundaries, values=[1.0, 1.0])
    with pytest.raises((ValidationError, ValueError), match="do not increase"):
        Piecewise(boundaries=[5, 3], values=[1.0, 1.0, 1.0])
