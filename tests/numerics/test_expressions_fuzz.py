"""Any text gives a value or an ExpressionError; texts of our own making give Python's value."""

import math

import numpy as np
import sympy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pdehvd.numerics.expressions import (
    ExpressionError,
    compile_numpy,
    field_symbols,
    parse,
    parse_number,
    parse_relation,
    symbol,
)

NAMES = ("u", "u_x", "x", "t")
SYMBOLS = {name: symbol(name) for name in NAMES}
AT = {"u": 0.3, "u_x": -0.7, "x": 0.45, "t": 1.2}

PIECES = [*NAMES, "pi", "e", "nu", "sin", "where", "max", "lambda", "for", "if", "not", "and", "or"]
PIECES += ["import", "__", "None", "True", "(", ")", "[", "]", "{", "}", ",", ".", ":", ";", "="]
PIECES += ["+", "-", "*", "**", "^", "/", "%", "<", ">", "!", "@", "~", "&", "|", "\\", "'", '"']
PIECES += [
    "0",
    "1",
    "2.5",
    "1e5",
    "1j",
    "0x",
    "9**9",
    " ",
    "\n",
    "\t",
    "\0",
    "#",
    "é",
    "π",
    "²",
    "🎉",
]

FUZZ = settings(max_examples=150, deadline=None, derandomize=True)


def _refused_or_real(text):
    for read in (parse, parse_relation):
        try:
            result = read(text, SYMBOLS)
        except ExpressionError as error:
            assert str(error)
            assert error.column is None or 1 <= error.column <= max(len(text), 1)
        else:
            assert isinstance(result, sympy.Basic)
            assert {s.name for s in result.free_symbols} <= set(NAMES)


@FUZZ
@given(st.text(max_size=60))
def test_random_characters(text):
    _refused_or_real(text)


@FUZZ
@given(st.lists(st.sampled_from(PIECES), max_size=16).map("".join))
@example("((((((x))))))**9**9")
@example("x.__class__.__mro__[-1].__subclasses__()")
@example("(1).__class__.__bases__")
@example("getattr(x, u)")
@example("[c for c in ().__class__.__base__.__subclasses__()]")
@example("where.__globals__")
@example("exec(x)")
def test_random_tokens(text):
    _refused_or_real(text)


@FUZZ
@given(st.text(max_size=40))
def test_other_readers_of_text(text):
    field_symbols(text.replace("_xxxxx", ""), ("u",), ("x", "t"))
    try:
        assert math.isfinite(parse_number(text))
    except ExpressionError as error:
        assert str(error)


NUMBERS = ["0", "1", "2", "3", "0.5", "7", "100", "1e-3", "1e10", "1e-300", "1e300", "1/3", "999"]


def _grown(children):
    pairs = st.tuples(children, st.sampled_from(["+", "-", "*", "/", "^"]), children)
    functions = ["sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "exp", "log"]
    functions += ["ln", "erf", "erfc", "sqrt", "abs", "sign", "heaviside"]
    tests = st.tuples(children, st.sampled_from(["<", "<=", "=", "!=", ">"]), children)
    return st.one_of(
        pairs.map(lambda p: f"({p[0]}{p[1]}{p[2]})"),
        st.tuples(st.sampled_from(functions), children).map(lambda p: f"{p[0]}({p[1]})"),
        st.tuples(st.sampled_from(["min", "max", "atan2"]), children, children).map(
            lambda p: f"{p[0]}({p[1]},{p[2]})"
        ),
        st.tuples(tests, children, children).map(
            lambda p: f"where({p[0][0]}{p[0][1]}{p[0][2]},{p[1]},{p[2]})"
        ),
    )


TEXTS = st.recursive(st.sampled_from([*NAMES, "pi", "e", *NUMBERS]), _grown, max_leaves=12)


def _oracle(text):
    """Compute our own text with Python and the math module; None where that is undefined."""
    python = text.replace("^", "**").replace("=", "==").replace("<==", "<=").replace("!==", "!=")
    functions = {name: getattr(math, name) for name in dir(math) if not name.startswith("_")}
    functions |= {"abs": abs, "min": min, "max": max, "where": lambda c, a, b: a if c else b}
    functions |= {"sign": lambda v: (v > 0) - (v < 0), "ln": math.log}
    functions |= {"heaviside": lambda v: 0.5 + 0.5 * ((v > 0) - (v < 0))}
    try:
        value = eval(python, {"__builtins__": {}}, {**functions, **AT})
    except (ArithmeticError, ValueError, TypeError):
        return None
    return value if not isinstance(value, complex) and math.isfinite(value) else None


@settings(max_examples=250, deadline=None, derandomize=True)
@given(TEXTS)
@example("max(1,sinh((0.1/t)^(x*1e10)))")
@example("((1e300+x)^pi)^log(1e10^(x+1e300))")
@example("(999*u)^(1e-300+0.5)")
@example("where((u+u_x)*where((x-1e300)>0.5,1/3,atan2(t,0))<=e,e,-t)")
def test_sensible_texts_have_the_value_that_python_gives(text):
    try:
        expression = parse(text, SYMBOLS)
        [value] = compile_numpy([expression], NAMES)(AT)
    except ExpressionError:
        return
    expected = _oracle(text)
    smooth = not any(word in text for word in ("where", "sign", "heaviside", "1e", "tan"))
    if expected is None or not smooth or abs(expected) > 1e8:
        return
    np.testing.assert_allclose(value, expected, rtol=1e-6, atol=1e-9, err_msg=text)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(TEXTS)
def test_derivatives_of_sensible_texts_can_be_computed(text):
    try:
        derivative = sympy.diff(parse(text, SYMBOLS), symbol("x"))
        [value] = compile_numpy([derivative], NAMES)(AT)
    except ExpressionError:
        return
    assert value.shape == ()
