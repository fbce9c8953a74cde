"""L-BFGS: the inverse Hessian of BFGS as a product of the last pairs of changes."""

from __future__ import annotations

import numpy as np

from pdehvd.numerics.vectors import Vectors
from pdehvd.optimizers.base import State
from pdehvd.optimizers.descent import Move, QuasiNewton


class LimitedMemory(QuasiNewton):
    """H from the last m pairs s, y [P] on top of (s . y / y . y) I of the newest pair.

    The two-loop recursion of Nocedal and Wright, Numerical Optimization, algorithm 7.4.
    """

    def __init__(self, memory: int) -> None:
        self._memory = memory

    def initial(self, theta: np.ndarray) -> State:
        """Return room for m pairs [m, P] and their s . y [m], in a ring."""
        pairs = (self._memory, len(theta))
        return {
            "s": np.zeros(pairs, theta.dtype),
            "y": np.zeros(pairs, theta.dtype),
            "curvature": np.zeros(self._memory),
        }

    def product(self, state: State, gradient: np.ndarray, vectors: Vectors) -> np.ndarray:
        """Return H g [P]."""
        s, y, updates = state["s"], state["y"], int(state["updates"])
        ages = range(updates - 1, max(updates - self._memory, 0) - 1, -1)
        newest_first = [age % self._memory for age in ages]
        curvature = state["curvature"].tolist()
        product, parts = gradient.copy(), []
        for i in newest_first:
            parts.append(vectors.dot(s[i], product) / curvature[i])
            product -= parts[-1] * y[i]
        if newest_first:
            newest = newest_first[0]
            product *= curvature[newest] / vectors.dot(y[newest], y[newest])
        for i in reversed(newest_first):
            product += (parts.pop() - vectors.dot(y[i], product) / curvature[i]) * s[i]
        values: np.ndarray = product
        return values

    def learn(self, state: State, move: Move) -> State:
        """Return the state with the pair in the place of the oldest one."""
        curvature, updates = move.curvature, int(state["updates"])
        if not curvature:
            return state
        place = updates % self._memory
        state["s"][place], state["y"][place] = move.s, move.y
        state["curvature"][place] = curvature
        return {**state, "updates": updates + 1}

    def forget(self, state: State) -> State:
        """Return the state; without a count of pairs none is read."""
        return state
