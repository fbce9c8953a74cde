"""Poisson's equation on the L shape."""

from __future__ import annotations

import numpy as np
import pytest

from pdehvd.reference import PoissonLShape
from pdehvd.reference.lshape import CORNERS, LShapeReference


@pytest.fixture(scope="module")
def reference() -> LShapeReference:
    return PoissonLShape().build(("x", "y"), ("u",), {})


def test_zero_on_the_boundary(reference: LShapeReference) -> None:
    start = np.array(CORNERS, float)
    s = np.linspace(0, 1, 501)[:, None, None]
    points = (start + s * (np.roll(start, -1, axis=0) - start)).reshape(-1, 2)
    assert np.abs(reference(points)["u"]).max() < 1e-11


def test_value_in_the_middle(reference: LShapeReference) -> None:
    """A five-point scheme with 3 * 64^2 cells, extrapolated, agrees to its own accuracy."""
    assert five_point(32, 64) == pytest.approx(
        reference(np.array([[-0.5, -0.5]]))["u"][0], abs=2e-4
    )


def five_point(coarse: int, fine: int) -> float:
    """Return u(-0.5, -0.5) of finite differences, extrapolated for an error of order h^(4/3)."""
    from scipy.sparse import eye_array, kron
    from scipy.sparse.linalg import spsolve

    values = []
    for n in (coarse, fine):
        axis = np.linspace(-1, 1, 2 * n + 1)
        x, y = np.meshgrid(axis, axis, indexing="ij")
        inside = (np.abs(x) < 1) & (np.abs(y) < 1) & ~((x > -1e-9) & (y > -1e-9))
        shift = eye_array(2 * n + 1, k=1)
        second = shift + shift.T - 2 * eye_array(2 * n + 1)
        laplace = kron(second, eye_array(2 * n + 1)) + kron(eye_array(2 * n + 1), second)
        rows = np.flatnonzero(inside)
        u = spsolve(laplace.tocsc()[rows][:, rows], np.full(rows.size, -1.0 / n**2))
        values.append(u[np.searchsorted(rows, n // 2 * (2 * n + 1) + n // 2)])
    factor = (fine / coarse) ** (4 / 3)
    return float((factor * values[1] - values[0]) / (factor - 1))


def test_symmetric_and_absent_outside(reference: LShapeReference) -> None:
    points = np.random.default_rng(1).uniform(-1, 1, (200, 2))
    values = reference(points)["u"]
    outside = (points > 0).all(axis=1)
    assert outside.any()
    assert np.isnan(values[outside]).all()
    assert (values[~outside] > 0).all()
    mirrored = reference(points[:, ::-1])["u"]
    assert np.abs(values - mirrored)[~outside].max() < 1e-11
