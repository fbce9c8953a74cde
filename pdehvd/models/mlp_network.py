"""Multilayer perceptron: the network that the `mlp` section builds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from pdehvd.models.activations import ACTIVATIONS
from pdehvd.models.embeddings import Embedding
from pdehvd.models.network import LayerRecord, Layout, Network
from pdehvd.models.tanh_jet import tanh_jet
from pdehvd.numerics import jets


@dataclass(frozen=True)
class MLPOptions:
    """Choices of an `MLPNetwork` besides its widths; the fields mean what they mean in `MLP`."""

    activation: str = "tanh"
    adaptive: float | None = None
    residual: bool = False
    initialization: str = "glorot_normal"


class MLPNetwork(Network):
    """h_0 = embedding(x), h_k = sigma(n a_k (h_(k-1) W_k + b_k)) [+ h_(k-1)], output h W + b.

    The slopes n a_k are absent (one) unless `adaptive` is n. All jets are propagated through the
    layers in Taylor mode.
    """

    def __init__(
        self,
        embedding: Embedding,
        hidden: Sequence[int],
        outputs: int,
        dtype: str,
        options: MLPOptions = MLPOptions(),
    ) -> None:
        self.embedding = embedding
        self.widths = (embedding.width, *hidden, outputs)
        self.inputs = embedding.inputs
        self.outputs = outputs
        self.dtype = dtype
        self.options = options

    @property
    def layout(self) -> Layout:
        """`layer_K/weight` [W_in, W_out], `layer_K/bias` [W_out], adaptive: `layer_K/slope` []."""
        out: list[tuple[str, tuple[int, ...]]] = []
        last = len(self.widths) - 2
        for number, (before, after) in enumerate(zip(self.widths, self.widths[1:], strict=False)):
            out += [(f"layer_{number}/weight", (before, after)), (f"layer_{number}/bias", (after,))]
            if self.options.adaptive is not None and number < last:
                out.append((f"layer_{number}/slope", ()))
        return tuple(out)

    def initial(self, seed: int) -> list[np.ndarray]:
        """Return random weights, zero biases and slopes 1/n, drawn from `seed` only."""
        random = np.random.default_rng(seed)
        values = []
        for name, shape in self.layout:
            if name.endswith("weight"):
                value = _draw(random, shape[0], shape[1], self.options.initialization)
            elif name.endswith("bias"):
                value = np.zeros(shape)
            else:
                value = np.array(1 / (self.options.adaptive or 1.0))
            values.append(value.astype(self.dtype))
        return values

    def apply(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs [N, F] at x [N, D]."""
        return self.jet(parameters, x, jets.plan(self.inputs, ()))[0]

    def jet(self, parameters: Sequence[Tensor], x: Tensor, plan: jets.Plan) -> list[Tensor]:
        """Return the channels of `plan` at x [N, D], each [N, F], in Taylor mode."""
        points, extra = x.shape[0], unlucky(x.shape[0], x.dtype.size)
        if extra:
            x = tf.concat([x, x[:extra]], axis=0)
        last = self._through(self._layers(parameters), self.embedding.jet(x, plan), plan)[-1][1]
        if extra:
            last = [e if e is None or e.shape[1] == 1 else e[:, :points] for e in last]
        return jets.full(last)

    def recorded(
        self, parameters: Sequence[Tensor], x: Tensor, plan: jets.Plan
    ) -> tuple[list[Tensor], list[LayerRecord]] | None:
        """Return the channels of `plan` at x [N, D] and all layers as they ran."""
        if self.options.adaptive is not None:
            return None
        # Constants become columns of their own for every point: a signal must not sum over points.
        jet = [
            e if e is None else tf.broadcast_to(e, [e.shape[0], x.shape[0]])
            for e in self.embedding.jet(x, plan)
        ]
        passed = self._through(self._layers(parameters), jet, plan)
        records, start = [], 0
        for inputs, outputs in passed:
            known = [channel for channel, entry in enumerate(inputs) if entry is not None]
            layer = LayerRecord(start, [inputs[c] for c in known], [outputs[c] for c in known])
            records.append(layer)
            start += (layer.inputs[0].shape[0] + 1) * layer.outputs[0].shape[0]
        return jets.full(passed[-1][1]), records

    def _through(
        self, layers: Sequence[tuple[Tensor, Tensor]], jet: jets.Jet, plan: jets.Plan
    ) -> list[tuple[jets.Jet, jets.Jet]]:
        """Return every layer's input a and output z = W^T a + b, before its activation."""
        passed = []
        for number, (weight, bias) in enumerate(layers):
            out = jets.linear(jet, weight, bias)
            passed.append((jet, out))
            if number == len(layers) - 1:
                break
            active = self._activate(plan, out)
            jet = jets.add(active, jet) if self.options.residual and number > 0 else active
        return passed

    def _activate(self, plan: jets.Plan, jet: jets.Jet) -> jets.Jet:
        if self.options.activation == "tanh" and 0 < plan.order <= 2:
            return tanh_jet(plan, jet)
        return jets.elementwise(plan, jet, ACTIVATIONS[self.options.activation])

    def _layers(self, parameters: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Pair weights and biases; a slope goes into both, which costs no pass over points."""
        if self.options.adaptive is None:
            return list(zip(parameters[::2], parameters[1::2], strict=True))
        layers = []
        hidden, last = parameters[:-2], parameters[-2:]
        for weight, bias, slope in zip(hidden[::3], hidden[1::3], hidden[2::3], strict=True):
            factor = tf.constant(self.options.adaptive, slope.dtype) * slope
            layers.append((weight * factor, bias * factor))
        return [*layers, (last[0], last[1])]


def unlucky(points: int | None, size: int) -> int:
    """Return how many points to add to N so that rows of N numbers do not share cache sets.

    Rows whose length in bytes is a multiple of 512 (most powers of two) map onto a few sets of the
    cache, which made a step up to 1.3 times as slow; one more line of 64 bytes avoids it.
    """
    if points is None or points * size < 2048 or points * size % 512:
        return 0
    return 64 // size


def _draw(random: np.random.Generator, before: int, after: int, kind: str) -> np.ndarray:
    variance = 2 / (before + after) if kind.startswith("glorot") else 2 / before
    if kind.endswith("normal"):
        return random.standard_normal((before, after)) * math.sqrt(variance)
    limit = math.sqrt(3 * variance)
    return random.uniform(-limit, limit, (before, after))
