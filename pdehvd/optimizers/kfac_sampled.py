"""Kronecker factors of a curvature that is sampled: for convolutions, and for energies."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from scipy import linalg

from pdehvd.comm.group import Group
from pdehvd.models.parametrized import Layout
from pdehvd.numerics.divided import Arrays, Stored
from pdehvd.numerics.kronecker import newest_weight
from pdehvd.objectives.protocols import CurvatureAt, Point
from pdehvd.optimizers.base import (
    Facts,
    HostOptimizer,
    Needs,
    OptimizerSpec,
    StalledError,
    State,
)
from pdehvd.optimizers.matrices import SIDES, DividedMatrices, Matrix
from pdehvd.optimizers.schedule import ConstantRate, LearningRate, Schedule

# Why theta in pieces will not do.
WHOLE_LAYERS = "each layer's Kronecker factors are solved as a whole on one rank"
# Sides of more rows are taken for multiples of the identity.
_LARGEST = 4096
_MOMENTUM = 0.9


class SampledKFACMethod(HostOptimizer[CurvatureAt]):
    """theta <- theta - eta (C + lambda)^-1 m, C Kronecker factors of J^T K J, m a mean gradient.

    A sample s with E[s s^T] = J^T K J costs one backward pass and one sum over ranks. With its part
    S [m, n] for a layer's weight, E[S S^T] and E[S^T S] are the marginals of the layer's block, and

        C = E[S S^T] (x) E[S^T S] / E[|S|^2]

    is the product that has them (Martens and Grosse, arXiv 1503.05671, for the sampled curvature
    and its damping; Morwani et al., arXiv 2406.17748, for the product of the marginals of
    gradients). Biases and scales have the diagonal E[s^2]. lambda is `damping` times the mean
    curvature E[|s|^2] / P. Layers are divided over ranks, which hold and solve their own.
    """

    facts = ("learning_rate", "damping", "curvature", "restarts")

    def __init__(self, spec: SampledKFAC, group: Group) -> None:
        self.spec = spec
        assert isinstance(spec.learning_rate, Schedule)
        self._schedule = spec.learning_rate
        self._layers = DividedMatrices(group, _LARGEST, ("factor",))

    def init(self, theta: np.ndarray) -> State:
        """Return the state before the first step."""
        numbers = {name: np.array(0) for name in ("steps", "averaged", "restarts")}
        return {
            **numbers,
            "curvature": np.array(0.0),
            "mean": np.zeros_like(theta),
            "square": np.zeros_like(theta),
        }

    def step(
        self, objective: CurvatureAt, theta: np.ndarray, state: State
    ) -> tuple[np.ndarray, State, Point, Facts]:
        """Return the next theta and state, and the point at the old theta.

        A direction that is not finite makes it forget all averages; raises `StalledError` where
        the one after that is not finite either.
        """
        self._layers.divide(objective.layout, len(theta))
        at = objective.evaluate(theta)
        direction, new = self._moved(objective, theta, at.gradient, state)
        if math.isfinite(at.loss) and not np.all(np.isfinite(direction)):
            kept = {"steps": state["steps"], "restarts": state["restarts"] + 1}
            fresh = {**self.init(theta), **kept}
            direction, new = self._moved(objective, theta, at.gradient, fresh)
            if not np.all(np.isfinite(direction)):
                raise StalledError("the curvature gives no finite direction")
        rate = self._schedule.after(int(state["steps"]))
        facts = {
            "learning_rate": rate,
            "damping": self._damping(new, len(theta)),
            "curvature": float(new["curvature"]),
            "restarts": float(new["restarts"]),
        }
        return theta - theta.dtype.type(rate) * direction, new, at, facts

    def kept(self, state: State) -> Arrays:
        """Return what a checkpoint keeps of the state; every rank has its layers."""
        return self._layers.kept(state, "kfac.state")

    def restored(self, stored: Stored, layout: Layout) -> State:
        """Return this rank's state from what `kept` has returned, maybe on other ranks."""
        return self._layers.restored(stored, layout, stored.shape("mean")[0])

    def _moved(
        self, objective: CurvatureAt, theta: np.ndarray, gradient: np.ndarray, state: State
    ) -> tuple[np.ndarray, State]:
        """Return the direction [P] and the averages with this step's; two collectives."""
        number = int(state["steps"]) + int(state["restarts"])
        new = self._averaged(objective.curvature_sample(theta, number), state)
        damping = self._damping(new, len(theta))
        share = newest_weight(_MOMENTUM if self.spec.momentum else 0.0, int(new["averaged"]))
        mean, direction = np.zeros_like(theta), np.zeros_like(theta)
        for layer in self._layers.own:
            old = layer.of(state["mean"])
            layer.of(mean)[...] = old + share * (layer.of(gradient) - old)
            # Few samples see few directions, and others would look flat.
            known = min(1.0, (1 - self.spec.memory_of_factors) * new["samples"][layer.number])
            layer.of(direction)[...] = known * solve_damped(layer, layer.of(mean), new, damping)
        return self._layers.sum(direction, "kfac"), {**new, "mean": mean}

    def _averaged(self, sample: np.ndarray, state: State) -> State:
        """Return the counts, and the averages of the own layers' curvature with a sample [P]."""
        averaged = int(state["averaged"]) + 1
        share = newest_weight(self.spec.memory_of_factors, averaged)
        # All ranks know the whole sample.
        size, old = float(np.sum(np.square(sample, dtype=np.float64))), float(state["curvature"])
        new: State = {
            "steps": state["steps"] + 1,
            "averaged": np.array(averaged),
            "restarts": state["restarts"],
            "curvature": np.array(old + share * (size - old)),
            "square": np.zeros_like(sample),
            "samples": np.zeros(self._layers.count, sample.dtype),
        }
        for layer in self._layers.own:
            self._average_layer(layer, layer.of(sample), state, new)
        return new

    def _average_layer(self, layer: Matrix, sample: np.ndarray, state: State, new: State) -> None:
        """Put a layer's averages with its part [m, n] of a sample into the new state."""
        known = float(state["samples"][layer.number]) if "samples" in state else 0.0
        # A layer that rests until its grid comes has no curvature to remember.
        new["samples"][layer.number] = count = known + bool(np.any(sample))
        share = newest_weight(self.spec.memory_of_factors, max(int(count), 1))
        before = layer.of(state["square"])
        layer.of(new["square"])[...] = before + share * (sample**2 - before)
        for side in layer.sides:
            key = layer.key("factor", side)
            product, old = layer.product(side, sample), state.get(key, 0.0)
            new[key] = old + share * (product - old)

    def _damping(self, state: State, size: int) -> float:
        """Return lambda."""
        return self.spec.damping * float(state["curvature"]) / size


