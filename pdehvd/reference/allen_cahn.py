"""The Allen-Cahn equation from x^2 cos(pi x), whose periodic continuation has a corner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from scipy.special import erfc

from pdehvd.reference.base import (
    Number,
    Reference,
    ReferenceSpec,
    check_times,
    columns,
    positive,
)
from pdehvd.reference.cache import cached
from pdehvd.reference.spectral import DenseSeries, grid, march, to_modes, to_values
from pdehvd.spec import register

MODES = 2048
NODES = 24
HALVINGS = 15


def corner(x: np.ndarray, t: np.ndarray | float, diffusion: float) -> np.ndarray:
    """Solve w_t = diffusion w_xx with period 2 from w(x, 0) = 2 |s| - s^2, s = 1 - |x|.

    w has the same corner at x = 1 as x^2 cos(pi x), where the slope jumps from -2 to 2. It is
    2 |s| - s^2 - 2 diffusion t and the heat that has spread from the corner and its images.
    """
    s = 1 - np.abs(x)
    width = np.sqrt(4 * diffusion * np.maximum(t, 1e-300))
    result = 2 * np.abs(s) - s**2 - 2 * diffusion * t
    for image in (-4, -2, 0, 2, 4):
        z = np.abs(s + image) / width
        result = result + 2 * width * (np.exp(-(z**2)) / np.sqrt(np.pi) - z * erfc(z))
    values: np.ndarray = result
    return values


def solve(diffusion: float, reaction: float, end: float) -> dict[str, np.ndarray]:
    """Return the modes of v = u - `corner` at Chebyshev times of segments that shrink towards 0.

    v_t = diffusion v_xx + reaction (u - u^3). Without the corner v is four times smoother than u,
    so that the series converges from the start.
    """
    x = grid(MODES, 1.0)
    edges = np.concatenate([[0.0], end * 0.5 ** np.arange(HALVINGS, -1, -1.0)])

    def nonlinear(modes: np.ndarray, t: float) -> np.ndarray:
        u = to_values(modes) + corner(x, t, diffusion)
        return to_modes(reaction * (u - u**3))

    linear = -diffusion * (np.pi * np.arange(MODES + 1)) ** 2
    start = to_modes(x**2 * np.cos(np.pi * x) - corner(x, 0.0, diffusion))
    modes = march(start, linear, nonlinear, edges, NODES, 2.5e-3 / reaction)
    return {"edges": edges, "modes": np.where(np.abs(modes) > 1e-17, modes, 0.0)}


class AllenCahnReference(Reference):
    """u = v + `corner` at points of a problem with coordinates x and t."""

    def __init__(
        self,
        places: list[int],
        diffusion: float,
        reaction: float,
        end: float,
        unknowns: Mapping[str, float],
    ) -> None:
        super().__init__(("u",), unknowns)
        self.places = places
        self.diffusion = diffusion
        self.end = end
        definition = {"diffusion": diffusion, "reaction": reaction, "end": end, "modes": MODES}
        arrays = cached("allen_cahn", definition, lambda: solve(diffusion, reaction, end))
        self.series = DenseSeries(arrays["edges"], arrays["modes"], 1.0)

    def evaluate(self, points: np.ndarray) -> dict[str, np.ndarray]:
        """Return u [N] at points [N, 2]; continued with period 2 in x."""
        x, t = points[:, self.places[0]], points[:, self.places[1]]
        check_times("allen_cahn", t, self.end)
        t = np.clip(t, 0.0, self.end)
        folded = np.mod(x + 1, 2) - 1
        return {"u": self.series(folded, t) + corner(folded, t, self.diffusion)}


@register("reference")
class AllenCahn(ReferenceSpec):
    """u_t = diffusion u_xx + reaction (u - u^3) from x^2 cos(pi x), with period 2 in x.

    Cosine pseudo-spectral in x, ETDRK4 in t, Chebyshev interpolation between times; accurate to
    1e-8. At t = 0 the slope jumps at x = -1 and 1, so that u_xx is large there at first.
    """

    name: Literal["allen_cahn"] = "allen_cahn"
    diffusion: Number = "0.0001"
    reaction: Number = 5.0
    end: Number = 1.0

    def build(
        self,
        coordinates: tuple[str, ...],
        fields: tuple[str, ...],
        constants: Mapping[str, float],
    ) -> AllenCahnReference:
        """Return the reference for the coordinates x, t and the field u."""
        unknowns = self.values(constants)
        known = {**constants, **unknowns}
        places = columns(self.name, "coordinate", coordinates, ("x", "t"))
        columns(self.name, "field", fields, ("u",))
        return AllenCahnReference(
            places,
            positive(self.diffusion, known, "diffusion"),
            positive(self.reaction, known, "reaction"),
            positive(self.end, known, "end"),
            unknowns,
        )
