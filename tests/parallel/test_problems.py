"""What a problem may have means the same on 1, 2 and 3 processes with unequal shards.

Fields of fewer coordinates, modes, parameters, definitions, monitors, parts of boundaries,
subdomains, integrals over a domain: one launch trains them all, and compiles none of them. They
are compiled in the nightly tests of their own files.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.launcher import AllRanks, nightly
from tests.support.worker_names import MORE_PROBLEMS, PROBLEMS

SIZES = (nightly(2), 3)
BOUNDS = {
    "front/adam": 1e-9,
    "front/gauss_newton": 1e-5,
    "front/kfac": 1e-5,
    "modes/adam": 1e-9,
    "modes/gauss_newton": 1e-5,
    "modes/kfac": 1e-5,
    "rods/adam": 1e-9,
    "rods/gauss_newton": 1e-4,
}
# The largest relative errors of their solutions.
SOLVED = {"bar": 1e-3, "lid": 0.02, "roles": 0.02, "disk": 1e-4, "wall": 1e-4}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    return AllRanks("problems", tmp_path_factory.mktemp, worker="worker_problems")


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    return AllRanks("more", tmp_path_factory.mktemp, worker="worker_problems")


@pytest.fixture
def having(problem, request):
    """Return the results that have a problem."""
    return request.getfixturevalue("more" if problem in MORE_PROBLEMS else "results")


def each(problems):
    given = [nightly(name) if name in MORE_PROBLEMS else name for name in problems]
    return pytest.mark.parametrize("problem", given)


@pytest.mark.parametrize("size", SIZES)
@each(BOUNDS)
def test_the_loss_does_not_depend_on_the_processes(having, problem, size):
    one, many = having[1][0], having[size][0]
    assert many[f"{problem}/loss"] == pytest.approx(one[f"{problem}/loss"], rel=BOUNDS[problem])


@pytest.mark.parametrize("size", SIZES)
def test_definitions_are_compared_on_any_number_of_processes(results, size):
    one, many = results[1][0], results[size][0]
    assert list(one["bar/fields"]) == list(many["bar/fields"]) == ["u", "sxx"]
    np.testing.assert_allclose(many["bar/errors"], one["bar/errors"], rtol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_monitors_depend_on_no_number_of_processes(results, size):
    one, many = results[1][0]["watched/monitors"], results[size][0]["watched/monitors"]
    assert list(one[:, 0]) == [15, 30, 40] and one.shape[1] == 6
    np.testing.assert_allclose(many, one, rtol=1e-9)


@pytest.mark.parametrize("size", (1, *SIZES))
@pytest.mark.parametrize("problem", SOLVED)
def test_the_right_solution_is_found(results, problem, size):
    assert max(results[size][0][f"{problem}/errors"]) < SOLVED[problem]


@pytest.mark.parametrize("size", SIZES)
@each(PROBLEMS)
def test_all_ranks_hold_the_same_bits(having, problem, size):
    for rank in having[size]:
        assert rank["processes"] == size
        for what in ("loss", "theta", "errors", "monitors"):
            right = having[size][0][f"{problem}/{what}"]
            np.testing.assert_array_equal(rank[f"{problem}/{what}"], right, err_msg=what)
