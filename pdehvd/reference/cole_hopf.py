"""Burgers' equation from -sin(pi x), by the Cole-Hopf transformation."""

from __future__ import annotations

from collections.abc import Mapping
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
from pdehvd.spec import register

# Exponents so far below the largest add nothing; intervals of s at first; points at a time.
_LOST, _FIRST, _ROWS = 40.0, 64, 10_000


def cole_hopf(x: np.ndarray, t: np.ndarray, nu: float) -> np.ndarray:
    """Solve u_t + u u_x = nu u_xx, u(x, 0) = -sin(pi x), u(-1, t) = u(1, t) = 0.

    u = -int sin(pi (x - y)) w dy / int w dy,  log w = -cos(pi (x - y)) / (2 pi nu) - y^2 / (4 nu t)

    x, t [N] with t >= 0; returns [N], accurate to 1e-12. With y = 2 sqrt(nu t) s the midpoint rule
    converges faster than any power because the integrand is entire; its step resolves the
    narrowest peak that w can have. What is below exp(-40) of the largest w is left out: intervals
    of s are halved, and kept where log w may reach that, as its second derivative by s is at most
    2 + 2 pi t. So the work grows with the logarithm of 1/nu only.
    Source: Cole, Quart. Appl. Math. 9 (1951); Basdevant et al., Comput. Fluids 14 (1986).
    """
    result = np.where(t > 0, 0.0, -np.sin(np.pi * x))
    # Smaller viscosities give the same numbers, but for rounding; later u is below
    # exp(-pi^2 nu t), which is 0.
    nu = max(nu, 1e-14)
    later = np.flatnonzero((t > 0) & (nu * t < 70))
    for rows in np.array_split(later, 1 + later.size // _ROWS):
        if rows.size:
            result[rows] = _integrated(x[rows], t[rows], nu)
    return result


def _integrated(x: np.ndarray, t: np.ndarray, nu: float) -> np.ndarray:
    """Return the quotient of the integrals at points [n]."""
    latest = float(t.max())
    reach = np.sqrt(1 / (np.pi * nu) + _LOST)
    step = min(0.3 / np.sqrt(2 + 2 * np.pi * latest), 0.05 / np.sqrt(nu * latest))
    half, speed, bend = reach / _FIRST, 2 * np.sqrt(nu * t), 2 + 2 * np.pi * latest
    row = np.repeat(np.arange(len(x)), _FIRST)
    s = np.tile(half * (2 * np.arange(_FIRST) + 1 - _FIRST), len(x))
    while True:
        angle = np.pi * (x[row] - speed[row] * s)
        sine = np.sin(angle)
        exponent = -np.cos(angle) / (2 * np.pi * nu) - s**2
        largest = np.full(len(x), -np.inf)
        np.maximum.at(largest, row, exponent)
        if 2 * half <= step:
            break
        slope = np.abs(speed[row] * sine / (2 * nu) + 2 * s)
        kept = exponent + (slope + bend * half / 2) * half >= largest[row] - _LOST
        half /= 2
        row = np.repeat(row[kept], 2)
        s = np.repeat(s[kept], 2) + np.tile([-half, half], int(kept.sum()))
    weight = np.exp(exponent - largest[row])
    count = len(x)
    added: np.ndarray = np.bincount(row, sine * weight, count)
    return -added / np.bincount(row, weight, count)


class BurgersReference(Reference):
    """`cole_hopf` at points of a problem with coordinates x and t."""

    def __init__(
        self, places: list[int], field: str, nu: float, unknowns: Mapping[str, float]
    ) -> None:
        super().__init__((field,), unknowns)
        self.places = places
        self.nu = nu

    def evaluate(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return u [N] at points [N, 2]."""
        x, t = points[:, self.places[0]], points[:, self.places[1]]
        check_times("burgers_cole_hopf", t)
        return {self.fields[0]: cole_hopf(x, t, self.nu)}


@register("reference")
class BurgersColeHopf(ReferenceSpec):
    """Burgers' equation on [-1, 1] from -sin(pi x), with walls at rest; any viscosity."""

    name: Literal["burgers_cole_hopf"] = "burgers_cole_hopf"
    nu: Number = "nu"

    def build(
        self,
        coordinates: tuple[str, ...],
        fields: tuple[str, ...],
        constants: Mapping[str, float],
    ) -> BurgersReference:
        """Return the reference; `nu` may be any expression of the constants and true unknowns."""
        unknowns = self.values(constants)
        places = columns(self.name, "coordinate", coordinates, ("x", "t"))
        columns(self.name, "field", fields, ("u",))
        nu = positive(self.nu, {**constants, **unknowns}, "nu")
        return BurgersReference(places, "u", nu, unknowns)
