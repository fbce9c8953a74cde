"""Kronecker-factored curvature with automatic step and momentum."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field

from pdehvd.comm.group import Group
from pdehvd.errors import ConfigError
from pdehvd.numerics.kronecker import Pair, newest_weight, solve_layers
from pdehvd.objectives.base import Batch, Objective
from pdehvd.objectives.protocols import Point, SquaresAt
from pdehvd.optimizers.base import Facts, HostOptimizer, Needs, OptimizerSpec, State, stalled
from pdehvd.optimizers.kfac_sampled import WHOLE_LAYERS, SampledKFAC
from pdehvd.optimizers.line_search import best_length
from pdehvd.optimizers.schedule import LearningRate
from pdehvd.spec import register

if TYPE_CHECKING:
    from pdehvd.objectives.least_squares import LeastSquares

_TRIES = 12
_DAMPING = 1e-6
_GROWTH = 10.0
_SHORTER = 2.0 ** -np.arange(1, 6)


class KFACMethod(HostOptimizer[SquaresAt]):
    """theta <- theta + alpha d + mu d', d = -C^-1 J^T rho, C the Kronecker factors of J^T J.

    alpha and mu minimise the quadratic model |rho + J (alpha d + mu d')|^2 + lambda |.|^2, d' the
    last change. Equations and conditions have factors of their own, which are exponential averages
    (Dangel, Mueller, Zeinhofer, arXiv 2405.15603, algorithm 1 with the rule of KFAC*). Where the
    model's step does not lower the loss it is halved, then the damping grows.
    """

    facts = ("damping", "step_length", "momentum", "evaluations", "restarts")

    def __init__(self, spec: KFAC, group: Group) -> None:
        self.spec = spec
        self.needs = spec.needs
        self._group = group
        self._damping = _DAMPING if spec.damping is None else spec.damping

    def init(self, theta: np.ndarray) -> State:
        """Return the state before the first step."""
        return {
            "steps": np.array(0),
            "restarts": np.array(0),
            "damping": np.array(self._damping),
            "change": np.zeros_like(theta),
        }

    def step(
        self, objective: SquaresAt, theta: np.ndarray, state: State
    ) -> tuple[np.ndarray, State, Point, Facts]:
        """Return the next theta and state; raises `StalledError` where no damping helps."""
        before = objective.evaluations
        at = objective.linearize(theta)
        layers = self._averaged(at, state)
        loss = float(objective.losses_at(theta[None])[0])
        damping, previous = float(state["damping"]), state["change"]
        for _ in range(_TRIES):
            direction = self._direction(at, layers, damping)
            change, alpha, mu = self._combined(at, direction, previous, damping)
            length = self._length(objective, theta, change, loss)
            if length:
                break
            damping, previous = damping * _GROWTH, np.zeros_like(previous)
        else:
            finding = "no damping gives a step that lowers the loss"
            raise stalled(finding, loss, at.gradient, objective.vectors)
        tried = damping > float(state["damping"])
        theta = theta + length * change
        state = {
            **_stored(layers),
            "steps": state["steps"] + 1,
            "restarts": state["restarts"] + int(tried),
            "damping": np.array(max(damping / 2, self._damping) if tried else damping),
            "change": length * change,
        }
        point = objective.evaluate(theta)
        facts = {
            "damping": damping,
            "step_length": length * alpha,
            "momentum": length * mu,
            "evaluations": float(objective.evaluations - before),
            "restarts": float(state["restarts"]),
        }
        return theta, state, point, facts

    def _averaged(self, at: LeastSquares, state: State) -> list[list[Pair]]:
        """Return the moving averages of the factors with those at this theta."""
        fresh, memory = at.kronecker(), self.spec.memory_of_factors
        share = newest_weight(memory, int(state["steps"]) + 1)
        result = []
        for number, pairs in enumerate(fresh):
            averaged = []
            for kind, pair in enumerate(pairs):
                names = [f"{name}_{number}_{kind}" for name in Pair._fields]
                old = [state.get(name, 0.0) for name in names]
                averaged.append(
                    Pair(*(a + share * (b - a) for a, b in zip(old, pair, strict=True)))
                )
            result.append(averaged)
        return result

    def _direction(self, at: LeastSquares, layers: list[list[Pair]], damping: float) -> np.ndarray:
        """Return -C^-1 J^T rho [P]; numbers to be discovered take a plain gradient step."""
        direction = -at.gradient
        right = [
            direction[place].reshape(shape)
            for place, shape in zip(at.places, at.shapes, strict=True)
        ]
        solved = solve_layers(self._group, layers, right, damping)
        for place, matrix in zip(at.places, solved, strict=True):
            direction[place] = matrix.reshape(-1)
        return direction

    def _combined(
        self, at: LeastSquares, direction: np.ndarray, previous: np.ndarray, damping: float
    ) -> tuple[np.ndarray, float, float]:
        """Return alpha d + mu d' with the best alpha and mu for the quadratic model.

        No change where no numbers hold the model.
        """
        moved = [at.jvp(direction), at.jvp(previous)]
        products = at.products([*moved, at.own])
        both = np.stack([direction, previous])
        matrix, right = products[:2, :2] + damping * both @ both.T, -products[:2, 2]
        if not (matrix[0, 0] > 0 and np.all(np.isfinite(matrix)) and np.all(np.isfinite(right))):
            return np.zeros_like(direction), 0.0, 0.0
        if not np.any(previous) or not self.spec.momentum:
            alpha, mu = float(right[0] / matrix[0, 0]), 0.0
        else:
            alpha, mu = (float(x) for x in np.linalg.lstsq(matrix, right, rcond=None)[0])
        return alpha * direction + mu * previous, alpha, mu

    def _length(
        self, objective: SquaresAt, theta: np.ndarray, change: np.ndarray, loss: float
    ) -> float:
        """Return 1 or else the best shorter length that lowers the loss; 0 for none."""
        for lengths in (np.ones(1), _SHORTER):
            length, lowest = best_length(objective, theta, change, lengths)
            if lowest < loss:
                return length
        return 0.0


def _stored(layers: list[list[Pair]]) -> State:
    """Return the factors by name."""
    return {
        f"{name}_{number}_{kind}": factor
        for number, pairs in enumerate(layers)
        for kind, pair in enumerate(pairs)
        for name, factor in zip(Pair._fields, pair, strict=True)
    }


@register("optimizer")
class KFAC(OptimizerSpec):
    """Kronecker-factored approximate curvature; at points without a learning rate."""

    needs: ClassVar[Needs] = Needs(
        least_squares=True,
        layers=True,
        whole=WHOLE_LAYERS,
    )

    name: Literal["kfac"] = "kfac"
    damping: float | None = Field(
        None,
        gt=0,
        description="added to every factor; null: 1e-6 at points, 1e-2 on grids, in units of the "
        "mean curvature there",
    )
    memory_of_factors: float = Field(
        0.95, ge=0, lt=1, description="share of the old factors that is kept"
    )
    momentum: bool = Field(
        True,
        description="add a multiple of the last step, by the quadratic model; on grids, as in Adam",
    )
    learning_rate: LearningRate | None = Field(
        None, description="on grids; null: 2e-2 there, and at points, which need none"
    )

    def suited(self, objective: Objective[Batch]) -> OptimizerSpec:
        """Return the spec of the method for least squares, or for a curvature that is sampled."""
        if objective.curvature is not None:
            given = {name: getattr(self, name) for name in type(self).model_fields}
            return SampledKFAC(**{name: v for name, v in given.items() if v is not None})
        if self.learning_rate is not None:
            raise ConfigError(
                "steps at points follow from the quadratic model",
                ("learning_rate",),
                "null, or leave out this key",
            )
        return self

    def build(self, group: Group) -> KFACMethod:
        """Return the optimizer."""
        return KFACMethod(self, group)
