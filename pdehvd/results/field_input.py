"""Input fields as a user gives them to a generative model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.problems.archives import real
from pdehvd.results.trained_grid import TrainedOnGrid


def read_fields(trained: TrainedOnGrid, given: object) -> dict[str, np.ndarray]:
    """Return the inputs [B, *n] by name that are given as a mapping of names to arrays.

    An array may have one sample, and one node along each coordinate where it is constant.
    Raises ConfigError for anything else, and for what the network cannot take.
    """
    check_takes_fields(trained)
    inputs = trained.problem.inputs
    if not isinstance(given, Mapping) or set(given) != set(inputs):
        names = ", ".join(map(repr, given)) if isinstance(given, Mapping) else type(given).__name__
        raise ConfigError(
            f"the given inputs are {names or 'empty'}",
            (),
            f"a mapping of {' and '.join(map(repr, inputs))} to arrays {_shape(trained)}",
        )
    arrays = {name: _batch(trained, name, given[name]) for name in inputs}
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise ConfigError(
            f"the inputs' shapes do not fit each other: {shapes}", (), _shape(trained)
        ) from None
    arrays = {name: np.broadcast_to(array, shape) for name, array in arrays.items()}
    for name, array in arrays.items():
        check_field(trained, name, array, array.shape[1:])
    return arrays


def check_takes_fields(trained: TrainedOnGrid) -> None:
    """Raise `ConfigError` for a network whose inputs are not fields."""
    if trained.objective.network.latent:
        raise ConfigError(
            f"{trained.config.model.name} maps latent vectors, not fields", (), "a unet"
        )


def check_field(
    trained: TrainedOnGrid, name: str, values: np.ndarray, shape: tuple[int, ...]
) -> None:
    """Raise `ConfigError` for the values of a field of `shape` that the network cannot take."""
    problem = trained.problem
    dimension = len(problem.coordinates)
    if len(shape) != dimension or len(set(shape)) != 1 or not shape[0]:
        raise ConfigError(
            f"the field '{name}' has the shape {shape}",
            (),
            f"{dimension} equal sides, such as {problem.shape(problem.resolution)}",
        )
    trained.objective.network.check(shape)
    with np.errstate(over="ignore", under="ignore"):
        held = values.astype(trained.config.precision)
    if not np.isfinite(held).all():
        raise ConfigError(
            f"the field '{name}' has values that {trained.config.precision} does not hold "
            "(NaN, infinite or too large)"
        )
    if problem.families[0][name].positive and held.size and held.min() <= 0:
        least = values.min()
        zero = f", which {trained.config.precision} rounds to 0" if least > 0 else ""
        raise ConfigError(
            f"the field '{name}' has values down to {least:.3g}{zero}",
            (),
            "values above 0, as in the training",
        )


def _batch(trained: TrainedOnGrid, name: str, given: object) -> np.ndarray:
    """Return an array [B, *n] in float64."""
    try:
        array = real(given)
    except (TypeError, ValueError):
        raise ConfigError(
            f"the input '{name}' has values that are not numbers", (), _shape(trained)
        ) from None
    if array.ndim != 1 + len(trained.problem.coordinates):
        raise ConfigError(
            f"the input '{name}' has the shape {array.shape}",
            (),
            f"{_shape(trained)}, the samples first",
        )
    return array


def _shape(trained: TrainedOnGrid) -> str:
    problem = trained.problem
    return f"[B, {', '.join(map(str, problem.shape(problem.resolution)))}]"
