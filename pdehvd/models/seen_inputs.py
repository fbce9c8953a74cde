"""Networks that see other points than they are given."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence

import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from pdehvd.models.network import LayerRecord, Layout, Network
from pdehvd.numerics.plans import MultiIndex, Plan, plan


class SeenInputs(Network):
    """f(x) = g(seen(x)) with the parameters of g, and derivatives as if seen(x) were x."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self.inputs = network.inputs
        self.outputs = network.outputs
        self.dtype = network.dtype

    @abstractmethod
    def seen(self, x: Tensor) -> Tensor:
        """Return what the network inside sees at x [N, D], [N, D].

        Arguments:
            x: points [N, D]
        """

    @property
    def layout(self) -> Layout:
        """The layout of the network inside."""
        return self._network.layout

    def initial(self, seed: int) -> list[np.ndarray]:
        """Return the initial values of the network inside."""
        return self._network.initial(seed)

    def apply(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs [N, F] at x [N, D]."""
        return self._network.apply(parameters, self.seen(x))

    def jet(self, parameters: Sequence[Tensor], x: Tensor, plan: Plan) -> list[Tensor]:
        """Return the channels of `plan` at x [N, D], each [N, F]."""
        return self._network.jet(parameters, self.seen(x), plan)

    def recorded(
        self, parameters: Sequence[Tensor], x: Tensor, plan: Plan
    ) -> tuple[list[Tensor], list[LayerRecord]] | None:
        """Return the channels of `plan` at x [N, D] and all layers as they ran."""
        return self._network.recorded(parameters, self.seen(x), plan)


class LogInputs(SeenInputs):
    """f(x) = g(.., log x_d, ..) with the columns d of `columns` in x [N, D].

    Derivatives with respect to these columns are not those of f; nothing asks for them.
    """

    def __init__(self, network: Network, columns: Collection[int]) -> None:
        super().__init__(network)
        self._chosen = [d in columns for d in range(network.inputs)]

    def seen(self, x: Tensor) -> Tensor:
        chosen = tf.constant(self._chosen)
        # Elsewhere a logarithm may not exist, and its gradient would be no number.
        return tf.where(chosen, tf.math.log(tf.where(chosen, x, tf.ones_like(x))), x)


class FewerInputs(SeenInputs):
    """f(x) = g(x') where x' has a constant in the place of each coordinate that f does not have.

    Derivatives with respect to these are zero, and are not carried through g.

    Arguments:
        network: g, a function of all coordinates
        columns: those of x [N, D] that it sees
        constants: what stands in the other columns, [D]
    """

    def __init__(self, network: Network, columns: Collection[int], constants: np.ndarray) -> None:
        super().__init__(network)
        self._seen = [d in columns for d in range(network.inputs)]
        self._constants = np.asarray(constants, float)

    def seen(self, x: Tensor) -> Tensor:
        return tf.where(tf.constant(self._seen), x, tf.constant(self._constants, x.dtype))

    def jet(self, parameters: Sequence[Tensor], x: Tensor, plan: Plan) -> list[Tensor]:
        """Return the channels of `plan` at x [N, D], each [N, F]."""
        own, places = self._own(plan)
        return _spread(super().jet(parameters, x, own), places)

    def recorded(
        self, parameters: Sequence[Tensor], x: Tensor, plan: Plan
    ) -> tuple[list[Tensor], list[LayerRecord]] | None:
        """Return the channels of `plan` at x [N, D] and all layers as they ran."""
        own, places = self._own(plan)
        ran = super().recorded(parameters, x, own)
        return None if ran is None else (_spread(ran[0], places), ran[1])

    def _depends(self, index: MultiIndex) -> bool:
        return all(seen or not order for seen, order in zip(self._seen, index, strict=True))

    def _own(self, full: Plan) -> tuple[Plan, list[int | None]]:
        """Return the plan of what is not zero, and where it has each channel of the full plan."""
        kept = [
            tuple((index, factor) for index, factor in operator if self._depends(index))
            for operator in full.operators
        ]
        given = [operator for operator in kept if operator]
        partials = [index for index in full.partials if self._depends(index)]
        own = plan(full.dimension, partials, given)
        places: list[int | None] = [
            own.channel(index) if self._depends(index) else None for index in full.partials
        ]
        numbers = iter(range(len(given)))
        places += [own.channel(next(numbers), given) if operator else None for operator in kept]
        return own, places


def _spread(channels: list[Tensor], places: list[int | None]) -> list[Tensor]:
    """Return the channels at their places, zeros where there is none."""
    zero = tf.zeros_like(channels[0])
    return [zero if place is None else channels[place] for place in places]
