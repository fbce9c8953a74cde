"""What groups do with collectives, and the aggregation hooks, on real processes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.launcher import load, run_worker


def ranks(size, scenario, folder, collectives="mpi"):
    done = run_worker(size, scenario, folder, collectives=collectives)
    assert done.returncode == 0, done.stderr[-4000:]
    return [load(folder, rank) for rank in range(size)]


@pytest.fixture(scope="module", params=[(2, "mpi"), (3, "mpi"), (2, "horovod")], ids=str)
def collectives(request, tmp_path_factory):
    """What each rank found, with MPI's own calls (and Horovod for the rest) and with Horovod."""
    size, library = request.param
    found = ranks(size, "collectives", tmp_path_factory.mktemp(f"{library}{size}"), library)
    assert {str(rank["library"]) for rank in found} == {library}
    return found


def test_sums_and_maxima(collectives):
    size = len(collectives)
    for found in collectives:
        np.testing.assert_array_equal(
            found["total"], [sum(1.0 + r for r in range(size)), sum(10.0 * r for r in range(size))]
        )
        assert found["total32"].dtype == np.float32
        np.testing.assert_array_equal(found["total32"], np.full((2, 3), sum(range(1, size + 1))))
        np.testing.assert_array_equal(found["largest"], [size, 10.0 * (size - 1)])


def test_bytes_of_rank_0(collectives):
    for found in collectives:
        assert found["bytes"].tobytes() == b"from rank 0"
        assert found["empty"] == 0


def test_sums_stay_in_the_loop_and_in_their_order(collectives):
    size = len(collectives)
    x = 0.0
    for _ in range(5):
        x = (x + size - 1) * 0.5 + size
    for found in collectives:
        np.testing.assert_array_equal(found["looped"], np.full(3, x))


def test_arrays_of_one_rank(collectives):
    size = len(collectives)
    for found in collectives:
        expected = np.arange(4.0).reshape(2, 2) + 10 * (size - 1)
        np.testing.assert_array_equal(found["last_rows"], expected)


def test_a_matrix_is_factored_together(collectives):
    size = len(collectives)
    roots = [np.random.default_rng(r).standard_normal((900, 40)) for r in range(size)]
    matrix = sum(root @ root.T for root in roots) + np.eye(900)
    for found in collectives:
        np.testing.assert_array_equal(found["solved"], collectives[0]["solved"])
        np.testing.assert_allclose(found["solved"], np.linalg.solve(matrix, np.ones(900)))


def test_hooks_stay_close_to_the_global_mean(tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    (one,) = ranks(1, "hooks", folders[0])
    two = ranks(2, "hooks", folders[1])
    np.testing.assert_array_equal(two[0]["fp16/theta"], two[1]["fp16/theta"])
    np.testing.assert_array_equal(two[0]["adasum/theta"], two[1]["adasum/theta"])
    half = np.linalg.norm(one["fp16/theta"] - two[0]["fp16/theta"]) / np.linalg.norm(
        one["fp16/theta"]
    )
    assert 0 < half < 1e-2
    assert abs(two[0]["adasum/loss"] / one["adasum/loss"] - 1) < 0.2
