"""Any Keras model as a network, for plug-ins."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf
from tensorflow import Tensor

from pdehvd.errors import ConfigError
from pdehvd.models.network import Layout, Network


class KerasNetwork(Network):
    """A `keras.Model` that maps [N, D] to [N, F], called without state; jets by nested tapes.

    `model` is a model or a function without arguments that makes one; the function is needed
    where Keras cannot clone the model. `inputs` is D, needed where the model has no input shape
    of its own. `dtype` is the run's, and all layers and inputs must have it (`dtype=dtype`):
    Keras would round without a word. Weights that are not trainable keep their values, and layers
    such as dropout behave as in inference. Raises ConfigError for a model that does not fit.

    Arguments:
        model: a model, or a function without arguments that makes one
        dtype: that of the run, such as "float64"
        inputs: D

    >>> def model():
    ...     layers = [keras.layers.Dense(units, dtype="float64") for units in (4, 1)]
    ...     return keras.Sequential([keras.Input((2,), dtype="float64"), *layers])
    >>> network = KerasNetwork(model, "float64")
    >>> network.apply(network.initial(seed=1), tf.zeros([3, 2], tf.float64)).shape  # [N, F]
    TensorShape([3, 1])
    """

    def __init__(
        self,
        model: keras.Model | Callable[[], keras.Model],
        dtype: str | None = None,
        inputs: int | None = None,
    ) -> None:
        made = model if isinstance(model, keras.Model) else model()
        self._make = None if made is model else model
        self.inputs = _inputs(made) if inputs is None else inputs
        self.model = made
        self.outputs = _width(_call(made, self.inputs).shape)
        self.dtype = _dtype(self.model, dtype)
        named = inspect.signature(made.call).parameters
        self._mode = {"training": False} if "training" in named else {}
        self._fixed = [variable.numpy() for variable in self.model.non_trainable_variables]

    @property
    def layout(self) -> Layout:
        """Paths and shapes of the model's trainable variables."""
        variables = self.model.trainable_variables
        return tuple((variable.path, tuple(variable.shape)) for variable in variables)

    def initial(self, seed: int) -> list[np.ndarray]:
        """Return the weights of a fresh copy of the model made after seeding Keras with `seed`."""
        with _seeded(seed):
            made = _clone(self.model) if self._make is None else self._make()
            _call(made, self.inputs)
        return [variable.numpy() for variable in made.trainable_variables]

    def apply(self, parameters: Sequence[Tensor], x: Tensor) -> Tensor:
        """Return the outputs [N, F] at x [N, D]."""
        fixed = [tf.constant(value) for value in self._fixed]
        outputs, _ = self.model.stateless_call(list(parameters), fixed, x, **self._mode)
        return outputs


def _call(model: keras.Model, inputs: int) -> Tensor:
    """Call the model at the origin, which makes the weights that it does not have yet."""
    return model(tf.zeros([1, inputs], model.input_dtype))


def _inputs(model: keras.Model) -> int:
    if not hasattr(model, "input_shape"):
        raise ConfigError("the Keras model has no input shape", (), "`inputs`, or a built model")
    return _width(model.input_shape)


def _dtype(model: keras.Model, wanted: str | None) -> str:
    """Return the one dtype of all weights and of all layers that cast their inputs.

    The model itself does not cast: a call without state goes past that.
    """
    found = {keras.backend.standardize_dtype(variable.dtype) for variable in model.variables}
    found = {dtype for dtype in found if keras.backend.is_float_dtype(dtype)}
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, keras.layers.InputLayer):
            found.add(layer.dtype)
        elif getattr(layer, "_convert_input_args", True):
            found.add(layer.input_dtype)
    found |= set() if wanted is None else {wanted}
    if len(found) != 1:
        expected = f"inputs and layers with dtype='{wanted or 'float64'}'"
        names = ", ".join(sorted(found))
        raise ConfigError(f"the Keras model mixes dtypes ({names})", (), expected)
    return str(found.pop())


def _width(shape: Sequence[int | None]) -> int:
    shape = tuple(shape)
    if len(shape) != 2 or not isinstance(shape[1], int):
        message = f"the Keras model has an input or output of shape {shape}"
        raise ConfigError(message, (), "one of shape [N, width]")
    return int(shape[1])


def _clone(model: keras.Model) -> keras.Model:
    try:
        return keras.models.clone_model(model)
    except (TypeError, ValueError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:120]
        message = f"Keras cannot clone this model ({reason})"
        raise ConfigError(message, (), "a function that makes the model") from error


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
