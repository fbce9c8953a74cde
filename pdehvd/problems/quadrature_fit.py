"""Rules with few nodes: the moments of many, or of a polyhedron, on some nodes inside.

All sums are taken in an order that does not depend on the number of threads, so that every process
has the same bits: BLAS and LAPACK would share long sums among threads.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.polynomial.legendre import legvander

from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.problems.quadrature_plane import Rule, gauss

DEGREES = {2: 30, 3: 18}
_SPARE = 2.5  # nodes for each moment: weights are then nearly all positive
_DENSITY_DEGREE = 3
_CHUNK = 20_000
_FINE_MESH = 20_000
_BLOCK = 128  # rows of a product that one thread takes


@dataclass(frozen=True, eq=False)
class Polynomials:
    """Products of Legendre polynomials on a box [k, 2], of total degree up to `degree`."""

    bounds: np.ndarray
    degree: int

    @cached_property
    def _powers(self) -> np.ndarray:
        every = np.indices([self.degree + 1] * len(self.bounds)).reshape(len(self.bounds), -1)
        return every[:, every.sum(axis=0) <= self.degree]

    @property
    def count(self) -> int:
        """Return the number B of polynomials."""
        result: int = self._powers.shape[1]
        return result

    def factors(self, x: np.ndarray, degree: int) -> list[np.ndarray]:
        """Return for each axis the polynomials of one variable [N, degree + 1]."""
        low, high = self.bounds.T
        scaled = (2.0 * x - low - high) / (high - low)
        norms = np.sqrt(2.0 * np.arange(degree + 1) + 1.0)
        return [legvander(column, degree) * norms for column in scaled.T]

    def values(self, x: np.ndarray) -> np.ndarray:
        """Return the polynomials [N, B] at points [N, k]."""
        result = np.ones((len(x), self.count))
        for factor, power in zip(self.factors(x, self.degree), self._powers, strict=True):
            result *= factor[:, power]
        return result

    def moments(self, rule: Rule) -> np.ndarray:
        """Return the integrals [B]."""
        total = np.zeros([self.degree + 1] * len(self.bounds))
        for start in range(0, len(rule.weights), _CHUNK):
            part = slice(start, start + _CHUNK)
            total += _products(self.factors(rule.nodes[part], self.degree), rule.weights[part])
        return np.asarray(total[tuple(self._powers)])

    def moments_inside(self, corners: np.ndarray) -> np.ndarray:
        """Return the integrals [B] over the body within triangles [T, 3, 3], by Gauss's theorem."""
        order = self.degree // 2 + 2 if len(corners) <= _FINE_MESH else 5
        total = np.zeros([self.degree + 1] * 3)
        size = max(_CHUNK // order**2, 1)
        for start in range(0, len(corners), size):
            rule = _on_triangles(corners[start : start + size], order)
            first, *others = self.factors(rule.nodes, self.degree + 1)
            total += _products(
                [self._integrated(first), *(factor[:, :-1] for factor in others)], rule.weights
            )
        return np.asarray(total[tuple(self._powers)])

    def _integrated(self, factor: np.ndarray) -> np.ndarray:
        """Return antiderivatives [N, degree + 1]: that of P_k is (P_k+1 - P_k-1) / (2 k + 1)."""
        norms = np.sqrt(2.0 * np.arange(factor.shape[1]) + 1.0)
        plain = factor / norms
        before = np.concatenate([np.zeros((len(plain), 1)), plain[:, :-2]], axis=1)
        scale = float(np.ptp(self.bounds[0])) / 2
        values: np.ndarray = scale * (plain[:, 1:] - before) / norms[:-1]
        return values


def _products(factors: list[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Return sum_n w_n f_i(n) g_j(n) ... for all i, j, ..."""
    if len(factors) == 2:
        return _inner(factors[0] * weights[:, None], factors[1])
    last = factors[-1].T
    return np.stack([_products(factors[:-1], weights * column) for column in last], axis=-1)


def _inner(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return first^T second [I, J] of [N, I] and [N, J], by blocks of rows."""
    rows = len(first) // _BLOCK * _BLOCK
    blocks = [part[:rows].reshape(-1, _BLOCK, part.shape[1]) for part in (first, second)]
    whole = (blocks[0].transpose(0, 2, 1) @ blocks[1]).sum(axis=0)
    return np.asarray(whole + np.einsum("ni,nj->ij", first[rows:], second[rows:]))


def _on_triangles(corners: np.ndarray, order: int) -> Rule:
    """Return nodes on triangles, their weights times the first component of the normal."""
    s, ds = gauss(order)
    a, b = np.meshgrid(s, s, indexing="ij")
    weights = np.multiply.outer(ds * s, ds).ravel()
    inner = np.stack([(a * (1.0 - b)).ravel(), (a * b).ravel()], axis=1)
    sides = corners[:, 1:] - corners[:, :1]
    nodes = corners[:, :1] + np.einsum("qs,tsd->tqd", inner, sides)
    normal = np.cross(sides[:, 0], sides[:, 1])[:, 0]
    return Rule(nodes.reshape(-1, 3), np.multiply.outer(normal, weights).ravel())


def fit_rule(polynomials: Polynomials, moments: np.ndarray, candidates: Rule) -> Rule:
    """Return a rule on some of the candidates that has the given moments.

    More nodes are taken where polynomials can grow, near the boundary, which keeps weights
    positive; the weights are those nearest to the candidates' (Cohen and Migliorati 2017,
    doi 10.5802/smai-jcm.24, on such densities).
    """
    mass = candidates.weights * _growth(polynomials.bounds, candidates)
    mass /= mass.sum()
    count = int(_SPARE * polynomials.count)
    places = np.searchsorted(np.cumsum(mass), (np.arange(count) + 0.5) / count)
    chosen, times = np.unique(np.minimum(places, len(mass) - 1), return_counts=True)
    nodes = candidates.nodes[chosen]
    weights = candidates.weights[chosen] / mass[chosen] * times
    weights *= candidates.weights.sum() / weights.sum()
    return Rule(nodes, _corrected(weights, polynomials.values(nodes), moments))


def _corrected(weights: np.ndarray, values: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """Return the weights with values^T weights = moments that are nearest to the given ones."""
    tf = import_tensorflow()  # late: only solids need it
    root = np.sqrt(weights)
    q, r = (part.numpy() for part in tf.linalg.qr(values * root[:, None]))
    for _ in range(3):  # the later ones correct the rounding of the first
        rest = moments - np.einsum("nb,n->b", values, weights)
        step = tf.linalg.triangular_solve(r, rest[:, None], lower=False, adjoint=True).numpy()
        weights = weights + root * np.einsum("nb,b->n", q, step[:, 0])
    return np.asarray(weights)


def _growth(bounds: np.ndarray, candidates: Rule) -> np.ndarray:
    """Return the largest square that a polynomial of unit mean square can have at each node."""
    low = Polynomials(bounds, _DENSITY_DEGREE)
    values = low.values(candidates.nodes)
    gram = _inner(values * candidates.weights[:, None], values) / candidates.weights.sum()
    back = np.linalg.inv(np.linalg.cholesky(gram)).T
    return np.asarray((np.einsum("ni,ij->nj", values, back) ** 2).sum(axis=1))
