"""Rows of measured values that do not count alike: standard deviations and missing values."""

import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.numerics.compiling import compile_numpy
from pdehvd.problems.pde import PDESpec
from pdehvd.problems.sampling import SobolSpec

TABLE = "x,u,v,sigma,tau\n0,1,2,0.1,1\n0.5,NA,3,0.2,1\n1,4,,0.4,0\n"


@pytest.fixture
def built(tmp_path, monkeypatch):
    (tmp_path / "values.csv").write_text(TABLE)
    np.savez(tmp_path / "values.npz", x=[0.0, 1.0], u=[np.nan, 2.0], v=[1.0, 2.0])
    monkeypatch.chdir(tmp_path)

    def make(**keys):
        spec = PDESpec(
            coordinates={"x": [0, 1]},
            fields=["u", "v"],
            equations={"one": "u_x - v", "two": "v_x"},
            conditions={"known": {"data": "values.csv", **keys}},
        )
        return spec.build(SobolSpec(equations=8), seed=1)

    return make


def squares(problem, u, v):
    """Return the mean over rows of the squared residuals, for constant fields."""
    block = problem.blocks[1]
    items = block.source.items(0, 0, block.count)
    total = 0.0
    for expression in block.terms[0].expressions:
        (values,) = compile_numpy([expression], ["u", "v", *items.extras])(
            {"u": np.full(block.count, u), "v": np.full(block.count, v), **items.extras}
        )
        total += np.mean(np.square(values))
    return total


def test_missing_values_leave_the_mean_over_the_others(built):
    problem = built(missing=True)
    assert problem.notes == (
        "values.csv: 1 of 3 values of u are missing",
        "values.csv: 1 of 3 values of v are missing",
    )
    assert squares(problem, 1.5, 2.25) == pytest.approx(
        np.mean([0.5**2, 2.5**2]) + np.mean([0.25**2, 0.75**2])
    )
    np.testing.assert_array_equal(problem.measured["known"].values("u"), [1, np.nan, 4])


def test_deviations_weigh_rows_relative_to_each_other(built):
    problem = built(missing=True, fields=["u"], deviations="sigma")
    weights = np.array([1 / 0.1**2, 1 / 0.4**2])
    expected = (weights * [0.5**2, 2.5**2]).sum() / weights.sum()
    assert squares(problem, 1.5, 0) == pytest.approx(expected)
    own = built(missing=True, deviations={"u": "sigma"})
    assert squares(own, 1.5, 2.25) == pytest.approx(expected + np.mean([0.25**2, 0.75**2]))


def test_nan_in_an_archive_is_missing_too(built):
    problem = built(data="values.npz", missing=True)
    assert squares(problem, 1.0, 1.0) == pytest.approx(1 + np.mean([0, 1]))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, r"column 'u' holds 'NA' in row 2 \(line 3\)"),
        ({"data": "values.npz"}, "column 'u' has 1 value not finite"),
        ({"fields": ["v"], "missing": True, "deviations": "tau"}, r"deviations: .* is 0 in row 3"),
        ({"missing": True, "deviations": {"w": "tau"}}, r"deviations\.w: 'w' is not measured"),
        ({"missing": True, "deviations": "sigm"}, r"no column 'sigm'.*rename 'sigma' to 'sigm'"),
        ({"missing": "perhaps"}, r"conditions\.known"),
    ],
)
def test_bad_rows_are_one_message(built, keys, words):
    with pytest.raises(ConfigError, match=words):
        built(**keys)


def test_a_field_without_any_value_is_refused(built, tmp_path):
    (tmp_path / "values.csv").write_text("x,u\n0,NA\n1,\n")
    with pytest.raises(ConfigError, match="all values of u are missing"):
        built(fields=["u"], missing=True)
