"""Energies of bilinear finite elements and finite differences, on regular grids of nodes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

Density = Callable[[Mapping[str, Tensor]], Tensor]
Kind = Literal["central", "backward", "forward"]

# Gauss points of order 2 on [0, 1], each of weight 1/2; what is bilinear squared is exact.
GAUSS = (0.5 - 0.5 / math.sqrt(3), 0.5 + 0.5 / math.sqrt(3))
_SLOPE = 2  # what is taken along an axis, in addition to the Gauss points 0 and 1


def integrate(
    density: Density,
    fields: Mapping[str, Tensor],
    coordinates: Sequence[str],
    bounds: np.ndarray,
) -> Tensor:
    """Return the integral of a density over the box `bounds` [D, 2], for every sample: [B].

    Fields [B, *n] are multilinear between their n nodes along each coordinate, ends included; one
    with a single node along an axis is constant there. `density` maps the fields (`u`), their
    first derivatives (`u_x`) and the coordinates (`x`) to values, all of them broadcasting to
    [B, *(n - 1)]: one Gauss point of every cell. The sum over the 2^D Gauss points of order 2 is
    the energy of bilinear (2-D) and trilinear (3-D) finite elements.

    One axis is summed after another, so that float32 serves for a thousand nodes along each.
    Source: Ciarlet, The Finite Element Method for Elliptic Problems (1978), section 4.1.
    """
    nodes = np.broadcast_shapes(*(tuple(field.shape) for field in fields.values()))
    dtype = next(iter(fields.values())).dtype
    widths = spacings(bounds, nodes[1:])
    values = [density(names) for names in gauss_points(fields, coordinates, bounds)]
    cells = [nodes[0], *(n - 1 for n in nodes[1:])]
    total = tf.broadcast_to(tf.cast(tf.add_n(_equal(values)), dtype), cells)
    for width in reversed(widths):
        # A factor after each sum keeps XLA from merging the sums into a single, less accurate one.
        total = tf.reduce_sum(total, axis=-1) * tf.constant(width / 2, dtype)
    return total


def gauss_points(
    fields: Mapping[str, Tensor], coordinates: Sequence[str], bounds: np.ndarray
) -> Iterator[dict[str, Tensor]]:
    """Yield what a density sees at each of the 2^D Gauss points, in all cells at once.

    Fields [B, *n], their first derivatives and the coordinates by name, as for `integrate`.
    """
    nodes = np.broadcast_shapes(*(tuple(field.shape) for field in fields.values()))
    dtype = next(iter(fields.values())).dtype
    widths = spacings(bounds, nodes[1:])
    elements = {name: _Elements(field, widths) for name, field in fields.items()}
    for point in itertools.product((0, 1), repeat=len(coordinates)):
        names = _positions(coordinates, bounds, nodes[1:], point, dtype)
        for name, element in elements.items():
            names[name] = element.at(point)
            for axis, coordinate in enumerate(coordinates):
                names[f"{name}_{coordinate}"] = element.slope(point, axis)
        yield names


def spacings(bounds: np.ndarray, nodes: Sequence[int]) -> list[float]:
    """Return the distance of neighbours along each axis, for `nodes` [D] in a box [D, 2]."""
    return [float(high - low) / max(n - 1, 1) for (low, high), n in zip(bounds, nodes, strict=True)]


def _equal(values: Sequence[Tensor]) -> list[Tensor]:
    """Broadcast values to one shape, as a sum of many needs."""
    values = [tf.convert_to_tensor(value) for value in values]
    shape = np.broadcast_shapes(*(tuple(value.shape) for value in values))
    return [tf.broadcast_to(value, shape) for value in values]


def _positions(
    coordinates: Sequence[str],
    bounds: np.ndarray,
    nodes: Sequence[int],
    point: Sequence[int],
    dtype: tf.DType,
) -> dict[str, Tensor]:
    """Return each coordinate at one Gauss point of all cells, [1, .., n - 1, .., 1]."""
    names = {}
    for axis, name in enumerate(coordinates):
        low, high = bounds[axis]
        cells = nodes[axis] - 1
        values = low + (high - low) * (np.arange(cells) + GAUSS[point[axis]]) / cells
        shape = [1] * (len(nodes) + 1)
        shape[axis + 1] = cells
        names[name] = tf.constant(values.reshape(shape), dtype)
    return names


class _Elements:
    """A field [B, *n] in all cells: its value and slopes at Gauss points, by two-tap stencils.

    Axes are treated in turn, and what several points share is computed once.
    """

    def __init__(self, field: Tensor, widths: Sequence[float]) -> None:
        self._widths = widths
        self._known: dict[tuple[int, ...], Tensor] = {(): field}

    def at(self, taps: tuple[int, ...]) -> Tensor:
        """Return what the taps along the first axes give; 0 and 1 are the Gauss points."""
        if taps not in self._known:
            self._known[taps] = self._along(self.at(taps[:-1]), len(taps) - 1, taps[-1])
        return self._known[taps]

    def slope(self, point: tuple[int, ...], axis: int) -> Tensor:
        """Return the derivative along an axis, at a Gauss point."""
        return self.at((*point[:axis], _SLOPE, *point[axis + 1 :]))

    def _along(self, values: Tensor, axis: int, tap: int) -> Tensor:
        if values.shape[axis + 1] == 1:
            return tf.zeros_like(values) if tap == _SLOPE else values
        before, after = _neighbours(values, axis)
        if tap == _SLOPE:
            return (after - before) * tf.constant(1 / self._widths[axis], values.dtype)
        return before + tf.constant(GAUSS[tap], values.dtype) * (after - before)


def weak_residual(
    energy: Callable[[Tensor], Tensor], u: Tensor, free: Tensor, spacing: Sequence[float]
) -> Tensor:
    """Return R = dE/du over a cell's volume at the nodes of u [B, *n], for an energy E [B].

    It approximates the strong residual. `free` [*n] or [B, *n] is 1 at free nodes and 0 elsewhere,
    where R is 0. At a natural boundary, whose nodes have half a cell, R contains the flux.
    """
    with tf.GradientTape() as tape:
        tape.watch(u)
        total = tf.reduce_sum(energy(u))
    volume = tf.constant(math.prod(spacing), u.dtype)
    return tape.gradient(total, u) / volume * tf.broadcast_to(tf.cast(free, u.dtype), u.shape)


def galerkin(
    energy: Callable[[Tensor], Tensor], u: Tensor, free: Tensor, spacing: Sequence[float]
) -> Tensor:
    """Return the mean square over the free nodes of `weak_residual`, for every sample: [B]."""
    count = tf.broadcast_to(tf.cast(free, u.dtype), u.shape)
    squares = tf.square(weak_residual(energy, u, free, spacing))
    for _ in spacing:
        squares, count = tf.reduce_sum(squares, axis=-1), tf.reduce_sum(count, axis=-1)
    return squares / count


def difference(
    u: Tensor,
    spacing: Sequence[float],
    orders: Sequence[int],
    kinds: Sequence[Kind] | None = None,
) -> Tensor:
    """Return a partial derivative of u [B, *n] at all nodes, by finite differences.

    `orders` [D] are the orders along the axes, `kinds` [D] the differences of odd orders (central
    when not given): central ones have order 2, backward and forward ones order 1. Pairs of orders
    are three-point second differences; higher and mixed ones are composed. At the ends of an axis
    u is reflected (zero slope), and one-sided differences repeat the neighbour's.
    """
    for axis, order in enumerate(orders):
        for _ in range(order // 2):
            u = _second(u, axis, spacing[axis])
        if order % 2:
            u = _first(u, axis, spacing[axis], kinds[axis] if kinds else "central")
    return u


def _first(u: Tensor, axis: int, h: float, kind: Kind) -> Tensor:
    if u.shape[axis + 1] == 1:
        return tf.zeros_like(u)
    steps = _steps(u, axis, h)
    if kind == "backward":
        return tf.concat([_slice(steps, axis, 0, 1), steps], axis + 1)
    if kind == "forward":
        return tf.concat([steps, _slice(steps, axis, -1, None)], axis + 1)
    before, after = _neighbours(_reflected(steps, axis), axis)
    return (before + after) * tf.constant(0.5, u.dtype)


def _second(u: Tensor, axis: int, h: float) -> Tensor:
    if u.shape[axis + 1] == 1:
        return tf.zeros_like(u)
    return _steps(_reflected(_steps(u, axis, h), axis), axis, h)


def _steps(u: Tensor, axis: int, h: float) -> Tensor:
    """Return the slopes between neighbours, one fewer than nodes."""
    before, after = _neighbours(u, axis)
    return (after - before) * tf.constant(1 / h, u.dtype)


def _reflected(steps: Tensor, axis: int) -> Tensor:
    """Return slopes with those beyond the ends, which a reflected function has."""
    first, last = _slice(steps, axis, 0, 1), _slice(steps, axis, -1, None)
    return tf.concat([-first, steps, -last], axis + 1)


def flux_divergence(flux: Tensor, speed: Tensor, u: Tensor, axis: int, h: float) -> Tensor:
    """Return the upwind derivative along an axis of a flux F(u), at all nodes: [B, *n].

    (G_(i+1/2) - G_(i-1/2)) / h,
    G_(i+1/2) = (F_i + F_(i+1)) / 2 - max(|a_i|, |a_(i+1)|) (u_(i+1) - u_i) / 2,

    from the values F, a = dF/du and u at the nodes, each [B, *n]. Beyond the ends of the axis u
    continues as a constant, so that waves leave freely.
    Source: Rusanov, USSR Comput. Math. Math. Phys. 1 (1961); LeVeque, Finite Volume Methods (2002).
    """
    if u.shape[axis + 1] == 1:
        return tf.zeros_like(flux)
    (left, right), (before, after) = _neighbours(flux, axis), _neighbours(u, axis)
    fastest = tf.maximum(*(tf.abs(a) for a in _neighbours(speed, axis)))
    between = (left + right - fastest * (after - before)) * tf.constant(0.5, u.dtype)
    first, last = _slice(flux, axis, 0, 1), _slice(flux, axis, -1, None)
    return _steps(tf.concat([first, between, last], axis + 1), axis, h)


def _neighbours(values: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Return all nodes but the last, and all but the first.

    The gradient joins the inner nodes to the ends: two padded tensors, which TensorFlow would add,
    take XLA three times as long.
    """

    def pair(values: Tensor) -> tuple[tuple[Tensor, Tensor], Callable[..., Tensor]]:
        def gradient(before: Tensor, after: Tensor) -> Tensor:
            first, last = _slice(before, axis, 0, 1), _slice(after, axis, -1, None)
            inner = _slice(before, axis, 1, None) + _slice(after, axis, 0, -1)
            return tf.concat([first, inner, last], axis + 1)

        return (_slice(values, axis, 0, -1), _slice(values, axis, 1, None)), gradient

    result: tuple[Tensor, Tensor] = tf.custom_gradient(pair)(values)
    return result


def _slice(values: Tensor, axis: int, start: int, stop: int | None) -> Tensor:
    return values[(slice(None),) * (axis + 1) + (slice(start, stop),)]
