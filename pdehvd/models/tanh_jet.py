"""The jet of tanh up to second order with a backward pass of its own: less memory to move.

h = tanh z solves h' = 1 - h^2, so that the backward pass can be written with the channels of h
alone, which the next layer's weight gradient needs anyway; the channels of z are not kept. With
c_ab the terms of a second-order channel L:

    h_a = (1 - h^2) z_a,   h_L = (1 - h^2) (z_L - 2 h sum c_ab z_a z_b)
    dh_a/dz = -2 h h_a,    dh_L/dz = -2 h h_L - 2 sum c_ab h_a h_b,   dh_L/dz_a = -2 h sum (c_ab
    + c_ba) h_b,           dh_c/dz_c = 1 - h^2 for every channel c.

The backward pass is differentiable in turn (by the plain formulas, from z), so that second-order
methods may differentiate through it in any mode.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf
from tensorflow import Tensor

from pdehvd.numerics.jets import Jet
from pdehvd.numerics.plans import Plan, axes, unit

Entries = dict[int, Tensor]
Terms = Mapping[int, Sequence[tuple[float, int, int]]]


def tanh_jet(plan: Plan, jet: Jet) -> Jet:
    """Return the jet of tanh(z) for the jet of z; the plan's order is 0, 1 or 2."""
    terms = _second_order(plan)
    present = [channel for channel, entry in enumerate(jet) if entry is not None]
    given = {channel: jet[channel] for channel in present}
    made = sorted({*present, *(c for c in terms if _quadratic(terms[c], given) is not None)})

    def forward(*z: Tensor) -> tuple[list[Tensor], Callable[..., list[Tensor]]]:
        h = _value(terms, made, dict(zip(present, z, strict=True)))

        def backward(*g: Tensor) -> list[Tensor]:
            return _pullback(terms, present, made, h, z, g)

        return [h[channel] for channel in made], backward

    out = dict(zip(made, tf.custom_gradient(forward)(*given.values()), strict=True))
    return [out.get(channel) for channel in range(plan.channels)]


def _second_order(plan: Plan) -> Terms:
    """Return for each channel of second order its terms (factor, channel of a, channel of b)."""
    first = {axis: plan.partials.index(unit(axis, plan.dimension)) for axis in _first_axes(plan)}
    terms: dict[int, list[tuple[float, int, int]]] = {}
    singles = [((index, 1.0),) for index in plan.partials]
    for channel, parts in enumerate([*singles, *plan.operators]):
        second = [(factor, axes(index)) for index, factor in parts if sum(index) == 2]
        if second:
            terms[channel] = [(factor, first[a], first[b]) for factor, (a, b) in second]
    return terms


def _first_axes(plan: Plan) -> list[int]:
    return [axes(index)[0] for index in plan.partials if sum(index) == 1]


def _quadratic(terms: Sequence[tuple[float, int, int]], entries: Entries) -> Tensor | None:
    """Return sum c_ab e_a e_b over the entries that are there; None without any."""
    total = None
    for factor, a, b in terms:
        if a in entries and b in entries:
            product = entries[a] * entries[b]
            product = product if factor == 1 else tf.constant(factor, product.dtype) * product
            total = product if total is None else total + product
    return total


def _value(terms: Terms, made: Sequence[int], z: Entries) -> Entries:
    h: Entries = {0: tf.tanh(z[0])}
    slope = 1 - h[0] * h[0]
    for channel in made[1:]:
        inner = z.get(channel)
        quadratic = _quadratic(terms[channel], z) if channel in terms else None
        if quadratic is not None:
            bend = 2 * h[0] * quadratic
            inner = -bend if inner is None else inner - bend
        h[channel] = slope * inner
    return h


def _adjoint(terms: Terms, present: Sequence[int], h: Entries, g: Entries) -> Entries:
    """Return the gradients of the entries of z, [W, N], from h and the gradients g of h."""
    slope = 1 - h[0] * h[0]
    out = {channel: slope * g[channel] for channel in present}
    carried = [g[channel] * h[channel] for channel in h if channel != 0]
    if carried:
        out[0] = out[0] - 2 * h[0] * tf.add_n(carried)
    for channel, parts in terms.items():
        quadratic = _quadratic(parts, h)
        if quadratic is None:
            continue
        out[0] = out[0] - 2 * g[channel] * quadratic
        for factor, a, b in parts:
            if a in h and b in h:
                bend = tf.constant(-2 * factor, h[0].dtype) * h[0] * g[channel]
                out[a] = out[a] + bend * h[b]
                out[b] = out[b] + bend * h[a]
    return out


def _pullback(
    terms: Terms,
    present: Sequence[int],
    made: Sequence[int],
    h: Entries,
    z: Sequence[Tensor],
    g: Sequence[Tensor],
) -> list[Tensor]:
    """Return the gradients of z; its own gradient with respect to z and g is that of plain ops."""

    def adjoint(h: Entries, z: Sequence[Tensor], g: Sequence[Tensor]) -> list[Tensor]:
        out = _adjoint(terms, present, h, dict(zip(made, g, strict=True)))
        return [_like(out[channel], entry) for channel, entry in zip(present, z, strict=True)]

    def pull(*arguments: Tensor) -> tuple[list[Tensor], Callable[..., list[Tensor]]]:
        def again(*upstream: Tensor) -> list[Tensor]:
            with tf.GradientTape() as tape:
                tape.watch(arguments)
                inner = arguments[: len(present)]
                plain = _value(terms, made, dict(zip(present, inner, strict=True)))
                out = adjoint(plain, inner, arguments[len(present) :])
            return list(tape.gradient(out, arguments, list(upstream), "zero"))

        return adjoint(h, arguments[: len(present)], arguments[len(present) :]), again

    return list(tf.custom_gradient(pull)(*z, *g))


def _like(gradient: Tensor, entry: Tensor) -> Tensor:
    """Sum over points where the entry is a constant [W, 1]: a product, faster than a reduction."""
    if entry.shape[1] != 1:
        return gradient
    return tf.matmul(gradient, tf.ones([tf.shape(gradient)[1], 1], gradient.dtype))
