"""Bessel functions of whole order for TensorFlow, whose own ones XLA cannot compile.

Each is an integral of elementary functions, whose rule here is exact to rounding for orders and
arguments up to about 100 (Y and K: arguments from 1e-6). DLMF 10.9.2, 10.9.7, 10.32.3, 10.32.9.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.launch.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

# Nodes on half a circle, and steps of the rules on [0, inf).
_NODES = 96
_STEP, _LAST = 0.1, 20.0
_PART, _FROM = 0.2, -38.0


def besselj(order: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return J_n(x) = 1/pi int_0^pi cos(n a - x sin a) da."""
    tf = import_tensorflow()
    angles = _constant(_angles(), x)
    return tf.reduce_mean(tf.cos(order * angles - x[..., None] * tf.sin(angles)), -1)


def besseli(order: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return I_n(x) = 1/pi int_0^pi exp(x cos a) cos(n a) da."""
    tf = import_tensorflow()
    angles = _constant(_angles(), x)
    waves = tf.cos(order * angles)
    return tf.reduce_mean(tf.exp(x[..., None] * tf.cos(angles)) * waves, -1)


def besselk(order: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return K_n(x) = int_0^inf exp(-x cosh t) cosh(n t) dt, NaN for x <= 0."""
    tf = import_tensorflow()
    t = np.arange(0.0, _LAST, _STEP)
    weights = np.where(t > 0, _STEP, _STEP / 2)
    decay = -x[..., None] * _constant(np.cosh(t), x)
    turn = order * _constant(t, x)
    values = (tf.exp(decay + turn) + tf.exp(decay - turn)) / 2
    return _positive(x, tf.reduce_sum(values * _constant(weights, x), -1))


def bessely(order: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Return Y_n(x) = 1/pi int_0^pi sin(x sin a - n a) da - 1/pi int_0^inf (...), NaN for x <= 0.

    (...) is (exp(n t) + (-1)^n exp(-n t)) exp(-x sinh t).
    """
    tf = import_tensorflow()
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    angles = _constant((nodes + 1) * math.pi / 2, x)
    phase = x[..., None] * tf.sin(angles) - order * angles
    first = tf.reduce_sum(tf.sin(phase) * _constant(weights / 2, x), -1)
    # t = log(1 + e^s): as s at its end, and e^s at its beginning.
    s = np.arange(_FROM, _LAST, _PART)
    t = np.log1p(np.exp(s))
    rates = _PART / (1 + np.exp(-s)) / math.pi
    decay = -x[..., None] * _constant(np.sinh(t), x)
    turn = order * _constant(t, x)
    sign = tf.cos(math.pi * order)
    values = tf.exp(decay + turn) + sign * tf.exp(decay - turn)
    return _positive(x, first - tf.reduce_sum(values * _constant(rates, x), -1))


def _angles() -> np.ndarray:
    return (np.arange(_NODES) + 0.5) * math.pi / _NODES


def _constant(values: np.ndarray, x: tf.Tensor) -> tf.Tensor:
    return import_tensorflow().constant(values, x.dtype)


def _positive(x: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    tf = import_tensorflow()
    return tf.where(x > 0, values, tf.constant(math.nan, x.dtype))
