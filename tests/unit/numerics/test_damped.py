"""Damped solves against NumPy's."""

import threading

import numpy as np
import pytest

from pdehvd.comm.group import Solo
from pdehvd.numerics import damped
from pdehvd.numerics.damped import Factor, NotPositiveError, Nystrom, conjugate_gradients

RANDOM = np.random.default_rng(4)
ROOT = RANDOM.standard_normal((40, 40))
MATRIX = ROOT @ np.diag(10.0 ** -np.linspace(0, 6, 40)) @ ROOT.T
RIGHT = RANDOM.standard_normal(40)


def test_cholesky_reads_the_lower_triangle_only():
    lower = np.tril(MATRIX) + np.triu(np.full((40, 40), np.nan), 1)
    found = Factor(lower, 1e-3, Solo()).solve(RIGHT)
    np.testing.assert_allclose((MATRIX + 1e-3 * np.eye(40)) @ found, RIGHT, rtol=1e-8, atol=1e-9)
    assert np.isnan(lower[0, 1])


def test_condition_is_a_lower_bound():
    factor = Factor(MATRIX, 1e-3, Solo())
    true = np.linalg.cond(MATRIX + 1e-3 * np.eye(40))
    assert 1 < factor.condition <= true


def test_an_indefinite_matrix_is_told():
    with pytest.raises(NotPositiveError, match="pivot"):
        Factor(np.diag([1.0, -1.0]), 0.5, Solo())


@pytest.mark.parametrize("rank", [0, 20])
def test_conjugate_gradients(rank):
    damping = 1e-2
    nystrom = Nystrom.sketch(lambda v: MATRIX @ v, 40, rank, 0) if rank else None
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
    nystrom = Nystrom.sketch(lambda v: MATRIX @ v, 40, 40, 0)
    found = conjugate_gradients(
        lambda v: MATRIX @ v + 1e-3 * v, RIGHT, lambda v: nystrom.apply(v, 1e-3), 50, 1e-6
    )
    assert found.iterations <= 3
    plain = conjugate_gradients(lambda v: MATRIX @ v + 1e-3 * v, RIGHT, lambda v: v, 50, 1e-6)
    assert plain.iterations > 10 * found.iterations


def test_nothing_to_solve():
    found = conjugate_gradients(lambda v: v, np.zeros(3), lambda v: v, 5, 1e-6)
    assert found.iterations == 0 and found.residual == 0 and not found.solution.any()


class Member(Solo):
    """One of several ranks that are threads of this process."""

    def __init__(self, rank, size, shared):
        self.rank, self.size, self._shared = rank, size, shared

    def sum_numpy(self, values, name):
        barrier, slots = self._shared
        slots[self.rank] = values
        barrier.wait(timeout=60)
        total = sum(slots)
        barrier.wait(timeout=60)
        return total


def together(size, work):
    """Return what `work(group)` gives or raises on each of several ranks."""
    shared, found = (threading.Barrier(size), [None] * size), [None] * size

    def run(rank):
        try:
            found[rank] = work(Member(rank, size, shared))
        except ArithmeticError as error:
            found[rank] = error

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("size", [2, 3])
def test_ranks_factor_a_matrix_together(monkeypatch, size):
    monkeypatch.setattr(damped, "_DIVIDED", 10)
    monkeypatch.setattr(damped, "_PANEL", 7)
    lower = np.tril(MATRIX)
    solutions = together(size, lambda group: Factor(lower, 1e-3, group).solve(RIGHT))
    expected = Factor(lower, 1e-3, Solo()).solve(RIGHT)
    for solution in solutions:
        np.testing.assert_allclose(solution, expected, rtol=1e-9)
        np.testing.assert_array_equal(solution, solutions[0])


def test_all_ranks_hear_that_a_matrix_is_indefinite(monkeypatch):
    monkeypatch.setattr(damped, "_DIVIDED", 10)
    monkeypatch.setattr(damped, "_PANEL", 7)
    indefinite = MATRIX - 10 * np.eye(40)
    for found in together(2, lambda group: Factor(indefinite, 1e-3, group)):
        assert isinstance(found, NotPositiveError)
