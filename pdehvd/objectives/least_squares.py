"""The loss as a sum of squared rows: residuals, J v, J^T w, J^T J and J J^T, all global."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import tensorflow as tf

from pdehvd.numerics.cholesky import BlockRows
from pdehvd.numerics.kronecker import Pair
from pdehvd.objectives.batches import PointBatch
from pdehvd.objectives.linearization import Linearization
from pdehvd.objectives.reducer import RowReducer
from pdehvd.objectives.shard_rows import ShardRows


class LeastSquares:
    """The rows rho(theta) [N] with loss = |rho|^2, and their Jacobian J [N, P] at one theta.

    A rank holds n of the N rows, `own`, at the places `place` among the N: those of its shard, or
    of its chunks one after another. Products with J are global, the same bits on every rank.

    >>> from pdehvd.assembly.build import build_parts
    >>> from pdehvd.comm.group import Solo
    >>> from pdehvd.objectives.host import HostCalls, HostObjective
    >>> whole = build_parts(experiment, Solo()).objective
    >>> objective = HostObjective(HostCalls(whole), whole.batch(0), tf.ones([2], tf.float64))
    >>> theta = whole.initial(seed=1)
    >>> squares, point = objective.linearize(theta), objective.evaluate(theta)
    >>> bool(np.isclose(squares.own @ squares.own, point.loss))  # on one rank: |rho|^2
    True
    >>> bool(np.allclose(2 * squares.gradient, point.gradient))
    True
    >>> squares.jvp(theta).shape == (squares.rows,)  # J v [N]
    True
    """

    def __init__(
        self,
        linear: Linearization,
        reducer: RowReducer,
        shards: Sequence[PointBatch],
        everyone: Callable[[], Sequence[PointBatch]],
        weights: tf.Tensor,
        theta: np.ndarray,
    ) -> None:
        self._linear = linear
        self._reducer = reducer
        self._everyone = everyone
        self._weights = weights
        self._theta = tf.constant(theta)
        self._shards = self._linearized(shards)
        self.own: np.ndarray = np.concatenate([shard.own for shard in self._shards])

    def _linearized(self, shards: Sequence[PointBatch]) -> list[ShardRows]:
        return [ShardRows(self._linear, shard, self._weights, self._theta) for shard in shards]

    @property
    def rows(self) -> int:
        """Number N of rows of all ranks."""
        return self._reducer.rows

    @property
    def place(self) -> np.ndarray:
        """Where this rank's rows lie among the N, [n]."""
        return self._reducer.place

    def gather(self, own: np.ndarray) -> np.ndarray:
        """Return a vector over all rows [N] from this rank's part [n].

        Arguments:
            own: this rank's part [n]
        """
        return self._reducer.gather(own)

    @cached_property
    def gradient(self) -> np.ndarray:
        """J^T rho [P], half the gradient of the loss."""
        return self.vjp(self.own)

    def rows_at(self, theta: np.ndarray) -> np.ndarray:
        """Return this rank's rows [n] at another theta; no collective.

        Arguments:
            theta: parameters [P]
        """
        return np.concatenate([shard.rows_at(theta) for shard in self._shards])

    def jvp(self, direction: np.ndarray) -> np.ndarray:
        """Return this rank's rows [n] of J v for v [P]; no collective.

        Arguments:
            direction: v [P]
        """
        return np.concatenate([shard.jvp(direction) for shard in self._shards])

    def vjp(self, own: np.ndarray) -> np.ndarray:
        """Return J^T w [P] from this rank's part [n] of w; one collective.

        Arguments:
            own: this rank's part [n] of w
        """
        pieces = np.split(own, len(self._shards))
        parts = [[shard.vjp(w)] for shard, w in zip(self._shards, pieces, strict=True)]
        return self._reducer.totals(parts, "vjp")[0]

    def gram(self, directions: np.ndarray) -> np.ndarray:
        """Return J^T J v [m, P] for m vectors v [m, P]; one collective for all of them.

        Arguments:
            directions: m vectors v [m, P]
        """
        parts = [[shard.gram(directions)] for shard in self._shards]
        return self._reducer.totals(parts, "gram")[0]

    def agreed(self, vector: np.ndarray) -> np.ndarray:
        """Return rank 0's vector, where unlike processors may have rounded differently.

        Arguments:
            vector: of the same length on all ranks
        """
        return self._reducer.group.broadcast_numpy(vector, 0, "agreed")

    def normal(self) -> BlockRows:
        """Return J^T J [P, P]; one collective."""
        return self._reducer.normal(self._shards)

    def kernel(self) -> BlockRows:
        """Return J J^T [N, N]."""
        return self._reducer.kernel(self._shards, lambda: self._linearized(self._everyone()))

    def products(self, own: Sequence[np.ndarray]) -> np.ndarray:
        """Return the inner products [m, m] of m vectors over all rows; one collective.

        Arguments:
            own: this rank's parts [n] of m vectors
        """
        apart = np.split(np.stack(own), len(self._shards), axis=1)
        parts = [np.ascontiguousarray(vectors) for vectors in apart]
        return self._reducer.totals([[part @ part.T] for part in parts], "products")[0]

    @property
    def places(self) -> list[slice]:
        """Where each layer's weight and bias lie in theta; none without layers."""
        return self._linear.places

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """The shape [W_in + 1, W_out] of each layer, its bias the last row."""
        return self._linear.shapes

    def kronecker(self) -> list[list[Pair]]:
        """Return Kronecker's approximation of J^T J: by layer, a pair for each kind of rows.

        J^T J ~ sum_k A_k (x) B_k; k = 1: the equations' rows, k = 2: the conditions', if any. A is
        a mean over rows and channels, B a sum, so that their product counts every row once.
        """
        kinds = self._kinds
        parts = [shard.kronecker(kinds) for shard in self._shards]
        factors = iter(self._reducer.totals(parts, "kfac"))
        layers: list[list[Pair]] = [[] for _ in self.shapes]
        for _ in kinds:
            for pairs, (before, after) in zip(layers, self.shapes, strict=True):
                inputs, signals, count = next(factors), next(factors), next(factors)
                pairs.append(
                    Pair(inputs.reshape(before, before) / count, signals.reshape(after, after))
                )
        return layers

    @property
    def _kinds(self) -> list[list[int]]:
        """The blocks of each kind of rows."""
        count = len(self._linear.law.problem.blocks)
        return [[0], list(range(1, count))] if count > 1 else [[0]]
