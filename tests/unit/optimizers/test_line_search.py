"""The strong Wolfe line search on functions of one variable and on rounding noise."""

import math

import numpy as np
import pytest

from pdehvd.numerics.vectors import Replicated
from pdehvd.objectives.protocols import Point
from pdehvd.optimizers.line_search import CURVATURE, SUFFICIENT, best_length, line_search


class Line:
    """f(a) along one coordinate; counts its evaluations."""

    def __init__(self, value, slope, dtype=np.float64):
        self._value, self._slope, self._dtype = value, slope, dtype
        self.evaluations = 0

    def __call__(self, theta):
        self.evaluations += 1
        a = float(theta[0])
        loss = float(self._dtype(self._value(a)))
        return Point(loss, np.array([loss]), np.array([self._slope(a)], self._dtype))

    def search(self, first):
        origin = np.zeros(1, self._dtype)
        along, start = np.ones(1, self._dtype), self(origin)
        found = line_search(self, origin, along, start, first, Replicated())
        return self(origin), found


def wolfe(start, found):
    slope = start.gradient[0]
    lower = found.loss <= start.loss + SUFFICIENT * found.length * slope
    return lower and abs(found.slope) <= CURVATURE * abs(slope)


FUNCTIONS = {
    "quadratic": (lambda a: (a - 1) ** 2, lambda a: 2 * (a - 1)),
    "quartic": (lambda a: (a - 1) ** 4, lambda a: 4 * (a - 1) ** 3),
    # Moré and Thuente (1994), functions 5.1 and 5.2.
    "more 1": (
        lambda a: -a / (a * a + 2),
        lambda a: (a * a - 2) / (a * a + 2) ** 2,
    ),
    "more 2": (
        lambda a: (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4,
        lambda a: 5 * (a + 0.004) ** 4 - 8 * (a + 0.004) ** 3,
    ),
    "wavy": (
        lambda a: 0.3 * math.sin(20 * a) + (a - 2) ** 2 - 3 * a,
        lambda a: 6 * math.cos(20 * a) + 2 * (a - 2) - 3,
    ),
    "steep wall": (
        lambda a: -a + 1e-6 * math.expm1(min(30 * a, 700)),
        lambda a: -1 + 3e-5 * math.exp(min(30 * a, 700)),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("first", [1e-3, 1e-1, 1.0, 10.0, 1e3])
def test_the_conditions_hold(name, first):
    line = Line(*FUNCTIONS[name])
    start, found = line.search(first)
    assert found is not None and wolfe(start, found)
    assert found.theta[0] == found.length and found.point.loss == found.loss
    assert line.evaluations <= 2 + 15


def test_slopes_are_those_of_the_values():
    for value, slope in FUNCTIONS.values():
        for a in (0.05, 0.3, 0.45):
            difference = (value(a + 1e-6) - value(a - 1e-6)) / 2e-6
            assert slope(a) == pytest.approx(difference, rel=1e-5, abs=1e-7)


def test_a_good_first_length_costs_one_evaluation():
    line = Line(*FUNCTIONS["quadratic"])
    _, found = line.search(1.0)
    assert found.length == 1.0 and line.evaluations == 3


@pytest.mark.parametrize("wall", [math.nan, math.inf])
def test_losses_that_are_no_numbers_are_stepped_back_from(wall):
    value, slope = FUNCTIONS["quadratic"]
    line = Line(
        lambda a: value(a) if a < 1.2 else wall, lambda a: slope(a) if a < 1.2 else math.nan
    )
    start, found = line.search(500.0)
    assert wolfe(start, found) and 0 < found.length < 1.2


def test_a_gradient_that_is_no_number_is_stepped_back_from():
    value, slope = FUNCTIONS["quadratic"]
    line = Line(value, lambda a: slope(a) if a < 0.5 else math.nan)
    start, found = line.search(1.0)
    assert wolfe(start, found) and found.length < 0.5


@pytest.mark.parametrize("slope", [0.0, 1.0, math.nan])
def test_no_descent_is_told_without_an_evaluation(slope):
    line = Line(lambda a: slope * a, lambda a: slope)
    _, found = line.search(1.0)
    assert found is None and line.evaluations == 2


def test_a_slope_that_promises_too_much_gives_none():
    line = Line(lambda a: a, lambda a: -1.0)
    _, found = line.search(1.0)
    assert found is None


def test_any_lower_loss_will_do_where_the_conditions_cannot_be_met():
    # Falls for ever at one slope: no length has a smaller one.
    line = Line(lambda a: -a, lambda a: -1.0)
    _, found = line.search(1.0)
    assert found.loss < 0 and math.isfinite(found.length)


@pytest.mark.parametrize(("dtype", "noise"), [(np.float64, 1e-8), (np.float32, 1e-4)])
@pytest.mark.parametrize("first", [0.01, 1.0, 2.5])
def test_rounding_noise_in_the_loss_is_no_obstacle(dtype, noise, first):
    # The fall to be found is a hundredth of the noise; slopes are exact.
    random = np.random.default_rng(3)
    depth = 0.01 * noise
    for _ in range(50):
        line = Line(
            lambda a: 1 + depth * (a * a - 2 * a) + noise * random.uniform(-1, 1),
            lambda a: 2 * depth * (a - 1),
            dtype,
        )
        _, found = line.search(first)
        assert found is not None and abs(found.slope) <= CURVATURE * 2 * depth
        assert abs(found.length - 1) <= 0.91


def test_random_quartics():
    random = np.random.default_rng(5)
    for _ in range(300):
        c = random.standard_normal(3)
        line = Line(
            lambda a, c=c: -abs(c[0]) * a + c[1] * a**2 + c[2] * a**3 + 0.1 * a**4,
            lambda a, c=c: -abs(c[0]) + 2 * c[1] * a + 3 * c[2] * a**2 + 0.4 * a**3,
        )
        start, found = line.search(10.0 ** random.uniform(-4, 3))
        assert found is not None and wolfe(start, found)


class Lengths:
    """|a - least| along one coordinate, no number from a = 1 on; counts what it is asked."""

    def __init__(self, least):
        self.least, self.asked = least, []

    def losses_at(self, thetas):
        self.asked.append(len(thetas))
        lengths = thetas[:, 0]
        return np.where(lengths < 1, np.abs(lengths - self.least), np.nan)


@pytest.mark.parametrize(("power", "asked"), [(2, [8]), (5, [8]), (6, [8, 23]), (20, [8, 23])])
def test_shorter_lengths_are_tried_where_the_first_ones_still_fall(power, asked):
    at, lengths = Lengths(2.0**-power), 2.0 ** -np.arange(31)
    assert best_length(at, np.zeros(1), np.ones(1), lengths) == (2.0**-power, 0.0)
    assert at.asked == asked


def test_all_lengths_are_tried_where_the_first_ones_give_no_number():
    at = Lengths(2.0**-9)
    at.losses_at = lambda thetas: np.where(thetas[:, 0] < 2.0**-8, 1.0, np.nan)
    assert best_length(at, np.zeros(1), np.ones(1), 2.0 ** -np.arange(31)) == (2.0**-9, 1.0)
