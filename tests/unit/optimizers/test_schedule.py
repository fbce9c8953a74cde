import math

import numpy as np
import pytest
import tensorflow as tf
from pydantic import TypeAdapter, ValidationError

from pdehvd.errors import ConfigError
from pdehvd.optimizers.schedule import (
    BatchScaling,
    ConstantRate,
    Cosine,
    Exponential,
    InverseTime,
    LearningRate,
    Piecewise,
)


def at(schedule, step):
    return float(schedule(tf.constant(float(step), tf.float64)))


def test_formulas():
    assert at(ConstantRate(value=0.3), 7) == 0.3
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
    schedule = ConstantRate(value=1.0, warmup=4)
    assert [at(schedule, n) for n in range(6)] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_precision_is_that_of_the_step():
    assert Cosine(initial=0.1, steps=3)(tf.constant(1.0, tf.float32)).dtype == tf.float32
    rate = ConstantRate(value=0.1)(tf.constant(0.0, tf.float64))
    assert float(rate) == 0.1


def test_a_number_is_a_constant_rate():
    adapter = TypeAdapter(LearningRate)
    assert adapter.validate_python(0.01) == ConstantRate(value=0.01)
    for wrong in (True, -1, 0, "fast", math.inf, {"name": "cosine", "initial": 1}):
        with pytest.raises((ValidationError, ValueError)):
            adapter.validate_python(wrong)


def test_piecewise_needs_one_value_more_and_growing_boundaries():
    for boundaries in ([], [1, 2], [5, 3]):
        with pytest.raises(ConfigError):
            Piecewise(boundaries=boundaries, values=[1.0, 1.0])
    with pytest.raises(ConfigError, match="do not increase"):
        Piecewise(boundaries=[5, 3], values=[1.0, 1.0, 1.0])


@pytest.mark.parametrize(("rule", "factor"), [("linear", 8.0), ("sqrt", math.sqrt(8))])
def test_the_rate_grows_with_the_batch(rule, factor):
    scaling = BatchScaling(rule=rule, reference_batch=256)
    cosine = Cosine(initial=0.1, final=0.02, steps=50)
    scaled = cosine.model_copy(update={"scaling": scaling}).resolved(2048, 100)
    for step in (0, 7, 50, 99):
        assert at(scaled, step) == pytest.approx(factor * at(cosine, step), rel=1e-14)
    same = ConstantRate(value=0.1, scaling=scaling).resolved(256, 1)
    assert (at(same, 0), same.factor) == (0.1, 1.0)
    assert ConstantRate(value=0.1, scaling=scaling).resolved(64, 1).factor < 1


def test_gradual_warm_up_adds_the_same_every_step():
    scaling = {"rule": "linear", "reference_batch": 32}
    rate = ConstantRate(value=0.1, scaling=scaling, warmup=20).resolved(256, 100)
    rates = [at(rate, n) for n in range(40)]
    assert rates[0] == pytest.approx(0.1)
    np.testing.assert_allclose(np.diff(rates[:21]), 0.1 * (8 - 1) / 20, rtol=1e-10)
    np.testing.assert_allclose(rates[20:], 0.8, rtol=1e-14)


def test_constant_warm_up_jumps():
    scaling = {"rule": "linear", "reference_batch": 32}
    warmup = {"steps": 3, "shape": "constant"}
    rate = ConstantRate(value=0.1, scaling=scaling, warmup=warmup).resolved(256, 100)
    assert [at(rate, n) for n in range(5)] == pytest.approx([0.1, 0.1, 0.1, 0.8, 0.8])


def test_a_smaller_batch_has_nothing_to_warm_up():
    scaling = {"rule": "linear", "reference_batch": 32}
    rate = ConstantRate(value=0.1, scaling=scaling, warmup=4).resolved(8, 100)
    assert [at(rate, n) for n in range(6)] == pytest.approx([0.025] * 6)


def test_warm_up_must_end_within_the_run():
    assert ConstantRate(value=1.0, warmup=10).resolved(1, 10).warmup.steps == 10
    with pytest.raises(
        ConfigError,
        match="longer than the training; expected at most 9",
    ):
        ConstantRate(value=1.0, warmup=10).resolved(1, 9)


def test_scaling_waits_for_the_batch():
    rate = ConstantRate(value=1.0, scaling={"reference_batch": 4})
    with pytest.raises(ValueError, match="batch is not known"):
        at(rate, 0)
    assert at(rate.resolved(8, 1), 0) == 2.0


def test_what_makes_no_sense_is_refused():
    for wrong in ({"reference_batch": 0}, {"reference_batch": 1, "rule": "cubic"}, {}):
        with pytest.raises(ConfigError):
            ConstantRate(value=1.0, scaling=wrong)
    with pytest.raises(ConfigError, match="reference batch, and none is given"):
        ConstantRate(value=1.0, warmup={"steps": 3, "shape": "constant"})
    assert ConstantRate(value=1.0, warmup=0) == ConstantRate(value=1.0)


@pytest.mark.parametrize(
    ("value", "shown"), [("1/1000", "'1/1000'"), ("1.0D-3", "'1.0D-3'"), (True, "true")]
)
def test_a_rate_is_a_number_and_not_its_text(value, shown):
    with pytest.raises(ValidationError, match=f"got {shown}; expected a number such as 0.001"):
        TypeAdapter(LearningRate).validate_python(value)
