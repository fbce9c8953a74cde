"""Cosine series, Chebyshev interpolation and exponential time stepping."""

from __future__ import annotations

import numpy as np
import pytest

from pdehvd.reference import spectral


def test_modes_and_values_are_inverse() -> None:
    x = spectral.grid(8, 3.0)
    values = 2 - np.cos(np.pi * x / 3) + 0.5 * np.cos(8 * np.pi * x / 3)
    modes = spectral.to_modes(values)
    assert np.allclose(modes, [2, -1, 0, 0, 0, 0, 0, 0, 0.5], atol=1e-15)
    assert np.allclose(spectral.to_values(modes), values, atol=1e-15)


def test_interpolation_is_exact_for_polynomials_and_at_nodes() -> None:
    nodes = spectral.chebyshev(7, 1.0, 3.0)
    t = np.array([1.0, 1.2345, nodes[3], 3.0])
    matrix = spectral.interpolation(nodes, t)
    assert np.allclose(matrix @ (nodes**6 - nodes), t**6 - t, rtol=1e-13)
    assert np.array_equal(matrix[2], np.eye(7)[3])


def logistic(step: float) -> float:
    """Return the error at t = 1 of c' = -c + 2 c - c^2, in the form c' = L c + N(c)."""
    *_, last = spectral.advance(
        np.array([0.1]), np.array([-1.0]), lambda c, _: 2 * c - c**2, [0.0, 1.0], step
    )
    return abs(last[0] - 1 / (1 + 9 * np.exp(-1)))


def test_fourth_order() -> None:
    coarse, fine = logistic(0.1), logistic(0.05)
    assert 12 < coarse / fine < 20


def test_forcing_in_time_and_stiff_modes() -> None:
    """c' = L (c - cos t) - sin t stays on cos t for any L, also far beyond explicit steps."""
    linear = np.array([-1e6, -10.0, 0.0])

    def forcing(_: np.ndarray, t: float) -> np.ndarray:
        return -linear * np.cos(t) - np.sin(t)

    *_, last = spectral.advance(np.ones(3), linear, forcing, [0.0, 0.5, 1.0], 0.01)
    assert np.abs(last - np.cos(1)).max() < 1e-8


@pytest.mark.parametrize("turning", [False, True])
def test_dense_series(turning: bool) -> None:
    rates = np.array([0.0, 3.0, 50.0]) if turning else None
    edges = np.array([0.0, 1.0, 3.0])

    def modes(t: np.ndarray) -> np.ndarray:
        values = np.stack([np.exp(-t), np.sin(t), t**2], axis=-1)
        return values if rates is None else values * np.exp(-1j * rates * t[..., None])

    nodes = np.stack([spectral.chebyshev(24, 0.0, 1.0), spectral.chebyshev(24, 1.0, 3.0)])
    turned = 1.0 if rates is None else np.exp(1j * rates * nodes[..., None])
    series = spectral.DenseSeries(edges, modes(nodes) * turned, 2.0, rates)
    x, t = np.random.default_rng(0).random((2, 40)) * [[4.0], [3.0]]
    true = (modes(t) * np.cos(np.pi / 2 * x[:, None] * np.arange(3))).sum(axis=1)
    assert np.abs(series(x, t) - true).max() < 1e-12


def test_march_joins_segments() -> None:
    edges = np.array([0.0, 0.5, 2.0])
    stored = spectral.march(np.array([1.0]), np.array([-1.0]), lambda c, _: 0 * c, edges, 12, 0.1)
    assert stored.shape == (2, 12, 1)
    times = np.stack([spectral.chebyshev(12, 0.0, 0.5), spectral.chebyshev(12, 0.5, 2.0)])
    assert np.abs(stored[..., 0] - np.exp(-times)).max() < 1e-13
