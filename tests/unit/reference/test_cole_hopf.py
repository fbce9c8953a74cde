"""Burgers' equation by the Cole-Hopf transformation."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.reference import BurgersColeHopf
from pdehvd.reference.cole_hopf import cole_hopf


def by_mpmath(x: float, t: float, nu: float) -> float:
    """Evaluate the two integrals with 40 digits."""
    with mpmath.workdps(40):
        x, t, nu = mpmath.mpf(x), mpmath.mpf(t), mpmath.mpf(nu)

        def weight(y: mpmath.mpf) -> mpmath.mpf:
            angle = mpmath.pi * (x - y)
            return mpmath.exp(-(mpmath.cos(angle) + 1) / (2 * mpmath.pi * nu) - y**2 / (4 * nu * t))

        reach = 2 * mpmath.sqrt(nu * t) * mpmath.sqrt(1 / (mpmath.pi * nu) + 60)
        cuts = mpmath.linspace(-reach, reach, 41)
        above = mpmath.quad(lambda y: mpmath.sin(mpmath.pi * (x - y)) * weight(y), cuts)
        return float(-above / mpmath.quad(weight, cuts))


@pytest.mark.parametrize("nu", [0.01 / np.pi, 0.05, 1.0])
@pytest.mark.parametrize(("x", "t"), [(0.01, 0.5), (-0.4, 0.05), (0.9, 1.0)])
def test_agrees_with_mpmath(x: float, t: float, nu: float) -> None:
    value = cole_hopf(np.array([x]), np.array([t]), nu)[0]
    assert abs(value - by_mpmath(x, t, nu)) < 1e-12


def test_starts_as_a_sine() -> None:
    x = np.linspace(-1, 1, 11)
    assert np.array_equal(cole_hopf(x, np.zeros(11), 0.01), -np.sin(np.pi * x))
    assert np.abs(cole_hopf(x, np.full(11, 1e-14), 0.01) + np.sin(np.pi * x)).max() < 1e-12


@pytest.mark.parametrize("nu", [1e-5, 1e-3, 100.0])
def test_no_viscosity_overflows(nu: float) -> None:
    x = np.linspace(-1, 1, 41)
    values = cole_hopf(x, np.full(41, 0.8), nu)
    assert np.isfinite(values).all()
    assert np.abs(values).max() <= 1
    assert np.abs(values + values[::-1]).max() < 1e-9


def test_points_do_not_depend_on_their_company() -> None:
    x, t = np.random.default_rng(0).random((2, 50))
    together = cole_hopf(x, t, 0.003)
    alone = np.array([cole_hopf(x[i : i + 1], t[i : i + 1], 0.003)[0] for i in range(50)])
    assert np.abs(together - alone).max() < 1e-13


def test_coordinates_in_any_order() -> None:
    points = np.array([[0.3, 0.2], [0.7, -0.4]])
    constants = {"nu": 0.02}
    forth = BurgersColeHopf().build(("t", "x"), ("u",), constants)(points)["u"]
    back = BurgersColeHopf().build(("x", "t"), ("u",), constants)(points[:, ::-1])["u"]
    assert np.array_equal(forth, back)


def test_true_unknowns_count_as_constants() -> None:
    spec = BurgersColeHopf(unknowns={"nu": "0.01/pi"})
    reference = spec.build(("x", "t"), ("u",), {})
    assert reference.nu == pytest.approx(0.01 / np.pi, rel=1e-15)
    assert reference.unknowns == {"nu": reference.nu}


@pytest.mark.parametrize(
    ("coordinates", "fields", "constants"),
    [
        (("x",), ("u",), {"nu": 1.0}),
        (("x", "t"), ("v",), {"nu": 1.0}),
        (("x", "t"), ("u",), {}),
        (("x", "t"), ("u",), {"nu": -1.0}),
    ],
)
def test_unfit_problems_are_refused(
    coordinates: tuple[str, ...], fields: tuple[str, ...], constants: dict[str, float]
) -> None:
    with pytest.raises(ConfigError):
        BurgersColeHopf().build(coordinates, fields, constants)


def test_times_before_the_start_are_refused() -> None:
    reference = BurgersColeHopf(nu=0.1).build(("x", "t"), ("u",), {})
    with pytest.raises(ConfigError, match="evaluated for t"):
        reference(np.array([[0.0, -0.5]]))


def test_viscosities_of_any_size_take_few_nodes() -> None:
    """Almost none: a shock between straight lines, u = -+1 next to it; a lot: nothing is left."""
    x, t = np.linspace(-0.9, 0.9, 10_000), np.full(10_000, 50.0)
    for nu in (5e-324, 1e-14, 1e-9):
        found = cole_hopf(x, t, nu)
        # Far from the wave's start u = (x -+ 1) / t but for its curvature, which is of order t^-2.
        assert np.abs(found - (x - np.sign(x)) / t).max() < 3e-3
    assert not cole_hopf(x, t, 1e300).any()