def solve_damped(layer: Matrix, right: np.ndarray, state: State, damping: float) -> np.ndarray:
    """Return (C + lambda)^-1 of a layer's numbers [m, n]; NaN where that is singular.

    C = A (x) B gets A + pi sqrt(lambda) and B + sqrt(lambda) / pi, pi^2 the ratio of their mean
    eigenvalues. A side without a factor is taken for a multiple of the identity.
    """
    square = layer.of(state["square"])
    if not layer.sides:
        return right / (square + damping)
    # Both factors have the root of the trace of C for their trace, so that pi^2 = n / m.
    root = math.sqrt(np.sum(square, dtype=np.float64)) or 1.0
    ratio = math.sqrt(right.shape[1] / right.shape[0])
    try:
        for side, part in zip(SIDES, (ratio, 1 / ratio), strict=True):
            more, rows = part * math.sqrt(damping), right.shape[0]
            if side in layer.sides:
                factor = state[layer.key("factor", side)] / root
                factor = factor + more * np.eye(rows, dtype=right.dtype)
                right = linalg.cho_solve(linalg.cho_factor(factor), right)
            else:
                right = right / (root / rows + more)
            right = right.T
    except ValueError:
        return np.full_like(square, np.nan)
    return right


class SampledKFAC(OptimizerSpec):
    """What `kfac` is where curvature can be sampled; made of the spec that is registered."""

    needs: ClassVar[Needs] = Needs(whole=WHOLE_LAYERS)

    name: Literal["kfac"] = "kfac"
    learning_rate: LearningRate = ConstantRate(value=2e-2)
    damping: float = Field(1e-2, gt=0, description="of the mean curvature")
    memory_of_factors: float = Field(0.95, ge=0, lt=1)
    momentum: bool = True

    def build(self, group: Group) -> SampledKFACMethod:
        """Return the optimizer."""
        return SampledKFACMethod(self, group)
