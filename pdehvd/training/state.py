"""Everything that a run needs to go on: parameters, optimizer, weights, sampler, counters."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.objectives.base import Batch, Objective
from pdehvd.problems.archives import read_npz, reading

if TYPE_CHECKING:
    import tensorflow as tf


@dataclass
class TrainState:
    """State of a run after `step` updates; random numbers need only (seed, step) besides."""

    step: int
    theta: tf.Tensor
    optimizer: dict[str, tf.Tensor]
    weights: tf.Tensor
    moments: tf.Tensor = field(default_factory=lambda: import_tensorflow().zeros(0))
    selection: np.ndarray | None = None
    seconds: float = 0.0
    lowest_loss: float = math.inf
    lowest_step: int = 0
    best: float = math.inf
    best_step: int = 0

    _COUNTERS: ClassVar = ("step", "seconds", "lowest_loss", "lowest_step", "best", "best_step")

    def to_bytes(self) -> bytes:
        """Return the state as an NPZ archive without pickle."""
        arrays = {"theta": self.theta.numpy(), "weights": self.weights.numpy()}
        arrays |= {f"optimizer/{name}": value.numpy() for name, value in self.optimizer.items()}
        arrays["moments"] = self.moments.numpy()
        if self.selection is not None:
            arrays["selection"] = self.selection
        counters = {name: getattr(self, name) for name in self._COUNTERS}
        arrays["counters"] = np.frombuffer(json.dumps(counters).encode(), np.uint8)
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> TrainState:
        """Return the state of `to_bytes`. Raises `ConfigError` for bytes that are none."""
        tf = import_tensorflow()
        with reading("the checkpoint"):
            arrays = read_npz(io.BytesIO(data))
            return cls(
                theta=tf.constant(arrays["theta"]),
                weights=tf.constant(arrays["weights"]),
                moments=tf.constant(arrays["moments"]),
                optimizer={
                    name.removeprefix("optimizer/"): tf.constant(value)
                    for name, value in arrays.items()
                    if name.startswith("optimizer/")
                },
                selection=arrays.get("selection"),
                **cls._counters(json.loads(arrays["counters"].tobytes())),
            )

    @classmethod
    def _counters(cls, stored: Any) -> dict[str, Any]:
        """Return the counters of a checkpoint. Raises `ValueError` where they are not numbers."""
        counters = {name: stored[name] for name in cls._COUNTERS}
        numbers = all(type(value) in (int, float) for value in counters.values())
        if not numbers or type(counters["step"]) is not int or not 0 <= counters["step"] < 2**53:
            raise ValueError("its counters are not numbers of steps and seconds")
        return counters

    def check_like(self, other: TrainState) -> None:
        """Raise `ConfigError` where a run that starts as `other` cannot go on from here."""
        self._check(_shapes(other))

    def check_network(self, objective: Objective[Batch]) -> None:
        """Raise `ConfigError` where the parameters are not those of the objective's network."""
        moments = objective.initial_moments()
        self._check(
            {
                "theta": f"{objective.dtype.name}[{objective.size}]",
                "moments": f"{moments.dtype.name}{list(moments.shape)}",
            }
        )

    def _check(self, theirs: dict[str, str]) -> None:
        mine = _shapes(self)
        for name in theirs:
            if mine.get(name) != theirs[name]:
                raise ConfigError(
                    f"the checkpoint does not fit: {name} is {mine.get(name, 'missing')}",
                    (),
                    str(theirs[name]),
                )


def _shapes(state: TrainState) -> dict[str, str]:
    tensors = {"theta": state.theta, "weights": state.weights, "moments": state.moments}
    tensors |= state.optimizer
    return {name: f"{tensor.dtype.name}{list(tensor.shape)}" for name, tensor in tensors.items()}
