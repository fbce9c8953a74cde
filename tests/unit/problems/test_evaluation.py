import math
from types import SimpleNamespace

import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.problems.evaluation import (
    constants,
    error_sums,
    evaluation_points,
    relative_l2,
    time_slices,
)


def box(*bounds, time=None, inside=None):
    bounds = np.array(bounds, dtype=float)
    names = tuple("xyztab"[: len(bounds)]) if time is None else (*"xyz"[: len(bounds) - 1], "t")

    def everywhere(x):
        return np.ones(len(x), dtype=bool)

    return SimpleNamespace(
        names=names,
        bounds=bounds,
        time=time,
        parameters=(),
        contains=inside or everywhere,
        spread=lambda points, axes: None,
    )


def test_a_box_gets_a_closed_grid():
    points = evaluation_points(box([-1, 1], [0, 2]), 100)
    assert points.shape == (100, 2)
    assert points.dtype == np.float64
    np.testing.assert_array_equal(points.min(axis=0), [-1, 0])
    np.testing.assert_array_equal(points.max(axis=0), [1, 2])


def test_the_grid_is_always_the_same():
    domain = box([-1, 1], [0, 2], [0, 1], [0, 3])
    np.testing.assert_array_equal(evaluation_points(domain), evaluation_points(domain))


def test_many_coordinates_get_a_sobol_sequence():
    points = evaluation_points(box(*([[2, 3]] * 6)), 1000)
    assert points.shape == (1000, 6)
    assert points.min() >= 2 and points.max() <= 3
    np.testing.assert_allclose(points.mean(axis=0), 2.5, atol=0.01)


def test_many_coordinates_with_time_share_their_times():
    domain = box([0, 1], [0, 1], [0, 1], [0, 5], time="t")
    points = evaluation_points(domain, 1600)
    slices, count = time_slices(domain, points)
    assert count == 16 and len(points) == 1600
    np.testing.assert_array_equal(np.bincount(slices), 100)
    assert points[:, 3].min() == 0 and points[:, 3].max() == 5


def test_a_small_shape_still_gets_many_points():
    disc = box([-1, 1], [-1, 1], inside=lambda x: np.hypot(*x.T) < 0.2)
    points = evaluation_points(disc, 1000)
    assert 500 <= len(points) <= 3000
    assert np.hypot(*points.T).max() < 0.2


def test_an_empty_domain_is_an_error():
    with pytest.raises(ConfigError, match="no point"):
        evaluation_points(box([0, 1], [0, 1], inside=lambda x: np.zeros(len(x), dtype=bool)))


def test_sums_of_shards_give_the_error_of_all():
    truth = np.sin(np.arange(100.0))
    value = truth + 0.01 * np.cos(np.arange(100.0))
    slices = np.zeros(100, dtype=int)
    parts = [error_sums(value[s], truth[s], slices[s], 1) for s in (slice(0, 37), slice(37, 100))]
    expected = np.linalg.norm(value - truth) / np.linalg.norm(truth)
    assert relative_l2(sum(parts)) == pytest.approx(expected, rel=1e-12)


def test_a_constant_at_each_time_is_free_only_where_said():
    domain = box([0, 1], [0, 1], time="t")
    points = evaluation_points(domain, 400)
    truth = np.sin(points[:, 0])
    value = truth + 3.0 + 2.0 * points[:, 1]
    slices, count = time_slices(domain, points)
    sums = error_sums(value, truth, slices, count)
    assert relative_l2(sums) > 1.0
    free = error_sums(value - constants(sums)[slices], truth, slices, count)
    assert relative_l2(free) < 1e-14


def test_points_without_a_truth_are_left_out():
    truth = np.array([1.0, np.nan, 2.0])
    sums = error_sums(np.array([1.0, 5.0, 1.0]), truth, np.zeros(3, dtype=int), 1)
    assert sums[0, 0] == 2
    assert relative_l2(sums) == pytest.approx(1 / math.sqrt(5))


def test_the_error_of_a_zero_truth_is_absolute():
    value, slices = np.array([1.0, 2.0, 2.0]), np.zeros(3, dtype=int)
    zero = error_sums(value, np.zeros(3), slices, 1)
    assert relative_l2(zero) == pytest.approx(math.sqrt(3))
    assert math.isnan(relative_l2(error_sums(value, np.full(3, np.nan), slices, 1)))
