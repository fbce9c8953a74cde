"""With `aggregation: exact` parameters have the same bits on 1, 2, 3 and 4 processes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.launcher import load, nightly, run_worker
from tests.support.worker_names import EXACT_METHODS, MORE_EXACT_METHODS


def ran(size, scenario, folder, *arguments):
    """Return the arrays of every rank."""
    done = run_worker(size, scenario, folder, *arguments)
    assert done.returncode == 0, done.stderr[-4000:]
    return [load(folder, rank) for rank in range(size)]


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return ran(1, "exact", tmp_path_factory.mktemp("exact1"))[0]


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    return ran(4, "exact", tmp_path_factory.mktemp("exact4"))


def same_bits(one, other, names):
    for name in names:
        assert one[name].tobytes() == other[name].tobytes(), name


@pytest.mark.parametrize("method", ["phases", *EXACT_METHODS, "fields"])
def test_the_trajectory_has_the_same_bits_on_four_processes_and_on_one(one, four, method):
    names = [name for name in one if name.startswith(f"{method}/")]
    assert f"{method}/theta" in names and f"{method}/errors" in names
    for rank in four:
        same_bits(one, rank, names)


@pytest.mark.nightly
def test_the_trajectories_of_other_methods_have_the_same_bits(tmp_path_factory):
    (one,), four = (ran(n, "exact_more", tmp_path_factory.mktemp("more")) for n in (1, 4))
    assert {f"{method}/theta" for method in MORE_EXACT_METHODS} <= set(one)
    for rank in four:
        same_bits(one, rank, one)


@pytest.mark.parametrize(("before", "after"), [nightly(2, 1), nightly(2, 3)])
def test_resuming_on_another_number_of_processes_ends_with_the_same_bits(
    one, before, after, tmp_path
):
    first, rest = tmp_path / "first", tmp_path / "rest"
    first.mkdir()
    rest.mkdir()
    ran(before, "exact_first", first)
    arrays = ran(after, "exact_rest", rest, str(first))[0]
    names = [name for name in one if name.startswith("phases/")]
    same_bits(one, arrays, names)


def test_chunks_and_exact_sums_mean_what_plain_sums_mean(one):
    difference = np.linalg.norm(one["start/exact"] - one["start/plain"])
    assert difference < 1e-13 * np.linalg.norm(one["start/plain"])


def test_training_got_somewhere(one):
    assert len(one["phases/monitors"]) == 4
    assert one["phases/loss"] < 0.05 * one["start/loss"]
    assert one["normal/loss"] < 0.2 * one["start/loss"]
    assert len(np.unique(one["phases/selection"])) == 101
