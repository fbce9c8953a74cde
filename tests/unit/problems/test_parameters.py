"""Parameters: their distributions, what they are in a problem, and what is refused."""

import numpy as np
import pytest
from scipy import stats

from pdehvd.errors import ConfigError
from pdehvd.problems.evaluation import evaluation_points, time_slices
from pdehvd.problems.pde import PDESpec
from pdehvd.problems.sampling import GridSpec, SobolSpec, UniformSpec

TABLE = "young,poisson,name\n1,0.1,a\n2,0.2,b\n5,0.3,c\n"


def built(parameters, sampling=None, **sections):
    sections = {
        "coordinates": {"x": [0, 1], "t": [0, 2]},
        "fields": ["u"],
        "equations": {"heat": "u_t - u_xx + " + "+".join(parameters)},
        "conditions": {"ends": {"on": "boundary", "equal": {"u": 0}}},
        **sections,
    }
    spec = PDESpec(parameters=parameters, **sections)
    return spec.build(sampling or SobolSpec(equations=4096, conditions=512), seed=1)


def drawn(problem, block=0):
    source = problem.blocks[block].source
    return source.items(0, 0, source.count).x


def test_parameters_are_inputs_after_the_coordinates_and_have_no_boundary():
    problem = built({"a": [1, 3], "b": [0, 1]})
    assert problem.coordinates == ("x", "t", "a", "b")
    assert problem.domain.parameters == ("a", "b") and problem.domain.space == ("x",)
    assert problem.notes == ()
    walls = drawn(problem, 1)
    assert set(walls[:, 0]) == {0.0, 1.0}
    assert np.ptp(walls[:, 2]) > 1.9 and np.ptp(walls[:, 3]) > 0.9


@pytest.mark.parametrize("sampling", [SobolSpec, UniformSpec])
@pytest.mark.parametrize(
    ("given", "truth"),
    [
        ([1, 3], stats.uniform(1, 2)),
        ({"name": "log_uniform", "range": ["1e-3", 1]}, stats.loguniform(1e-3, 1)),
        ({"name": "normal", "mean": 2, "deviation": 0.5}, stats.norm(2, 0.5)),
    ],
)
def test_points_have_the_distribution_of_their_parameter(given, truth, sampling):
    problem = built({"a": given}, sampling(equations=4096, conditions=512))
    for block in (0, 1):
        values = drawn(problem, block)[:, 2]
        assert stats.kstest(values, truth.cdf).pvalue > 1e-3
        assert values.min() >= problem.domain.bounds[2, 0]
        assert values.max() <= problem.domain.bounds[2, 1]


