"""Factors at several dampings beside each other, on ranks that are threads."""

import numpy as np
import pytest
from crew import Crew

from pdehvd.comm.group import Solo
from pdehvd.numerics import cholesky
from pdehvd.numerics.cholesky import BlockColumns, Factor, NotPositiveError
from pdehvd.numerics.foreseen import Foreseen

RANDOM = np.random.default_rng(8)
ROOT = RANDOM.standard_normal((40, 30))
MATRIX = ROOT @ ROOT.T
RIGHT = RANDOM.standard_normal(40)


@pytest.fixture(autouse=True)
def narrow_blocks(monkeypatch):
    monkeypatch.setattr(cholesky, "_WIDTH", 6)
    monkeypatch.setattr(cholesky, "_SMALL", 0)


def added(group):
    """Return the matrix as a sum over ranks."""
    return BlockColumns.sum(MATRIX / group.size, group)


def computed(group):
    """Return the matrix of which each rank has computed its own blocks."""
    result = BlockColumns.zeros(40, MATRIX.dtype, group)
    for number, block in result.own.items():
        start, stop = result.spans[number]
        block += MATRIX[start:, start:stop]
    return result


@pytest.mark.parametrize("made", [added, computed])
@pytest.mark.parametrize("ranks", [2, 3])
def test_every_rank_gets_the_solution_at_every_damping(made, ranks):
    dampings = [0.1, 0.2, 0.8]

    def work(group):
        factors = Foreseen(made(group), dampings)
        found = [factors.at(damping) for damping in dampings[:ranks]]
        assert factors.at(0.3) is None
        return [(factor.solve(RIGHT), factor.condition) for factor in found]

    for found in Crew(ranks).run(work):
        for (solution, condition), damping in zip(found, dampings, strict=False):
            whole = Factor(BlockColumns.whole(MATRIX), damping)
            np.testing.assert_allclose(solution, whole.solve(RIGHT), rtol=1e-9)
            assert condition == pytest.approx(whole.condition, rel=1e-9)


def test_all_ranks_hear_of_the_one_that_found_no_factor():
    def work(group):
        matrix = BlockColumns.sum(-np.eye(40) / group.size, group)
        factors = Foreseen(matrix, [0.5, 2.0])
        with pytest.raises(NotPositiveError, match=r"damping 0\.5"):
            factors.at(0.5)
        return factors.at(2.0).solve(RIGHT)

    for solution in Crew(2).run(work):
        np.testing.assert_allclose(solution, RIGHT, rtol=1e-12)


def test_ranks_without_a_damping_wait_for_the_others():
    def work(group):
        factors = Foreseen(computed(group), [0.1, 0.2])
        return factors.at(0.2).solve(RIGHT)

    first, *others = Crew(3).run(work)
    for solution in others:
        np.testing.assert_array_equal(solution, first)


def test_where_it_pays():
    few, many = (BlockColumns(40, MATRIX.dtype, Crew(n).run(lambda g: g)[0]) for n in (2, 4))
    assert Foreseen.pays(few, [0.1, 0.2]) and not Foreseen.pays(few, [0.1])
    assert not Foreseen.pays(many, [0.1, 0.2])
    assert not Foreseen.pays(BlockColumns(40, MATRIX.dtype, Solo()), [0.1, 0.2])
