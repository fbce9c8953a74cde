"""Passes over images that treat every pixel alike: normalise and activate, and sums of channels.

An image batch is seen as z [S, N, C]: S samples with coefficients of their own (one where all
share them), N pixels, C channels; coefficients are [S, C]. With d = z - centre:

    activate  h = act(d scale + shift)
    moments   mean over N of z, and sum over N of (z - mean)^2
    totals    sum over N of y and of y d, where y = g act'(d scale + shift)
    pullback  y scale + d slope + offset

`coefficients` are centre, scale and shift, then slope and offset for the pullback. Large images
are worth compiling: these passes are bound by memory, and XLA makes one of each.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import tensorflow as tf
from tensorflow import Tensor

Pair = tuple[Tensor, Tensor]

# Below this many elements plain operations are about as fast, and nothing has to be compiled.
COMPILED_FROM = 1 << 18
# Numbers in one row of running sums: a few rows stay in the cache, and rows are few.
_ROW = 1 << 14
_UNROLLED = 4


def _gelu(x: Tensor) -> Pair:
    """x (1 + t) / 2 with t = tanh(a x + b x^3); Hendrycks and Gimpel (2016), equation 2."""
    square = x * x
    half = 0.5 * tf.tanh(x * (0.7978845608028654 + 0.035677408136300125 * square)) + 0.5
    bend = 2 * x * half * (1 - half)
    return x * half, half + bend * (0.7978845608028654 + 0.10703222440890037 * square)


def _swish(x: Tensor) -> Pair:
    """x s(x), the sigmoid s as (1 + tanh(x / 2)) / 2, which XLA makes fast."""
    s = 0.5 * tf.tanh(0.5 * x) + 0.5
    return x * s, s * (1 + x * (1 - s))


def _tanh(x: Tensor) -> Pair:
    t = tf.tanh(x)
    return t, 1 - t * t


def _relu(x: Tensor) -> Pair:
    return tf.maximum(x, 0), tf.cast(x > 0, x.dtype)


def _leaky_relu(x: Tensor) -> Pair:
    slope = tf.where(x > 0, tf.ones([], x.dtype), tf.constant(0.1, x.dtype))
    return x * slope, slope


def _sigmoid(x: Tensor) -> Pair:
    s = 0.5 * tf.tanh(0.5 * x) + 0.5
    return s, s * (1 - s)


def _linear(x: Tensor) -> Pair:
    return x, tf.ones_like(x)


# Every entry returns the value and the first derivative; what is not used is never computed.
ACTIVATIONS: dict[str, Callable[[Tensor], Pair]] = {
    "gelu": _gelu,
    "relu": _relu,
    "swish": _swish,
    "tanh": _tanh,
    "leaky_relu": _leaky_relu,
    "sigmoid": _sigmoid,
    "linear": _linear,
}


def activate(z: Tensor, coefficients: Sequence[Tensor], activation: str, dtype: str) -> Tensor:
    """Return act((z - centre) scale + shift) [S, N, C] in `dtype`."""
    return _wide(_activate, (activation, dtype), (z,), coefficients)


def moments(z: Tensor, dtype: str) -> Pair:
    """Return each channel's mean and sum of squares about it, [S, C] in float64.

    One pass over z in `dtype`, about the mean of a sixteenth of the pixels. That lies within
    sqrt(15) standard deviations of the mean, so that nothing cancels however large both are.
    """
    pixels = z.shape[1]
    near = tf.reduce_mean(tf.cast(z[:, : -(-pixels // 16)], dtype), axis=1)
    first, second = _sums(_deviations, (z,), (near,))
    return tf.cast(near, tf.float64) + first / pixels, second - first * first / pixels


def totals(z: Tensor, g: Tensor, coefficients: Sequence[Tensor], activation: str) -> Pair:
    """Return the sums over pixels of y = g act' and of y (z - centre), [S, C] in float64."""
    return _sums(_SLOPES[activation], (z, g), coefficients)


def pullback(z: Tensor, g: Tensor, coefficients: Sequence[Tensor], activation: str) -> Tensor:
    """Return y scale + (z - centre) slope + offset [S, N, C] with y = g act', in z's dtype."""
    return _wide(_pullback, (activation,), (z, g), coefficients)


Result = TypeVar("Result")


@functools.cache
def compile_pointwise(
    function: Callable[..., Result], options: tuple[object, ...]
) -> Callable[..., Result]:
    """Return function(options, ...) compiled by XLA; the same one every time."""
    result: Callable[..., Result] = tf.function(
        functools.partial(function, options), jit_compile=True, autograph=False
    )
    return result


