"""Bessel functions in expressions: values, derivatives to order 4, and in compiled programs."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
import tensorflow as tf

from pdehvd.numerics.expressions import compile_numpy, compile_tf, parse, symbol
from pdehvd.numerics.syntax import ExpressionError

X = np.concatenate([np.geomspace(1e-3, 1, 30), np.linspace(1.1, 60, 60)])
KINDS = {
    "besselj": scipy.special.jvp,
    "bessely": scipy.special.yvp,
    "besseli": scipy.special.ivp,
    "besselk": scipy.special.kvp,
}


@pytest.mark.parametrize("order", [0, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_derivatives(kind: str, order: int) -> None:
    expressions = [parse(f"{kind}({order}, x)", {"x": symbol("x")})]
    for _ in range(4):
        expressions.append(expressions[-1].diff(symbol("x")))
    by_numpy = compile_numpy(expressions, ["x"])({"x": X})
    compiled = tf.function(compile_tf(expressions, ["x"]), jit_compile=True, autograph=False)
    by_tensorflow = compiled({"x": tf.constant(X)})
    for degree, (one, other) in enumerate(zip(by_numpy, by_tensorflow, strict=True)):
        right = KINDS[kind](order, X, degree)
        # Near zeros, what counts is the envelope.
        size = np.abs(right) + 1e-2
        np.testing.assert_allclose(one / size, right / size, rtol=0, atol=1e-9)
        np.testing.assert_allclose(other.numpy() / size, right / size, rtol=0, atol=1e-9)


def test_single_precision_and_scalars() -> None:
    run = compile_tf([parse("besselj(0, x) + besselk(1, x)", {"x": symbol("x")})], ["x"])
    (value,) = run({"x": tf.constant(2.5, tf.float32)})
    right = scipy.special.jv(0, 2.5) + scipy.special.kv(1, 2.5)
    assert value.dtype == tf.float32 and float(value) == pytest.approx(right, rel=1e-5)


def test_of_a_number() -> None:
    assert parse("besselj(0, 2)", {}).evalf() == pytest.approx(scipy.special.jv(0, 2))


@pytest.mark.parametrize("text", ["besselj(x, 1)", "besselj(0.5, x)", "bessely(-1, x)"])
def test_other_orders_are_refused(text: str) -> None:
    with pytest.raises(ExpressionError, match="the order of bessel"):
        parse(text, {"x": symbol("x")})
