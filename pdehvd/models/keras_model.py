"""Any Keras model as a network, for plug-ins."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pdehvd.errors import ConfigError
from pdehvd.models.network import Layout, Network

Tensor = Any


class KerasNetwork(Network):
    """A `keras.Model` that maps [N, D] to [N, F], called without state; jets by nested tapes.

    `model` is a built model or a function without arguments that makes one; the function is
    needed where Keras cannot clone the model. The dtype is that of the model's weights, which
    must be the run's: make the layers with `dtype=dtype`. Weights that are not trainable keep
    their values, and layers such as dropout behave as in inference.
    Raises ConfigError for a model that is not built, or has mixed or other dtypes.
    """

    def __init__(
        self, model: keras.Model | Callable[[], keras.Model], dtype: str | None = None
    ) -> None:
        self._make: Callable[[], keras.Model] | None = None
        if not isinstance(model, keras.Model):
            self._make = model
            model = model()
        if not model.built:
            raise ConfigError("the Keras model is not built", (), "a model with an input shape")
        self.model = model
        self.dtype = _dtype(model, dtype)
        self.inputs, self.outputs = _width(model.input_shape), _width(model.output_shape)
        self._fixed = [variable.numpy() for variable in model.non_trainable_variables]

    @property
    def layout(self) -> Layout:
        """Paths and shapes of the model's trainable variables."""
        variables = self.model.trainable_variables
        return tuple((variable.path, tuple(variable.shape)) for variable in variables)

    def initial(self, seed: int) -> list[np.ndarray]:
        """Return the weights of a fresh copy of the model made after seeding Keras with `seed`."""
        with _seeded(seed):
            model = _clone(self.model) if self._make is None else self._make()
        return [variable.numpy() for variable in model.trainable_variables]

    def apply(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs [N, F] at x [N, D]."""
        fixed = [tf.constant(value) for value in self._fixed]
        outputs, _ = self.model.stateless_call(list(parameters), fixed, x, training=False)
        return outputs


def _dtype(model: keras.Model, wanted: str | None) -> str:
    found = {keras.backend.standardize_dtype(v.dtype) for v in model.trainable_variables}
    found |= {layer.compute_dtype for layer in model._flatten_layers() if layer.weights}
    found |= set() if wanted is None else {wanted}
    if len(found) != 1:
        expected = f"layers with dtype='{wanted or 'float64'}'"
        names = ", ".join(sorted(found))
        raise ConfigError(f"the Keras model mixes dtypes ({names})", (), expected)
    return str(found.pop())


def _width(shape: Any) -> int:
    if not isinstance(shape, tuple) or len(shape) != 2 or not isinstance(shape[1], int):
        message = f"the Keras model has an input or output of shape {shape}"
        raise ConfigError(message, (), "one of shape [N, width]")
    return int(shape[1])


def _clone(model: keras.Model) -> keras.Model:
    try:
        return keras.models.clone_model(model)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ConfigError(
            f"Keras cannot clone this model ({error})", (), "a function that makes the model"
        ) from error


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Seed Keras, and give Python's and NumPy's generators their states back afterwards."""
    python, numbers = random.getstate(), np.random.get_state()
    try:
        keras.utils.set_random_seed(seed % 2**32)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numbers)
