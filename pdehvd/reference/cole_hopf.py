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


def cole_hopf(x: np.ndarray, t: np.ndarray, nu: float) -> np.ndarray:
    """Solve u_t + u u_x = nu u_xx, u(x, 0) = -sin(pi x), u(-1, t) = u(1, t) = 0.

    u = -int sin(pi (x - y)) w dy / int w dy,  log w = -cos(pi (x - y)) / (2 pi nu) - y^2 / (4 nu t)

    x, t [N] with t >= 0; returns [N], accurate to 1e-12. With y = 2 sqrt(nu t) s the trapezoidal
    rule converges faster than any power because the integrand is entire; its step resolves the
    narrowest peak that w can have, and its reach leaves out less than exp(-40) of the integral.
    The largest log w is subtracted before exponentiating, so no nu overflows.
    Source: Cole, Quart. Appl. Math. 9 (1951); Basdevant et al., Comput. Fluids 14 (1986).
    """
    result = -np.sin(np.pi * x)
    later = np.flatnonzero(t > 0)
    if not later.size:
        return result
    latest = float(t[later].max())
    reach = np.sqrt(1 / (np.pi * nu) + 40)
    step = min(0.3 / np.sqrt(2 + 2 * np.pi * latest), 0.05 / np.sqrt(nu * latest))
    s = step * np.arange(-np.ceil(reach / step), np.ceil(reach / step) + 1)
    for rows in np.array_split(later, 1 + later.size * s.size // 1_000_000):
        angle = np.pi * (x[rows, None] - 2 * np.sqrt(nu * t[rows, None]) * s)
        exponent = -np.cos(angle) / (2 * np.pi * nu) - s**2
        weight = np.exp(exponent - exponent.max(axis=1, keepdims=True))
        result[rows] = -(np.sin(angle) * weight).sum(axis=1) / weight.sum(axis=1)
    return result


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
