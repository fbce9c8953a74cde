"""A plug-in with a Keras model: a gated network (Wang, Teng, Perdikaris, arXiv 2001.04536)."""

from __future__ import annotations

from typing import Literal

import keras
import numpy as np
from pydantic import Field

from pdehvd.models.keras_model import KerasNetwork
from pdehvd.models.network import Network
from pdehvd.spec import Spec, register


def gated(bounds: np.ndarray, outputs: int, dtype: str, width: int, depth: int) -> keras.Model:
    """Return h <- (1 - z) * a + z * b with z = tanh(W h + c), and two encoders a and b of x."""
    scale = 2 / (bounds[:, 1] - bounds[:, 0])

    def dense(units: int, activation: str | None = "tanh") -> keras.layers.Layer:
        return keras.layers.Dense(units, activation, dtype=dtype)

    x = keras.Input((len(bounds),), dtype=dtype)
    h = keras.layers.Rescaling(scale, -scale * bounds.mean(axis=1), dtype=dtype)(x)
    first, second = dense(width)(h), dense(width)(h)
    for _ in range(depth):
        gate = dense(width)(h)
        h = first + gate * (second - first)
    model = keras.Model(x, dense(outputs, None)(h))
    # Otherwise the model itself, unlike its layers, has the global dtype of Keras.
    model.dtype_policy = dtype
    return model


@register("model")
class Gated(Spec):
    """A network whose hidden layers mix two encodings of the coordinates."""

    name: Literal["gated"] = "gated"
    width: int = Field(32, ge=1, description="width of the hidden layers")
    depth: int = Field(3, ge=1, description="number of gated layers")

    def build(
        self, bounds: np.ndarray, outputs: int, dtype: str, coordinates: tuple[str, ...]
    ) -> Network:
        """Return the network for coordinates with `bounds` [D, 2] and `outputs` fields."""
        # A function, not a model: every call creates new layers, with weights from the run's seed.
        return KerasNetwork(lambda: gated(bounds, outputs, dtype, self.width, self.depth), dtype)
