"""Which term of a loss is not finite, and where: asked once, when a run has diverged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from pdehvd.objectives.base import Batch
from pdehvd.objectives.parts import Data

if TYPE_CHECKING:
    from pdehvd.objectives.generative import GenerativeObjective
    from pdehvd.objectives.objective import PDEObjective

# Items whose derivatives exist at a time.
_AT_ONCE = 4096


def at_points(objective: PDEObjective, theta: tf.Tensor, batch: Batch) -> str:
    """Return a term and a point where its square, or its gradient by theta [P], is not finite.

    Nothing where all are finite. All residuals are looked at before any gradient.
    """
    blocks = [_Block(objective, theta, batch, n) for n in range(len(objective.problem.blocks))]
    values = (block.value(span) for block in blocks for span in block.spans)
    gradients = (block.gradient(span) for block in blocks for span in block.spans)
    return next((text for found in (values, gradients) for text in found if text), "")


class _Block:
    """One block of a batch, of which equally many items are compiled once, as a step compiles them.

    Another compiler may find another number where a formula has none.
    """

    def __init__(
        self, objective: PDEObjective, theta: tf.Tensor, batch: Batch, number: int
    ) -> None:
        self._objective = objective
        self._theta = theta
        self._batch = batch
        self._number = number
        block = objective.problem.blocks[number]
        self._names = [term.name for term in block.terms]
        self._k = block.source.points_per_item
        self._width = min(block.count, _AT_ONCE)
        self.spans = [
            range(start, min(start + self._width, block.count))
            for start in range(0, block.count, self._width)
        ]
        self._residuals = tf.function(self._own_residuals, jit_compile=True, autograph=False)
        self._slopes = tf.function(self._finite_slopes, jit_compile=True, autograph=False)

    def _items(self, span: range) -> list[Data]:
        """Return a batch of this block's items of a span, over and over until it is full."""
        items = np.resize(np.array(span), self._width)
        rows = (items[:, None] * self._k + np.arange(self._k)).reshape(-1)
        return [
            {name: tf.gather(c, rows) if n == self._number else c[:0] for name, c in data.items()}
            for n, data in enumerate(self._batch)
        ]

    def _own_residuals(self, theta: tf.Tensor, batch: Batch) -> list[tf.Tensor]:
        """Return the residuals [n, R] of each of this block's terms."""
        return [r for r in self._objective.residuals(theta, batch) if r is not None]

    def _finite_slopes(self, theta: tf.Tensor, batch: Batch) -> tf.Tensor:
        """Return of which terms the gradient of the sum of squares is finite."""
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(theta)
            own = self._own_residuals(theta, batch)
            sums = [tf.reduce_sum(tf.square(residual)) for residual in own]
        none = tf.UnconnectedGradients.ZERO
        slopes = [tape.gradient(one, theta, unconnected_gradients=none) for one in sums]
        return tf.stack([tf.reduce_all(tf.math.is_finite(slope)) for slope in slopes])

    def value(self, span: range) -> str:
        """Return a term whose square is not finite at an item of a span, and where."""
        found = self._residuals(self._theta, self._items(span))
        for name, residual in zip(self._names, found, strict=True):
            bad = np.argwhere(~np.isfinite(tf.square(residual).numpy()))
            if len(bad):
                size = float(residual[bad[0][0], bad[0][1]])
                large = ", and its square is too large" if math.isfinite(size) else ""
                return f"{name} is {size:.3g} at {self._place(span[bad[0][0]])}{large}"
        return ""

    def gradient(self, span: range) -> str:
        """Return a term whose gradient is not finite at an item of a span, and where."""
        finite = self._slopes(self._theta, self._items(span)).numpy()
        if np.all(finite):
            return ""
        term = int(np.argmin(finite))
        while len(span) > 1:
            half = span[: len(span) // 2]
            good = self._slopes(self._theta, self._items(half)).numpy()[term]
            span = span[len(half) :] if good else half
        size = float(self._residuals(self._theta, self._items(span))[term][0, 0])
        text = f"the gradient of {self._names[term]} is not finite at {self._place(span[0])}"
        return f"{text}, where the term is {size:.3g}"

    def _place(self, item: int) -> str:
        point = self._batch[self._number]["x"][item * self._k].numpy()
        return _named(self._objective.problem.coordinates, point)


def _named(names: Sequence[str], numbers: Sequence[float]) -> str:
    return ", ".join(f"{n} = {float(v):.6g}" for n, v in zip(names, numbers, strict=True))


def at_nodes(
    objective: GenerativeObjective, loss: tf.Tensor, fields: tf.Tensor, slopes: tf.Tensor | None
) -> str:
    """Return the term and a node where the field [1, *n] or the loss's slope is not finite."""
    values = fields.numpy()[0]
    slope = np.zeros_like(values) if slopes is None else slopes.numpy()[0]
    bad = ~(np.isfinite(values) & np.isfinite(slope))
    size = float(loss[0])
    if not np.any(bad):
        return "" if math.isfinite(size) else f"{objective.terms[0]} is {size:.3g}"
    axes = objective.problem.axes(len(values))
    place = [axis[i] for axis, i in zip(axes, np.argwhere(bad)[0], strict=True)]
    name = (
        objective.terms[0] if not math.isfinite(size) else f"the gradient of {objective.terms[0]}"
    )
    number = f"{size:.3g}" if not math.isfinite(size) else "not finite"
    return f"{name} is {number} at {_named(objective.problem.coordinates, place)}"
