"""Cholesky factors of block rows, on one process and on several that take turns."""

import numpy as np
import pytest

from pdehvd.comm.group import Solo
from pdehvd.numerics import cholesky
from pdehvd.numerics.cholesky import BlockRows, Factor, NotPositiveError
from tests.support.crew import Crew

RANDOM = np.random.default_rng(4)
ROOT = RANDOM.standard_normal((40, 40))
MATRIX = ROOT @ np.diag(10.0 ** -np.linspace(0, 6, 40)) @ ROOT.T
RIGHT = RANDOM.standard_normal(40)


def test_only_the_upper_triangle_is_read():
    upper = np.triu(MATRIX) + np.tril(np.full((40, 40), np.nan), -1)
    found = Factor(BlockRows.whole(upper), 1e-3).solve(RIGHT)
    np.testing.assert_allclose((MATRIX + 1e-3 * np.eye(40)) @ found, RIGHT, rtol=1e-8, atol=1e-9)
    np.testing.assert_array_equal(np.triu(upper), np.triu(MATRIX))


def test_condition_is_a_lower_bound():
    factor = Factor(BlockRows.whole(MATRIX), 1e-3)
    true = np.linalg.cond(MATRIX + 1e-3 * np.eye(40))
    assert 1 < factor.condition <= true


def test_an_indefinite_matrix_is_told():
    with pytest.raises(NotPositiveError, match="pivot"):
        Factor(BlockRows.whole(np.diag([1.0, -1.0])), 0.5)


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_ranks_divide_the_matrix_and_agree(ranks, dtype, monkeypatch):
    """Forty rows in blocks of about six; each rank adds the square of its root."""
    monkeypatch.setattr(cholesky, "_ROWS", 6)
    monkeypatch.setattr(cholesky, "_SMALL", 0)
    roots = RANDOM.standard_normal((ranks, 40, 50)).astype(dtype)
    damping = dtype(0.5)

    def work(group):
        pieces = np.split(roots[group.rank], [20], axis=1)
        matrix = BlockRows.gram(iter(pieces), group)
        assert all(matrix.owner(number) == group.rank for number in matrix.own)
        factor = Factor(matrix, damping)
        return factor.solve(RIGHT.astype(dtype)), factor.condition

    found = Crew(ranks).run(work)
    whole = Factor(BlockRows.gram(roots, Solo()), damping)
    for solution, condition in found:
        assert solution.dtype == dtype
        np.testing.assert_array_equal(solution, found[0][0])
        tight = 1e-10 if dtype is np.float64 else 1e-3
        np.testing.assert_allclose(solution, whole.solve(RIGHT.astype(dtype)), rtol=tight)
        assert condition == pytest.approx(whole.condition, rel=tight)


@pytest.mark.parametrize(("ranks", "size"), [(2, 600), (2, 4000), (3, 1200)])
def test_ranks_have_about_as_many_entries(ranks, size):
    def entries(group):
        matrix = BlockRows.zeros(size, np.dtype(np.float32), group)
        return sum(block.size for block in matrix.own.values()), len(matrix.own)

    found, blocks = zip(*Crew(ranks).run(entries), strict=True)
    assert max(found) < 1.1 * min(found) and min(blocks) >= 4
    assert sum(found) < 1.2 * size * (size + 1) / 2


def test_small_matrices_are_whole_on_every_rank():
    def work(group):
        return BlockRows.gram([(group.rank + 1) * ROOT], group).own[0]

    for whole in Crew(2).run(work):
        np.testing.assert_allclose(np.triu(whole), np.triu(5 * ROOT @ ROOT.T))


def test_all_ranks_learn_that_a_later_block_is_indefinite(monkeypatch):
    monkeypatch.setattr(cholesky, "_ROWS", 6)
    monkeypatch.setattr(cholesky, "_SMALL", 0)
    matrix = np.diag(np.concatenate([np.ones(20), [-1.0], np.ones(19)]))

    def work(group):
        divided = BlockRows.zeros(40, matrix.dtype, group)
        for number, block in divided.own.items():
            start, stop = divided.spans[number]
            block[...] = matrix[start:stop, start:]
        with pytest.raises(NotPositiveError, match="pivot"):
            Factor(divided, 0.5)
        return True

    assert Crew(2).run(work) == [True, True]
