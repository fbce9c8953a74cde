"""Schedules of resolutions."""

import math

import pytest

from pdehvd.errors import ConfigError
from pdehvd.problems.levels import LevelsSpec, constant, visited


@pytest.mark.parametrize(
    ("cycle", "levels", "expected"),
    [
        ("half_v", 3, [0, 1, 2]),
        ("v", 3, [2, 1, 0, 1, 2]),
        ("w", 3, [2, 1, 0, 1, 0, 1, 2]),
        ("f", 3, [2, 1, 0, 1, 0, 1, 2]),
        ("w", 4, [3, 2, 1, 0, 1, 0, 1, 2, 1, 0, 1, 0, 1, 2, 3]),
        ("f", 4, [3, 2, 1, 0, 1, 0, 1, 2, 1, 0, 1, 2, 3]),
        ("v", 1, [0]),
    ],
)
def test_cycles_visit_the_levels_of_multigrid(cycle, levels, expected):
    assert visited(cycle, levels) == expected


def test_every_step_has_the_resolution_of_its_visit():
    schedule = LevelsSpec(resolutions=(16, 32, 64), shares=(2, 1, 1)).build(8, 64)
    assert [schedule.resolution(step) for step in range(9)] == [16] * 4 + [32] * 2 + [64] * 3


def test_one_resolution_stays():
    assert {constant(32).resolution(step) for step in range(5)} == {32}


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"resolutions": (64, 32)}, ("resolutions",)),
        ({"resolutions": (16, 32)}, ("resolutions",)),
        ({"resolutions": (32, 32, 64)}, ("resolutions",)),
        ({"resolutions": (32, 64), "shares": (1,)}, ("shares",)),
        ({"resolutions": (32, 64), "shares": (1, 0)}, ("shares",)),
        ({"resolutions": (32, 64), "shares": (1e308, 1e308)}, ("shares",)),
    ],
)
def test_levels_that_do_not_fit_are_refused(keys, path):
    with pytest.raises(ConfigError) as caught:
        LevelsSpec(**keys).build(10, 64)
    assert caught.value.path == path


def test_a_share_is_a_number():
    with pytest.raises(ConfigError, match="finite number"):
        LevelsSpec(resolutions=(32, 64), shares=(1, math.nan))
