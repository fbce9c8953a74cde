"""SOAP: Adam in the eigenbasis of Shampoo's Kronecker factors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf
from pydantic import Field

from pdehvd.comm.group import Group
from pdehvd.models.network import Layout
from pdehvd.numerics.kronecker import share
from pdehvd.numerics.linalg import eigenvectors
from pdehvd.objectives.host import HostObjective, Point
from pdehvd.optimizers.base import Facts, HostOptimizer, OptimizerSpec, State
from pdehvd.optimizers.schedule import Constant, LearningRate, Schedule
from pdehvd.spec import register

SIDES = ("left", "right")
# Power of the rounding unit below which a rotated gradient is none, in units of the layer's mean.
_FLOOR = 0.4


class SOAPMethod(HostOptimizer):
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
        schedule: Any = spec.learning_rate
        self._schedule: Schedule = schedule
        self._group = group
        self._layers: list[_Layer] = []
        self._own: list[_Layer] = []

    def init(self, theta: np.ndarray) -> State:
        """Return the state before the first step."""
        return {"steps": np.array(0), "mean": np.zeros_like(theta), "square": np.zeros_like(theta)}

    def step(
        self, objective: HostObjective, theta: np.ndarray, state: State
    ) -> tuple[np.ndarray, State, Point, Facts]:
        """Return the next theta and state, and the point at the old theta."""
        at = objective.evaluate(theta)
        self._divide(objective.layout, len(theta))
        steps = int(state["steps"]) + 1
        change, mean, square = (np.zeros_like(theta) for _ in range(3))
        new: State = {"steps": np.array(steps), "mean": mean, "square": square}
        for layer in self._own:
            known = {name: state[name] for name in layer.names if name in state}
            old = _Moments(*(layer.of(state[name]) for name in ("mean", "square")))
            moved, moments, factors = self._moved(layer, layer.of(at.gradient), old, known, steps)
            layer.of(change)[...], layer.of(mean)[...] = moved, moments.mean
            layer.of(square)[...] = moments.square
            new |= factors
        if self._group.size > 1:
            change = self._group.sum_numpy(change, "soap")
        rate = float(self._schedule(tf.constant(steps - 1, tf.float64)))
        return theta - theta.dtype.type(rate) * change, new, at, {"learning_rate": rate}

    def gathered(self, state: State) -> dict[str, np.ndarray]:
        """Return the state of all layers as arrays for a checkpoint; every rank calls it."""
        whole = {name: np.asarray(value) for name, value in state.items()}
        if self._group.size == 1 or not self._layers:
            return whole
        for layer in self._layers:
            for name, size in layer.names.items():
                whole.setdefault(name, np.zeros((size, size), whole["mean"].dtype))
        # In one order on all ranks, which hold different layers.
        names = sorted(name for name in whole if name != "steps")
        flat = np.concatenate([whole[name].reshape(-1) for name in names])
        total = self._group.sum_numpy(flat, "soap.state")
        parts = np.split(total, np.cumsum([whole[name].size for name in names])[:-1])
        shaped = {n: part.reshape(whole[n].shape) for n, part in zip(names, parts, strict=True)}
        return {"steps": whole["steps"], **shaped}

    def _divide(self, layout: Layout, size: int) -> None:
        """Give every layer to a rank, the costly ones first."""
        if self._layers:
            return
        self._layers = list(_layers(layout, size, self.spec.largest))
        owners = share([layer.cost for layer in self._layers], self._group.size)
        pairs = zip(self._layers, owners, strict=True)
        self._own = [layer for layer, owner in pairs if owner == self._group.rank]

    def _moved(
        self, layer: _Layer, gradient: np.ndarray, old: _Moments, known: State, steps: int
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
        self, layer: _Layer, gradient: np.ndarray, known: State, steps: int
    ) -> tuple[State, State]:
        """Return the averages of G G^T and G^T G, and their eigenvectors, renewed where due."""
        memory = self.spec.memory_of_factors
        products = {"left": lambda: gradient @ gradient.T, "right": lambda: gradient.T @ gradient}
        factors: State = {}
        bases: State = {}
        for side in layer.sides:
            average, basis = layer.factor(side), layer.basis(side)
            product = products[side]()
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


class _Layer:
    """Parameters that move together as a matrix [m, n], and the sides of it that are rotated."""

    def __init__(self, number: int, start: int, shape: tuple[int, int], largest: int) -> None:
        self._number = number
        self._place = slice(start, start + shape[0] * shape[1])
        self._shape = shape
        matrix = min(shape) > 1
        pairs = zip(SIDES, shape, strict=True)
        self._sizes = {side: n for side, n in pairs if matrix and n <= largest}
        self.cost = float(sum(n**3 for n in self._sizes.values()) + shape[0] * shape[1])

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that are rotated."""
        return tuple(self._sizes)

    @property
    def names(self) -> dict[str, int]:
        """Names of the factors and bases in the state, and their sizes."""
        names = ((self.factor(side), self.basis(side)) for side in self._sizes)
        sizes = self._sizes.values()
        return {name: n for pair, n in zip(names, sizes, strict=True) for name in pair}

    def factor(self, side: str) -> str:
        """Return the name of a side's average in the state."""
        return f"factor_{self._number}_{side}"

    def basis(self, side: str) -> str:
        """Return the name of a side's eigenvectors in the state."""
        return f"basis_{self._number}_{side}"

    def of(self, flat: np.ndarray) -> np.ndarray:
        """Return a view of this layer's part of flat numbers [P], [m, n]."""
        return flat[self._place].reshape(self._shape)

    def rotated(self, value: np.ndarray, bases: State, back: bool = False) -> np.ndarray:
        """Return a matrix [m, n] in the eigenbases, or from there back."""
        left, right = (bases.get(self.basis(side)) for side in SIDES)
        if left is not None:
            value = (left if back else left.T) @ value
        if right is not None:
            value = value @ (right.T if back else right)
        return value


def _layers(layout: Layout, size: int, largest: int) -> Iterator[_Layer]:
    """Yield the layers of all `size` parameters; those after the layout are one of their own."""
    start = 0
    for number, (_, shape) in enumerate(layout):
        columns = shape[-1] if shape else 1
        rows = math.prod(shape) // columns
        yield _Layer(number, start, (rows, columns), largest)
        start += rows * columns
    if start < size:
        yield _Layer(len(layout), start, (1, size - start), largest)


@register("optimizer")
class SOAP(OptimizerSpec):
    """Adam in the eigenbasis of each layer's second moments; of any loss, in any precision."""

    name: Literal["soap"] = "soap"
    learning_rate: LearningRate = Constant(value=3e-3)
    beta_1: float = Field(0.95, ge=0, lt=1, description="memory of the mean gradient")
    beta_2: float = Field(0.95, ge=0, lt=1, description="memory of its squares")
    memory_of_factors: float = Field(0.95, ge=0, lt=1, description="of G G^T and G^T G")
    every: int = Field(10, ge=1, description="steps between renewals of the eigenvectors")
    largest: int = Field(2048, ge=1, description="sides of more rows are not rotated")
    epsilon: float = Field(1e-8, gt=0, description="added to the root of the squares")

    def build(self, group: Group) -> SOAPMethod:
        """Return the optimizer."""
        return SOAPMethod(self, group)
