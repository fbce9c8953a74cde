"""Activations with their derivatives of orders 0 to 4, written in terms of shared values."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf
from tensorflow import Tensor

Activation = Callable[[Tensor, int], list[Tensor]]


def tanh(z: Tensor, order: int) -> list[Tensor]:
    """Return tanh and its derivatives up to `order` at z: polynomials in a = tanh z."""
    a = tf.tanh(z)
    if order == 0:
        return [a]
    square = a * a
    first = 1 - square
    out = [a, first, -2 * a * first]
    if order > 2:
        out += [first * (6 * square - 2), a * first * (16 - 24 * square)]
    return out[: order + 1]


def sin(z: Tensor, order: int) -> list[Tensor]:
    """Return sin and its derivatives up to `order` at z."""
    s = tf.sin(z)
    c = tf.cos(z) if order > 0 else s
    return [s, c, -s, -c, s][: order + 1]


def sigmoid(z: Tensor, order: int) -> list[Tensor]:
    """Return s(z) = 1 / (1 + exp(-z)) and its derivatives up to `order`: polynomials in s."""
    s = tf.sigmoid(z)
    if order == 0:
        return [s]
    first = s * (1 - s)
    odd = 1 - 2 * s
    out = [s, first, first * odd]
    if order > 2:
        out += [first * (1 - 6 * first), first * odd * (1 - 12 * first)]
    return out[: order + 1]


def softplus(z: Tensor, order: int) -> list[Tensor]:
    """Return log(1 + exp z) and its derivatives up to `order`; the first is the sigmoid."""
    return [tf.math.softplus(z), *(sigmoid(z, order - 1) if order > 0 else [])]


def swish(z: Tensor, order: int) -> list[Tensor]:
    """Return z s(z) and its derivatives up to `order`: d^n = z s^(n) + n s^(n-1), s = sigmoid."""
    s = sigmoid(z, order)
    return [z * s[0], *(z * s[n] + n * s[n - 1] for n in range(1, order + 1))]


def gelu(z: Tensor, order: int) -> list[Tensor]:
    """Return z Phi(z), exact with erf, and its derivatives up to `order`.

    With phi the normal density: Phi + z phi, phi (2 - z^2), phi (z^3 - 4 z),
    phi (-z^4 + 7 z^2 - 4). Source: Hendrycks and Gimpel (2016), arXiv:1606.08415.
    """
    cumulative = 0.5 * (1 + tf.math.erf(z * math.sqrt(0.5)))
    if order == 0:
        return [z * cumulative]
    square = z * z
    density = math.sqrt(0.5 / math.pi) * tf.exp(-0.5 * square)
    out = [z * cumulative, cumulative + z * density, density * (2 - square)]
    if order > 2:
        out += [density * z * (square - 4), density * ((7 - square) * square - 4)]
    return out[: order + 1]


def identity(z: Tensor, order: int) -> list[Tensor]:
    """Return z and its derivatives up to `order`."""
    return [z, tf.ones_like(z), *(tf.zeros_like(z) for _ in range(order - 1))][: order + 1]


ACTIVATIONS: dict[str, Activation] = {
    "tanh": tanh,
    "sin": sin,
    "swish": swish,
    "gelu": gelu,
    "sigmoid": sigmoid,
    "softplus": softplus,
}
