"""Theta in unequal pieces on 1, 2 and 3 processes: the same training as with theta on each.

An optimizer that declares to work on pieces is tested by being registered.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.launcher import AllRanks, load, nightly, run_worker
from tests.support.worker_names import ON_PIECES

SIZES = (nightly(2), 3)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return AllRanks("vectors", tmp_path_factory.mktemp, worker="worker_vectors")


def compare(name, whole, ranks):
    """Compare parameters, losses, facts, step lengths and numbers of evaluations."""
    for rank in ranks:
        for what in ("theta", "numbers"):
            right, found = whole[f"{name}/whole/{what}"], rank[f"{name}/pieces/{what}"]
            np.testing.assert_allclose(found, right, rtol=1e-12, atol=1e-13)
            np.testing.assert_array_equal(found, ranks[0][f"{name}/pieces/{what}"])


@pytest.mark.parametrize("size", (1, *SIZES))
@pytest.mark.parametrize("name", ON_PIECES)
def test_pieces_are_trained_as_a_whole_theta_is(results, name, size):
    compare(name, results[1][0], results[size])


@pytest.mark.nightly
def test_horovod_joins_pieces_as_well(results, tmp_path):
    done = run_worker(2, "vectors", tmp_path, worker="worker_vectors", collectives="horovod")
    assert done.returncode == 0, done.stderr[-4000:]
    for name in ON_PIECES:
        compare(name, results[1][0], [load(tmp_path, rank) for rank in range(2)])


@pytest.mark.parametrize("name", ON_PIECES)
def test_every_step_lowers_the_loss_in_the_end(results, name):
    losses = results[1][0][f"{name}/whole/numbers"][:, 1]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("size", SIZES)
def test_norms_of_one_piece_are_noticed(results, size):
    right = results[1][0]["lamb/whole/theta"]
    assert np.max(np.abs(results[size][0]["wrong"] - right)) > 1e-3
