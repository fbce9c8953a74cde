"""Samples of the curvature by the parameters of a network on a grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from pdehvd.models.grid_network import GridNetwork
from pdehvd.models.norm import Reduce
from pdehvd.objectives.batches import SampleBatch, Samples, SignedSamples
from pdehvd.objectives.curvature import Curvature, random_signs
from pdehvd.objectives.reducer import SampleReducer
from pdehvd.problems.family import ParametricProblem

# The network's values [b, *n] and moments, from its parameters and samples.
Trained = Callable[[Sequence[tf.Tensor], Samples, Reduce], tuple[tf.Tensor, tf.Tensor]]


class CurvatureSamples:
    """s = J^T F^T eps for random signs eps, J the network's Jacobian and F^T F = K the law's."""

    def __init__(
        self,
        law: Curvature,
        problem: ParametricProblem,
        network: GridNetwork,
        trained: Trained,
        reducer: SampleReducer,
    ) -> None:
        self._law = law
        self._problem = problem
        self._network = network
        self._trained = trained
        self._reducer = reducer
        self._slopes = tf.function(law.sample, jit_compile=True, autograph=False)
        self._compiled = tf.function(self.of_signed, autograph=False)

    def sample(
        self, theta: tf.Tensor, batch: SampleBatch, weights: tf.Tensor, number: int
    ) -> tf.Tensor:
        """Return the `number`th s [P] with E[s s^T] = J^T K J; one collective, or two."""
        return self._compiled(theta, self.with_signs(batch, number), weights)

    def with_signs(self, batch: SampleBatch, number: int) -> list[SignedSamples]:
        """Return a batch with the random signs of the `number`th sample."""
        each = zip(batch, self._reducer.places(), strict=True)
        return [self._signed(data, places, number) for data, places in each]

    def _signed(self, data: Samples, places: np.ndarray, number: int) -> SignedSamples:
        """Return the samples at `places` of the global batch, with signs for their rows."""
        count = self._law.count(data.resolution)
        signs = random_signs(self._problem.samples.seed, number, places.tolist(), count)
        return SignedSamples(data, tf.constant(signs))

    def of_signed(
        self, theta: tf.Tensor, batch: Sequence[SignedSamples], weights: tf.Tensor
    ) -> tf.Tensor:
        """Return the global s [P] of a batch with signs."""
        return self._reducer.total(
            lambda data, reduce: self._part(theta, data, weights, reduce), batch, "curvature"
        )

    def _part(
        self, theta: tf.Tensor, data: SignedSamples, weights: tf.Tensor, reduce: Reduce
    ) -> tf.Tensor:
        """Return the samples' part of s [P]."""
        parameters = self._network.split(theta)
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            raw, _ = self._trained(parameters, data.inputs, reduce)
        slopes = self._slopes(raw, data.inputs.fields, data.signs)
        slopes *= tf.sqrt(tf.reduce_sum(weights) / float(self._problem.samples.batch))
        none = tf.UnconnectedGradients.ZERO
        gradients = tape.gradient(raw, parameters, slopes, unconnected_gradients=none)
        return self._network.flatten(gradients)
