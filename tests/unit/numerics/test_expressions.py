"""Text becomes SymPy exactly as written, or one error that points at the place."""

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
import sympy

from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import (
    ExpressionError,
    parse,
    parse_number,
    parse_relation,
    symbol,
)

NAMES = ("u", "u_t", "u_x", "u_xx", "nu", "x", "y", "t")
SYMBOLS = {name: symbol(name) for name in NAMES}
u, u_t, u_x, u_xx, nu, x, y, t = SYMBOLS.values()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("u_t + u*u_x - nu*u_xx", u_t + u * u_x - nu * u_xx),
        ("x^2*y", x**2 * y),
        ("-x^2", -(x**2)),
        ("2^3^2", sympy.Integer(512)),
        ("x**-2", 1 / x**2),
        ("1 - x - y", 1 - x - y),
        ("x/y/2*t", x * t / (2 * y)),
        ("0.01/pi*u_xx", u_xx / (100 * sympy.pi)),
        ("x^0.5", sympy.sqrt(x)),
        ("exp(e)", sympy.exp(sympy.E)),
        ("atan2(y, x) + min(x, y) + max(x, y, 1)", None),
        ("abs(x) + sign(x) + heaviside(x)", sympy.Abs(x) + sympy.sign(x) + sympy.Heaviside(x)),
        ("where(2 > 1, x, y)", x),
        ("  x +\n  y", x + y),
        (3, sympy.Integer(3)),
        (np.float64(0.1), sympy.Rational(1, 10)),
        ("+".join(["x"] * 900), 900 * x),
    ],
)
def test_text_becomes_the_expression_that_it_says(text, expected):
    if expected is None:
        expected = sympy.atan2(y, x) + sympy.Min(x, y) + sympy.Max(x, y, 1)
    assert parse(text, SYMBOLS) == expected


@pytest.mark.parametrize(
    ("text", "fragment", "column"),
    [
        ("__import__('os').system('ls')", "quoted text", 12),
        ("__import__(x)", "the name '__import__'", 1),
        ("u + x.__class__", "attribute access", 5),
        ("x.real", "attribute access", 1),
        ("x[0]", "subscripts", 1),
        ("(lambda: 1)()", "'lambda' is a reserved word", 2),
        ("u + lambda*x", "'lambda' is a reserved word", 5),
        ("[x for x in y]", "'for' is a reserved word", 4),
        ("[x, y]", "lists", 1),
        ("{x}", "braces", 1),
        ("(x := 3)", "assignment", 2),
        ("eval(x)", "unknown function 'eval'", 1),
        ("sin(x)(y)", "not a function", 1),
        ("2(x)", "not a function", 1),
        ("x(1 + t)", "'x' is not a function", 1),
        ("sin", "'sin' is a function", 1),
        ("sin(x, y)", "takes 1 argument", 1),
        ("max(x)", "takes at least 2 arguments", 1),
        ("sin(x=1)", "comparison is allowed only", 5),
        ("sin(**x)", "named arguments", 1),
        ("sin(*x)", "unpacking", 5),
        ("True*x", "True", 1),
        ("3j*x", "3j", 1),
        ("x % y", "operator %", 1),
        ("x // y", "operator //", 1),
        ("x # y", "a comment", 3),
        ("u_t = u_xx", "comparison is allowed only", 1),
        ("x > 0", "comparison is allowed only", 1),
        ("where(x, 1, 2)", "not a condition", 7),
        ("where(x in y, 1, 2)", "'in' is a reserved word", 9),
        ("x^2 + nuu*x^3", "unknown name 'nuu'", 7),
        ("9**9**9", "exponent larger", 4),
        ("x^2 + y^(t + 1e300)", "exponent larger", 10),
        ("((x^90)^90)", "exponent larger", 2),
        ("exp(exp(exp(exp(10 + x - x))))", "not a real number", 9),
        ("1e400", "number larger", 1),
        ("1" + "0" * 301, "number larger", 1),
        ("sqrt(-1)*x", "not a real number", 1),
        ("log(0)", "not a real number", 1),
        ("1/0", "division by zero", 1),
        ("x/(y - y)", "division by zero", 1),
        ("x +", "cannot be read", 3),
        ("x + (y", "cannot be read", 5),
        ("2x", "cannot be read", 1),
        ("x − y", "cannot be read", 3),
        ("-" * 60 + "x", "nested deeper", 52),
        ("(" * 150 + "x" + ")" * 150, "", None),
        ("sin(" * 60 + "x" + ")" * 60, "nested deeper", None),
        ("x" * 2001, "longer than 2000", None),
        ("(" * 1000, "cannot be read", None),
        ("", "empty", None),
        (" \n ", "empty", None),
        ("x\0y", "a control character", 2),
        ("\ud800", "half a character", 1),
    ],
)
def test_everything_else_is_an_error_at_its_column(text, fragment, column):
    if text.startswith("((((") and text.endswith("))))"):  # parentheses alone are no nesting
        assert parse(text, SYMBOLS) == x
        return
    with pytest.raises(ExpressionError) as caught:
        parse(text, SYMBOLS)
    assert fragment in caught.value.message
    if column is not None:
        assert caught.value.column == column


