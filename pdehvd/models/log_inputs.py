"""A network that sees the logarithms of some of its inputs."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from pdehvd.models.network import LayerRecord, Layout, Network
from pdehvd.numerics.jets import Plan


class LogInputs(Network):
    """f(x) = g(.., log x_d, ..) with the columns d of `columns` in x [N, D].

    Derivatives with respect to these columns are not those of f; nothing asks for them.
    """

    def __init__(self, network: Network, columns: Collection[int]) -> None:
        self._network = network
        self.inputs = network.inputs
        self.outputs = network.outputs
        self.dtype = network.dtype
        self._chosen = [d in columns for d in range(network.inputs)]

    @property
    def layout(self) -> Layout:
        """The layout of the network inside."""
        return self._network.layout

    def initial(self, seed: int) -> list[np.ndarray]:
        """Return the initial values of the network inside."""
        return self._network.initial(seed)

    def apply(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs [N, F] at x [N, D]."""
        return self._network.apply(parameters, self._seen(x))

    def jet(self, parameters: Sequence[Tensor], x: Tensor, plan: Plan) -> list[Tensor]:
        """Return the channels of `plan` at x [N, D], each [N, F]."""
        return self._network.jet(parameters, self._seen(x), plan)

    def recorded(
        self, parameters: Sequence[Tensor], x: Tensor, plan: Plan
    ) -> tuple[list[Tensor], list[LayerRecord]] | None:
        """Return the channels of `plan` at x [N, D] and all layers as they ran."""
        return self._network.recorded(parameters, self._seen(x), plan)

    def _seen(self, x: Tensor) -> Tensor:
        chosen = tf.constant(self._chosen)
        # Elsewhere a logarithm may not exist, and its gradient would be no number.
        return tf.where(chosen, tf.math.log(tf.where(chosen, x, tf.ones_like(x))), x)
