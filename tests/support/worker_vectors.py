"""What each process of test_vectors.py does: every optimizer for it, with theta in pieces."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pdehvd.comm import backend
from pdehvd.launch import process_setup
from pdehvd.launch.processes_spec import ProcessesSpec
from tests.support.worker_names import ON_PIECES

PROCESSES = ProcessesSpec(threads=1, collectives=os.environ.get("COLLECTIVES", "mpi"))
process_setup.configure_threads(PROCESSES)

import tensorflow as tf  # noqa: E402

from pdehvd.comm.group import Group  # noqa: E402
from pdehvd.numerics import linalg  # noqa: E402
from pdehvd.numerics.vectors import Pieces, Replicated, Vectors  # noqa: E402
from pdehvd.objectives.base import Objective, Whole  # noqa: E402
from pdehvd.objectives.evaluation import Evaluation  # noqa: E402
from pdehvd.objectives.weighting import Fixed  # noqa: E402
from pdehvd.optimizers.base import OptimizerSpec  # noqa: E402
from pdehvd.spec import registered  # noqa: E402
from pdehvd.training.phases import Phase  # noqa: E402
from pdehvd.training.state import TrainState  # noqa: E402
from pdehvd.training.stepper import Parts, Stepper  # noqa: E402
from tests.support.worker import without_xla  # noqa: E402

Arrays = dict[str, np.ndarray]
LAYOUT = (("w", (3, 5)), ("b", (5,)), ("v", (5, 4)), ("c", (4,)), ("kernel", (1, 2, 3)))
# The last number is an unknown, behind the layout.
SIZE = 51
# By the number of processes: weights are cut, and one process has nothing.
COUNTS = {1: (51,), 2: (28, 23), 3: (7, 0, 44)}
STEPS = 12


class Deaf(Pieces):
    """Pieces of which each rank adds its own in the place of all: what must not be."""

    def _sums(self, values: list[tf.Tensor], name: str) -> list[tf.Tensor]:
        return values


class Valley(Objective[None]):
    """sum_i 2 (theta_(i+1) - theta_i^2)^2 + (1 - theta_i)^2, Rosenbrock's with other numbers."""

    terms = ("valley",)
    period = None
    points = batch_size = 1
    dtype = tf.float64
    layout = LAYOUT
    size = SIZE

    def __init__(self, group: Group, vectors: Vectors) -> None:
        self.group, self.vectors = group, vectors

    @property
    def compiled(self) -> bool:
        return self.group.compiles

    def initial(self, seed: int) -> np.ndarray:
        return self.vectors.own(np.random.default_rng(seed).uniform(-1.0, 1.5, SIZE))

    def batch(self, round_: int, selection: np.ndarray | None = None) -> None:
        return None

    def whole(self, round_: int | None, selection: np.ndarray | None = None) -> Whole:
        raise TypeError("there is no batch")

    def _whole(self, theta: tf.Tensor) -> tf.Tensor:
        if not isinstance(self.vectors, Pieces):
            return theta
        return self.group.gather(theta, self.vectors.counts, "valley")

    @staticmethod
    def _loss(theta: tf.Tensor) -> tf.Tensor:
        bend = 2 * tf.reduce_sum((theta[1:] - theta[:-1] ** 2) ** 2)
        return bend + tf.reduce_sum((1 - theta) ** 2)

    def evaluate(self, theta: tf.Tensor, batch: None, weights: tf.Tensor) -> Evaluation:
        whole = self._whole(theta)
        with tf.GradientTape() as tape:
            tape.watch(whole)
            loss = self._loss(whole)
        return Evaluation(loss, loss[None], self.vectors.own(tape.gradient(loss, whole)))

    def losses_at(self, thetas: tf.Tensor, batch: None, weights: tf.Tensor) -> tf.Tensor:
        return tf.stack([self._loss(self._whole(theta)) for theta in tf.unstack(thetas)])


def spec_of(name: str) -> OptimizerSpec:
    """Return an optimizer whose steps depend on all norms that it can take."""
    spec = registered("optimizer")[name]
    options = {"clip_norm": 2.0, "weight_decay": 0.01, "learning_rate": 0.02, "memory": 5}
    return spec(**{key: value for key, value in options.items() if key in spec.model_fields})


def steps(objective: Valley, name: str) -> Iterator[tuple[np.ndarray, list[float]]]:
    """Yield this rank's theta and the numbers of all steps, which all ranks have."""
    optimizer = spec_of(name).build(objective.group)
    parts = Parts(objective, [Phase(optimizer)], Fixed(), None, 1)
    stepper = Stepper(parts)
    theta = tf.constant(objective.initial(1))
    weights = tf.ones([1], tf.float64)
    state = TrainState(0, theta, parts.phases[0].fresh(theta), weights)
    for step in range(STEPS):
        called = stepper.advance(state, None, 1, [False])
        state = TrainState(step + 1, called.theta, called.optimizer, weights)
        facts = [called.facts[fact] for fact in sorted(optimizer.facts)]
        yield called.theta.numpy(), [float(called.done), called.loss, *facts]


def trained(objective: Valley, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the whole theta and the numbers of all steps."""
    found = list(steps(objective, name))
    return objective.vectors.whole(found[-1][0]), np.array([numbers for _, numbers in found])


def main() -> None:
    group = backend.group(PROCESSES)
    if group.size != 2:
        without_xla()
    # The matrices of dense methods are divided too, small as they are.
    linalg._DIVIDED = 1
    counts = COUNTS[group.size]
    ways: dict[str, Vectors] = {"pieces": Pieces(group, counts)}
    if group.size == 1:
        ways["whole"] = Replicated()
    found: Arrays = {}
    for name in ON_PIECES:
        for way, vectors in ways.items():
            theta, numbers = trained(Valley(group, vectors), name)
            found |= {f"{name}/{way}/theta": theta, f"{name}/{way}/numbers": numbers}
    found["wrong"], _ = trained(Valley(group, Deaf(group, counts)), "lamb")
    np.savez(Path(sys.argv[2]) / f"rank{group.rank}.npz", **found)
    group.close()


if __name__ == "__main__":
    main()
