"""A U-Net with batch normalisation means the same on 1, 2 and 3 processes, unequal shards."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.launcher import AllRanks, nightly

SIZES = (nightly(2), 3)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return AllRanks("generative", tmp_path_factory.mktemp)


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    return AllRanks("generative_more", tmp_path_factory.mktemp)


@pytest.fixture
def having(case, request):
    """Return the results that have a case."""
    return request.getfixturevalue("results" if case in ("global", "local") else "more")


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(a)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("case", "bound"), [("global", 1e-10), nightly("float32", 1e-4), nightly("kfac", 1e-8)]
)
@pytest.mark.parametrize("what", ["theta", "moments", "errors"])
def test_training_does_not_depend_on_the_number_of_processes(having, size, case, bound, what):
    one, many = having[1][0], having[size][0]
    assert distance(one[f"{case}/{what}"], many[f"{case}/{what}"]) < bound


@pytest.mark.parametrize("size", SIZES)
def test_all_ranks_hold_the_same_bits(results, size):
    for rank in range(1, size):
        for name, array in results[size][0].items():
            np.testing.assert_array_equal(array, results[size][rank][name], err_msg=name)


@pytest.mark.parametrize("case", ["local", nightly("none")])
def test_without_synchronised_statistics_the_same_check_fails(having, case):
    one, many = having[1][0], having[3][0]
    assert distance(one[f"{case}/theta"], many[f"{case}/theta"]) > 1e-6


@pytest.mark.nightly
def test_the_ways_to_merge_moving_averages_differ(more):
    local, none = (more[3][0][f"{case}/moments"] for case in ("local", "none"))
    assert distance(local, none) > 1e-6


@pytest.mark.parametrize("size", [1, 3])
def test_whole_sharded_and_accumulated_batches_give_the_same_updates(results, size):
    whole = results[1][0]
    for case in ("whole", "accumulated", "buckets"):
        for what in ("theta", "errors"):
            assert distance(whole[f"whole/{what}"], results[size][0][f"{case}/{what}"]) < 1e-10
