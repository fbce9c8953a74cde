"""The same config means the same on 1, 2, 3 and 4 processes with unequal shards."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.launcher import AllRanks, nightly

SIZES = (nightly(2), nightly(3), 4)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return AllRanks("invariance", tmp_path_factory.mktemp)


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    return AllRanks("invariance_more", tmp_path_factory.mktemp)


@pytest.fixture
def having(case, request):
    """Return the results that have a case."""
    return request.getfixturevalue("results" if case in ("float64", "ntk") else "more")


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(a)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("case", "bound"), [("float64", 1e-10), nightly("float32", 1e-4)])
def test_training_does_not_depend_on_the_number_of_processes(having, size, case, bound):
    one, many = having[1][0], having[size][0]
    for what in ("loss", "theta"):
        assert distance(one[f"{case}/{what}"], many[f"{case}/{what}"]) < bound, what


@pytest.mark.parametrize("size", SIZES)
def test_loss_and_gradient_are_global_before_the_first_step(results, size):
    one, many = results[1][0], results[size][0]
    for what in ("losses", "gradient"):
        assert distance(one[f"start/{what}"], many[f"start/{what}"]) < 1e-12


@pytest.mark.parametrize("size", SIZES)
def test_all_ranks_hold_the_same_bits(results, size):
    for rank in range(1, size):
        for name, array in results[size][0].items():
            np.testing.assert_array_equal(array, results[size][rank][name], err_msg=name)


@pytest.mark.parametrize("size", (nightly(3), 4))
@pytest.mark.parametrize("case", [nightly("rad"), "ntk", nightly("norm")])
def test_adaptive_points_and_weights_do_not_depend_on_it_either(having, case, size):
    one, many = having[1][0], having[size][0]
    np.testing.assert_array_equal(one[f"{case}/selection"], many[f"{case}/selection"])
    for what in ("loss", "theta", "weights"):
        assert distance(one[f"{case}/{what}"], many[f"{case}/{what}"]) < 1e-10, what


@pytest.mark.parametrize("case", ["ntk", nightly("norm")])
def test_weights_were_balanced(having, case):
    weights = having[1][0][f"{case}/weights"]
    assert np.all(weights > 0) and not np.allclose(weights, 1.0, rtol=0.01)


@pytest.mark.nightly
def test_points_were_chosen(more):
    assert len(np.unique(more[1][0]["rad/selection"])) == 101


def test_average_of_rank_means_fails_the_same_check(results):
    assert distance(results[1][0]["naive/theta"], results[4][0]["naive/theta"]) > 1e-6