def test_shards_are_parts_of_the_global_points():
    problem = built({"a": {"name": "normal", "mean": 0, "deviation": 1}, "b": [0, 1]})
    source = problem.blocks[0].source
    whole = source.items(3, 0, 4096).x
    parts = [source.items(3, a, b).x for a, b in ((0, 1000), (1000, 1001), (1001, 4096))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_a_list_of_values_takes_each_as_often():
    problem = built(
        {"a": {"name": "values", "values": [1, 2, 5]}}, UniformSpec(equations=3000, conditions=9)
    )
    values, counts = np.unique(drawn(problem)[:, 2], return_counts=True)
    np.testing.assert_array_equal(values, [1, 2, 5])
    assert counts.min() > 900


def test_columns_of_one_table_are_drawn_together(tmp_path, monkeypatch):
    (tmp_path / "materials.csv").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    column = {"name": "table", "path": "materials.csv"}
    problem = built({"young": column, "nu": {**column, "column": "poisson"}})
    pairs = {tuple(row) for row in drawn(problem)[:, 2:]}
    assert pairs == {(1.0, 0.1), (2.0, 0.2), (5.0, 0.3)}
    evaluated = evaluation_points(problem.domain, 2000)
    assert {tuple(row) for row in evaluated[:, 2:]} == pairs


def test_a_region_may_limit_or_fix_a_parameter():
    walls = {"on": "x = 0 and a > 1", "equal": {"u": 0}}
    fixed = {"on": "x = 1 and a = 0.5", "equal": {"u": 0}}
    parameter = {"a": {"name": "normal", "mean": 1, "deviation": 0.25}}
    problem = built(parameter, conditions={"walls": walls, "fixed": fixed})
    upper = drawn(problem, 1)[:, 2]
    # The upper half of the normal distribution.
    assert stats.kstest(upper, stats.halfnorm(1, 0.25).cdf).pvalue > 1e-3
    assert set(drawn(problem, 2)[:, 2]) == {0.5}


def test_a_grid_stretches_to_the_distribution():
    problem = built(
        {"a": {"name": "log_uniform", "range": [0.01, 100]}}, GridSpec(equations=1000, conditions=9)
    )
    values = np.unique(np.log10(drawn(problem)[:, 2]).round(9))
    np.testing.assert_allclose(np.diff(values), 0.4)


def test_errors_are_measured_over_the_distribution():
    problem = built({"a": {"name": "log_uniform", "range": [0.01, 1]}})
    points = evaluation_points(problem.domain, 1000)
    np.testing.assert_allclose(np.median(points[:, 2]), 0.1, rtol=0.3)
    assert points[:, 2].min() == pytest.approx(0.01) and points[:, 2].max() == pytest.approx(1)
    fixed = evaluation_points(problem.domain, 1000, {2: 0.5})
    assert set(fixed[:, 2]) == {0.5} and len(fixed) == 31 * 31


def test_many_parameters_share_their_values_with_time():
    problem = built({name: [0, 1] for name in "abc"})
    points = evaluation_points(problem.domain, 6400)
    slices, count = time_slices(problem.domain, points)
    assert count == 64 and len(points) == 6400
    np.testing.assert_array_equal(np.bincount(slices), 100)


def test_an_integral_leaves_parameters_open():
    mass = {"integral": "u", "over": "x", "at": {"t": 0}, "equal": "a*b", "points": 20}
    problem = built({"a": [1, 3], "b": [0, 1]}, conditions={"mass": mass})
    places = drawn(problem, 1).reshape(20, -1, 4)
    assert (places[:, :, 1] == 0).all()
    assert len(np.unique(places[:, 0, 2])) == 20
    named = {**mass, "at": {"t": 0, "a": 2, "b": 1}}
    assert built({"a": [1, 3], "b": [0, 1]}, conditions={"mass": named}).blocks[1].count == 1


def test_derivatives_with_respect_to_a_parameter_are_for_those_who_ask():
    sensitive = {"equations": {"one": "u_t - a*u_xx", "two": "u_ta - u_xx - a*u_xxa"}}
    with pytest.raises(ConfigError, match=r"with respect to the parameter a; .*derivatives: true"):
        built({"a": [1, 3]}, **sensitive)
    problem = built(
        {"a": {"name": "uniform", "range": [1, 3], "derivatives": True}},
        **sensitive,
    )
    assert problem.domain.parameters == ("a",) and problem.domain.space == ("x",)


@pytest.mark.parametrize("text", ["diff(u, a)", "flux_a", "a*u_a"])
def test_no_operator_or_definition_goes_around_it(text):
    with pytest.raises(ConfigError, match="with respect to the parameter a"):
        built(
            {"a": [1, 3]},
            definitions={"flux": "a*u_x"},
            equations={"heat": "u_t - u_xx", "odd": text},
        )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([3, 1], r"parameters\.a\.range: the lower bound 3 is not below"),
        ([1], r"parameters\.a"),
        ({"name": "log_uniform", "range": [0, 1]}, r"range\.0: the lower bound is 0"),
        ({"name": "log_uniform", "range": [1, 2], "derivatives": True}, "derivatives: the network"),
        ({"name": "normal", "mean": 1, "deviation": 0}, r"deviation: it is 0"),
        ({"name": "normal", "mean": "k", "deviation": 1}, r"parameters\.a\.mean"),
        ({"name": "values", "values": [1, 1]}, r"values: all values of a are 1"),
        ({"name": "lognormal", "mean": 1}, "unknown distribution 'lognormal'.*did you mean"),
        ({"name": "table", "path": "none.csv"}, r"parameters\.a\.path"),
        ("uniform", r"parameters\.a"),
    ],
)
def test_a_bad_parameter_is_one_message(given, words):
    with pytest.raises(ConfigError, match=words):
        built({"a": given})


@pytest.mark.parametrize("name", ["x", "u", "pi", "u_x"])
def test_its_name_is_its_own(name):
    with pytest.raises(ConfigError, match=f"parameters.{name}"):
        built({name: [0, 1]}, equations={"heat": "u_t - u_xx"})
