"""The cubic Schroedinger equation; the whole solution is checked in tests/numerics."""

from __future__ import annotations

import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.reference import Schrodinger, schrodinger


@pytest.fixture()
def short(tmp_path, monkeypatch: pytest.MonkeyPatch) -> schrodinger.SchrodingerReference:
    """A wide interval, on which nothing is felt of the walls, and a short time."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return Schrodinger(half_length=16, end=0.2).build(("x", "t"), ("u", "v"), {})


def soliton(x: np.ndarray, t: float) -> np.ndarray:
    """Return the two-soliton on the whole line (Satsuma, Yajima, Prog. Theor. Phys. Suppl. 55)."""
    above = 4 * np.exp(0.5j * t) * (np.cosh(3 * x) + 3 * np.exp(4j * t) * np.cosh(x))
    return above / (np.cosh(4 * x) + 4 * np.cosh(2 * x) + 3 * np.cos(4 * t))


@pytest.mark.parametrize("t", [0.0, 0.07, 0.2])
def test_agrees_with_the_two_soliton(short: schrodinger.SchrodingerReference, t: float) -> None:
    x = np.linspace(-8, 8, 101)
    values = short(np.stack([x, np.full(101, t)], axis=1))
    assert np.abs(values["u"] + 1j * values["v"] - soliton(x, t)).max() < 2e-6


def test_periodic(short: schrodinger.SchrodingerReference) -> None:
    points = np.stack([np.linspace(-16, 16, 21), np.full(21, 0.1)], axis=1)
    assert np.allclose(short(points)["u"], short(points + np.array([32.0, 0.0]))["u"], atol=1e-12)


def test_refused(short: schrodinger.SchrodingerReference) -> None:
    with pytest.raises(ConfigError, match="evaluated for t"):
        short(np.array([[0.0, 0.3]]))
    with pytest.raises(ConfigError) as caught:
        Schrodinger(end=0).build(("x", "t"), ("u", "v"), {})
    assert caught.value.path == ("end",)
