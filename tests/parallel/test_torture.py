"""Deaths of real processes, a few of those of `make torture`."""

import pytest

from scripts.torture.campaign import torture
from scripts.torture.cases import matrix, short
from tests.support.launcher import nightly

# Two launchers; a rank in the middle of a checkpoint, a launcher in a step.
CASES = [case for case in short() if not case.restarts and case.moment != "disk"]


@pytest.mark.parametrize(
    "case", [c if c.launcher == "mpirun" else nightly(c) for c in CASES], ids=lambda case: case.name
)
def test_killed_runs_go_on_with_the_same_bits(case, tmp_path):
    """Restarts are tested with elastic runs, every other moment in tests/cli, a full disk there."""
    (result,) = torture([case], tmp_path, "global_mean")
    assert not result.problems
    assert result.same_bits


def test_a_rank_and_a_launcher_are_killed():
    assert {case.launcher for case in CASES} == {"mpirun", "pdehvd"}


def test_the_matrix_has_no_case_twice():
    names = [case.name for case in matrix()]
    assert len(names) == len(set(names)) >= 60
