"""The objective of a network that maps input fields to solutions, with no data but the PDE."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import tensorflow as tf

from pdehvd.comm.aggregation import Aggregation
from pdehvd.comm.group import Group
from pdehvd.models.grid_network import GridNetwork
from pdehvd.models.network import Layout
from pdehvd.models.norm import Reduce
from pdehvd.objectives.base import Batch, Evaluation, Objective
from pdehvd.objectives.curvature import Curvature, random_signs
from pdehvd.objectives.discrete import DiscreteLaw
from pdehvd.objectives.parts import Data, cut, sum_in_parts
from pdehvd.objectives.whole import WholeSamples
from pdehvd.problems.family import HELD_OUT, TRAINING, ParametricProblem, Sample
from pdehvd.problems.levels import Schedule

LATENT = "latent numbers"
SIGNS = "random signs"


class GenerativeObjective(Objective):
    """L = (sum over the batch of each sample's loss) / B, B the global batch.

    Convolutions are faster outside XLA, so no step is compiled as a whole; the loss and its slopes
    by the network's values are.
    """

    def __init__(
        self,
        problem: ParametricProblem,
        network: GridNetwork,
        group: Group,
        aggregation: Aggregation,
        dtype: str,
        schedule: Schedule | None = None,
        micro_batches: int = 1,
        buckets: int = 1,
    ) -> None:
        self.problem = problem
        self.network = network
        self.group = group
        self.aggregation = aggregation
        self.dtype = tf.as_dtype(dtype)
        self.micro_batches = micro_batches
        self.buckets = buckets
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
    def curvature(self) -> Curvature:
        """The Hessian of the samples' losses; most optimizers never ask for it."""
        return Curvature(self.law)

    @property
    def samples_curvature(self) -> bool:
        return self.curvature.count(self.problem.resolution) > 0

    @cached_property
    def _sampled(self) -> Callable[..., tf.Tensor]:
        return tf.function(self.curvature.sample, jit_compile=True, autograph=False)

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

    def batch(self, round_: int, selection: np.ndarray | None = None) -> Batch:
        indices = self.problem.samples.indices(round_)
        start, stop = self.group.shard(len(indices))
        return [self._drawn(indices[start:stop], round_)]

    def _drawn(self, indices: np.ndarray, round_: int) -> dict[str, tf.Tensor]:
        """Return the samples of these numbers at the round's resolution."""
        resolution, dtype = self._round_resolution(round_), self.dtype.as_numpy_dtype
        return self.tensors(self.problem.draw(indices, resolution, TRAINING, dtype))

    def tensors(self, sample: Sample) -> dict[str, tf.Tensor]:
        """Return samples as tensors in the run's precision."""
        tensors = {name: tf.constant(field, self.dtype) for name, field in sample.fields.items()}
        if self.network.latent and sample.latent is not None:
            tensors[LATENT] = tf.constant(sample.latent, self.dtype)
        return tensors

    def evaluate(self, theta: tf.Tensor, batch: Batch, weights: tf.Tensor) -> Evaluation:
        """Return the global loss, gradient and moments; one collective besides those of norms."""
        *gradients, both = sum_in_parts(
            lambda part: self._contribution(theta, part, weights), batch, self.micro_batches
        )
        gradient, both = self.aggregation.combine_buckets(self.group, gradients, both)
        losses = both[: len(self.terms)]
        return Evaluation(
            tf.reduce_sum(weights * losses), losses, gradient, both[len(self.terms) :]
        )

    def _contribution(
        self, theta: tf.Tensor, batch: Batch, weights: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """Return this rank's part of the gradient in buckets, and of losses and moments [T + M]."""
        gradients, losses, moments = self._gradients(theta, batch[0], weights, self._reduce)
        share = moments * self._weight_of_moments(batch)
        return *cut(gradients, self.buckets), tf.concat([losses, share], 0)

    def _gradients(
        self,
        theta: tf.Tensor,
        data: Mapping[str, tf.Tensor],
        weights: tf.Tensor,
        reduce: Reduce,
    ) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """Return the samples' part of each parameter's gradient and of the losses [T], and moments.

        By parameters: those of the last layers are there while the first ones' are computed.
        """
        parameters = self.network.split(theta)
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            raw, moments = self._trained(parameters, data, reduce)
            losses = self._differentiable(raw, _fields(data))
            parts = tf.reduce_sum(losses)[None] / self._batch
            loss = tf.reduce_sum(weights * parts)
        none = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(loss, parameters, unconnected_gradients=none)
        return list(gradients), parts, moments

    def whole(self, round_: int | None, selection: np.ndarray | None = None) -> WholeSamples:
        if round_ is None:
            return WholeSamples(self, np.arange(self.batch_size), HELD_OUT, self.problem.resolution)
        numbers = self.problem.samples.indices(round_)
        return WholeSamples(self, numbers, TRAINING, self._round_resolution(round_))

    def losses_at(self, thetas: tf.Tensor, batch: Batch, weights: tf.Tensor) -> tf.Tensor:
        def share(theta: tf.Tensor, data: Mapping[str, tf.Tensor]) -> tf.Tensor:
            raw, _ = self._trained(self.network.split(theta), data, self._reduce)
            return self._weighted_loss(raw, data, weights)

        def one(theta: tf.Tensor) -> tf.Tensor:
            return sum_in_parts(lambda part: (share(theta, part[0]),), batch, self.micro_batches)[0]

        # One after another: their normalisations have collectives of the same names.
        local = tf.map_fn(one, thetas, parallel_iterations=1)
        return self.group.sum([local], "losses_at")[0]

    def with_signs(self, batch: Batch, number: int) -> Batch:
        start, stop = self.group.shard(self.problem.samples.batch)
        return [self._signed(batch[0], range(start, stop), number)]

    def _signed(self, data: Data, places: Sequence[int], number: int) -> Data:
        """Return the samples at `places` of the global batch, with signs for their rows."""
        count = self.curvature.count(self._resolution(data))
        signs = random_signs(self.problem.samples.seed, number, places, count)
        return {**data, SIGNS: tf.constant(signs)}

    def curvature_sample(self, theta: tf.Tensor, batch: Batch, weights: tf.Tensor) -> tf.Tensor:
        (part,) = sum_in_parts(
            lambda part: (self._curved(theta, part[0], weights, self._reduce),),
            batch,
            self.micro_batches,
        )
        return self.group.sum([part], "curvature")[0]

    def _curved(
        self,
        theta: tf.Tensor,
        data: Mapping[str, tf.Tensor],
        weights: tf.Tensor,
        reduce: Reduce,
    ) -> tf.Tensor:
        """Return the samples' part of a random J^T F^T eps [P], J that of the network's values."""
        parameters = self.network.split(theta)
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            raw, _ = self._trained(parameters, data, reduce)
        slopes = self._sampled(raw, _fields(data), data[SIGNS])
        slopes *= tf.sqrt(tf.reduce_sum(weights) / self._batch)
        none = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(raw, parameters, slopes, unconnected_gradients=none)
        return self.network.flatten(gradients)

    def _weighted_loss(
        self, raw: tf.Tensor, data: Mapping[str, tf.Tensor], weights: tf.Tensor
    ) -> tf.Tensor:
        losses = self._values(raw, _fields(data))
        return tf.reduce_sum(weights) * tf.reduce_sum(losses) / self._batch

    def held_out_chunks(self) -> list[np.ndarray]:
        """Return the numbers of this rank's held-out samples, few at a time."""
        start, stop = self.group.shard(self.problem.held_out)
        # Their images must not need more memory than a step.
        size = max(self.problem.samples.batch // self.group.size, 1)
        return [np.arange(first, min(first + size, stop)) for first in range(start, stop, size)]

    def solution(
        self, theta: tf.Tensor, moments: tf.Tensor, data: Mapping[str, tf.Tensor], resolution: int
    ) -> tf.Tensor:
        """Return the fields [B, *n] of samples, normalised by moving averages."""
        images = self._input(data, resolution)
        shape = self.problem.shape(resolution)
        raw = self.network.infer(self.network.split(theta), images, moments, shape)
        return self.law.imposed(raw[..., 0], _fields(data))

    @property
    def _batch(self) -> tf.Tensor:
        return tf.constant(float(self.problem.samples.batch), self.dtype)

    def _input(self, data: Mapping[str, tf.Tensor], resolution: int) -> tf.Tensor:
        if self.network.latent:
            return data[LATENT]
        return self.law.images(_fields(data), resolution)

    def _trained(
        self,
        parameters: Sequence[tf.Tensor],
        data: Mapping[str, tf.Tensor],
        reduce: Reduce,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the network's values [b, *n] and the moments of the batch."""
        resolution = self._resolution(data)
        images = self._input(data, resolution)
        shape = self.problem.shape(resolution)
        raw, moments = self.network.train(parameters, images, reduce, shape)
        return raw[..., 0], moments

    @staticmethod
    def _resolution(data: Mapping[str, tf.Tensor]) -> int:
        return max(int(n) for field in _fields(data).values() for n in field.shape[1:])

    def _reduce(self, tensor: tf.Tensor, name: str) -> tf.Tensor:
        return self.group.sum([tensor], name)[0]

    def _differentiable(self, raw: tf.Tensor, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Return the losses [b]; their slopes come with them from one compiled pass."""

        @tf.custom_gradient
        def losses(values: tf.Tensor) -> tuple[tf.Tensor, object]:
            result, slopes = self._slopes(values, inputs)

            def backward(upstream: tf.Tensor) -> tf.Tensor:
                return tf.reshape(upstream, [-1] + [1] * (values.shape.rank - 1)) * slopes

            return result, backward

        return losses(raw)

    def _imposed_losses(self, raw: tf.Tensor, inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return self.law.losses(self.law.imposed(raw, inputs), inputs)

    def _weight_of_moments(self, batch: Batch) -> tf.Tensor:
        """Return this rank's weight in the sum over ranks of the moments."""
        if not self.network.merged:
            return tf.constant(float(self.group.rank == 0), self.dtype)
        own = next(iter(batch[0].values())).shape[0]
        return tf.constant(own / self.problem.samples.batch, self.dtype)


def _fields(data: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Return the input fields, without what else a batch has."""
    return {name: tensor for name, tensor in data.items() if name not in (LATENT, SIGNS)}
