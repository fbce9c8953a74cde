import math

import pytest

from pdehvd.training.recent import Clock


def test_a_clock_leaves_out_the_call_that_compiles():
    clock = Clock()
    assert math.isnan(clock.per_step) and math.isnan(clock.points_per_second)
    clock.add(10, 1000, 60.0)
    assert math.isnan(clock.per_step)
    clock.add(3, 30, 1.0)
    clock.add(1, 170, 1.0)
    assert clock.per_step == pytest.approx(0.5)
    assert clock.points_per_second == pytest.approx(100)
