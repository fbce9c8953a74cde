"""Deaths of real processes, a few of those of `make torture`."""

from scripts.torture.campaign import torture
from scripts.torture.cases import matrix, short


def test_killed_runs_go_on_with_the_same_bits(tmp_path):
    """Two launchers; a rank in the middle of a checkpoint, a launcher in a step.

    Restarts are tested with elastic runs; tests/cli plays a death at every other moment, and a
    full disk is tested with checkpoints.
    """
    cases = [case for case in short() if not case.restarts and case.moment != "disk"]
    results = torture(cases, tmp_path, "global_mean")
    assert len(results) == 2
    assert [(result.case.name, result.problems) for result in results if result.problems] == []
    assert all(result.same_bits for result in results)


def test_the_matrix_has_no_case_twice():
    names = [case.name for case in matrix()]
    assert len(names) == len(set(names)) >= 60
