"""The Hessian of each sample's loss by its fields, as a product that can be sampled."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import sympy
import tensorflow as tf

from pdehvd.numerics import stencils
from pdehvd.objectives.discrete import DiscreteLaw, Fields, Tensor, compile_expression

# Keeps the signs apart from all else that is drawn from a seed.
_KEY = 0x63757276

_Factor = dict[tuple[int, int], Tensor]


class Curvature:
    """F [R, *n] with F^T F = K, the convex part of the Hessian of a sample's loss by its fields.

    An energy is a sum over Gauss points of densities e(u, grad u): F = L^T D sqrt(weight), D what
    takes the fields to (u, grad u) there and L L^T the Hessian of e, in which columns of a pivot
    that is not positive are left out. A mean square of residuals r is Gauss-Newton's: F is
    sqrt(2 / N) dr/du, without the second derivatives of r.
    """

    def __init__(self, law: DiscreteLaw) -> None:
        self._law = law
        problem = law.problem
        unknown = (problem.field, *(f"{problem.field}_{x}" for x in problem.coordinates))
        known = {symbol.name: symbol for symbol in problem.expression.free_symbols}
        symbols = [known[name] for name in unknown if name in known]
        self._names = [symbol.name for symbol in symbols]
        self._hessian = {
            (i, j): compile_expression(entry)
            for i, a in enumerate(symbols)
            for j, b in enumerate(symbols[: i + 1])
            if (entry := sympy.diff(problem.expression, a, b)) != 0
        }
        self._pivots = [j for j in range(len(symbols)) if (j, j) in self._hessian]

    def count(self, resolution: int) -> int:
        """Return the number R of rows of F."""
        axes = len(self._law.problem.coordinates)
        if self._law.problem.loss == "ritz":
            return int((2 * (resolution - 1)) ** axes * len(self._pivots))
        return int(resolution**axes)

    def sample(self, raw: Tensor, inputs: Fields, signs: Tensor) -> Tensor:
        """Return F^T eps for eps [B, R], by the network's values: [B, *n].

        With E[eps eps^T] = 1 the mean of the outer products is K, by the network's values.
        """
        with tf.GradientTape() as tape:
            tape.watch(raw)
            rows = self.rows(self._law.imposed(raw, inputs), inputs)
            total = tf.reduce_sum(tf.cast(signs, rows.dtype) * rows)
        return tape.gradient(total, raw)

    def rows(self, fields: Tensor, inputs: Fields) -> Tensor:
        """Return numbers [B, R] whose derivatives by the fields [B, *n] are F."""
        law, resolution = self._law, fields.shape[1]
        if law.problem.loss == "ritz":
            rows = tf.concat(self._densities(fields, inputs), 1)
        else:
            scale = math.sqrt(2 / float(law.free(resolution).sum()))
            residual = law.residual(fields, inputs)
            rows = tf.reshape(residual, [fields.shape[0], -1]) * tf.constant(scale, fields.dtype)
        return rows / tf.sqrt(law.sizes(inputs, resolution))[:, None]

    def _densities(self, fields: Tensor, inputs: Fields) -> list[Tensor]:
        """Return the rows of an energy [B, cells], one after another Gauss point and pivot."""
        problem = self._law.problem
        nodes = tuple(fields.shape)
        weight = math.prod(h / 2 for h in stencils.spacings(problem.bounds, nodes[1:]))
        root = tf.constant(math.sqrt(weight), fields.dtype)
        cells = [nodes[0], *(n - 1 for n in nodes[1:])]
        values = {problem.field: fields, **inputs}
        rows = []
        for names in stencils.gauss_points(values, problem.coordinates, problem.bounds):
            # F is taken where the fields are: only D acts on what is differentiated.
            fixed = {name: tf.stop_gradient(value) for name, value in names.items()}
            factor = self._factor(fixed, fields.dtype)
            for j in self._pivots:
                parts = [factor[i, k] * names[self._names[i]] for i, k in factor if k == j]
                row = tf.broadcast_to(root * tf.add_n(parts), cells)
                rows.append(tf.reshape(row, [nodes[0], -1]))
        return rows

    def _factor(self, names: Fields, dtype: tf.DType) -> _Factor:
        """Return the entries of L at one Gauss point of all cells."""
        hessian = {
            place: tf.cast(entry(names), dtype) * tf.ones_like(names[self._names[0]])
            for place, entry in self._hessian.items()
        }
        return semidefinite_factor(hessian, len(self._names))


def semidefinite_factor(matrix: _Factor, size: int) -> _Factor:
    """Return L of L L^T = H for matrices H whose entries are the elements of equal tensors.

    `matrix` has the lower triangle of H; entries that it lacks are zero. A column whose pivot is
    not positive, but for rounding, is zero in L, so that L L^T is H where H is positive
    semidefinite, and positive semidefinite everywhere.
    """
    factor: _Factor = {}
    for j in range(size):
        if (j, j) not in matrix:
            continue
        before = [k for k in range(j) if (j, k) in factor]
        pivot = _less(matrix[j, j], [factor[j, k] ** 2 for k in before])
        rounding = 8 * float(np.finfo(pivot.dtype.as_numpy_dtype).eps)
        positive = pivot > rounding * tf.abs(matrix[j, j])
        root = tf.sqrt(tf.where(positive, pivot, tf.ones_like(pivot)))
        factor[j, j] = tf.where(positive, root, tf.zeros_like(root))
        for i in range(j + 1, size):
            both = [factor[i, k] * factor[j, k] for k in before if (i, k) in factor]
            if (i, j) not in matrix and not both:
                continue
            entry = _less(matrix.get((i, j), tf.zeros_like(pivot)), both)
            factor[i, j] = tf.where(positive, entry / root, tf.zeros_like(entry))
    return factor


def _less(value: Tensor, parts: list[Tensor]) -> Tensor:
    """Return a tensor less all of some others."""
    return value - tf.add_n(parts) if parts else value


def random_signs(seed: int, number: int, places: Sequence[int], count: int) -> np.ndarray:
    """Return 1 or -1 for each of `count` rows of the samples at `places`, [b, count] int8.

    A function of (seed, number, place) alone, and so of no rank.
    """
    signs = np.empty((len(places), count), np.int8)
    for row, place in zip(signs, places, strict=True):
        key = np.random.SeedSequence(seed, spawn_key=(_KEY, number, place))
        words = np.random.Philox(key=key.generate_state(2, np.uint64)).random_raw(-(-count // 64))
        row[:] = np.unpackbits(words.astype("<u8").view(np.uint8))[:count]
    signs *= 2
    signs -= 1
    return signs
