"""The step of quasi-Newton methods: a direction -H g, a line search, an update of H."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from functools import partial

import numpy as np

from pdehvd.numerics.vectors import Vectors
from pdehvd.objectives.protocols import GradientAt, Point
from pdehvd.optimizers.base import Facts, HostOptimizer, State, stalled
from pdehvd.optimizers.line_search import Trial, line_search


@dataclass(frozen=True)
class Move:
    """What one step has shown: s and y [P], its length a along d = -H g, g before and after it."""

    s: np.ndarray
    y: np.ndarray
    length: float
    direction: np.ndarray
    before: np.ndarray
    after: np.ndarray
    vectors: Vectors

    @property
    def curvature(self) -> float:
        """s . y, or 0 where rounding decides about it, or y . y is out of the range of numbers."""
        value, square = self.vectors.dot(self.s, self.y), self.vectors.dot(self.y, self.y)
        sizes = self.vectors.norm(self.s) * math.sqrt(square)
        limits = np.finfo(self.s.dtype)
        known = float(limits.eps) * sizes < value < math.inf
        return value if known and float(limits.tiny) < square < math.inf else 0.0


class QuasiNewton(HostOptimizer[GradientAt]):
    """theta <- theta - a H g with H close to the inverse Hessian, a from a strong Wolfe search.

    s = change of theta and y = change of g come from one set of points, so H is carried over when
    the points change. A step that finds no descent forgets H and tries the gradient; where that
    finds none either, the method has stalled.
    """

    facts = ("step_length", "gradient_norm", "evaluations", "restarts")

    def init(self, theta: np.ndarray) -> State:
        """Return the state before the first step, H the identity."""
        zeros = np.zeros_like(theta)
        common = {"updates": 0, "restarts": 0, "fall": 0.0, "gradient": zeros}
        return common | self.initial(theta)

    @abstractmethod
    def initial(self, theta: np.ndarray) -> State:
        """Return the method's own state for H = I."""

    @abstractmethod
    def product(self, state: State, gradient: np.ndarray, vectors: Vectors) -> np.ndarray:
        """Return H g [P]; what the state says of H stays as it is."""

    @abstractmethod
    def learn(self, state: State, move: Move) -> State:
        """Return the state with an H that has H y = s, or as it was where s . y is too small."""

    @abstractmethod
    def forget(self, state: State) -> State:
        """Return the state with H = I."""

    def first_length(self, fall: float, slope: float) -> float:
        """Return the length to try first, from the last step's fall of the loss and the slope."""
        return 1.0

    def step(
        self, objective: GradientAt, theta: np.ndarray, state: State
    ) -> tuple[np.ndarray, State, Point, Facts]:
        """Return the next theta and state; raises `StalledError` where nothing helps."""
        vectors, before = objective.vectors, objective.evaluations
        start = objective.evaluate(theta)
        if not math.isfinite(start.loss):
            return theta, state, start, self._facts(state, 0.0, start, objective, before)
        gradient, fresh = start.gradient, not state["updates"]
        # Before H knows a length, a step is as long as the gradient, and no longer than 1.
        short = 1 / max(1.0, vectors.norm(gradient))
        direction = -self.product(state, gradient, vectors)
        known = vectors.equal(gradient, state["gradient"])
        fall = float(state["fall"]) if known else 0.0
        first = self.first_length(fall, vectors.dot(gradient, direction))
        search = partial(line_search, objective.evaluate, theta, start=start, vectors=vectors)
        found = search(direction, first=short if fresh else first)
        if found is None and not fresh:
            direction = -gradient
            found = search(direction, first=short)
            if found is not None:
                restarts = int(state["restarts"]) + 1
                state = {**self.forget(state), "updates": 0, "restarts": restarts}
        if found is None:
            finding = "no step along the gradient lowers the loss"
            raise stalled(finding, start.loss, gradient, vectors)
        state = self.learn(state, _move(theta, direction, gradient, found, vectors))
        state |= {"fall": start.loss - found.loss, "gradient": found.point.gradient}
        facts = self._facts(state, found.length, found.point, objective, before)
        return found.theta, state, found.point, facts

    def _facts(
        self, state: State, length: float, at: Point, objective: GradientAt, before: int
    ) -> Facts:
        return {
            "step_length": length,
            "gradient_norm": objective.vectors.norm(at.gradient),
            "evaluations": float(objective.evaluations - before),
            "restarts": float(state["restarts"]),
        }


def _move(
    theta: np.ndarray,
    direction: np.ndarray,
    before: np.ndarray,
    found: Trial,
    vectors: Vectors,
) -> Move:
    """Return what a step has shown; s as it was after rounding, for y belongs to that."""
    after = found.point.gradient
    s, y = found.theta - theta, after - before
    return Move(s, y, found.length, direction, before, after, vectors)
