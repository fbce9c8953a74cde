"""SOAP: Adam in the eigenbasis of Shampoo's Kronecker factors."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, NamedTuple

import numpy as np
from pydantic import Field

from pdehvd.comm.group import Group
from pdehvd.models.parametrized import Layout
from pdehvd.numerics.divided import Arrays, Stored
from pdehvd.numerics.linalg import eigenvectors
from pdehvd.objectives.protocols import GradientAt, Point
from pdehvd.optimizers.base import Facts, HostOptimizer, Needs, OptimizerSpec, State, stalled
from pdehvd.optimizers.matrices import DividedMatrices, Matrix
from pdehvd.optimizers.schedule import ConstantRate, LearningRate, Schedule
from pdehvd.spec import register

# Power of the rounding unit below which a rotated gradient is none, in units of the layer's mean.
_FLOOR = 0.4


class SOAPMethod(HostOptimizer[GradientAt]):
    """Adam on Q_L^T G Q_R, Q_L and Q_R the eigenvectors of averages of G G^T and G^T G.

    G [m, n] is the gradient of one layer's weight, all axes but the last one together; a side of
    more than `largest` rows is not rotated, and biases see plain Adam (Vyas et al. 2024,
    arXiv 2409.11321, algorithm 3). The eigenvectors are renewed every `every` steps by orthogonal
    iteration. Layers are divided over ranks, which hold the factors of their own; one sum brings
    the changes of all layers to all ranks.
    """

    facts = ("learning_rate",)

    def __init__(self, spec: SOAP, group: Group) -> None:
        self.spec = spec
        assert isinstance(spec.learning_rate, Schedule)
        self._schedule = spec.learning_rate
        self._layers = DividedMatrices(group, spec.largest, ("factor", "basis"))

    def init(self, theta: np.ndarray) -> State:
        """Return the state before the first step."""
        return {"steps": np.array(0), "mean": np.zeros_like(theta), "square": np.zeros_like(theta)}

    def step(
        self, objective: GradientAt, theta: np.ndarray, state: State
    ) -> tuple[np.ndarray, State, Point, Facts]:
        """Return the next theta and state, and the point at the old theta."""
        at = objective.evaluate(theta)
        self._layers.divide(objective.layout, len(theta))
        steps = int(state["steps"]) + 1
        change, mean, square = (np.zeros_like(theta) for _ in range(3))
        new: State = {"steps": np.array(steps), "mean": mean, "square": square}
        for layer in self._layers.own:
            old = _Moments(*(layer.of(state[name]) for name in ("mean", "square")))
            moved, moments, factors = self._moved(layer, layer.of(at.gradient), old, state, steps)
            layer.of(change)[...], layer.of(mean)[...] = moved, moments.mean
            layer.of(square)[...] = moments.square
            new |= factors
        change = self._layers.sum(change, "soap")
        if math.isfinite(at.loss) and not np.all(np.isfinite(change)):
            finding = "the second moments of the loss overflow"
            raise stalled(finding, at.loss, at.gradient, objective.vectors)
        rate = self._schedule.after(steps - 1)
        return theta - theta.dtype.type(rate) * change, new, at, {"learning_rate": rate}

    def kept(self, state: State) -> Arrays:
        """Return what a checkpoint keeps of the state; every rank has its layers."""
        return self._layers.kept(state, "soap.state")

    def restored(self, stored: Stored, layout: Layout) -> State:
        """Return this rank's state from what `kept` has returned, maybe on other ranks."""
        return self._layers.restored(stored, layout, stored.shape("mean")[0])

    def _moved(
        self, layer: Matrix, gradient: np.ndarray, old: _Moments, known: State, steps: int
    ) -> tuple[np.ndarray, _Moments, State]:
        """Return the direction of one layer's change, its new moments and its factors."""
        spec = self.spec
        factors, bases = self._factors(layer, gradient, known, steps)
        turned = layer.rotated(gradient, bases)
        mean = spec.beta_1 * old.mean + (1 - spec.beta_1) * gradient
        square = spec.beta_2 * old.square + (1 - spec.beta_2) * turned**2
        size = np.sqrt(square / (1 - spec.beta_2**steps))
        if layer.sides:
            # What a rotation leaves of nothing is rounding, which must not be made a full step.
            size += np.finfo(size.dtype).eps ** _FLOOR * np.sqrt(np.mean(size**2))
        size += spec.epsilon
        ahead = layer.rotated(mean, bases) / (1 - spec.beta_1**steps)
        moved = layer.rotated(ahead / size, bases, back=True)
        return moved, _Moments(mean, square), {**factors, **bases}

    def _factors(
        self, layer: Matrix, gradient: np.ndarray, known: State, steps: int
    ) -> tuple[State, State]:
        """Return the averages of G G^T and G^T G, and their eigenvectors, renewed where due."""
        memory = self.spec.memory_of_factors
        factors: State = {}
        bases: State = {}
        for side in layer.sides:
            average, basis = layer.key("factor", side), layer.key("basis", side)
            product = layer.product(side, gradient)
            if average in known:
                product = memory * known[average] + (1 - memory) * product
            factors[average] = product
            old = known.get(basis)
            due = old is None or steps % self.spec.every == 0
            bases[basis] = eigenvectors(product, old) if due else old
        return factors, bases


class _Moments(NamedTuple):
    """Averages of a layer's gradient, and of its squares in the eigenbasis, [m, n]."""

    mean: np.ndarray
    square: np.ndarray


@register("optimizer")
class SOAP(OptimizerSpec):
    """Adam in the eigenbasis of each layer's second moments, for any loss, in any precision."""

    needs: ClassVar[Needs] = Needs(whole="each layer's matrix is rotated as a whole on one rank")

    name: Literal["soap"] = "soap"
    learning_rate: LearningRate = ConstantRate(value=3e-3)
    beta_1: float = Field(0.95, ge=0, lt=1, description="decay rate of the mean gradient")
    beta_2: float = Field(0.95, ge=0, lt=1, description="decay rate of the mean squares")
    memory_of_factors: float = Field(0.95, ge=0, lt=1, description="decay rate of G G^T and G^T G")
    every: int = Field(10, ge=1, description="steps between updates of the eigenvectors")
    largest: int = Field(2048, ge=1, description="sides with more rows are not rotated")
    epsilon: float = Field(1e-8, gt=0, description="added to the root of the squares")

    def build(self, group: Group) -> SOAPMethod:
        """Return the optimizer."""
        return SOAPMethod(self, group)
