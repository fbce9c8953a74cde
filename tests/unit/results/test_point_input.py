from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest

from pdehvd.errors import ConfigError
from pdehvd.results.point_input import read_points

NAMES = ("x", "t")
RIGHT = [[0.0, 0.5], [1.0, 0.5]]


@pytest.mark.parametrize(
    "given",
    [
        RIGHT,
        tuple(map(tuple, RIGHT)),
        np.array(RIGHT),
        np.array(RIGHT, object),
        {"x": [0, 1], "t": [0.5, 0.5]},
        OrderedDict(t=0.5, x=np.array([0, 1])),
        {"x": pd.Series([0, 1], index=[7, 8]), "t": np.array(0.5)},
        pd.DataFrame({"t": [0.5, 0.5], "x": [0, 1]}, index=[4, 9]),
        pd.DataFrame({"t": [0.5, 0.5], "x": pd.array([0, 1], "Int64")}),
        np.array([(0, 0.5), (1, 0.5)], [("x", "i4"), ("t", "f8")]),
        pd.DataFrame({"t": [0.5, 0.5], "note": ["a", "b"], "x": [0, 1], "u": [3, 4]}),
    ],
    ids=lambda given: type(given).__name__,
)
def test_points_may_be_given_in_many_ways(given):
    points = read_points(given, NAMES)
    np.testing.assert_array_equal(points.x, RIGHT)
    assert points.x.dtype == np.float64 and points.shape == (2,)


def test_arrays_by_name_are_broadcast_and_keep_their_shape():
    points = read_points({"x": np.arange(3)[:, None], "t": np.arange(4) / 4}, NAMES)
    assert points.shape == (3, 4) and points.x.shape == (12, 2)
    np.testing.assert_array_equal(points.x[5], [1, 0.25])
    assert read_points({"x": 1, "t": 0}, NAMES).shape == (1,)


@pytest.mark.parametrize("given", [np.zeros((0, 2)), {"x": [], "t": []}, {"x": [], "t": 1.0}])
def test_no_points_are_points(given):
    assert read_points(given, NAMES).x.shape == (0, 2)


@pytest.mark.parametrize(
    "given", [[0, 1, 2], [[0], [1], [2]], {"t": range(3)}, pd.DataFrame({"t": [0, 1, 2]})]
)
def test_one_coordinate_needs_no_columns(given):
    np.testing.assert_array_equal(read_points(given, ("t",)).x, [[0], [1], [2]])


def test_single_precision_is_remembered():
    single = np.float32([[0, 0.1]])
    assert read_points(single, NAMES).rounding == np.finfo(np.float32).eps
    assert read_points({"x": 0, "t": single[0]}, NAMES).rounding == np.finfo(np.float32).eps
    assert read_points([[0, 1]], NAMES).rounding == read_points(RIGHT, NAMES).rounding == 0


def test_what_is_masked_is_no_number():
    masked = np.ma.array([[0, 1], [1, 0]], mask=[[False, True], [False, False]])
    assert np.isnan(read_points(masked, NAMES).x).tolist() == [[False, True], [False, False]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("points.csv", "points: the text 'points.csv'"),
        ([["0.5", "0.5"]], "points: text"),
        (pd.DataFrame({"x": ["0.5", "a"], "t": [0, 1]}), "x: text"),
        ([[0, 1], [0]], "points: rows of different lengths"),
        ([], r"shape \(0,\)"),
        (0.5, r"shape \(\)"),
        ([0, 0.5], r"shape \(2,\)"),
        (np.zeros((4, 3)), r"shape \(4, 3\)"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (None, r"shape \(\)"),
        ([[1j, 0]], "complex numbers"),
        ([[True, False]], "true and false"),
        ({"x": np.array(["2020-01-01"], "M8[D]"), "t": 0}, "x: dates"),
        ({0.5, 1.0}, "points: a set"),
        ({}, "points lack 'x', 't' .given: nothing"),
        ({"x": [0]}, "points lack 't'"),
        ({"x": [0], "tt": [1]}, "lack 't' and also have 'tt'.*did you mean 't'"),
        ({"x": [0], "t": [1], "y": [2]}, "points also have 'y'"),
        (pd.DataFrame([[0, 1]]), "lack 'x', 't' and also have 0, 1"),
        (pd.DataFrame({"x": [0], "tt": [1]}), "lack 't' and also have 'tt'.*did you mean 't'"),
        (pd.DataFrame([[0, 1, 2]], columns=["x", "t", "x"]), "have twice 'x'"),
        ({"x": [0, 1], "t": [0, 1, 2]}, r"do not fit each other: x \(2,\), t \(3,\)"),
    ],
    ids=repr,
)
def test_anything_else_is_refused_with_what_was_expected(given, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_points(given, NAMES)
    assert caught.value.expected
