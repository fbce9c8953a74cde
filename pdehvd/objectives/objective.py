"""The objective: problem, model and group joined into a loss that is a ratio of global sums."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import tensorflow as tf

from pdehvd.models.network import Layout, Network
from pdehvd.objectives import whole
from pdehvd.objectives.abilities import TermMeasures
from pdehvd.objectives.base import Objective
from pdehvd.objectives.batches import BlockPoints, PointBatch, without_items
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.objectives.parts import count_parts, sum_in_parts
from pdehvd.objectives.point_law import PointLaw
from pdehvd.objectives.reducer import PointReducer
from pdehvd.objectives.squares import ResidualSquares
from pdehvd.objectives.term_gradients import gradients_of
from pdehvd.objectives.whole import WholePoints
from pdehvd.problems.pde_problem import PDEProblem


class PDEObjective(Objective[PointBatch]):
    """Loss of a PDE problem: L = sum_k w_k L_k, L_k = (sum of squared residuals of term k) / N_k.

    N_k is the global number of items. Ranks add sums and never average averages. The parameters
    theta [P] are the network's, then the unknowns: positive ones by their logarithm, others in
    units of their size.
    """

    def __init__(
        self,
        problem: PDEProblem,
        network: Network,
        reducer: PointReducer,
        dtype: str,
        micro_batches: int = 1,
    ) -> None:
        self.problem = problem
        self.network = network
        self.reducer = reducer
        self.group = reducer.group
        self.dtype = tf.as_dtype(dtype)
        self.micro_batches = micro_batches
        self.terms = problem.terms
        self.period = problem.period
        self.points = problem.points
        self.batch_size = problem.items
        self.law = PointLaw(problem, network)
        self._local = tf.function(self.contributions, jit_compile=True, autograph=False)
        self._local_losses = tf.function(self._losses_of, jit_compile=True, autograph=False)
        self._whole_losses = tf.function(
            lambda theta, batch: whole.term_losses(self, theta, batch), autograph=False
        )
        self._of_losses = reducer.prepared(self._gradients_of_losses)
        self._of_signed_sums = reducer.prepared(self._gradients_of_signed_sums)
        self._local_error = tf.function(self.equation_error, jit_compile=True, autograph=False)

    @property
    def compiled(self) -> bool:
        """Whether XLA may take a loop of whole steps, sums over processes included."""
        return self.reducer.compiled

    @property
    def size(self) -> int:
        """Number of parameters P."""
        return self.network.size + len(self.problem.unknowns)

    @property
    def layout(self) -> Layout:
        return self.network.layout

    def initial(self, seed: int) -> np.ndarray:
        """Return theta [P] at the start; the same on every rank."""
        parts = [part.reshape(-1) for part in self.network.initial(seed)]
        unknowns = self.problem.unknowns
        raw = [unknown.start for unknown in unknowns]
        return np.concatenate([*parts, np.asarray(raw, dtype=np.float64)]).astype(
            self.dtype.as_numpy_dtype
        )

    def unknowns(self, theta: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the numbers to be discovered, by name."""
        return self.law.unknowns(theta)

    def residuals(self, theta: tf.Tensor, batch: PointBatch) -> list[tf.Tensor | None]:
        """Return this rank's residuals of each term, [n, R]; None where it has no item."""
        return self.law.residuals(theta, batch)

    def solution(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return the fields [N, F] at points [N, D], hard conditions included."""
        return self.law.solution(theta, x)

    def outputs(self, theta: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Return the fields and then the definitions [N, F + E] at points [N, D]."""
        return self.law.outputs(theta, x)

    def batch(self, round_: int, selection: np.ndarray | None = None) -> PointBatch:
        """Return this rank's shard of every block in a resampling round.

        `selection` [N] replaces the equations' items by these of the round's global candidates.
        """
        batch = []
        for index, block in enumerate(self.problem.blocks):
            start, stop = self.reducer.span(block.count)
            if index == 0 and selection is not None:
                items = self.problem.interior.chosen(round_, selection[start:stop])
            else:
                items = block.source.items(round_, start, stop)
            batch.append(self.reducer.laid_out(items, block.count, self.dtype))
        return batch

    def select(self, theta: tf.Tensor, round_: int) -> np.ndarray | None:
        """Return adaptive points [N], chosen by the residuals at all ranks' candidates."""
        adaptive, interior = self.problem.adaptive, self.problem.interior
        if adaptive is None:
            return None
        own = self._candidate_errors(theta, round_).astype(np.float64)
        sizes = self.group.gather_numpy(own, "residuals")
        return adaptive.select(sizes, interior.count, (round_, 0))

    def _candidate_errors(self, theta: tf.Tensor, round_: int) -> np.ndarray:
        """Return the residuals at this rank's candidates, [n]."""
        interior = self.problem.interior
        count = interior.candidates
        items = interior.candidate_items(round_, *self.reducer.span(count))
        shards = self.reducer.shards(self.reducer.laid_out(items, count, self.dtype))
        errors = [self._local_error(theta, shard).numpy() for shard in shards]
        return self.reducer.in_order(errors, count)

    @cached_property
    def counts(self) -> np.ndarray:
        """Global number of items of each term, [T] float64."""
        return np.array([float(block.count) for block in self.problem.blocks for _ in block.terms])

    @cached_property
    def squares(self) -> ResidualSquares:
        """The loss as a sum of squares."""
        return ResidualSquares(self.law, self.counts, self.dtype, self.reducer)

    @property
    def term_measures(self) -> TermMeasures[PointBatch]:
        """What weights of several terms are balanced by."""
        return self

    def shares(self, theta: tf.Tensor, batch: PointBatch) -> list[tf.Tensor]:
        """Return this rank's part of each term's loss, scalars that add up over ranks to L_k."""
        zero = tf.zeros([], self.dtype)
        return [
            zero if r is None else tf.reduce_sum(tf.square(r)) / tf.constant(n, self.dtype)
            for r, n in zip(self.residuals(theta, batch), self.counts, strict=True)
        ]

    def contributions(
        self, theta: tf.Tensor, batch: PointBatch, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return this rank's part of the gradient [P] and of the losses [T]."""
        parts = self._parts(batch)
        gradient, losses = sum_in_parts(
            lambda part: self._contribution(theta, part, weights), batch, parts
        )
        return gradient, losses

    def _parts(self, batch: PointBatch) -> int:
        widest = max(shape[-1] for _, shape in self.network.layout if shape)
        size = widest * self.law.channels * self.dtype.size
        parts = count_parts(batch[0].x.shape[0], size)
        return max(parts, self.micro_batches)

    def _contribution(
        self, theta: tf.Tensor, batch: PointBatch, weights: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(theta)
            losses = tf.stack(self.shares(theta, batch))
            loss = tf.reduce_sum(weights * losses)
        gradient = tape.gradient(loss, theta, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return gradient, losses

    def evaluate(self, theta: tf.Tensor, batch: PointBatch, weights: tf.Tensor) -> Evaluation:
        """Return the global loss and gradient."""
        return self.reducer.evaluate(lambda b: self._local(theta, b, weights), batch, weights)

    def whole(self, round_: int | None, selection: np.ndarray | None = None) -> WholePoints:
        return WholePoints(self, whole.batch(self, round_, selection), self._whole_losses)

    def losses_at(self, thetas: tf.Tensor, batch: PointBatch, weights: tf.Tensor) -> tf.Tensor:
        """Return the global losses [K] at several thetas [K, P]; one collective for all."""
        return self.reducer.total(
            lambda b: self._local_losses(thetas, b, weights), batch, "losses_at"
        )

    def _losses_of(self, thetas: tf.Tensor, batch: PointBatch, weights: tf.Tensor) -> tf.Tensor:
        def one(theta: tf.Tensor) -> tf.Tensor:
            (loss,) = sum_in_parts(
                lambda part: (tf.reduce_sum(weights * tf.stack(self.shares(theta, part))),),
                batch,
                self._parts(batch),
            )
            return loss

        return tf.map_fn(one, thetas)

    def term_gradients(self, theta: tf.Tensor, batch: PointBatch) -> tf.Tensor:
        """Return the global gradient of each term's loss, [T, P]."""
        return self.reducer.total(lambda b: self._of_losses(theta, b), batch, "term_gradients")

    def _gradients_of_losses(self, theta: tf.Tensor, batch: PointBatch) -> tf.Tensor:
        """Return a shard's part of the gradient of each term's loss, [T, P]."""
        return gradients_of(lambda: self.shares(theta, batch), theta)

    def kernel_traces(
        self, theta: tf.Tensor, batch: PointBatch, signs: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """Return an estimate of tr(K_kk)/N_k of each term's neural tangent kernel, [T].

        Hutchinson: E |J^T v|^2 = tr(J J^T) for random signs v; `signs` holds this rank's rows of
        the global v of each term, as `pieces` [k, c] says.
        """
        both = tuple(batch), tuple(signs)
        total = self.reducer.total(lambda b: self._of_signed_sums(theta, *b), both, "traces")
        return tf.reduce_sum(tf.square(total), 1) / tf.constant(self.counts, self.dtype)

    def _gradients_of_signed_sums(
        self, theta: tf.Tensor, batch: PointBatch, signs: Sequence[tf.Tensor]
    ) -> tf.Tensor:
        """Return a shard's part of J_k^T v_k for signs v_k of each term's items, [T, P]."""

        def sums() -> list[tf.Tensor]:
            return [
                tf.zeros([], theta.dtype)
                if r is None
                else tf.reduce_sum(r * tf.reshape(v, [-1, 1]))
                for r, v in zip(self.residuals(theta, batch), signs, strict=True)
            ]

        return gradients_of(sums, theta)

    def pieces(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return this rank's of `count` points in pieces [k, c], and which of them count [k, c]."""
        return self.reducer.pieces(count)

    def equation_error(self, theta: tf.Tensor, data: BlockPoints) -> tf.Tensor:
        """Return |r| = sqrt(sum of squared equation residuals) at this rank's points, [n]."""
        batch = [data, *([without_items(data)] * (len(self.problem.blocks) - 1))]
        rows = [r for r in self.residuals(theta, batch) if r is not None]
        return tf.sqrt(tf.reduce_sum(tf.square(tf.concat(rows, 1)), 1))
