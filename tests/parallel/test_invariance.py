"""The same config means the same on 1, 2, 3 and 4 processes with unequal shards."""

from __future__ import annotations

import numpy as np
import pytest
from launcher import load, run_worker

SIZES = (1, 2, 3, 4)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Every rank's arrays, by number of processes."""
    found = {}
    for size in SIZES:
        folder = tmp_path_factory.mktemp(f"np{size}")
        done = run_worker(size, "invariance", folder)
        assert done.returncode == 0, done.stderr[-4000:]
        found[size] = [load(folder, rank) for rank in range(size)]
    return found


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(a)


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize(
    ("case", "bound"),
    [
        ("float64", 1e-10),
        ("float32", 1e-4),
        ("rad", 1e-10),
        ("ntk", 1e-10),
        ("gradient_norm", 1e-10),
    ],
)
def test_training_does_not_depend_on_the_number_of_processes(results, size, case, bound):
    one, many = results[1][0], results[size][0]
    for what in ("loss", "theta", "weights"):
        assert distance(one[f"{case}/{what}"], many[f"{case}/{what}"]) < bound, what


@pytest.mark.parametrize("size", SIZES[1:])
def test_loss_and_gradient_are_global_before_the_first_step(results, size):
    for what in ("losses", "gradient"):
        assert distance(results[1][0][f"start/{what}"], results[size][0][f"start/{what}"]) < 1e-12


@pytest.mark.parametrize("size", SIZES[1:])
def test_adaptive_points_are_the_same_on_any_number_of_processes(results, size):
    np.testing.assert_array_equal(results[1][0]["rad/selection"], results[size][0]["rad/selection"])


@pytest.mark.parametrize("size", SIZES[1:])
def test_all_ranks_hold_the_same_bits(results, size):
    for rank in range(1, size):
        for name, array in results[size][0].items():
            np.testing.assert_array_equal(array, results[size][rank][name], err_msg=name)


def test_weights_were_balanced(results):
    for case in ("ntk", "gradient_norm"):
        weights = results[1][0][f"{case}/weights"]
        assert np.all(weights > 0) and not np.allclose(weights, 1.0, rtol=0.01)


@pytest.mark.parametrize("size", SIZES[1:])
def test_average_of_rank_means_fails_the_same_check(results, size):
    assert distance(results[1][0]["naive/theta"], results[size][0]["naive/theta"]) > 1e-6
