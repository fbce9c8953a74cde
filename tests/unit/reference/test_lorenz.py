"""The Lorenz system."""

from __future__ import annotations

import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.reference import Lorenz


def spec(**changes: object) -> Lorenz:
    given = {"sigma": 10, "rho": 28, "beta": "8/3", "start": [1, 1, "c"], "end": 2} | changes
    return Lorenz.model_validate(given)


def test_start_and_fixed_point() -> None:
    reference = spec().build(("t",), ("x", "y", "z"), {"c": 1.5})
    values = reference(np.zeros((1, 1)))
    assert [values[name][0] for name in "xyz"] == [1, 1, 1.5]
    root = np.sqrt(72.0)
    still = spec(start=[float(root), float(root), 27]).build(("t",), ("x", "y", "z"), {})
    assert np.abs(still(np.linspace(0, 2, 9)[:, None])["x"] - root).max() < 1e-9


def test_agrees_with_a_taylor_series() -> None:
    """Coefficients by recurrence, steps of 0.01: nothing in common with Runge and Kutta."""
    state, order, h = np.array([1.0, 1.0, 1.5]), 30, 0.01
    for _ in range(100):
        c = np.zeros((3, order + 1))
        c[:, 0] = state
        for n in range(order):
            xz = c[0, : n + 1] @ c[2, n::-1]
            xy = c[0, : n + 1] @ c[1, n::-1]
            x, y, z = c[:, n]
            c[:, n + 1] = np.array([10 * (y - x), 28 * x - xz - y, xy - 8 / 3 * z]) / (n + 1)
        state = c @ h ** np.arange(order + 1)
    values = spec().build(("t",), ("x", "y", "z"), {"c": 1.5})(np.array([[1.0]]))
    assert np.abs(np.array([values[name][0] for name in "xyz"]) - state).max() < 1e-9


def test_refused() -> None:
    with pytest.raises(ConfigError):
        spec().build(("t",), ("x", "y"), {"c": 1.0})
    with pytest.raises(ConfigError) as caught:
        spec(end=-1).build(("t",), ("x", "y", "z"), {"c": 1.0})
    assert caught.value.path == ("end",)
    with pytest.raises(ConfigError, match="evaluated for t"):
        spec().build(("t",), ("x", "y", "z"), {"c": 1.0})(np.array([[3.0]]))
