"""Gauss-Newton methods: Levenberg-Marquardt damping, a line search on a grid, momentum (SPRING)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from pydantic import Field, model_validator

from pdehvd.comm.group import Group
from pdehvd.errors import ConfigError
from pdehvd.numerics.cholesky import NotPositiveError
from pdehvd.objectives.protocols import Point, SquaresAt
from pdehvd.optimizers.base import (
    Facts,
    HostOptimizer,
    Needs,
    OptimizerSpec,
    State,
    stalled,
)
from pdehvd.optimizers.gauss_newton_solvers import ConjugateGradients, Kernel, Normal, Solver
from pdehvd.optimizers.line_search import best_length
from pdehvd.spec import register

if TYPE_CHECKING:
    from pdehvd.objectives.least_squares import LeastSquares

# Below this damping a double holds nothing of it compared with the largest eigenvalue.
_LEAST_DAMPING = 1e-16
_GRID = 2.0 ** -np.arange(31)
_TRIES = 24
# The difference for the second derivative along a step, as a part of it, and the largest share of
# the step that half the acceleration may have.
_FAR, _BEND = 0.1, 0.375


@dataclass(frozen=True)
class AcceptedStep:
    """A step that lowers the loss: the direction taken from theta, and how far."""

    direction: np.ndarray
    length: float
    facts: dict[str, float]


class GaussNewtonMethod(HostOptimizer[SquaresAt]):
    """theta <- theta - eta x, (J^T J + lambda I) x = J^T rho, loss = |rho|^2.

    Adaptive damping accepts a step that lowers the loss and divides lambda by 3; a step that does
    not is rejected, and lambda grows by 2, 4, 8, ... Geodesic acceleration follows the bend of the
    rows to second order (Transtrum and Sethna, arXiv 1201.5885). On a grid the
    best eta of 2^0 ... 2^-30 is taken (Mueller and Zeinhofer, arXiv 2302.13163). With momentum mu:
    x = mu x' + J^T (J J^T + lambda I)^-1 (rho - mu J x') (Goldshlager, Abrahamsen, Lin,
    arXiv 2401.10190).
    """

    facts = ("damping", "step_length", "evaluations", "restarts")

    def __init__(self, spec: GaussNewton) -> None:
        self.spec = spec
        self.needs = spec.needs

    def init(self, theta: np.ndarray) -> State:
        """Return the state before the first step."""
        return {
            "damping": np.array(self.spec.damping, np.float64),
            "growth": np.array(2.0),
            "restarts": np.array(0),
            "steps": np.array(0),
            "direction": np.zeros_like(theta),
        }

    def step(
        self, objective: SquaresAt, theta: np.ndarray, state: State
    ) -> tuple[np.ndarray, State, Point, Facts]:
        """Return the next theta and state; raises `StalledError` after two failures."""
        before = objective.evaluations
        at = objective.linearize(theta)
        solver = self._solver(at, int(state["steps"]))
        trial, state = self._trial(objective, at, solver, theta, state)
        if trial is None:
            state = {**self.init(theta), "restarts": state["restarts"] + 1, "steps": state["steps"]}
            trial, state = self._trial(objective, at, solver, theta, state)
        if trial is None:
            loss = float(objective.losses_at(theta[None])[0])
            finding = "no damping gives a step that lowers the loss"
            raise stalled(finding, loss, at.gradient, objective.vectors)
        theta = theta - trial.length * trial.direction
        state |= {"direction": trial.direction, "steps": state["steps"] + 1}
        point = objective.evaluate(theta)
        facts = {
            **trial.facts,
            "damping": float(state["damping"]),
            "step_length": trial.length,
            "evaluations": float(objective.evaluations - before),
            "restarts": float(state["restarts"]),
        }
        return theta, state, point, facts

    def _solver(self, at: LeastSquares, number: int) -> Solver:
        """Return the configured solver, or the one with the smaller matrix."""
        spec, rows, size = self.spec, at.rows, len(at.gradient)
        name = spec.solver
        if name == "auto":
            name = choose(size, rows)
        if name == "normal":
            return Normal(at)
        if name == "kernel":
            return Kernel(at)
        return ConjugateGradients(at, spec.iterations, spec.tolerance, spec.rank, number)

    def _trial(
        self,
        objective: SquaresAt,
        at: LeastSquares,
        solver: Solver,
        theta: np.ndarray,
        state: State,
    ) -> tuple[AcceptedStep | None, State]:
        """Return a step that lowers the loss, and the state with the damping for the next one."""
        loss, previous = float(objective.losses_at(theta[None])[0]), state["direction"]
        # A fall by less than the rounding of the sum is none.
        goal = loss * (1 - 8 * float(np.finfo(theta.dtype).eps))
        momentum = self.spec.momentum if np.any(previous) else 0.0
        own = at.own - momentum * at.jvp(previous) if momentum else at.own
        damping, growth = float(state["damping"]), float(state["growth"])
        lengths = _GRID if self.spec.line_search else _GRID[:1]
        for _ in range(_TRIES):
            try:
                solver.damp(damping)
            except NotPositiveError:
                damping, growth = damping * growth, 2 * growth
                continue
            direction, facts = solver.solve(own), solver.facts
            bend = self._bend(at, solver, theta, direction)
            if bend is not None:
                direction = direction + bend + momentum * previous
                length, lowest = best_length(objective, theta, -direction, lengths)
                if lowest < goal:
                    return AcceptedStep(direction, length, facts), self._relaxed(state, damping)
            if not self.spec.adaptive and not momentum:
                break
            momentum, own = 0.0, at.own
            if self.spec.adaptive:
                damping, growth = damping * growth, 2 * growth
        return None, state

    def _bend(
        self, at: LeastSquares, solver: Solver, theta: np.ndarray, direction: np.ndarray
    ) -> np.ndarray | float | None:
        """Return half the geodesic acceleration; None where it is too large for this step.

        The second derivative of the rows along v = -x is a difference of rows:
        rho'' = 2 ((rho(theta + h v) - rho) / h - J v) / h.
        """
        if not self.spec.acceleration or not self.spec.adaptive:
            return 0.0
        moved = at.rows_at(theta - _FAR * direction)
        second = 2 / _FAR * ((moved - at.own) / _FAR + at.jvp(direction))
        correction: np.ndarray = solver.solve(second) / 2
        small = np.linalg.norm(correction) <= _BEND * np.linalg.norm(direction)
        return correction if small else None

    def _relaxed(self, state: State, damping: float) -> State:
        """Return the state with the damping after an accepted step."""
        if self.spec.adaptive:
            damping = max(damping / 3, min(_LEAST_DAMPING, self.spec.damping))
        return {**state, "damping": np.array(damping), "growth": np.array(2.0)}


def choose(size: int, rows: int) -> Literal["normal", "kernel", "cg"]:
    """Return the solver with the smaller matrix; `cg` if even that is too large."""
    if min(size, rows) > 12_000:
        return "cg"
    return "normal" if size <= rows else "kernel"


@register("optimizer")
class GaussNewton(OptimizerSpec):
    """Gauss-Newton with Levenberg-Marquardt damping, in double precision.

    `solver`: `normal` (Cholesky of J^T J, P parameters), `kernel` (of J J^T, N rows), `cg`
    (conjugate gradients with a Nystrom preconditioner), or `auto`: the smaller matrix, or `cg`
    if both have more than 12,000 rows.
    """

    needs: ClassVar[Needs] = Needs(
        least_squares=True,
        float64=True,
        whole="the Jacobian of its rows has a column for every parameter",
    )

    name: Literal["gauss_newton"] = "gauss_newton"
    solver: Literal["auto", "normal", "kernel", "cg"] = "auto"
    damping: float = Field(1e-3, gt=0, description="lambda at the start")
    adaptive: bool = Field(True, description="adapt lambda to the success of each step")
    line_search: bool = Field(False, description="take the best of the step lengths 2^0 ... 2^-30")
    acceleration: bool = Field(True, description="with adaptive damping: geodesic acceleration")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum mu of SPRING")
    iterations: int = Field(100, ge=1, description="largest number of iterations of cg")
    tolerance: float = Field(1e-6, gt=0, lt=1, description="relative residual at which cg stops")
    rank: int = Field(50, ge=0, description="rank of cg's preconditioner; 0: none")
    precision_checked: bool = Field(True, description="false: allow float32")

    @model_validator(mode="after")
    def _some_globalization(self) -> GaussNewton:
        if not self.adaptive and not self.line_search:
            message = "a fixed damping without a line search cannot keep the loss from rising"
            raise ConfigError(message, ("adaptive",), "adaptive: true or line_search: true")
        return self

    def build(self, group: Group) -> GaussNewtonMethod:
        """Return the optimizer."""
        return GaussNewtonMethod(self)

    @property
    def keeps_memory(self) -> bool:
        return self.solver != "cg"

    def bytes_needed(self, size: int, rows: int, ranks: int) -> float:
        """Return the bytes that a process needs for its matrices."""
        solver = choose(size, rows) if self.solver == "auto" else self.solver
        side = {"normal": size, "kernel": rows, "cg": 0}[solver]
        return 8.0 * (3 * side**2 + size * self.rank * (solver == "cg"))
