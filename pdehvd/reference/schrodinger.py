"""The cubic Schroedinger equation from 2 / cosh x on a periodic interval."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal

import numpy as np

from pdehvd.reference.base import (
    Number,
    Reference,
    ReferenceSpec,
    check_times,
    columns,
    positive,
)
from pdehvd.reference.cache import cached
from pdehvd.reference.spectral import DenseSeries, chebyshev, grid, march, to_modes, to_values
from pdehvd.spec import register

MODES = 512
NODES = 128
SEGMENT = 0.1


def wave_numbers(half_length: float) -> np.ndarray:
    """Return pi k / half_length, k = 0..MODES."""
    return np.pi / half_length * np.arange(MODES + 1)


def solve(half_length: float, end: float) -> dict[str, np.ndarray]:
    """Return exp(i k^2 t / 2) times the modes of h at Chebyshev times.

    h_t = i (h_xx / 2 + |h|^2 h): that factor takes out the fast turning of the high modes.
    """
    x = grid(MODES, half_length)
    rates = wave_numbers(half_length) ** 2 / 2
    edges = np.linspace(0.0, end, 1 + int(np.ceil(end / SEGMENT)))

    def nonlinear(modes: np.ndarray, _: float) -> np.ndarray:
        h = to_values(modes)
        return 1j * to_modes(np.abs(h) ** 2 * h)

    start = to_modes((2 / np.cosh(x)).astype(np.complex128))
    modes = march(start, -1j * rates, nonlinear, edges, NODES, 2e-4)
    times = np.stack([chebyshev(NODES, *segment) for segment in pairwise(edges)])
    return {"edges": edges, "modes": modes * np.exp(1j * rates * times[..., None])}


class SchrodingerReference(Reference):
    """h = u + i v at points of a problem with coordinates x and t."""

    def __init__(
        self, places: list[int], half_length: float, end: float, unknowns: Mapping[str, float]
    ) -> None:
        super().__init__(("u", "v"), unknowns)
        self.places = places
        self.end = end
        definition = {"half_length": half_length, "end": end, "shape": [MODES, NODES, SEGMENT]}
        arrays = cached("schrodinger", definition, lambda: solve(half_length, end))
        rates = wave_numbers(half_length) ** 2 / 2
        self.series = DenseSeries(arrays["edges"], arrays["modes"], half_length, rates)

    def evaluate(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return u and v [N] at points [N, 2]; continued periodically in x."""
        x, t = points[:, self.places[0]], points[:, self.places[1]]
        check_times("schrodinger", t, self.end)
        h = self.series(x, np.clip(t, 0.0, self.end))
        folded = np.mod(x + self.series.length, 2 * self.series.length) - self.series.length
        h = np.where(t == 0, 2 / np.cosh(folded), h)
        return {"u": h.real, "v": h.imag}


@register("reference")
class Schrodinger(ReferenceSpec):
    """i h_t + h_xx / 2 + |h|^2 h = 0, h = u + i v, from 2 / cosh x, periodic on [-L, L].

    Cosine pseudo-spectral in x, ETDRK4 in t. The continuation of 2 / cosh x has a corner at x = L
    (a jump of the slope of 0.054 for L = 5) that this equation never smooths: h_xx exists in the
    sense of distributions only, and the values near corners are accurate to about 1e-5.
    """

    name: Literal["schrodinger"] = "schrodinger"
    half_length: Number = 5.0
    end: Number = "pi/2"

    def build(
        self,
        coordinates: tuple[str, ...],
        fields: tuple[str, ...],
        constants: Mapping[str, float],
    ) -> SchrodingerReference:
        """Return the reference for the coordinates x, t and the fields u, v."""
        unknowns = self.values(constants)
        known = {**constants, **unknowns}
        places = columns(self.name, "coordinate", coordinates, ("x", "t"))
        columns(self.name, "field", fields, ("u", "v"))
        half_length = positive(self.half_length, known, "half_length")
        return SchrodingerReference(places, half_length, positive(self.end, known, "end"), unknowns)
