"""Which term of a loss is not finite, and where: asked once, when a run has diverged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from pdehvd.models.network import Network
from pdehvd.objectives.batches import BlockPoints, PointBatch, without_items
from pdehvd.objectives.point_law import PointLaw
from pdehvd.problems.family import ParametricProblem
from pdehvd.problems.pde_problem import PDEProblem

# Items whose derivatives exist at a time.
_AT_ONCE = 4096


def at_points(problem: PDEProblem, network: Network, theta: tf.Tensor, batch: PointBatch) -> str:
    """Return a term and a point where its square, or its gradient by theta [P], is not finite.

    Nothing where all are finite. All residuals are looked at before any gradient.
    """
    terms = [
        _Term(problem, network, theta, batch, number, place)
        for number, block in enumerate(problem.blocks)
        for place in range(len(block.terms))
    ]
    values = (term.value(span) for term in terms for span in term.spans)
    gradients = (term.gradient(span) for term in terms for span in term.spans)
    return next((text for found in (values, gradients) for text in found if text), "")


class _Term:
    """One term of a batch's block, of which equally many items are compiled once, as in a step.

    Another compiler may find another number where a formula has none. The term is alone in its
    block: zero times an infinite slope of its neighbour would be its own gradient otherwise.
    """

    def __init__(
        self,
        problem: PDEProblem,
        network: Network,
        theta: tf.Tensor,
        batch: PointBatch,
        number: int,
        place: int,
    ) -> None:
        self._theta = theta
        self._batch = batch
        self._number = number
        block, term = problem.blocks[number], problem.blocks[number].terms[place]
        first = sum(len(before.expressions) for before in block.terms[:place])
        own = block.formulas.expressions[first : first + len(term.expressions)]
        alone = replace(block, terms=(term,), formulas=replace(block.formulas, expressions=own))
        blocks = (*problem.blocks[:number], alone, *problem.blocks[number + 1 :])
        self._law = PointLaw(replace(problem, blocks=blocks), network)
        self._name = term.name
        self._names = problem.coordinates
        self._k = block.source.points_per_item
        self._width = min(block.count, _AT_ONCE)
        self.spans = [
            range(start, min(start + self._width, block.count))
            for start in range(0, block.count, self._width)
        ]
        self._residuals = tf.function(self._own_residuals, jit_compile=True, autograph=False)
        self._slope = tf.function(self._has_slope, jit_compile=True, autograph=False)

    def _items(self, span: range) -> list[BlockPoints]:
        """Return a batch of this block's items of a span, over and over until it is full."""
        items = np.resize(np.array(span), self._width)
        rows = (items[:, None] * self._k + np.arange(self._k)).reshape(-1)
        batch = [without_items(data) for data in self._batch]
        own = self._batch[self._number]
        batch[self._number] = tf.nest.map_structure(lambda column: tf.gather(column, rows), own)
        return batch

    def _own_residuals(self, theta: tf.Tensor, batch: PointBatch) -> tf.Tensor:
        """Return the residuals [n, R] of this term, the only one with items."""
        return next(r for r in self._law.residuals(theta, batch) if r is not None)

    def _has_slope(self, theta: tf.Tensor, batch: PointBatch) -> tf.Tensor:
        """Return whether the gradient of the sum of squares is finite."""
        with tf.GradientTape() as tape:
            tape.watch(theta)
            total = tf.reduce_sum(tf.square(self._own_residuals(theta, batch)))
        none = tf.UnconnectedGradients.ZERO
        slope = tape.gradient(total, theta, unconnected_gradients=none)
        return tf.reduce_all(tf.math.is_finite(slope))

    def value(self, span: range) -> str:
        """Return an item of a span at which the term's square is not finite, in words."""
        residual = self._residuals(self._theta, self._items(span))
        bad = np.argwhere(~np.isfinite(tf.square(residual).numpy()))
        if not len(bad):
            return ""
        size = float(residual[bad[0][0], bad[0][1]])
        large = ", and its square is too large" if math.isfinite(size) else ""
        return f"{self._name} is {size:.3g} at {self._place(span[bad[0][0]])}{large}"

    def gradient(self, span: range) -> str:
        """Return an item of a span at which the term's gradient is not finite, in words."""
        if self._slope(self._theta, self._items(span)):
            return ""
        while len(span) > 1:
            half = span[: len(span) // 2]
            good = bool(self._slope(self._theta, self._items(half)))
            span = span[len(half) :] if good else half
        size = float(self._residuals(self._theta, self._items(span))[0, 0])
        place = self._place(span[0])
        return (
            f"the gradient of {self._name} is not finite at {place}, where the term is {size:.3g}"
        )

    def _place(self, item: int) -> str:
        return _named(self._names, self._batch[self._number].x[item * self._k].numpy())


def _named(names: Sequence[str], numbers: Sequence[float]) -> str:
    return ", ".join(f"{n} = {float(v):.6g}" for n, v in zip(names, numbers, strict=True))


def at_nodes(
    problem: ParametricProblem,
    term: str,
    loss: tf.Tensor,
    fields: tf.Tensor,
    slopes: tf.Tensor | None,
) -> str:
    """Return the `term` and a node where the field [1, *n] or the loss's slope is not finite."""
    values = fields.numpy()[0]
    slope = np.zeros_like(values) if slopes is None else slopes.numpy()[0]
    bad = ~(np.isfinite(values) & np.isfinite(slope))
    size = float(loss[0])
    if not np.any(bad):
        return "" if math.isfinite(size) else f"{term} is {size:.3g}"
    axes = problem.axes(len(values))
    place = [axis[i] for axis, i in zip(axes, np.argwhere(bad)[0], strict=True)]
    name = term if not math.isfinite(size) else f"the gradient of {term}"
    number = f"{size:.3g}" if not math.isfinite(size) else "not finite"
    return f"{name} is {number} at {_named(problem.coordinates, place)}"
