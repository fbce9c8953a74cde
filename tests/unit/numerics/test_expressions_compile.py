"""Compiled expressions against plain NumPy, with and without XLA, and their gradients."""

import math

import numpy as np
import pytest
import sympy
import tensorflow as tf

from pdehvd.numerics.expressions import (
    ExpressionError,
    compile_numpy,
    compile_tf,
    parse,
    parse_relation,
    symbol,
)
from pdehvd.numerics.program import Program

NAMES = ("x", "y", "k")
SYMBOLS = {name: symbol(name) for name in NAMES}

CLOSED_FORMS = {
    "x + 2*y - k": lambda x, y, k: x + 2 * y - k,
    "-x - y": lambda x, y, k: -x - y,
    "-x/y": lambda x, y, k: -x / y,
    "3/(x*y^2)": lambda x, y, k: 3 / (x * y * y),
    "x^5*y^-3": lambda x, y, k: x**5 / y**3,
    "x^2.5 + x^-0.5 + y^(1/3)": lambda x, y, k: x**2.5 + x**-0.5 + y ** (1 / 3),
    "x^y + 2^x + x^0.123": lambda x, y, k: x**y + 2**x + x**0.123,
    "sin(pi*x)*cos(y) + tan(x) + tan(x + pi/2)": lambda x, y, k: (
        np.sin(np.pi * x) * np.cos(y) + np.tan(x) - 1 / np.tan(x)
    ),
    "asin(x/2) + acos(x/2) - atan(y) + atan2(y, -x)": lambda x, y, k: (
        np.arcsin(x / 2) + np.arccos(x / 2) - np.arctan(y) + np.arctan2(y, -x)
    ),
    "sinh(x) + cosh(y) + tanh(x*y)": lambda x, y, k: np.sinh(x) + np.cosh(y) + np.tanh(x * y),
    "exp(-x^2) + log(1 + y) + sqrt(x)": lambda x, y, k: np.exp(-x * x) + np.log1p(y) + np.sqrt(x),
    "ln(y) - log(x)": lambda x, y, k: np.log(y) - np.log(x),
    "erf(2*x - y) + erfc(y)*k": lambda x, y, k: (
        np.vectorize(math.erf)(2 * x - y) + np.vectorize(math.erfc)(y) * k
    ),
    "abs(x - 0.5) + sign(x - y) + heaviside(y - 0.5)": lambda x, y, k: (
        np.abs(x - 0.5) + np.sign(x - y) + np.heaviside(y - 0.5, 0.5)
    ),
    "min(x, y, 0.3) + max(x, k)": lambda x, y, k: (
        np.minimum(np.minimum(x, y), 0.3) + np.maximum(x, k)
    ),
    "where(x > 0.5 and not y < 0.2, x, where(y = 0.25, 7, y^2))": lambda x, y, k: np.where(
        (x > 0.5) & (y >= 0.2), x, np.where(y == 0.25, 7.0, y * y)
    ),
    "where(x != 0.5 or 0.3 <= y <= 0.6, 1, k)": lambda x, y, k: np.where(
        (x != 0.5) | ((y >= 0.3) & (y <= 0.6)), 1.0, k
    ),
    "abs(log(x)) + abs(sqrt(y) - k)": lambda x, y, k: np.abs(np.log(x)) + np.abs(np.sqrt(y) - k),
    "0.01/pi": lambda x, y, k: np.full_like(x, 0.01 / math.pi),
    "k^2": lambda x, y, k: np.full_like(x, k * k),
}


@pytest.fixture
def inputs():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0.1, 0.9, (2, 64))
    x[0], y[1] = 0.5, 0.25
    return {"x": x, "y": y, "k": np.float64(0.7)}


