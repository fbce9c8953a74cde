"""What everything with parameters offers: their layout, initial values and flat vector."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.launch.tensorflow_import import import_tensorflow

if TYPE_CHECKING:
    from tensorflow import Tensor

Layout = tuple[tuple[str, tuple[int, ...]], ...]


class Parametrized(ABC):
    """Something with P parameters that are passed in, never owned.

    Optimizers see either the list in the order of `layout` or the flat vector [P] (`flatten`,
    `split`).
    """

    dtype: str

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """Names and shapes of the parameters, in the order of the flat vector."""

    @abstractmethod
    def initial(self, seed: int) -> list[np.ndarray]:
        """Return initial parameters in the order of `layout`; they depend on `seed` only.

        Arguments:
            seed: the same on every rank
        """

    @property
    def size(self) -> int:
        """The number of parameters P."""
        return sum(math.prod(shape) for _, shape in self.layout)

    def flatten(self, parameters: Sequence[Tensor]) -> Tensor:
        """Return the parameters as one vector [P].

        Arguments:
            parameters: tensors in the order of `layout`
        """
        tf = import_tensorflow()
        return tf.concat([tf.reshape(parameter, [-1]) for parameter in parameters], axis=0)

    def split(self, theta: Tensor) -> list[Tensor]:
        """Return the parameters of the vector theta [P] as a list in the order of `layout`.

        Arguments:
            theta: parameters [P]
        """
        tf = import_tensorflow()
        shapes = [shape for _, shape in self.layout]
        parts = tf.split(theta, [math.prod(shape) for shape in shapes])
        return [tf.reshape(part, shape) for part, shape in zip(parts, shapes, strict=True)]
