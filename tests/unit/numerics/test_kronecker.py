"""Kronecker solves against the matrix that they stand for."""

import numpy as np
import pytest

from pdehvd.comm.group import Solo
from pdehvd.numerics.kronecker import Pair, assign_work, solve_kronecker, solve_layers

RANDOM = np.random.default_rng(7)


def positive(size, rank=None):
    root = RANDOM.standard_normal((size, rank or size))
    return root @ root.T


@pytest.mark.parametrize("kinds", [1, 2])
def test_solution_of_the_whole_matrix(kinds):
    pairs = [Pair(positive(5, 3), positive(4, 2)) for _ in range(kinds)]
    right, damping = RANDOM.standard_normal((5, 4)), 1e-2
    whole = sum(np.kron(a + damping * np.eye(5), b + damping * np.eye(4)) for a, b in pairs)
    expected = np.linalg.solve(whole, right.reshape(-1)).reshape(5, 4)
    np.testing.assert_allclose(solve_kronecker(pairs, right, damping), expected, rtol=1e-9)


class Member(Solo):
    """One of several ranks whose sums are taken by hand."""

    def __init__(self, rank, size):
        self.rank, self.size, self.sent = rank, size, None

    def sum_numpy(self, values, name):
        self.sent = values
        return values


def test_ranks_together_solve_every_layer_once():
    layers = [[Pair(positive(n), positive(n + 1))] for n in (3, 6, 2, 5)]
    right = [RANDOM.standard_normal((n, n + 1)) for n in (3, 6, 2, 5)]
    expected = np.concatenate(
        [part.reshape(-1) for part in solve_layers(Solo(), layers, right, 1e-3)]
    )
    members = [Member(rank, 3) for rank in range(3)]
    for member in members:
        solve_layers(member, layers, right, 1e-3)
    sent = np.array([member.sent for member in members])
    assert np.all(np.count_nonzero(sent, axis=0) == 1)
    np.testing.assert_allclose(sent.sum(0), expected, rtol=1e-12)


def test_work_is_shared_evenly():
    costs = [5.0, 1.0, 4.0, 2.0, 3.0, 3.0]
    owners = assign_work(costs, 2)
    loads = [sum(c for c, o in zip(costs, owners, strict=True) if o == rank) for rank in (0, 1)]
    assert loads == [9.0, 9.0]