def _close(value, expected, tolerance):
    np.testing.assert_allclose(value, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("text", list(CLOSED_FORMS))
def test_numpy_against_closed_forms(text, inputs):
    [value] = compile_numpy([parse(text, SYMBOLS)], NAMES)(inputs)
    assert value.shape == (64,)
    assert value.dtype == np.float64
    _close(value, CLOSED_FORMS[text](**inputs), 4e-15)


@pytest.mark.parametrize("jit", [False, True])
def test_tensorflow_agrees_with_numpy(jit, inputs):
    expressions = [parse(text, SYMBOLS) for text in CLOSED_FORMS]
    plain = compile_numpy(expressions, NAMES)(inputs)
    compiled = tf.function(compile_tf(expressions, NAMES), jit_compile=jit)
    values = compiled({name: tf.constant(value) for name, value in inputs.items()})
    for text, value, expected in zip(CLOSED_FORMS, values, plain, strict=True):
        assert value.dtype == tf.float64
        assert value.shape == (64,), text
        _close(value, expected, 4e-15)


def test_float32_inputs_give_float32_without_double_rounding(inputs):
    [value] = compile_tf([parse("0.01/pi*x", SYMBOLS)], NAMES)(
        {name: tf.constant(v, tf.float32) for name, v in inputs.items()}
    )
    assert value.dtype == tf.float32
    expected = np.float32(0.01 / math.pi) * inputs["x"].astype(np.float32)
    assert np.array_equal(value, expected)


def test_scalars_alone_stay_scalars():
    expressions = [parse("k^2", SYMBOLS), parse("3", SYMBOLS)]
    for value in compile_tf(expressions, ("k",))({"k": tf.constant(2.0)}):
        assert value.shape == ()
    for array in compile_numpy(expressions, ("k",))({"k": 2.0}):
        assert array.shape == ()


def test_unknowns_may_be_variables(inputs):
    unknown = tf.Variable(0.7, dtype=tf.float64)
    function = compile_tf([parse("k*x + y", SYMBOLS)], NAMES)
    with tf.GradientTape() as tape:
        [value] = function({"x": tf.constant(inputs["x"]), "y": inputs["y"], "k": unknown})
        total = tf.reduce_sum(value)
    _close(tape.gradient(total, unknown), inputs["x"].sum(), 1e-14)


def test_gradients_against_central_differences(inputs):
    expressions = [parse(text, SYMBOLS) for text in CLOSED_FORMS]
    function = compile_tf(expressions, NAMES)
    constants = {name: tf.constant(inputs[name]) for name in ("y", "k")}

    @tf.function(jit_compile=True)
    def gradients(x):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(x)
            values = function({"x": x, **constants})
        zero = tf.UnconnectedGradients.ZERO
        return [tape.gradient(value, x, unconnected_gradients=zero) for value in values]

    step = 1e-6
    plain = compile_numpy(expressions, NAMES)
    upper = plain({**inputs, "x": inputs["x"] + step})
    lower = plain({**inputs, "x": inputs["x"] - step})
    smooth = np.arange(64) != 0  # at x = 1/2 some of them have a kink
    for text, gradient, u, v in zip(
        CLOSED_FORMS, gradients(tf.constant(inputs["x"])), upper, lower, strict=True
    ):
        expected = ((u - v) / (2 * step))[smooth]
        np.testing.assert_allclose(
            gradient.numpy()[smooth], expected, rtol=1e-6, atol=1e-7, err_msg=text
        )


@pytest.mark.parametrize(
    "text",
    [
        "where(x > 0, sqrt(x), 0)",
        "where(x > 0, log(x)*x, 0)",
        "where(x != 0, sin(x)/x, 1)",
        "where(abs(x) < 1, acos(x), 0)",
        "where(x < 10, exp(x), 1)",
        "where(x > 0, x^0.3, 0)",
        "where(x > 0, where(x > 1, 1/x, sqrt(x)), x^2)",
        "where(x^2 > 0, 2, x) + where(x = 0, 1, x^-1.5*abs(x))",
        "where(x != 0, atan2(0, x)*x, x)",
    ],
)
def test_branches_that_are_not_taken_leave_no_nan_in_gradients(text):
    expression = parse(text, SYMBOLS)
    x = tf.constant([-2.0, -1.0, 0.0, 0.5, 3.0, 1000.0], tf.float64)
    if "1.5" in text:
        x = tf.abs(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        [value] = compile_tf([expression], ("x",))({"x": x})
    assert np.isfinite(value).all()
    assert np.isfinite(tape.gradient(value, x, unconnected_gradients="zero")).all()


def test_derivatives_of_kinks_can_be_computed(inputs):
    text = "abs(x - y) + max(x, y) + sign(x - y)*x + where(x > y, x^2, y) + heaviside(x)*x"
    expression = sympy.diff(parse(text, SYMBOLS), symbol("x"))
    [value] = compile_numpy([expression], NAMES)(inputs)
    x, y = inputs["x"], inputs["y"]
    expected = np.where(x > y, 1 + 1 + 1 + 2 * x, -1 + 0 - 1 + 0) + 1
    _close(value, expected, 1e-14)


def test_sympy_piecewise_from_elsewhere_is_understood(inputs):
    x, y = symbol("x"), symbol("y")
    expression = sympy.Piecewise((x, x < 0.3), (y, x < 0.6), (sympy.sqrt(x), True))
    expected = np.select(
        [inputs["x"] < 0.3, inputs["x"] < 0.6], [inputs["x"], inputs["y"]], np.sqrt(inputs["x"])
    )
    [value] = compile_numpy([expression], NAMES)(inputs)
    _close(value, expected, 1e-15)
    [holes] = compile_numpy([sympy.Piecewise((x, x < 0.3))], NAMES)(inputs)
    assert np.array_equal(np.isnan(holes), inputs["x"] >= 0.3)


def test_relations_give_booleans(inputs):
    relations = [
        parse_relation("x > 0.5 and y <= 0.5", SYMBOLS),
        parse_relation("x = 0.5 or not y >= 0.3", SYMBOLS),
        parse_relation("1 > 0", SYMBOLS),
        sympy.ITE(symbol("x") > 0.5, symbol("y") > 0.5, symbol("y") < 0.2),
    ]
    x, y = inputs["x"], inputs["y"]
    expected = [
        (x > 0.5) & (y <= 0.5),
        (x == 0.5) | (y < 0.3),
        np.full(64, True),
        np.where(x > 0.5, y > 0.5, y < 0.2),
    ]
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    from_numpy = compile_numpy(relations, NAMES)(inputs)
    from_tensorflow = compile_tf(relations, NAMES)(tensors)
    for plain, tensor, right in zip(from_numpy, from_tensorflow, expected, strict=True):
        assert plain.dtype == bool and tensor.dtype == tf.bool
        assert np.array_equal(plain, right)
        assert np.array_equal(tensor, right)


def test_common_parts_are_computed_once():
    text = "sin(x*y)^2 + cos(x*y)*exp(sin(x*y))"
    program = Program([parse(text, SYMBOLS), parse("sin(y*x) + 1", SYMBOLS)], NAMES)
    operations = [step[0] for step in program.steps]
    assert operations.count("sin") == 1
    assert operations.count("multiply") == 3  # x*y, the square, cos*exp


def test_integer_powers_are_products():
    program = Program([parse("x^2 + x^-3", SYMBOLS)], NAMES)
    assert "power" not in {step[0] for step in program.steps}


def test_derivatives_of_the_error_function(inputs):
    expr = parse("erf(x*y) - erfc(3*x)", SYMBOLS)
    [slope] = compile_numpy([expr.diff(symbol("x"))], NAMES)(inputs)
    x, y = inputs["x"], inputs["y"]
    bell = 2 / np.sqrt(np.pi)
    _close(slope, bell * (y * np.exp(-((x * y) ** 2)) + 3 * np.exp(-9 * x * x)), 1e-14)
    variable = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(variable)
        [value] = compile_tf([expr], NAMES)({**inputs, "x": variable})
    _close(tape.gradient(value, variable).numpy(), slope, 1e-14)


def test_a_name_without_a_value_is_an_error():
    with pytest.raises(ExpressionError, match="'y' has no value here"):
        compile_numpy([parse("x*y", SYMBOLS)], ("x",))


def test_a_function_that_is_not_ours_is_an_error():
    with pytest.raises(ExpressionError, match="no operation for gamma"):
        compile_numpy([sympy.gamma(symbol("x"))], ("x",))


def test_points_outside_a_domain_give_nan_without_a_warning():
    [value] = compile_numpy([parse("log(x) + 1/(x - x^2)", SYMBOLS)], ("x",))(
        {"x": np.array([-1.0, 0.0, 0.5])}
    )
    assert np.isnan(value[0])
    assert not np.isfinite(value[1])
    assert np.isfinite(value[2])


def test_results_are_arrays_of_their_own(inputs):
    [value] = compile_numpy([parse("x", SYMBOLS)], NAMES)(inputs)
    value[:] = 0.0
    assert inputs["x"].min() > 0.0
