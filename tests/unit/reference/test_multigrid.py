"""Linear systems on grids by multigrid."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array, eye_array
from scipy.sparse.linalg import spsolve

from pdehvd.errors import ConfigError
from pdehvd.reference import multigrid
from pdehvd.reference.cells import Cells
from pdehvd.reference.multigrid import Multigrid, direct


def system(
    bounds: list[list[float]], shape: tuple[int, ...], nu: np.ndarray
) -> tuple[Cells, csr_array, np.ndarray]:
    """Return -div(nu grad u) with u = 0 at the ends of the first axis, and its free nodes."""
    cells = Cells(np.array(bounds, float), shape)
    axes = range(1, 1 + len(shape))
    matrix = cells.matrix({(axis, axis): cells.part(nu, 0) for axis in axes})
    free = np.ones(shape, bool)
    free[[0, -1]] = False
    return cells, matrix, free


@pytest.fixture
def iterative(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow 25 iterations, and no help by factorization."""

    def refused(*_: object) -> None:
        raise AssertionError("conjugate gradients did not converge")

    monkeypatch.setattr(multigrid, "direct", refused)
    monkeypatch.setattr(multigrid, "_ITERATIONS", 25)


@pytest.mark.parametrize(
    ("bounds", "shape"),
    [
        ([[0, 1], [0, 1]], (40, 41)),
        ([[0, 1], [0, 1]], (160, 161)),
        ([[0, 1], [0, 30]], (64, 65)),
        ([[0, 20], [0, 1]], (64, 65)),
        ([[0, 1], [0, 1], [0, 2]], (17, 18, 19)),
        ([[0, 1]], (3000,)),
    ],
)
def test_few_iterations_on_any_grid(
    bounds: list[list[float]], shape: tuple[int, ...], iterative: None
) -> None:
    waves = np.sin(np.tensordot([9, 5, 7][: len(shape)], np.indices(shape), 1) / shape[0])
    cells, matrix, free = system(bounds, shape, np.exp(3 * waves))
    rows = np.flatnonzero(free)
    matrix = matrix[rows][:, rows]
    right = np.random.default_rng(0).standard_normal(rows.size)
    x = Multigrid(shape, cells.spacing, rows).solve(matrix, right)
    assert x is not None
    assert np.linalg.norm(matrix @ x - right) < 1e-10 * np.linalg.norm(right)


def test_scattered_nodes_and_rough_coefficients() -> None:
    random = np.random.default_rng(1)
    shape = (50, 47)
    cells, matrix, free = system([[0, 1], [0, 1]], shape, np.exp(2 * random.normal(size=shape)))
    rows = np.flatnonzero(free & (random.random(shape) > 0.1))
    matrix = matrix[rows][:, rows]
    right = random.standard_normal(rows.size)
    x = Multigrid(shape, cells.spacing, rows).solve(matrix, right)
    np.testing.assert_allclose(x, spsolve(matrix.tocsc(), right), rtol=1e-9, atol=1e-12)


def test_slow_convergence_ends_in_a_factorization(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(multigrid, "_ITERATIONS", 2)
    cells, matrix, free = system([[0, 1], [0, 1]], (40, 41), np.ones((40, 41)))
    rows = np.flatnonzero(free)
    matrix = matrix[rows][:, rows]
    right = np.ones(rows.size)
    x = Multigrid((40, 41), cells.spacing, rows).solve(matrix, right)
    np.testing.assert_allclose(matrix @ x, right, rtol=1e-9)


def test_matrices_that_are_not_positive() -> None:
    cells, matrix, free = system([[0, 1], [0, 1]], (40, 41), np.ones((40, 41)))
    rows = np.flatnonzero(free)
    matrix = matrix[rows][:, rows]
    solver, right = Multigrid((40, 41), cells.spacing, rows), np.ones(rows.size)
    assert solver.solve(matrix - 0.1 * eye_array(rows.size), right) is None
    assert solver.solve(0 * matrix, right) is None
    with pytest.raises(ConfigError, match="does not determine"):
        direct(0 * matrix, right)
