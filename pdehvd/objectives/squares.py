"""The loss at points as a sum of squares that can be made linear."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import tensorflow as tf

from pdehvd.objectives.batches import PointBatch
from pdehvd.objectives.least_squares import LeastSquares
from pdehvd.objectives.linearization import Linearization
from pdehvd.objectives.point_law import PointLaw
from pdehvd.objectives.reducer import PointReducer, RowReducer


class ResidualSquares:
    """Rows sqrt(w_k / N_k) r, one for each residual r of each item; `counts` [T] are the N_k."""

    def __init__(
        self, law: PointLaw, counts: np.ndarray, dtype: tf.DType, reducer: PointReducer
    ) -> None:
        self._law = law
        self._counts = counts
        self._dtype = dtype
        self._reducer = reducer
        self._gathered: tuple[PointBatch, PointBatch] | None = None

    @property
    def rows(self) -> int:
        """Global number N of residuals: every term has some at each of its items."""
        return sum(block.count * block.residuals for block in self._law.problem.blocks)

    @property
    def layered(self) -> bool:
        """Whether all parameters are those of layers z = W a + b."""
        return self._linear.starts is not None

    @cached_property
    def _linear(self) -> Linearization:
        return Linearization(self._law, self._counts, self._dtype)

    @cached_property
    def _row_reducer(self) -> RowReducer:
        return self._reducer.row_reducer(self._law.problem.blocks)

    def linearize(self, theta: np.ndarray, batch: PointBatch, weights: tf.Tensor) -> LeastSquares:
        """Return the rows and their Jacobian at theta."""
        shards = self._reducer.shards
        return LeastSquares(
            self._linear,
            self._row_reducer,
            shards(batch),
            lambda: shards(self._everyone(batch)),
            weights,
            theta,
        )

    def _everyone(self, batch: PointBatch) -> PointBatch:
        """Return the points of all ranks; few numbers compared with what is computed from them."""
        if self._gathered is None or self._gathered[0] is not batch:
            group, columns = self._reducer.group, enumerate(tf.nest.flatten(batch))
            gathered = [
                tf.constant(group.gather_numpy(column.numpy(), f"whole.{number}"))
                for number, column in columns
            ]
            self._gathered = batch, tf.nest.pack_sequence_as(batch, gathered)
        return self._gathered[1]
