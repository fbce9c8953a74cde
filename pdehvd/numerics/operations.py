"""What the steps of a program are called, and what NumPy and TensorFlow do for each."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import scipy.special
import sympy

from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.numerics import bessel
from pdehvd.numerics.functions import Floor

if TYPE_CHECKING:
    import tensorflow as tf

Value = TypeVar("Value")
Operations = Mapping[str, Callable[..., Value]]

UNARY: dict[type[sympy.Basic], str] = {
    sympy.sin: "sin",
    sympy.cos: "cos",
    sympy.tan: "tan",
    sympy.asin: "asin",
    sympy.acos: "acos",
    sympy.atan: "atan",
    sympy.sinh: "sinh",
    sympy.cosh: "cosh",
    sympy.tanh: "tanh",
    sympy.exp: "exp",
    sympy.log: "log",
    sympy.erf: "erf",
    sympy.erfc: "erfc",
    sympy.Abs: "abs",
    sympy.sign: "sign",
    Floor: "floor",
}
# Of an order and an argument.
BESSEL: dict[type[sympy.Basic], str] = {
    sympy.besselj: "besselj",
    sympy.bessely: "bessely",
    sympy.besseli: "besseli",
    sympy.besselk: "besselk",
}
RECIPROCAL: dict[type[sympy.Basic], str] = {  # SymPy turns tan(x + pi/2) into -cot(x)
    sympy.cot: "tan",
    sympy.sec: "cos",
    sympy.csc: "sin",
    sympy.coth: "tanh",
}
RELATIONS: dict[type[sympy.Basic], tuple[str, bool]] = {  # operation, and whether to swap its sides
    sympy.Eq: ("equal", False),
    sympy.Ne: ("not_equal", False),
    sympy.Lt: ("less", False),
    sympy.Le: ("less_equal", False),
    sympy.Gt: ("less", True),
    sympy.Ge: ("less_equal", True),
}
# An argument at which an operation and its derivative are finite. In a branch that is not taken
# it replaces the true argument: 0 * inf in the backward pass would be NaN.
SAFE = {
    "exp": 0.0,
    "sinh": 0.0,
    "cosh": 0.0,
    "log": 1.0,
    "sqrt": 1.0,
    "asin": 0.0,
    "acos": 0.0,
    "tan": 0.0,
}

_PLAIN: dict[str, Callable[..., tf.Tensor]] = {
    "add": operator.add,
    "subtract": operator.sub,
    "multiply": operator.mul,
    "divide": operator.truediv,
    "negative": operator.neg,
}
_SAME_NAME = (
    *("sin", "cos", "tan", "sinh", "cosh", "tanh", "exp", "log", "sqrt", "abs", "sign", "floor"),
    *("maximum", "minimum", "equal", "not_equal", "less", "less_equal"),
)

NUMPY: dict[str, Callable[..., np.ndarray | np.generic]] = {
    **_PLAIN,
    **{name: getattr(np, name) for name in _SAME_NAME},
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "erf": scipy.special.erf,
    "erfc": scipy.special.erfc,
    "besselj": scipy.special.jv,
    "bessely": scipy.special.yv,
    "besseli": scipy.special.iv,
    "besselk": scipy.special.kv,
    "power": np.power,
    "where": np.where,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "constant": np.float64,
    "truth": np.bool_,
}


@functools.cache
def tensorflow() -> dict[str, Callable[..., tf.Tensor]]:
    """Return the op table of TensorFlow; its `constant` depends on the dtype of the inputs."""
    # Imported here: reading and checking a configuration must not wait for TensorFlow.
    tf = import_tensorflow()
    return {
        **_PLAIN,
        **{name: getattr(tf.math, name) for name in _SAME_NAME},
        "asin": tf.math.asin,
        "acos": tf.math.acos,
        "atan": tf.math.atan,
        "atan2": tf.math.atan2,
        "erf": tf.math.erf,
        "erfc": tf.math.erfc,
        "besselj": bessel.besselj,
        "bessely": bessel.bessely,
        "besseli": bessel.besseli,
        "besselk": bessel.besselk,
        "power": tf.math.pow,
        "where": tf.where,
        "and": tf.math.logical_and,
        "or": tf.math.logical_or,
        "not": tf.math.logical_not,
        "truth": tf.constant,
    }
