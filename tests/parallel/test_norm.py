"""A normalisation of a batch means the same on 1, 2 and 3 processes with unequal shards."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.launcher import AllRanks, nightly

SIZES = (nightly(2), 3)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return AllRanks("norm", tmp_path_factory.mktemp, worker="worker_norm")


def joined(ranks, case):
    """Return the images of the whole batch, and the sums of the ranks' gradients."""
    out = {n: np.concatenate([rank[f"{case}/{n}"] for rank in ranks]) for n in ("h", "dz")}
    out["gradients"] = sum(rank[f"{case}/gradients"] for rank in ranks)
    return out


def distance(results, size, case):
    one, many = joined(results[1], case), joined(results[size], case)
    return max(np.linalg.norm(one[n] - many[n]) / np.linalg.norm(one[n]) for n in one)


@pytest.mark.parametrize("size", SIZES)
def test_values_and_gradients_do_not_depend_on_the_number_of_processes(results, size):
    assert len({len(rank["global/float64/h"]) for rank in results[size]}) == 2
    assert distance(results, size, "global/float64") < 1e-12
    assert distance(results, size, "global/float32") < 1e-5


@pytest.mark.parametrize("size", SIZES)
def test_with_statistics_of_the_shards_they_do(results, size):
    assert distance(results, size, "local/float64") > 1e-2


@pytest.mark.parametrize("size", SIZES)
def test_all_ranks_hold_the_same_statistics(results, size):
    for rank in results[size]:
        for name in ("mean", "variance"):
            own, first = (r[f"global/float64/{name}"] for r in (rank, results[size][0]))
            np.testing.assert_array_equal(own, first)
