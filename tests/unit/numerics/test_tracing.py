"""Functions of Python become the texts that a person would write, and mean the same."""

import math

import numpy as np
import pytest
import scipy.special
import sympy
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import parse, symbol
from pdehvd.numerics.tracing import as_text, expression


def a_law(u, u_t, u_x, u_xx, nu=0.25):
    return u_t + u * u_x - nu * u_xx


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (a_law, "u_t + u*u_x - 0.25*u_xx"),
        (lambda x, t: -np.sin(np.pi * x) * np.exp(-t), "-sin(pi*x)*exp(-t)"),
        (lambda x: np.where((x < 0.5) & ~(x > 0.2) | (x == 3), 1, 10) * x, None),
        (lambda x: 1 / (1 + x**2) ** 0.5 + 2**x - (-x) ** 3, "1/(1 + x^2)^0.5 + 2^x - (-x)^3"),
        (lambda x, y: x - (y - 1) - (-x * y), "x - (y - 1) - (-x*y)"),
        (lambda x, y: x / (x * y) / (x / y), "x/(x*y)/(x/y)"),
        (lambda x: np.maximum(x, 0) + np.minimum(1, x) + abs(x), "max(x, 0) + min(1, x) + abs(x)"),
        (lambda x, y: np.arctan2(y, x) + np.heaviside(x, 0.5), "atan2(y, x) + heaviside(x)"),
        (lambda x: scipy.special.erf(x) + np.square(x), "erf(x) + x^2"),
        (lambda x: np.float64(0.1) * x + np.array(2) * x, "0.1*x + 2.0*x"),
        (lambda x: tf.sin(x) * tf.maximum(x, 0.5), "sin(x)*max(x, 0.5)"),
        (lambda x: tf.where(x > 0, x, 2.0) + tf.pow(x, 2), "where(x > 0, x, 2.0) + x^2"),
        (lambda x: tf.constant(2.0) * x - 1e-30, "2.0*x - 1e-30"),
        (lambda x: sympy.sin(x) + 1, "sin(x) + 1"),
        (lambda x: x**-1 * -2, "x^(-1)*(-2)"),
    ],
)
def test_a_function_is_its_text(function, text):
    recorded = expression(function)
    assert text is None or recorded == text
    x, y, t, u = 0.3, -1.7, 0.4, 2.0
    known = {"x": x, "y": y, "t": t, "u": u, "u_t": 0.1, "u_x": 0.2, "u_xx": -0.3}
    read = parse(recorded, {name: symbol(name) for name in known})
    value = float(read.subs({symbol(name): number for name, number in known.items()}))
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    given = [np.float64(known[name]) for name in names if name in known]
    assert value == pytest.approx(float(function(*given)), rel=1e-6)


def test_numbers_stay_numbers():
    assert expression(lambda: 0) == 0 and expression(lambda x: np.float64(0.5)) == 0.5
    assert as_text("x") == "x" and as_text(3) == 3 and as_text(None) is None


def test_sympy_is_written_as_expressions_are():
    x, t = sympy.symbols("x t")
    wave = sympy.exp(-0.1 * t) * sympy.sin(sympy.pi * x) ** 2
    cases = sympy.Piecewise((x, (x < 0.5) & (t > 0)), (sympy.Max(x, 0), x < 1), (sympy.E, True))
    for written in (wave.diff(x), cases, sympy.Abs(x) + sympy.Heaviside(t), x / 3 + sympy.sqrt(t)):
        names = {"x": symbol("x"), "t": symbol("t")}
        read = parse(as_text(written), names)
        for at in ({"x": 0.2, "t": 0.3}, {"x": 0.7, "t": 0.1}, {"x": 3.0, "t": 0.5}):
            value = read.subs({symbol(name): number for name, number in at.items()})
            right = written.subs({x: at["x"], t: at["t"]})
            assert float(value) == pytest.approx(float(right), rel=1e-12)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: math.sin(x), "asks for the value of 'x'.*np.sin instead of math.sin"),
        (lambda x: x if x > 0 else 0, "decides by 'x > 0'.*np.where"),
        (lambda x: 0 < x < 1, "decides by 'x > 0'"),
        (lambda x: max(x, 0), "decides by .*np.maximum"),
        (lambda x: [x], "returned a list"),
        (lambda x: x > 0, "returned a Condition"),
        (lambda x: None, "returned a NoneType"),
        (lambda x: True, "returned a bool"),
        (lambda x: np.sinc(x), "'sinc' cannot be recorded"),
        (lambda x: np.sum(x), "'sum' cannot be recorded"),
        (lambda x: tf.sigmoid(x), "'sigmoid' cannot be recorded"),
        (lambda x: np.log1p(x), "'log1p' cannot be recorded"),
        (lambda x: np.array([1, 2]) * x, "a ndarray stands in the expression"),
        (lambda x: x + np.nan, "the number nan"),
        (lambda x: np.heaviside(x, 0), "1/2 at 0"),
        (lambda x: np.where(True, x, 1), "'where' cannot|chooses by"),
        (lambda *x: 1, "the argument 'x' of the function has no place"),
        (lambda u: u.x, "a derivative is an argument: u_x"),
        (lambda x: 1 / 0, "the function failed: ZeroDivisionError"),
    ],
)
def test_what_is_no_expression_says_what_to_write(function, message):
    with pytest.raises(ConfigError, match=message):
        expression(function)
