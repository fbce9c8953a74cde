"""The Allen-Cahn equation; the whole solution is checked in tests/numerics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from pdehvd.errors import ConfigError
from pdehvd.reference import AllenCahn, allen_cahn


def test_corner_solves_the_heat_equation() -> None:
    """Against its Fourier series, with 2 |s| - s^2 = 2 / 3 - 4 sum cos(k pi s) / (k pi)^2."""
    x = np.linspace(-1, 1, 41)
    k = np.pi * np.arange(1, 400)[:, None]
    for diffusion, t in ((1e-2, 0.3), (1e-2, 1.0), (1e-3, 0.5)):
        decay = np.exp(-diffusion * k**2 * t)
        series = 2 / 3 - 4 * (np.cos(k * (1 - np.abs(x))) / k**2 * decay).sum(axis=0)
        assert np.abs(allen_cahn.corner(x, t, diffusion) - series).max() < 1e-12


def test_corner_at_the_start() -> None:
    s = np.linspace(0, 1, 9)
    assert np.abs(allen_cahn.corner(1 - s, 0.0, 1e-4) - (2 * s - s**2)).max() < 1e-12


@pytest.fixture()
def coarse(tmp_path, monkeypatch: pytest.MonkeyPatch) -> allen_cahn.AllenCahnReference:
    """A strong diffusion, for which few modes are enough."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(allen_cahn, "MODES", 128)
    spec = AllenCahn(diffusion="d", reaction=5, end="1/2")
    return spec.build(("x", "t"), ("u",), {"d": 0.01})


def test_agrees_with_finite_differences(coarse: allen_cahn.AllenCahnReference) -> None:
    """Second-order differences on 0..1 with mirrored ends, extrapolated in their spacing."""

    def differences(n: int) -> np.ndarray:
        x = np.linspace(0, 1, n + 1)

        def rate(_: float, u: np.ndarray) -> np.ndarray:
            padded = np.concatenate([u[1:2], u, u[-2:-1]])
            second = (padded[2:] - 2 * u + padded[:-2]) * n**2
            return 0.01 * second + 5 * (u - u**3)

        start = x**2 * np.cos(np.pi * x)
        run = solve_ivp(rate, (0, 0.5), start, "LSODA", rtol=1e-9, atol=1e-10, lband=1, uband=1)
        return run.y[:: n // 100, -1]

    extrapolated = (4 * differences(400) - differences(200)[::1]) / 3
    points = np.stack([np.linspace(0, 1, 101), np.full(101, 0.5)], axis=1)
    assert np.abs(coarse(points)["u"] - extrapolated).max() < 2e-6


def test_starts_right_and_is_periodic(coarse: allen_cahn.AllenCahnReference) -> None:
    x = np.linspace(-1, 1, 21)
    start = coarse(np.stack([x, 0 * x], axis=1))["u"]
    assert np.abs(start - x**2 * np.cos(np.pi * x)).max() < 1e-5
    later = np.stack([x, np.full(21, 0.2)], axis=1)
    assert np.allclose(coarse(later)["u"], coarse(later + np.array([2.0, 0.0]))["u"], atol=1e-12)


def test_refused(coarse: allen_cahn.AllenCahnReference) -> None:
    with pytest.raises(ConfigError, match="evaluated for t"):
        coarse(np.array([[0.0, 0.6]]))
    with pytest.raises(ConfigError):
        AllenCahn(diffusion=0).build(("x", "t"), ("u",), {})
