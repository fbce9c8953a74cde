"""Conjugate gradients for (A + lambda I) x = b with a symmetric positive A."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import linalg

Product = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Nystrom:
    """A ~ U diag(d) U^T of rank r, U [M, r] with orthonormal columns, d [r] falling.

    As a preconditioner: P^-1 x = U ((d_r + lambda) / (d + lambda) - 1) U^T x + x (Frangella, Tropp,
    Udell, SIAM Journal on Matrix Analysis 44 (2023) 718, equation 5.3).
    """

    vectors: np.ndarray
    values: np.ndarray

    @classmethod
    def sketch(cls, products: Product, size: int, rank: int, seed: int) -> Nystrom | None:
        """Return the approximation from A times random vectors (ibid., algorithm 2.1).

        `products` returns A x for all of the vectors x [r, M] at once. None where A is zero, or
        not positive in its precision.
        """
        random = np.random.default_rng(seed)
        probes, _ = np.linalg.qr(random.standard_normal((size, min(rank, size))))
        image = products(np.ascontiguousarray(probes.T)).T
        shift = np.sqrt(size) * np.finfo(image.dtype).eps * np.linalg.norm(image)
        image = image + shift * probes
        core = probes.T @ image
        try:
            triangle = linalg.cholesky((core + core.T) / 2, lower=False)
            root = linalg.solve_triangular(triangle, image.T, trans="T").T
            vectors, singular, _ = np.linalg.svd(root, full_matrices=False)
        except ValueError:
            return None
        return cls(vectors, np.maximum(np.square(singular) - shift, 0))

    def apply(self, right: np.ndarray, damping: float) -> np.ndarray:
        """Return P^-1 x [M]."""
        shrink = (self.values[-1] + damping) / (self.values + damping) - 1
        result: np.ndarray = right + self.vectors @ (shrink * (self.vectors.T @ right))
        return result


class Solved(NamedTuple):
    """An approximate solution [M], the iterations done, and |b - A x| / |b|."""

    solution: np.ndarray
    iterations: int
    residual: float


def conjugate_gradients(
    product: Product, right: np.ndarray, precondition: Product, iterations: int, tolerance: float
) -> Solved:
    """Return x with A x ~ b, one product an iteration (Hestenes and Stiefel 1952)."""
    solution = np.zeros_like(right)
    residual, size = right.copy(), float(np.linalg.norm(right))
    direction = preconditioned = precondition(residual)
    energy, done = float(residual @ preconditioned), 0
    while done < iterations and float(np.linalg.norm(residual)) > tolerance * size:
        image = product(direction)
        curvature = float(direction @ image)
        if not (curvature > 0 and energy > 0):
            break
        solution += energy / curvature * direction
        # A new array: without a preconditioner the old one is also the direction.
        residual = residual - energy / curvature * image
        preconditioned = precondition(residual)
        energy, before = float(residual @ preconditioned), energy
        direction = preconditioned + energy / before * direction
        done += 1
    left = float(np.linalg.norm(residual)) / size if size else 0.0
    return Solved(solution, done, left)
