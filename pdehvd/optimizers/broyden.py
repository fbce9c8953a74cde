"""Broyden's class of dense quasi-Newton methods, with and without scaling of the matrix."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

import numpy as np

from pdehvd.comm.group import Group
from pdehvd.models.parametrized import Layout
from pdehvd.numerics.divided import Arrays, Stored
from pdehvd.numerics.linalg import SymmetricMatrix
from pdehvd.numerics.vectors import Vectors
from pdehvd.optimizers.base import State
from pdehvd.optimizers.descent import Move, QuasiNewton
from pdehvd.optimizers.line_search import first_length

# Ratios beyond this come from rounding, or from numbers at the end of their range.
_LEAST = 1e-50
# How the names of the matrix's arrays begin in a checkpoint.
_PREFIX = "inverse_"

Rule = Callable[[float, float, int], tuple[float, float]]
"""From b = s^T H^-1 s / s^T y, h = y^T H y / s^T y and P to tau and phi."""


def bfgs(b: float, h: float, size: int) -> tuple[float, float]:
    """Return tau, phi of BFGS (Nocedal and Wright, Numerical Optimization, equation 6.17)."""
    return 1.0, 1.0


def ssbfgs(b: float, h: float, size: int) -> tuple[float, float]:
    """Return tau, phi of self-scaled BFGS (Urban, Stefanou, Pons, arXiv 2405.04230, eq. 11)."""
    return min(1.0, 1 / b), 1.0


def ssbroyden(b: float, h: float, size: int) -> tuple[float, float]:
    """Return tau, phi of SSBroyden2 (Urban, Stefanou, Pons, arXiv 2405.04230, eq. 13-23).

    a = b h - 1, c = sqrt(a / (1 + a)), r = min(1, h (1 - c)),
    theta = max((r - 1) / a, min(1 / r, (1 - b) / b)), sigma = 1 + theta a,
    phi = (1 - theta) / sigma, t = min(1, 1/b) sigma^(1 / (1 - P)),
    tau = min(t, min(1, 1/b) / theta) if theta > 0 else min(t, sigma)
    """
    # b h >= 1 but for rounding; h (1 - c) = 1 / (b (1 + c)), which does not cancel.
    a = max(b * h - 1, sys.float_info.epsilon)
    r = min(1.0, 1 / (b * (1 + math.sqrt(a / (1 + a)))))
    theta = max((r - 1) / a, min(1 / r, (1 - b) / b))
    sigma = 1 + theta * a
    shrink = min(1.0, 1 / b)
    tau = shrink * sigma ** (1 / (1 - size)) if size > 1 else shrink
    tau = min(tau, shrink / theta if theta > 0 else sigma)
    return tau, (1 - theta) / sigma


class BroydenClass(QuasiNewton):
    """H <- (H - H y y^T H / e + phi e v v^T) / tau + rho s s^T with H [P, P].

    rho = 1 / s^T y, e = y^T H y, v = rho s - H y / e; H = (s^T y / y^T y) I before its first
    update, which is that of BFGS. One product with H a step: H g is known from the direction, so
    H times the next gradient gives H y, and the corrected product follows without H. H is of the
    whole theta also where that lies in pieces: it is given whole vectors.
    """

    def __init__(self, rule: Rule, group: Group) -> None:
        self._rule = rule
        self._group = group

    def initial(self, theta: np.ndarray) -> State:
        """Return H = I and its product [P] with the last gradient."""
        return {
            "inverse": SymmetricMatrix(len(theta), theta.dtype, self._group),
            "product": np.zeros_like(theta),
        }

    def first_length(self, fall: float, slope: float) -> float:
        """Return the length to try first: scaling makes H so large that 1 is often too long."""
        return 1.0 if self._rule is bfgs else first_length(fall, slope)

    def product(self, state: State, gradient: np.ndarray, vectors: Vectors) -> np.ndarray:
        """Return H g [P]; known from the last step unless the points have changed."""
        if vectors.equal(gradient, state["gradient"]):
            known: np.ndarray = state["product"]
            return known
        whole = vectors.whole(gradient)
        return vectors.own(self._inverse(state, len(whole)) @ whole)

    def _inverse(self, state: State, size: int) -> SymmetricMatrix:
        """Return H; the first one is made again if its size was that of a piece of theta."""
        if state["inverse"].size != size:
            dtype = state["gradient"].dtype
            state["inverse"] = SymmetricMatrix(size, dtype, self._group)
        inverse: SymmetricMatrix = state["inverse"]
        return inverse

    def learn(self, state: State, move: Move) -> State:
        """Return the state with the corrected H and its product with the new gradient."""
        vectors, gradient, updates = move.vectors, move.after, int(state["updates"])
        whole = vectors.whole(gradient)
        inverse = self._inverse(state, len(whole))
        known = vectors.own(inverse @ whole)
        image = known + move.direction
        energy, rule, first = vectors.dot(move.y, image), self._rule, 1.0
        curvature = move.curvature
        if curvature and updates == 0:
            first, rule = curvature / vectors.dot(move.y, move.y), bfgs
            image, energy = first * image, first * energy
        found = _correction(rule, move, curvature, energy, inverse.size)
        if found is None:
            return {**state, "product": known}
        tau, core = found
        inverse.rescale(first)
        columns = np.stack([move.s, image], 1)
        inverse.update(1 / tau, vectors.whole(columns), core)
        product = first * known / tau + columns @ (core @ vectors.products(gradient, columns))
        return {**state, "product": product, "updates": updates + 1}

    def forget(self, state: State) -> State:
        """Return the state with H = I."""
        state["inverse"].reset()
        return state

    def kept(self, state: State) -> Arrays:
        """Return what a checkpoint keeps of the state; every rank has its part."""
        rest = {name: value for name, value in state.items() if name != "inverse"}
        matrix = {f"{_PREFIX}{n}": array for n, array in state["inverse"].kept().items()}
        return {**super().kept(rest), **matrix}

    def restored(self, stored: Stored, layout: Layout) -> State:
        """Return this rank's state from what `kept` has returned, maybe on other ranks."""
        rest = {name: stored.whole(name) for name in stored.names if not name.startswith(_PREFIX)}
        return rest | {"inverse": SymmetricMatrix.restored(stored.below(_PREFIX), self._group)}


def _correction(
    rule: Rule, move: Move, curvature: float, energy: float, size: int
) -> tuple[float, np.ndarray] | None:
    """Return tau and M of H <- H / tau + [s, H y] M [s, H y]^T; None where no numbers hold them."""
    if not (curvature > 0 and 0 < energy < math.inf):
        return None
    b, h = -move.length * move.vectors.dot(move.s, move.before) / curvature, energy / curvature
    # Both are at least 0, and their product is at least 1, but for rounding.
    if not (_LEAST < b < 1 / _LEAST and _LEAST < h < 1 / _LEAST):
        return None
    tau, phi = rule(b, h, size)
    cross = -phi / (curvature * tau)
    core = np.array(
        [[(phi * h / tau + 1) / curvature, cross], [cross, (phi - 1) / (energy * tau)]],
        move.s.dtype,
    )
    return (tau, core) if np.all(np.isfinite(core)) else None
