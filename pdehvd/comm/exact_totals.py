"""Exact sums over the chunks of all ranks: the same bits in any order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
import tensorflow as tf

from pdehvd.comm.exact import FixedPoint, size_of
from pdehvd.comm.graph_functions import compiled, graph
from pdehvd.comm.group import Group


def exact_total(group: Group, parts: Sequence[tf.Tensor], count: int, name: str) -> list[tf.Tensor]:
    """Return the sums [g, n] over the chunks of all ranks of each of the parts [k, g, n].

    k is the number of this rank's chunks, `count` bounds that of all. The n numbers of a row g
    have one exponent; a row of a part that is not finite somewhere becomes NaN. Two
    collectives.
    """
    own = [_largest(part) for part in parts]
    largest = group.maximum(own, f"{name}.exponents")
    points = [_fixed_point(count, part.dtype) for part in parts]
    each = zip(points, parts, largest, strict=True)
    words = group.sum([_words(*one) for one in each], f"{name}.words")
    every = zip(points, words, largest, parts, strict=True)
    return [_floats(point, sums, most, part.dtype) for point, sums, most, part in every]


def exact_total_of_large(
    group: Group, parts: Iterable[np.ndarray], bound: float, count: int, name: str
) -> np.ndarray:
    """Return the sum [n] over the chunks of all ranks of arrays [n] that exist one at a time.

    No entry of this rank's arrays is larger than `bound`, which is NaN where some may not be
    finite. The largest bound of all ranks must not depend on their number.
    """
    known = np.float64(bound if math.isfinite(bound) else math.inf)
    words: tf.Tensor | None = None
    (largest,) = _maximum(group, tf.constant(known)[None], f"{name}.exponents")
    for part in parts:
        dtype = tf.as_dtype(part.dtype)
        point = _fixed_point(count, dtype)
        more = _words(point, tf.constant(part)[None, None], largest[None])
        words = more if words is None else words + more
    total: np.ndarray = _summed(group, point, words, largest[None], dtype, name).numpy()[0]
    return total


@cache
def _fixed_point(count: int, dtype: tf.DType) -> FixedPoint:
    """Return the same object every time: compiled functions would not know an equal one."""
    return FixedPoint(count, 1 if dtype == tf.float32 else 2)


@graph
def _maximum(group: Group, largest: tf.Tensor, name: str) -> tf.Tensor:
    return group.maximum([largest], name)[0]


@graph
def _summed(
    group: Group,
    point: FixedPoint,
    words: tf.Tensor,
    largest: tf.Tensor,
    dtype: tf.DType,
    name: str,
) -> tf.Tensor:
    (words,) = group.sum([words], f"{name}.words")
    return _floats(point, words, largest, dtype)


@compiled
def _largest(part: tf.Tensor) -> tf.Tensor:
    return size_of(part, [0, 2])


@compiled
def _words(point: FixedPoint, part: tf.Tensor, largest: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(point.integers(part, largest[None, :, None]), 1)


@compiled
def _floats(point: FixedPoint, sums: tf.Tensor, largest: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    return point.floats(sums, largest[:, None], dtype)
