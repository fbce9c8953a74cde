import warnings

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter

from pdehvd import Run
from pdehvd.errors import ConfigError, OutsideDomainWarning
from pdehvd.problems.geometry import build_domain
from pdehvd.problems.shapes import GeometrySpec

SQUARE = {"polygon": [[-1, -1], [1, -1], [1, 1], [-1, 1]]}


def plane(geometry):
    return build_domain({"x": None, "y": None}, TypeAdapter(GeometrySpec).validate_python(geometry))


@pytest.fixture
def run(fake, fill, tmp_path):
    """Return a run in x from -1 to 1 and t from 0 to 1."""
    fill(tmp_path)
    run = Run(tmp_path)
    trained = fake("line_time")
    trained.problem.domain = build_domain({"x": [-1, 1], "t": [0, 1]})
    run.__dict__["trained"] = trained
    return run


def test_a_run_reads_what_was_written(fill, tmp_path):
    fill(tmp_path)
    run = Run(tmp_path)
    assert run.errors == {"u": 0.0123}
    assert run.summary["status"] == "completed"
    assert run.history["step"].iloc[-1] == 2000
    assert "completed, relative L2 u 0.0123" in repr(run)


def test_a_run_plots(run):
    assert {"solution_u", "loss"} <= set(run.plot())


def test_what_is_no_run_is_said_at_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, message in (("runs/nope", "there is no run"), ("latest", "no run"), (".", "config")):
        with pytest.raises(ConfigError, match=message):
            Run(name)


def test_a_run_is_found_by_latest_and_stays_found(fill, tmp_path, monkeypatch):
    fill(tmp_path / "runs" / "a")
    (tmp_path / "runs" / "latest").symlink_to("a")
    monkeypatch.chdir(tmp_path)
    run = Run("latest")
    monkeypatch.chdir("/")
    assert run.summary["status"] == "completed"


def test_all_ways_to_give_points_give_the_same_values(run):
    x = np.linspace(-1, 1, 5)
    right = run.predict(np.stack([x, np.full(5, 0.5)], axis=1))["u"]
    for given in ({"t": 0.5, "x": x}, pd.DataFrame({"t": 0.5, "x": x}), [[a, 0.5] for a in x]):
        np.testing.assert_array_equal(run.predict(given)["u"], right)
    mesh = run.predict({"x": x[:, None], "t": [0.5, 1]})["u"]
    assert mesh.shape == (5, 2)
    np.testing.assert_array_equal(mesh[:, 0], right)
    assert run.predict(np.zeros((0, 2)))["u"].shape == (0,)


def test_points_outside_are_warned_of_where_the_caller_stands(run):
    with pytest.warns(OutsideDomainWarning, match=r"2 of 3 points.*by 7 in t: t = -7") as caught:
        values = run.predict([[0, 0.5], [1.5, 0], [0, -7]])["u"]
    assert np.isfinite(values).all()
    assert caught[0].filename == __file__ and len(caught) == 1


def test_points_inside_are_not_warned_of(run):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.predict([[-1, 0], [1, 1], [1 + 1e-12, 0.5]])
        run.predict(np.float32([[1.0000001, 0.5]]))
        run.predict([[5, 5], [np.nan, 0]], outside="nan")


def test_outside_may_be_nan_or_an_error(run):
    points = [[0, 0.5], [1.5, 0], [np.nan, 0], [np.inf, 0]]
    assert np.isnan(run.predict(points, outside="nan")["u"]).tolist() == [False, True, True, True]
    with pytest.raises(ConfigError, match=r"1 of 2 points.*x = 1.5 is not in \[-1, 1\]"):
        run.predict(points[:2], outside="error")
    with pytest.raises(ConfigError, match="did you mean 'error'"):
        run.predict(points, outside="eror")


@pytest.mark.parametrize("outside", ["warn", "error"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, None])
def test_coordinates_that_are_not_finite_are_refused(run, outside, wrong):
    with pytest.raises(ConfigError, match=r"point 1 .*t = (nan|inf)"):
        run.predict([[0, 0.5], [0, wrong]], outside)


def test_a_hole_is_outside(run):
    hole = {"disk": {"center": [0, 0], "radius": 0.5}}
    run.trained.problem.coordinates = ("x", "y")
    run.trained.problem.domain = plane({"difference": [SQUARE, hole]})
    points = {"x": [0.0, 0.75], "y": 0.1}
    with pytest.warns(OutsideDomainWarning, match=r"1 of 2 .*x = 0, y = 0.1, by about 0.4"):
        run.predict(points)
    assert np.isnan(run.predict(points, outside="nan")["u"]).tolist() == [True, False]


@pytest.mark.parametrize("given", [None, 5, ["runs/a"]])
def test_what_is_no_path_is_no_run(given):
    with pytest.raises(ConfigError, match=r"is not a run; expected the path of its folder"):
        Run(given)


def test_points_far_away_are_told_in_one_sentence(run):
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        run.predict([[1e300, 0.0]])
    assert [warning.category for warning in heard] == [OutsideDomainWarning]