def _wide(
    function: Callable[..., Tensor],
    options: tuple[str, ...],
    images: Sequence[Tensor],
    coefficients: Sequence[Tensor],
) -> Tensor:
    """Run an elementwise pass; compiled, several pixels side by side fill vector registers."""
    shape = images[0].shape
    if shape.num_elements() < COMPILED_FROM:
        return function(options, *images, *coefficients)
    samples, pixels, channels = shape
    width = math.gcd(pixels, max(1, 256 // channels))
    rows = [tf.reshape(image, [samples, -1, width * channels]) for image in images]
    wide = [tf.tile(c, [1, width]) for c in coefficients]
    return tf.reshape(compile_pointwise(function, options)(*rows, *wide), shape)


def _arguments(z: Tensor, centre: Tensor, scale: Tensor, shift: Tensor) -> Pair:
    """Return d = z - centre and d scale + shift in the coefficients' dtype."""
    d = tf.cast(z, scale.dtype) - centre
    return d, d * scale + shift


def _activate(
    options: tuple[str, str], z: Tensor, centre: Tensor, scale: Tensor, shift: Tensor
) -> Tensor:
    activation, dtype = options
    _, x = _arguments(z, *(c[:, None] for c in (centre, scale, shift)))
    return tf.cast(ACTIVATIONS[activation](x)[0], dtype)


def _pullback(options: tuple[str], z: Tensor, g: Tensor, *coefficients: Tensor) -> Tensor:
    centre, scale, shift, slope, offset = (c[:, None] for c in coefficients)
    d, x = _arguments(z, centre, scale, shift)
    y = tf.cast(g, x.dtype) * ACTIVATIONS[options[0]](x)[1]
    return tf.cast(y * scale + d * slope + offset, z.dtype)


def _deviations(images: Sequence[Tensor], near: Tensor) -> Pair:
    d = tf.cast(images[0], near.dtype) - near
    return d, d * d


def _slopes(activation: str, images: Sequence[Tensor], *coefficients: Tensor) -> Pair:
    d, x = _arguments(images[0], *coefficients)
    y = tf.cast(images[1], x.dtype) * ACTIVATIONS[activation](x)[1]
    return y, y * d


_SLOPES = {name: functools.partial(_slopes, name) for name in ACTIVATIONS}


def _sums(
    terms: Callable[..., Pair], images: Sequence[Tensor], coefficients: Sequence[Tensor]
) -> Pair:
    """Return the sums over pixels of two terms of `images` [S, N, C], [S, C] in float64."""
    samples, pixels, channels = images[0].shape
    width = _row(samples, pixels, channels)
    if width is None:
        both = terms(images, *(c[:, None] for c in coefficients))
        return tuple(tf.reduce_sum(tf.cast(term, tf.float64), axis=1) for term in both)
    rows = [tf.reshape(image, [samples, -1, _UNROLLED, width * channels]) for image in images]
    wide = [tf.tile(c, [1, width]) for c in coefficients]
    parts = compile_pointwise(_row_sums, (terms,))(rows, wide)
    parts = (tf.reshape(tf.cast(p, tf.float64), [samples, width, channels]) for p in parts)
    return tuple(tf.reduce_sum(part, axis=1) for part in parts)


def _row_sums(
    options: tuple[Callable[..., Pair]], rows: Sequence[Tensor], wide: Sequence[Tensor]
) -> Pair:
    """Return the sums of two terms over the middle axes of `rows` [S, K, unrolled, W C]."""
    (terms,) = options
    start = tf.zeros_like(wide[0])

    # XLA would evaluate two sums apart, and their activation twice: a complex one holds both.
    def add(i: Tensor, total: Tensor, *wide: Tensor) -> tuple[Tensor, ...]:
        for k in range(_UNROLLED):
            total = total + tf.complex(*terms([row[:, i, k] for row in rows], *wide))
        return i + 1, total, *wide

    count = rows[0].shape[1]
    _, total, *_ = tf.while_loop(
        lambda i, *_: i < count, add, (0, tf.complex(start, start), *wide), maximum_iterations=count
    )
    return tf.math.real(total), tf.math.imag(total)


def _row(samples: int, pixels: int, channels: int) -> int | None:
    """Return how many pixels go side by side in a row of sums; None for a small image."""
    if samples * pixels * channels < COMPILED_FROM or pixels % _UNROLLED:
        return None
    count = pixels // _UNROLLED
    widest = max(1, _ROW // (samples * channels))
    return max(n for n in range(1, widest + 1) if count % n == 0)
