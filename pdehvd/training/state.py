"""Everything that a run needs to continue: parameters, optimizer, weights, sampler, counters."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.numerics.divided import Arrays
from pdehvd.objectives.base import Batch, Objective
from pdehvd.optimizers.base import State
from pdehvd.training.checkpoint_index import Counters
from pdehvd.training.snapshot import Snapshot
from pdehvd.training.stored import StoredState

OPTIMIZER = "optimizer/"
"""How the names of the optimizer's arrays begin in a checkpoint."""

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass
class TrainState:
    """State of a run after `step` updates; random numbers need only (seed, step) besides."""

    step: int
    theta: tf.Tensor
    optimizer: State
    weights: tf.Tensor
    moments: tf.Tensor = field(default_factory=lambda: import_tensorflow().zeros(0))
    selection: np.ndarray | None = None
    seconds: float = 0.0
    lowest_loss: float = math.inf
    lowest_step: int = 0
    best: float = math.inf
    best_step: int = 0

    def snapshot(self, optimizer: Arrays) -> Snapshot:
        """Return what a checkpoint keeps, with what it keeps of the optimizer."""
        arrays = {"theta": self.theta, "weights": self.weights, "moments": self.moments}
        if self.selection is not None:
            arrays["selection"] = self.selection
        counters = Counters(**{name: getattr(self, name) for name in Counters.model_fields})
        whole = {name: np.asarray(array) for name, array in arrays.items()}
        return Snapshot(counters, {**whole, **{OPTIMIZER + n: a for n, a in optimizer.items()}})

    @classmethod
    def of(cls, stored: StoredState, optimizer: State | None = None) -> TrainState:
        """Return the state in a checkpoint, with the optimizer's if there is one to go on with.

        Raises `ConfigError` where the checkpoint does not hold it.
        """
        tf = import_tensorflow()
        return cls(
            theta=tf.constant(stored.whole("theta")),
            optimizer=optimizer or {},
            weights=tf.constant(stored.whole("weights")),
            moments=tf.constant(stored.whole("moments")),
            selection=stored.whole("selection") if "selection" in stored.names else None,
            **stored.counters.model_dump(),
        )


def check_like(stored: StoredState, fresh: Snapshot) -> None:
    """Raise `ConfigError` where a run that starts as `fresh` cannot go on from a checkpoint."""
    arrays = fresh.record().arrays.items()
    _check(stored, {name: array.described() for name, array in arrays if name != "selection"})


def check_network(stored: StoredState, objective: Objective[Batch]) -> None:
    """Raise `ConfigError` where the parameters are not those of the objective's network."""
    moments = objective.initial_moments()
    shapes = {
        "theta": f"{objective.dtype.name}[{objective.size}]",
        "moments": f"{moments.dtype.name}{list(moments.shape)}",
    }
    _check(stored, shapes)


def _check(stored: StoredState, expected: dict[str, str]) -> None:
    for name, shape in expected.items():
        if stored.described(name) != shape:
            label = name.removeprefix(OPTIMIZER)
            raise ConfigError(
                f"the checkpoint does not fit: {label} is {stored.described(name)}", (), shape
            )
