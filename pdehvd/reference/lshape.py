"""Poisson's equation on the L shape, by the method of particular solutions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from pdehvd.reference.base import Reference, ReferenceSpec, columns
from pdehvd.reference.cache import cached
from pdehvd.spec import register

CORNERS = ((0, 0), (0, 1), (-1, 1), (-1, -1), (1, -1), (1, 0))
OUTWARDS = (1 + 1j, -1 + 1j, -1 - 1j, 1 - 1j, 1 + 1j)
ORDER = 40


def _corner_functions(x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    """Harmonic functions at the re-entrant corner, zero on both of its edges but the last.

    r^(2k/3) sin(2k theta / 3), k not a multiple of 3 (those are polynomials), and
    r^2 (log r sin 2 theta + theta cos 2 theta), which the right-hand side excites.
    theta runs from 0 on the edge x = 0 to 3 pi / 2 on the edge y = 0.
    """
    r = np.hypot(x, y)
    theta = np.angle((x + 1j * y) * np.exp(-1.25j * np.pi)) + 0.75 * np.pi
    logarithm = np.log(np.where(r > 0, r, 1.0))
    functions = [r ** (2 * k / 3) * np.sin(2 * k * theta / 3) for k in range(1, ORDER + 1) if k % 3]
    functions.append(r**2 * (logarithm * np.sin(2 * theta) + theta * np.cos(2 * theta)))
    return functions


def _basis(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return harmonic functions at x, y [N] as columns [N, M].

    The functions of the re-entrant corner, z^2 log z at the five others (cut outwards; the only
    singularity that a right angle has here), and polynomials for the smooth rest.
    """
    z = x + 1j * y
    functions = _corner_functions(x, y)
    for corner, outwards in zip(CORNERS[1:], OUTWARDS, strict=True):
        w = z - complex(*corner)
        singular = w**2 * np.log(np.where(w == 0, 1.0, w / -outwards))
        functions += [singular.real, singular.imag]
    power = np.ones_like(z)
    functions.append(power.real)
    for _ in range(ORDER):
        power = power * (z + 0.3 + 0.3j) / 1.5
        functions += [power.real, power.imag]
    return np.stack(functions, axis=1)


def _boundary(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return Chebyshev points on the six edges, dense at the corners."""
    s = (1 - np.cos(np.pi * (np.arange(count) + 0.5) / count)) / 2
    start = np.array(CORNERS, dtype=float)
    step = np.roll(start, -1, axis=0) - start
    points = (start[:, None] + s[:, None] * step[:, None]).reshape(-1, 2)
    return points[:, 0], points[:, 1]


def fit_coefficients() -> dict[str, np.ndarray]:
    """Return the coefficients [M] that make the solution vanish on the boundary.

    By the maximum principle the error inside is at most that on the boundary, about 1e-13.
    """
    x, y = _boundary(200)
    basis = _basis(x, y)
    scale = np.linalg.norm(basis, axis=0)
    coefficients = np.linalg.lstsq(basis / scale, (x**2 + y**2) / 4, rcond=1e-15)[0]
    return {"coefficients": coefficients / scale}


def poisson_lshape(x: np.ndarray, y: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Return u [N] with -(u_xx + u_yy) = 1 on [-1, 1]^2 without [0, 1]^2 and u = 0 around it.

    u = -(x^2 + y^2) / 4 + a sum of harmonic functions.
    Source: Fox, Henrici, Moler, SIAM J. Numer. Anal. 4 (1967); Gopal, Trefethen, PNAS 116 (2019).
    """
    values: np.ndarray = _basis(x, y) @ coefficients - (x**2 + y**2) / 4
    return values


class LShapeReference(Reference):
    """`poisson_lshape` at points of a problem with coordinates x and y."""

    def __init__(self, places: list[int], unknowns: Mapping[str, float]) -> None:
        super().__init__(("u",), unknowns)
        self.places = places
        definition = {"order": ORDER}
        self.coefficients = cached("poisson_lshape", definition, fit_coefficients)["coefficients"]

    def evaluate(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return u [N] at points [N, 2]."""
        x, y = points[:, self.places[0]], points[:, self.places[1]]
        values = poisson_lshape(x, y, self.coefficients)
        return {"u": np.where((x > 1e-9) & (y > 1e-9), np.nan, values)}


@register("reference")
class PoissonLShape(ReferenceSpec):
    """-(u_xx + u_yy) = 1 on [-1, 1]^2 without [0, 1]^2, u = 0 on its boundary."""

    name: Literal["poisson_lshape"] = "poisson_lshape"

    def build(
        self,
        coordinates: tuple[str, ...],
        fields: tuple[str, ...],
        constants: Mapping[str, float],
    ) -> LShapeReference:
        """Return the reference for the coordinates x, y and the field u."""
        places = columns(self.name, "coordinate", coordinates, ("x", "y"))
        columns(self.name, "field", fields, ("u",))
        return LShapeReference(places, self.values(constants))
