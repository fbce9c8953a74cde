"""Even periodic functions as cosine series, advanced in time exponentially and stored densely."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

import numpy as np
from scipy.fft import dct

Nonlinear = Callable[[np.ndarray, float], np.ndarray]
_NODES_PER_CHUNK = 2_000_000


def grid(modes: int, length: float) -> np.ndarray:
    """Return the points j length / modes, j = 0..modes, at which a cosine series is collocated."""
    return length * np.arange(modes + 1) / modes


def to_modes(values: np.ndarray) -> np.ndarray:
    """Return c [K + 1] with values_j = sum_k c_k cos(pi j k / K) on the grid."""
    modes = dct(values, type=1) / (len(values) - 1)
    modes[0] /= 2
    modes[-1] /= 2
    result: np.ndarray = modes
    return result


def to_values(modes: np.ndarray) -> np.ndarray:
    """Return the values of a cosine series on the grid, the inverse of `to_modes`."""
    weighted = modes / 2
    weighted[0] *= 2
    weighted[-1] *= 2
    values: np.ndarray = dct(weighted, type=1)
    return values


def chebyshev(count: int, start: float, stop: float) -> np.ndarray:
    """Return the Chebyshev points of the second kind on an interval, ascending."""
    s = -np.cos(np.pi * np.arange(count) / (count - 1))
    nodes = start + (stop - start) * (1 + s) / 2
    nodes[0], nodes[-1] = start, stop
    return nodes


def interpolation(nodes: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return the matrix [N, n] that interpolates values at Chebyshev points to times t [N].

    The barycentric formula of the second kind. Source: Berrut, Trefethen, SIAM Rev. 46 (2004).
    """
    weights = (-1.0) ** np.arange(len(nodes))
    weights[[0, -1]] /= 2
    distance = t[:, None] - nodes
    exact = distance == 0
    quotient = weights / np.where(exact, 1.0, distance)
    matrix = quotient / quotient.sum(axis=1, keepdims=True)
    rows = exact.any(axis=1)
    matrix[rows] = exact[rows]
    values: np.ndarray = matrix
    return values


def _coefficients(linear: np.ndarray, h: float) -> tuple[np.ndarray, ...]:
    """Return the weights of an ETDRK4 step by means over a circle around each h L."""
    circle = np.exp(2j * np.pi * (np.arange(32) + 0.5) / 32)
    z = h * linear[:, None] + circle
    e = np.exp(z)
    means = (
        (np.exp(z / 2) - 1) / z,
        (-4 - z + e * (4 - 3 * z + z**2)) / z**3,
        (2 + z + e * (z - 2)) / z**3,
        (-4 - 3 * z - z**2 + e * (4 - z)) / z**3,
    )
    weights = [h * mean.mean(axis=1) for mean in means]
    if np.isrealobj(linear):
        weights = [weight.real for weight in weights]
    return (np.exp(h * linear), np.exp(h * linear / 2), *weights)


def advance(
    modes: np.ndarray,
    linear: np.ndarray,
    nonlinear: Nonlinear,
    times: Sequence[float] | np.ndarray,
    largest_step: float,
) -> Iterator[np.ndarray]:
    """Yield c at `times` for dc/dt = L c + N(c, t), c(times[0]) = modes, by ETDRK4.

    linear [K + 1] is the diagonal L; steps are equal between two times and at most `largest_step`.
    Source: Cox, Matthews, J. Comput. Phys. 176 (2002); Kassam, Trefethen, SISC 26 (2005).
    """
    yield modes
    for start, stop in pairwise(times):
        count = int(np.ceil((stop - start) / largest_step))
        h = (stop - start) / count
        full, half, inner, first, middle, last = _coefficients(linear, h)
        for step in range(count):
            t = start + step * h
            n0 = nonlinear(modes, t)
            a = half * modes + inner * n0
            na = nonlinear(a, t + h / 2)
            nb = nonlinear(half * modes + inner * na, t + h / 2)
            nc = nonlinear(half * a + inner * (2 * nb - n0), t + h)
            modes = full * modes + first * n0 + 2 * middle * (na + nb) + last * nc
        yield modes


class DenseSeries:
    """A cosine series whose modes are known at Chebyshev times of consecutive segments.

    edges [S + 1], modes [S, n, K + 1] (real or complex), half period `length`. With `rates`
    [K + 1], the stored modes are exp(i rate t) times the true ones: what is left turns slowly.
    """

    def __init__(
        self,
        edges: np.ndarray,
        modes: np.ndarray,
        length: float,
        rates: np.ndarray | None = None,
    ) -> None:
        self.edges = edges
        self.modes = modes
        self.length = length
        self.rates = rates

    def __call__(self, x: np.ndarray, t: np.ndarray) -> np.ndarray:
        """Return the values [N] at x, t [N], t inside the edges."""
        result = np.zeros(len(x), dtype=self.modes.dtype)
        inside = np.clip(np.searchsorted(self.edges, t, side="right") - 1, 0, len(self.modes) - 1)
        for segment, modes in enumerate(self.modes):
            rows = np.flatnonzero(inside == segment)
            if not rows.size:
                continue
            used = np.flatnonzero(np.abs(modes).max(axis=0) > 1e-16)
            kept = modes[:, : used[-1] + 1] if used.size else modes[:, :1]
            nodes = chebyshev(len(modes), self.edges[segment], self.edges[segment + 1])
            k = np.arange(kept.shape[1])
            for part in np.array_split(rows, 1 + rows.size * kept.shape[1] // _NODES_PER_CHUNK):
                # Points of a grid share times and places.
                times, of_time = np.unique(t[part], return_inverse=True)
                places, of_place = np.unique(x[part], return_inverse=True)
                values = interpolation(nodes, times) @ kept
                if self.rates is not None:
                    values = values * np.exp(-1j * self.rates[k] * times[:, None])
                cosines = np.cos(np.pi / self.length * places[:, None] * k)
                result[part] = np.einsum("nk,nk->n", values[of_time], cosines[of_place])
        return result


def march(
    modes: np.ndarray,
    linear: np.ndarray,
    nonlinear: Nonlinear,
    edges: np.ndarray,
    nodes: int,
    largest_step: float,
) -> np.ndarray:
    """Return the modes [S, n, K + 1] at the Chebyshev times of each segment between `edges`."""
    segments = []
    for start, stop in pairwise(edges):
        times = chebyshev(nodes, start, stop)
        segments.append(np.stack(list(advance(modes, linear, nonlinear, times, largest_step))))
        modes = segments[-1][-1]
    return np.stack(segments)
