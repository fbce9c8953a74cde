"""What every network offers: a layout of parameters, initial values, outputs and their jets."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pdehvd.numerics import jets

Tensor = Any
Layout = tuple[tuple[str, tuple[int, ...]], ...]


class Record(NamedTuple):
    """One layer z = W^T a + b as it ran: the channels of a [W_in, N] and of z [W_out, N].

    The value comes first, then the derivatives that are not zero. `start` is where the layer's
    weight begins in the flat parameters; its bias follows.
    """

    start: int
    inputs: Sequence[Tensor]
    outputs: Sequence[Tensor]


class Network(ABC):
    """A function of D coordinates with F outputs and P parameters, pure in its parameters.

    Parameters are passed in, never owned, so that optimizers see either the list in the order of
    `layout` or the flat vector [P] (`flatten`, `split`).
    """

    inputs: int
    outputs: int
    dtype: str

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """Names and shapes of the parameters, in the order of the flat vector."""

    @abstractmethod
    def initial(self, seed: int) -> list[np.ndarray]:
        """Return initial parameters in the order of `layout`; they depend on `seed` only."""

    @abstractmethod
    def apply(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs [N, F] at x [N, D]."""

    def jet(self, parameters: Sequence[Tensor], x: Tensor, plan: jets.Plan) -> list[Tensor]:
        """Return the channels of `plan` at x [N, D], each [N, F]; exact, by nested tapes."""
        return jets.nested(lambda points: self.apply(parameters, points), x, plan)

    def recorded(
        self, parameters: Sequence[Tensor], x: Tensor, plan: jets.Plan
    ) -> tuple[list[Tensor], list[Record]] | None:
        """Return the channels of `plan` at x [N, D] and all layers as they ran.

        None where the parameters are not those of layers z = W^T a + b alone: then Jacobians come
        from differentiating the residuals one by one.
        """
        return None

    @property
    def size(self) -> int:
        """The number of parameters P."""
        return sum(math.prod(shape) for _, shape in self.layout)

    def flatten(self, parameters: Sequence[Tensor]) -> Tensor:
        """Return the parameters as one vector [P]."""
        return tf.concat([tf.reshape(parameter, [-1]) for parameter in parameters], axis=0)

    def split(self, theta: Tensor) -> list[Tensor]:
        """Return the parameters of the vector theta [P] as a list in the order of `layout`."""
        shapes = [shape for _, shape in self.layout]
        parts = tf.split(theta, [math.prod(shape) for shape in shapes])
        return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
