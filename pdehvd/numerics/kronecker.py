"""Curvature of layers as sums of Kronecker products, solved layer by layer, divided over ranks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import linalg

from pdehvd.comm.group import Group


class Pair(NamedTuple):
    """One Kronecker product A (x) B: A [W_in + 1, W_in + 1] of inputs, B [W_out, W_out]."""

    inputs: np.ndarray
    signals: np.ndarray


def solve_kronecker(pairs: Sequence[Pair], right: np.ndarray, damping: float) -> np.ndarray:
    """Return V with sum_k A_k V B_k = G [W_in + 1, W_out] for one or two products, each damped.

    A_k and B_k get lambda I. Two products: with A_1 U = A_2 U diag(a), U^T A_2 U = I and likewise
    W, b for B, V = U ((U^T G W)_ij / (a_i b_j + 1)) W^T (Martens and Grosse, arXiv 1503.05671,
    appendix B). NaN where rounding, or the range of numbers, leaves a factor without an inverse.
    """
    try:
        return _solved(pairs, right, damping)
    except ValueError:
        # Other ranks wait for a solution, and all see what it is.
        return np.full_like(right, np.nan)


def _solved(pairs: Sequence[Pair], right: np.ndarray, damping: float) -> np.ndarray:
    damped = [
        Pair(*(factor + damping * np.eye(len(factor), dtype=factor.dtype) for factor in pair))
        for pair in pairs
    ]
    if len(damped) == 1:
        inner = linalg.cho_solve(linalg.cho_factor(damped[0].inputs), right)
        result: np.ndarray = linalg.cho_solve(linalg.cho_factor(damped[0].signals), inner.T).T
        return result
    first, second = damped
    values_in, left = linalg.eigh(first.inputs, second.inputs)
    values_out, across = linalg.eigh(first.signals, second.signals)
    inner = (left.T @ right @ across) / (np.outer(values_in, values_out) + 1)
    result = left @ inner @ across.T
    return result


def solve_layers(
    group: Group,
    layers: Sequence[Sequence[Pair]],
    right: Sequence[np.ndarray],
    damping: float,
) -> list[np.ndarray]:
    """Return the solutions of all layers; every rank solves some of them, one collective.

    Layers go to ranks by falling cost, each to the rank with the least work so far (the scheme of
    KAISA, Pauloski et al., arXiv 2107.01739, with one worker for a gradient).
    """
    owners = assign_work(
        [sum(sum(len(f) ** 3 for f in pair) for pair in pairs) for pairs in layers], group.size
    )
    parts = [
        solve_kronecker(pairs, g, damping) if owner == group.rank else np.zeros_like(g)
        for pairs, g, owner in zip(layers, right, owners, strict=True)
    ]
    if group.size == 1:
        return parts
    total = group.sum_numpy(np.concatenate([part.reshape(-1) for part in parts]), "layers")
    places = np.cumsum([part.size for part in parts])[:-1]
    return [
        flat.reshape(part.shape) for flat, part in zip(np.split(total, places), parts, strict=True)
    ]


def newest_weight(memory: float, count: int) -> float:
    """Return the weight of the newest of `count` numbers in their exponential average.

    The first average has nothing to remember; later ones know 1 - memory^count of the whole.
    """
    return (1 - memory) / (1 - memory**count)


def assign_work(costs: Sequence[float], ranks: int) -> list[int]:
    """Return the rank of each piece of work: the largest first, to whoever has least."""
    load = np.zeros(ranks)
    owners = [0] * len(costs)
    for index in sorted(range(len(costs)), key=lambda i: -costs[i]):
        owners[index] = int(np.argmin(load))
        load[owners[index]] += costs[index]
    return owners
