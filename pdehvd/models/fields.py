"""Several networks side by side: one per field."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from pdehvd.models.network import LayerRecord, Layout, Network
from pdehvd.numerics.jets import Plan


class FieldNetworks(Network):
    """Networks with the same coordinates, their outputs joined: F = F_1 + F_2 + ...

    `order` [F] says which of the joined outputs comes first, second, ...; None: as they are.
    """

    def __init__(self, networks: Sequence[Network], order: Sequence[int] | None = None) -> None:
        first = networks[0]
        if any((net.inputs, net.dtype) != (first.inputs, first.dtype) for net in networks):
            raise ValueError("joined networks need the same coordinates and the same dtype")
        self.networks = tuple(networks)
        self.inputs = first.inputs
        self.outputs = sum(network.outputs for network in networks)
        self.dtype = first.dtype
        # What is in order already needs no pass over the points.
        as_it_is = order is None or list(order) == list(range(self.outputs))
        self._order = None if as_it_is else order

    def _joined(self, outputs: Sequence[Tensor]) -> Tensor:
        joined = tf.concat(outputs, axis=-1)
        return joined if self._order is None else tf.gather(joined, self._order, axis=-1)

    @property
    def layout(self) -> Layout:
        """The parts' layouts in turn, each name with `field_K/` in front."""
        return tuple(
            (f"field_{number}/{name}", shape)
            for number, network in enumerate(self.networks)
            for name, shape in network.layout
        )

    def initial(self, seed: int) -> list[np.ndarray]:
        """Return the parts' initial values; every part draws from a seed of its own."""
        seeds = np.random.SeedSequence(seed).generate_state(len(self.networks))
        return [
            value
            for network, own in zip(self.networks, seeds, strict=True)
            for value in network.initial(int(own))
        ]

    def apply(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs [N, F] at x [N, D]."""
        parts = zip(self.networks, self._parts(parameters), strict=True)
        return self._joined([network.apply(part, x) for network, part in parts])

    def jet(self, parameters: Sequence[Tensor], x: Tensor, plan: Plan) -> list[Tensor]:
        """Return the channels of `plan` at x [N, D], each [N, F]."""
        parts = zip(self.networks, self._parts(parameters), strict=True)
        channels = zip(*(network.jet(part, x, plan) for network, part in parts), strict=True)
        return [self._joined(entries) for entries in channels]

    def recorded(
        self, parameters: Sequence[Tensor], x: Tensor, plan: Plan
    ) -> tuple[list[Tensor], list[LayerRecord]] | None:
        """Return the channels of `plan` at x [N, D] and the layers of all parts as they ran."""
        channels, records, start = [], [], 0
        for network, part in zip(self.networks, self._parts(parameters), strict=True):
            ran = network.recorded(part, x, plan)
            if ran is None:
                return None
            channels.append(ran[0])
            records += [record._replace(start=start + record.start) for record in ran[1]]
            start += network.size
        return [self._joined(entries) for entries in zip(*channels, strict=True)], records

    def _parts(self, parameters: Sequence[Tensor]) -> list[Sequence[Tensor]]:
        parts, start = [], 0
        for network in self.networks:
            stop = start + len(network.layout)
            parts.append(parameters[start:stop])
            start = stop
        return parts
