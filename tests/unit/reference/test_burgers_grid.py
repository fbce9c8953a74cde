"""Burgers' equation by finite volumes."""

from __future__ import annotations

import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.reference.burgers_grid import solve_burgers
from pdehvd.reference.cole_hopf import cole_hopf

TIMES = np.array([0.0, 0.1, 0.35, 1.0])


def error(nodes: int, nu: float, refinement: int) -> tuple[float, float]:
    """Return the largest error and the relative L2 error for -sin(pi x)."""
    x = np.linspace(-1, 1, nodes)
    u = solve_burgers(-np.sin(np.pi * x), x, TIMES, nu, refinement)
    x, t = (places.ravel() for places in np.meshgrid(x, TIMES, indexing="ij"))
    exact = cole_hopf(x, t, nu).reshape(u.shape)
    return np.abs(u - exact).max(), np.linalg.norm(u - exact) / np.linalg.norm(exact)


def test_thin_layer_against_cole_hopf() -> None:
    largest, relative = error(257, 0.01 / np.pi, 8)
    assert largest < 2e-3
    assert relative < 3e-4


@pytest.mark.parametrize("nu", [0.1, 2.0])
def test_second_order_where_viscosity_is_large(nu: float) -> None:
    """No viscosity makes steps small, and four times the nodes give a sixteenth of the error."""
    coarse, fine = (error(nodes, nu, 1)[1] for nodes in (33, 129))
    assert fine < 1e-3
    assert coarse / fine > 10


@pytest.mark.parametrize(("left", "right"), [(1.0, 0.0), (1.0, -0.5), (0.2, -1.0)])
def test_shock_moves_at_its_speed(left: float, right: float) -> None:
    """At the nodes of the scheme itself, mass changes by the difference of the fluxes."""
    x = np.linspace(-1, 1, 129)
    h = x[1] - x[0]
    for refinement, tolerance in ((1, 1e-9), (8, h / 2)):
        u = solve_burgers(np.where(x < -0.1, left, right), x, TIMES, 0.0, refinement)
        place = h * ((u - right) / (left - right)).sum(axis=0)
        speeds = np.diff(place) / np.diff(TIMES)
        assert np.abs((speeds - (left + right) / 2) * np.diff(TIMES)).max() < tolerance
        between = (np.abs(u - left) > 1e-2) & (np.abs(u - right) > 1e-2)
        assert between.sum(axis=0).max() <= 3


def test_rarefaction_opens_through_the_sonic_point() -> None:
    x = np.linspace(-1, 1, 129)
    u = solve_burgers(np.where(x < 0, -0.8, 0.8), x, TIMES, 0.0, refinement=1)
    exact = np.clip((x + (x[1] - x[0]) / 2) / TIMES[-1], -0.8, 0.8)
    assert np.abs(u[:, -1] - exact).max() < 0.015
    assert np.abs(u).max() <= 0.8


def test_values_at_the_ends_stay() -> None:
    x = np.linspace(0, 1, 17)
    u0 = 0.3 + x + np.sin(9 * x) ** 2
    for nu in (0.0, 0.01, 1.0):
        u = solve_burgers(u0, x, TIMES, nu)
        assert np.array_equal(u[:, 0], u0)
        assert np.all(u[[0, -1]] == u0[[0, -1], None])
        assert u.max() <= u0.max() + 1e-12


def test_rest_stays_rest() -> None:
    x = np.linspace(0, 1, 9)
    assert np.all(solve_burgers(np.zeros(9), x, TIMES, 0.1) == 0)


@pytest.mark.parametrize(("times", "nu"), [([0.2, 0.1], 0.1), ([-0.1, 0.1], 0.1), ([0.1], -1.0)])
def test_bad_input_is_refused(times: list[float], nu: float) -> None:
    x = np.linspace(0, 1, 5)
    with pytest.raises(ConfigError):
        solve_burgers(x, x, np.array(times), nu)
