"""Derivatives with respect to coordinates: Taylor mode through layers, nested tapes through all.

A jet is a list with one entry per channel of a `Plan`: the value, partial derivatives, operators.
Inside a network an entry is [W, N], a constant [W, 1], or None for zero: points lie side by side in
memory, so that products with a weight are wide whatever the width W, which the CPU's matrix kernels
like best (1.2 to 1.7 times as fast as [N, W] at W = 20 to 50). `full` makes every entry [N, W].
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf
from tensorflow import Tensor

from pdehvd.numerics.plans import (
    MultiIndex,
    Operator,
    Plan,
    axes,
    canonical_operator,
    chain_rule,
    plan,
    unit,
)

__all__ = [
    "Jet",
    "MultiIndex",
    "Operator",
    "Plan",
    "add",
    "canonical_operator",
    "concatenate",
    "elementwise",
    "full",
    "inputs",
    "linear",
    "nested",
    "plan",
]

Jet = list[Tensor | None]
Derivatives = Callable[[Tensor, int], Sequence[Tensor]]


def inputs(plan: Plan, x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None) -> Jet:
    """Return the jet of the affine map (x - shift) * scale of x [N, D]; scale and shift [D]."""
    value = x if shift is None else x - shift
    value = value if scale is None else value * scale
    identity = tf.eye(plan.dimension, dtype=x.dtype)
    slopes = identity if scale is None else identity * scale
    first = {unit(a, plan.dimension): slopes[:, a : a + 1] for a in range(plan.dimension)}
    jet: Jet = [tf.transpose(value)]
    jet += [first.get(index) for index in plan.partials[1:]]
    for operator in plan.operators:
        jet.append(_total([(factor, first[index]) for index, factor in operator if index in first]))
    return jet


def linear(jet: Jet, weight: Tensor, bias: Tensor | None = None) -> Jet:
    """Return the jet of W^T h + b for h of width W_in; weight [W_in, W_out], bias [W_out]."""
    out: Jet = [None if e is None else tf.matmul(weight, e, transpose_a=True) for e in jet]
    if bias is not None:
        out[0] = out[0] + bias[:, None]
    return out


def elementwise(plan: Plan, jet: Jet, derivatives: Derivatives) -> Jet:
    """Return the jet of sigma(z) for the jet of z, entry by entry.

    `derivatives(z, order)` returns sigma and its derivatives up to `order` at z. Partials follow
    Faa di Bruno's formula (`chain_rule`); operators follow
    L sigma(z) = sigma'(z) L z + sigma''(z) sum_ab c_ab z_a z_b.
    """
    outer = derivatives(jet[0], plan.order)
    inner = dict(zip(plan.partials, jet[: len(plan.partials)], strict=True))
    out: Jet = [outer[0]]
    for index in plan.partials[1:]:
        parts = []
        for order, terms in chain_rule(index).items():
            products = [(count, _product([inner[b] for b in blocks])) for count, blocks in terms]
            parts.append((1, _product([outer[order], _total(products)])))
        out.append(_total(parts))
    for operator, entry in zip(plan.operators, jet[len(plan.partials) :], strict=True):
        pairs = [
            (factor, _product([inner[unit(axis, plan.dimension)] for axis in axes(index)]))
            for index, factor in operator
            if sum(index) == 2
        ]
        curved = _product([outer[2], _total(pairs)]) if pairs else None
        out.append(_total([(1, _product([outer[1], entry])), (1, curved)]))
    return out


def add(left: Jet, right: Jet) -> Jet:
    """Return the jet of the sum of two functions."""
    return [_total([(1, a), (1, b)]) for a, b in zip(left, right, strict=True)]


def concatenate(jets: Sequence[Jet]) -> Jet:
    """Return the jet of functions side by side: widths W_1, W_2, ... become their sum."""
    if len(jets) == 1:
        return list(jets[0])
    values = [jet[0] for jet in jets]
    points = tf.shape(values[0])[1]
    out: Jet = [tf.concat(values, axis=0)]
    for entries in list(zip(*jets, strict=True))[1:]:
        if all(entry is None for entry in entries):
            out.append(None)
            continue
        constant = all(entry is None or entry.shape[1] == 1 for entry in entries)
        sized = [
            _sized(entry, value, 1 if constant else points)
            for entry, value in zip(entries, values, strict=True)
        ]
        out.append(tf.concat(sized, axis=0))
    return out


def full(jet: Jet) -> list[Tensor]:
    """Return the jet with every entry [N, W]: zeros and constants written out.

    Rows are stacked rather than transposed: XLA would fold a transpose into the product before it,
    which its fast kernels do not take (6 times slower for the narrow last layer of a network).
    """
    value = jet[0]
    points = tf.shape(value)[1]
    out = []
    for entry in [value, *(_sized(entry, value, points) for entry in jet[1:])]:
        rows = tf.unstack(entry, axis=0)
        out.append(rows[0][:, None] if len(rows) == 1 else tf.stack(rows, axis=1))
    return out


def nested(function: Callable[[Tensor], Tensor], x: Tensor, plan: Plan) -> list[Tensor]:
    """Return the jet of any function by nested gradient tapes: a list of [N, F], F fields.

    `function` maps x [N, D] to [N, F], every row from its own point only. Works for every order of
    the plan, in eager mode, in `tf.function` and with `jit_compile=True`; every order and field is
    a reverse pass, so that Taylor mode is preferred where the function's layers are known.
    """
    highest = max([max(map(sum, plan.partials)), *(2 for _ in plan.operators)])
    values = _partials(function, x, plan, highest)
    out = [values[index] for index in plan.partials]
    for operator in plan.operators:
        out.append(_total([(factor, values[index]) for index, factor in operator]))
    return out


def _partials(
    function: Callable[[Tensor], Tensor], x: Tensor, plan: Plan, order: int
) -> dict[MultiIndex, Tensor]:
    """Return the partials of order <= `order` that the plan names, operators' terms included."""
    if order == 0:
        return {(0,) * plan.dimension: function(x)}
    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(x)
        values = _partials(function, x, plan, order - 1)
        columns = {index: tf.unstack(value, axis=-1) for index, value in values.items()}
    named = {*plan.partials, *(index for operator in plan.operators for index, _ in operator)}
    gradients: dict[MultiIndex, list[Tensor]] = {}
    for index in sorted(index for index in named if sum(index) == order):
        axis = axes(index)[-1]
        parent = tuple(o - (a == axis) for a, o in enumerate(index))
        if parent not in gradients:
            gradients[parent] = [
                tape.gradient(column, x, unconnected_gradients="zero") for column in columns[parent]
            ]
        values[index] = tf.stack([gradient[:, axis] for gradient in gradients[parent]], axis=-1)
    return values


def _product(factors: Sequence[Tensor | None]) -> Tensor | None:
    """Multiply entries; None is zero. Small constants are multiplied first."""
    present = [factor for factor in factors if factor is not None]
    if len(present) < len(factors):
        return None
    ordered = sorted(present, key=lambda factor: factor.shape[1] != 1)
    result = ordered[0]
    for factor in ordered[1:]:
        result = result * factor
    return result


def _total(terms: Sequence[tuple[float, Tensor | None]]) -> Tensor | None:
    """Add `factor * entry` over the entries that are not None; None when nothing is left."""
    scaled = [t if f == 1 else tf.constant(f, t.dtype) * t for f, t in terms if t is not None]
    return _sum(scaled) if scaled else None


def _sum(tensors: Sequence[Tensor]) -> Tensor:
    result = tensors[0]
    for tensor in tensors[1:]:
        result = result + tensor
    return result


def _sized(entry: Tensor | None, like: Tensor, points: Tensor) -> Tensor:
    """Return an entry as wide as `like` with `points` columns."""
    if entry is None:
        return tf.zeros([like.shape[0], points], like.dtype)
    return tf.broadcast_to(entry, [like.shape[0], points]) if entry.shape[1] == 1 else entry
