"""The objective of a network that maps input fields to solutions, with no data but the PDE."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import tensorflow as tf

from pdehvd.models.grid_network import GridNetwork
from pdehvd.models.network import Layout
from pdehvd.models.norm import Reduce
from pdehvd.objectives.base import Objective
from pdehvd.objectives.batches import SampleBatch, Samples
from pdehvd.objectives.curvature import Curvature
from pdehvd.objectives.curvature_samples import CurvatureSamples
from pdehvd.objectives.discrete import DiscreteLaw
from pdehvd.objectives.evaluation import Evaluation
from pdehvd.objectives.reducer import Contribution, SampleReducer
from pdehvd.objectives.whole import WholeSamples
from pdehvd.problems.family import HELD_OUT, TRAINING, ParametricProblem, Sample
from pdehvd.problems.levels import ResolutionSchedule


class GenerativeObjective(Objective[SampleBatch]):
    """L = (sum over the batch of each sample's loss) / B, B the global batch.

    Convolutions are faster outside XLA, so no step is compiled as a whole; the loss and its slopes
    by the network's values are.
    """

    def __init__(
        self,
        problem: ParametricProblem,
        network: GridNetwork,
        reducer: SampleReducer,
        dtype: str,
        schedule: ResolutionSchedule | None = None,
    ) -> None:
        self.problem = problem
        self.network = network
        self.reducer = reducer
        self.group = reducer.group
        self.micro_batches = reducer.micro_batches
        self.dtype = tf.as_dtype(dtype)
        self.terms = problem.terms
        self.schedule = schedule or problem.schedule()
        self.period = problem.samples.every
        self.signed = problem.loss == "ritz"
        self.batch_size = problem.items
        self.points = problem.samples.batch * problem.resolution ** len(problem.coordinates)
        self.law = DiscreteLaw(problem, self.dtype)
        self._slopes = tf.function(self.law.losses_and_slopes, jit_compile=True, autograph=False)
        self._values = tf.function(self._imposed_losses, jit_compile=True, autograph=False)

    def points_at(self, step: int) -> int:
        resolution = self._round_resolution(step // self.problem.samples.every)
        return int(self.problem.samples.batch * resolution ** len(self.problem.coordinates))

    def _round_resolution(self, round_: int) -> int:
        """Return the resolution of a round's batch: that of the round's first step."""
        return self.schedule.resolution(round_ * self.problem.samples.every)

    @cached_property
    def curvature(self) -> CurvatureSamples | None:
        """Samples of the losses' curvature; most optimizers never ask for them."""
        law = Curvature(self.law)
        if law.count(self.problem.resolution) == 0:
            return None
        return CurvatureSamples(law, self.problem, self.network, self._trained, self.reducer)

    @property
    def size(self) -> int:
        return self.network.size

    @property
    def layout(self) -> Layout:
        return self.network.layout

    def initial(self, seed: int) -> np.ndarray:
        parts = [part.reshape(-1) for part in self.network.initial(seed)]
        return np.concatenate(parts).astype(self.dtype.as_numpy_dtype)

    def initial_moments(self) -> np.ndarray:
        return self.network.initial_moments().astype(self.dtype.as_numpy_dtype)

    def averaged(self, moments: tf.Tensor, fresh: tf.Tensor | None) -> tf.Tensor:
        renewal = tf.constant(1 - self.network.momentum, self.dtype)
        return moments if fresh is None else moments + (fresh - moments) * renewal

    def batch(self, round_: int, selection: np.ndarray | None = None) -> SampleBatch:
        indices = self.problem.samples.indices(round_)
        return [self._drawn(indices[places], round_) for places in self.reducer.places()]

    def _drawn(self, indices: np.ndarray, round_: int) -> Samples:
        """Return the samples of these numbers at the round's resolution."""
        resolution, dtype = self._round_resolution(round_), self.dtype.as_numpy_dtype
        return self.tensors(self.problem.draw(indices, resolution, TRAINING, dtype))

    def tensors(self, sample: Sample) -> Samples:
        """Return samples as tensors, with the latent numbers that the network asks for."""
        fields = {name: tf.constant(field, self.dtype) for name, field in sample.fields.items()}
        latent = sample.latent if self.network.latent else None
        if latent is None:
            latent = np.zeros((next(iter(fields.values())).shape[0], 0))
        return Samples(fields, tf.constant(latent, self.dtype))

    def evaluate(self, theta: tf.Tensor, batch: SampleBatch, weights: tf.Tensor) -> Evaluation:
        """Return the global loss, gradient and moments."""
        return self.reducer.evaluate(
            lambda data, reduce: self._contribution(theta, data, weights, reduce), batch, weights
        )

    def _contribution(
        self,
        theta: tf.Tensor,
        data: Samples,
        weights: tf.Tensor,
        reduce: Reduce,
    ) -> Contribution:
        """Return what samples contribute to the gradient, parameter by parameter, and to losses.

        By parameters: those of the last layers are there while the first ones' are computed.
        """
        parameters = self.network.split(theta)
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            raw, moments = self._trained(parameters, data, reduce)
            losses = self._differentiable(raw, data.fields)
            parts = tf.reduce_sum(losses)[None] / self._batch
            loss = tf.reduce_sum(weights * parts)
        none = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(loss, parameters, unconnected_gradients=none)
        return Contribution(list(gradients), parts, moments)

    def whole(self, round_: int | None, selection: np.ndarray | None = None) -> WholeSamples:
        if round_ is None:
            return WholeSamples(self, np.arange(self.batch_size), HELD_OUT, self.problem.resolution)
        numbers = self.problem.samples.indices(round_)
        return WholeSamples(self, numbers, TRAINING, self._round_resolution(round_))

    def losses_at(self, thetas: tf.Tensor, batch: SampleBatch, weights: tf.Tensor) -> tf.Tensor:
        def share(theta: tf.Tensor, data: Samples, reduce: Reduce) -> tf.Tensor:
            raw, _ = self._trained(self.network.split(theta), data, reduce)
            return self._weighted_loss(raw, data, weights)

        return self.reducer.total_at(share, thetas, batch, "losses_at")

    def _weighted_loss(self, raw: tf.Tensor, data: Samples, weights: tf.Tensor) -> tf.Tensor:
        losses = self._values(raw, data.fields)
        return tf.reduce_sum(weights) * tf.reduce_sum(losses) / self._batch

    def held_out_chunks(self) -> list[np.ndarray]:
        """Return the numbers of this rank's held-out samples, few at a time."""
        return self.reducer.held_out(self.problem.held_out)

    def solution(
        self, theta: tf.Tensor, moments: tf.Tensor, data: Samples, resolution: int
    ) -> tf.Tensor:
        """Return the fields [B, *n] of samples, normalised by moving averages."""
        images = self._input(data, resolution)
        shape = self.problem.shape(resolution)
        raw = self.network.infer(self.network.split(theta), images, moments, shape)
        return self.law.imposed(raw[..., 0], data.fields)

    @property
    def _batch(self) -> tf.Tensor:
        return tf.constant(float(self.problem.samples.batch), self.dtype)

    def _input(self, data: Samples, resolution: int) -> tf.Tensor:
        if self.network.latent:
            return data.latent
        return self.law.images(data.fields, resolution)

    def _trained(
        self,
        parameters: Sequence[tf.Tensor],
        data: Samples,
        reduce: Reduce,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the network's values [b, *n] and the moments of the batch."""
        resolution = data.resolution
        images = self._input(data, resolution)
        shape = self.problem.shape(resolution)
        raw, moments = self.network.train(parameters, images, reduce, shape)
        return raw[..., 0], moments

    def _differentiable(self, raw: tf.Tensor, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return the losses [b]; their slopes come with them from one compiled pass."""

        def losses(values: tf.Tensor) -> tuple[tf.Tensor, object]:
            result, slopes = self._slopes(values, inputs)

            def backward(upstream: tf.Tensor) -> tf.Tensor:
                return tf.reshape(upstream, [-1] + [1] * (values.shape.rank - 1)) * slopes

            return result, backward

        return tf.custom_gradient(losses)(raw)

    def _imposed_losses(self, raw: tf.Tensor, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return self.law.losses(self.law.imposed(raw, inputs), inputs)