def test_an_unknown_name_gets_the_nearest_one_and_a_caret():
    with pytest.raises(ConfigError) as caught:
        parse("u_t + nuu*u_xx", SYMBOLS, "equation")
    error = caught.value.within("problem", "equations", "heat")
    assert isinstance(error, ExpressionError)
    assert error.nearest == "nu"
    first, line, caret = str(error).split("\n")
    assert first.startswith("problem.equations.heat: unknown name 'nuu' (equation, column 7)")
    assert line[caret.index("^") :].startswith("nuu*u_xx")


def test_a_derivative_of_a_misspelt_field_names_the_right_one():
    with pytest.raises(ExpressionError) as caught:
        symbols = {"velocity": symbol("velocity"), "x": x}
        parse("velocty_xx", symbols, fields=["velocity"], coordinates=["x"])
    assert caught.value.nearest == "velocity_xx"


def test_a_long_text_is_not_repeated_in_the_message():
    with pytest.raises(ExpressionError) as caught:
        parse("x + " * 40 + "zz", SYMBOLS)
    assert "\n" not in str(caught.value)
    assert caught.value.column == 161


def test_an_error_survives_the_way_between_processes():
    with pytest.raises(ExpressionError) as caught:
        parse("x + qq", SYMBOLS)
    copy = pickle.loads(pickle.dumps(caught.value))
    assert (str(copy), copy.column) == (str(caught.value), 5)


def test_names_are_compared_as_python_normalises_them():
    assert parse("µ*x", {"µ": symbol("µ"), "x": x}) == symbol("μ") * x


def test_symbols_come_before_constants():
    assert parse("e*pi", {"e": symbol("e")}) == symbol("e") * sympy.pi


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = -1", sympy.Eq(x, -1)),
        ("x == -1", sympy.Eq(x, -1)),
        ("x <= 0 and y > 0", sympy.And(x <= 0, y > 0)),
        ("0 <= x <= 1", sympy.And(x >= 0, x <= 1)),
        ("not x > 0 or y != 2", sympy.Or(x <= 0, sympy.Ne(y, 2))),
        ("x^2 + y^2 < 1", x**2 + y**2 < 1),
        ("2*pi > 6", sympy.true),
        ("1 = 2", sympy.false),
    ],
)
def test_relations(text, expected):
    assert parse_relation(text, SYMBOLS) == expected


@pytest.mark.parametrize("text", ["x", "x = ", "sin(x)", "x is y", "x === y", 3, True])
def test_what_is_no_relation_is_refused(text):
    with pytest.raises(ExpressionError):
        parse_relation(text, SYMBOLS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.01/pi", 0.01 / math.pi),
        ("2*pi", 2 * math.pi),
        ("1e-3", 1e-3),
        ("-1/3", -1 / 3),
        ("sqrt(2)/2", math.sqrt(2) / 2),
        ("exp(-1)", math.exp(-1)),
        ("2^0.5", math.sqrt(2)),
        ("1.1^50", float(Fraction(11, 10) ** 50)),
        ("0.1 + 0.2", 0.3),
        (7, 7.0),
        (2.5, 2.5),
        (np.float32(0.5), 0.5),
        ("2*nu", 0.2),
        ("where(nu > 1, 5, 6)", 6.0),
        ("abs(-3) + sign(-2) + heaviside(0) + max(1, nu) + min(1, nu)", 3.6),
        ("((1.0000001)^100)^100", 1.0000001**10000),
    ],
)
def test_numbers_are_right_to_the_last_place(text, expected):
    value = parse_number(text, {"nu": 0.1})
    assert isinstance(value, float)
    tolerance = 1e-13 if str(text).startswith("((") else math.ulp(expected)
    assert abs(value - expected) <= tolerance


@pytest.mark.parametrize(
    "text",
    [
        *(True, None, [1], 1j, math.inf, -math.inf, math.nan, 10**400),
        *("inf", "nan", "x", "1/0", "1e999", "", "sqrt(-1)", "true"),
    ],
)
def test_what_is_no_finite_number_is_refused(text):
    with pytest.raises(ExpressionError):
        parse_number(text)


@pytest.mark.parametrize("value", [0.1, 1 / 3, 1e-300, 123456.789, 2.0**-40, -7e22])
def test_doubles_survive_the_way_through_fractions(value):
    assert parse_number(repr(value)) == value
    assert float(parse(value, {})) == value


def test_a_decimal_comma_is_recognised():
    with pytest.raises(ExpressionError, match=r"lists .*; expected a decimal point: 3\.5"):
        parse("x - 3,5*y", SYMBOLS)
    with pytest.raises(ExpressionError) as error:
        parse("x, y", SYMBOLS)
    assert error.value.expected == ""
