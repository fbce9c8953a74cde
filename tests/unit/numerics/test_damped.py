"""Conjugate gradients against NumPy's solution."""

import numpy as np
import pytest

from pdehvd.numerics.damped import Nystrom, conjugate_gradients

RANDOM = np.random.default_rng(4)
ROOT = RANDOM.standard_normal((40, 40))
MATRIX = ROOT @ np.diag(10.0 ** -np.linspace(0, 6, 40)) @ ROOT.T
RIGHT = RANDOM.standard_normal(40)


@pytest.mark.parametrize("rank", [0, 20])
def test_conjugate_gradients(rank):
    damping = 1e-2
    nystrom = Nystrom.sketch(lambda rows: rows @ MATRIX, 40, rank, 0) if rank else None
    found = conjugate_gradients(
        lambda v: MATRIX @ v + damping * v,
        RIGHT,
        (lambda v: nystrom.apply(v, damping)) if nystrom else (lambda v: v),
        400,
        1e-12,
    )
    expected = np.linalg.solve(MATRIX + damping * np.eye(40), RIGHT)
    np.testing.assert_allclose(found.solution, expected, rtol=1e-7)
    assert found.residual <= 1e-12


def test_a_preconditioner_of_full_rank_solves_at_once():
    nystrom = Nystrom.sketch(lambda rows: rows @ MATRIX, 40, 40, 0)
    found = conjugate_gradients(
        lambda v: MATRIX @ v + 1e-3 * v, RIGHT, lambda v: nystrom.apply(v, 1e-3), 50, 1e-6
    )
    assert found.iterations <= 3
    plain = conjugate_gradients(lambda v: MATRIX @ v + 1e-3 * v, RIGHT, lambda v: v, 50, 1e-6)
    assert plain.iterations > 10 * found.iterations


def test_nothing_to_solve():
    found = conjugate_gradients(lambda v: v, np.zeros(3), lambda v: v, 5, 1e-6)
    assert found.iterations == 0 and found.residual == 0 and not found.solution.any()
