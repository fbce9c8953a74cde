"""Methods of second order mean the same on 1, 2 and 3 processes with unequal shards."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.launcher import AllRanks, nightly
from tests.support.worker_names import MORE_SECOND_ORDER, SECOND_ORDER

SIZES = (nightly(2), 3)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return AllRanks("second_order", tmp_path_factory.mktemp)


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    return AllRanks("second_order_more", tmp_path_factory.mktemp)


@pytest.fixture(params=[nightly(n) if n in MORE_SECOND_ORDER else n for n in SECOND_ORDER])
def method(request):
    return request.param


@pytest.fixture
def having(method, request):
    """Return the results that have a method."""
    return request.getfixturevalue("more" if method in MORE_SECOND_ORDER else "results")


@pytest.mark.parametrize("size", SIZES)
def test_thirty_steps_do_not_depend_on_the_number_of_processes(having, method, size):
    one, many = having[1][0], having[size][0]
    for what in ("loss", "theta"):
        a, b = one[f"{method}/{what}"], many[f"{method}/{what}"]
        assert np.linalg.norm(a - b) < 1e-8 * np.linalg.norm(a), what


@pytest.mark.parametrize("size", SIZES)
def test_all_ranks_hold_the_same_bits(having, method, size):
    for rank in range(1, size):
        np.testing.assert_array_equal(
            having[size][0][f"{method}/theta"], having[size][rank][f"{method}/theta"]
        )


def test_the_loss_fell(having, method):
    assert having[1][0][f"{method}/loss"] < 0.8 * having[1][0]["start"]


@pytest.mark.parametrize("size", (1, *SIZES))
def test_whole_sharded_and_accumulated_batches_give_the_same_updates(results, size):
    """Thirty steps of LAMB, clipped, decayed, scaled and warmed up; parts of shards of a batch."""
    whole = results[1][0]["lamb/theta"]
    for rank in results[size]:
        accumulated = rank["accumulated/theta"]
        assert np.linalg.norm(accumulated - whole) < 1e-10 * np.linalg.norm(whole)
        np.testing.assert_array_equal(accumulated, results[size][0]["accumulated/theta"])
