"""What each coordinate is taken for: space, time, a parameter; and what is said about it."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

import pdehvd.reference  # noqa: F401 - a problem may name one
from pdehvd.assembly.build import build_problem
from pdehvd.config.root import load_config
from pdehvd.errors import ConfigError
from pdehvd.problems.conditions import KINDS, Condition
from pdehvd.problems.pde import PDESpec
from pdehvd.problems.sampling import SobolSpec

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
SAMPLING = SobolSpec(equations=64, conditions=64)
CONDITION = TypeAdapter(Condition)


def built(coordinates, equation, **sections):
    conditions = sections.pop("conditions", {"walls": {"on": "boundary", "equal": {"u": 0}}})
    equations = equation if isinstance(equation, dict) else {"one": equation}
    spec = PDESpec(
        coordinates=coordinates,
        fields=sections.pop("fields", ["u"]),
        equations=equations,
        conditions=conditions,
        **sections,
    )
    return spec.build(SAMPLING, seed=1)


def box(names, ends=(0, 1)):
    return {name: list(ends) for name in names}


def walls(problem):
    """Return the faces (coordinate, value) on which the first condition has points."""
    source = problem.blocks[1].source
    items = source.items(0, 0, source.count)
    normals = np.stack([items.extras[f"__normal_{name}"] for name in problem.coordinates], 1)
    axes = np.abs(normals).argmax(1)
    assert np.allclose(np.linalg.norm(normals, axis=1), 1)
    return {(problem.coordinates[axis], float(x[axis])) for axis, x in zip(axes, items.x)}  # noqa: B905


@pytest.mark.parametrize(
    ("coordinates", "equation", "space", "parameters"),
    [
        ("xa", "u_xx + a*pi^2*sin(pi*x)", "x", "a"),
        ("ax", "u_xx + a", "x", "a"),
        ("xab", "a*u_xx + b", "x", "ab"),
        ("xta", "u_t - a*u_xx", "x", "a"),
        ("xya", "u_xy + a", "xy", "a"),
        ("xy", {"one": "u_x - v", "two": "v_y"}, "xy", ""),
        # A derivative is in the text, whatever it is multiplied by.
        ("xy", "u_xx + none*u_yy", "xy", ""),
        ("xy", "u_x + (u_y - u_y)", "xy", ""),
        # Without any derivative nothing tells space from parameters.
        ("xy", "u - sin(x)*y", "xy", ""),
        ("xt", "u_xx - t", "x", ""),
    ],
)
def test_what_no_equation_differentiates_by_is_a_parameter(
    coordinates, equation, space, parameters
):
    fields = ["u", "v"] if isinstance(equation, dict) else ["u"]
    problem = built(box(coordinates), equation, fields=fields, constants={"none": 0})
    assert problem.domain.space == tuple(space)
    assert problem.domain.parameters == tuple(parameters)
    assert walls(problem) == {(name, end) for name in space for end in (0.0, 1.0)}
    assert problem.notes == tuple(
        f"{name} is a parameter: no equation differentiates with respect to it; "
        "'boundary' excludes its end faces"
        for name in parameters
    )


def test_coordinates_of_a_shape_are_space():
    for shape in (
        {"rectangle": {"from": [0, 0], "to": [1, 1]}},
        {"disk": {"center": [0.5, 0.5], "radius": 0.5}},
    ):
        problem = built({"x": None, "y": None, "a": [0, 1]}, "u_xx - a", geometry=shape)
        assert problem.domain.space == ("x", "y")
        assert problem.domain.parameters == ("a",)


def test_an_ordinary_equation_with_a_parameter_has_no_boundary():
    with pytest.raises(ConfigError, match=r"no boundary in space.*parameters.*: a"):
        built(box("ta"), "u_t + a*u")
    problem = built(
        box("ta"), "u_t + a*u", conditions={"start": {"on": "t = 0", "equal": {"u": "a"}}}
    )
    assert problem.domain.parameters == ("a",)


def test_time_by_another_name():
    problem = built(box(["x", "tau"]), "u_tau - u_xx", time="tau")
    assert (problem.domain.time, problem.domain.space) == ("tau", ("x",))
    assert walls(problem) == {("x", 0.0), ("x", 1.0)}
    assert problem.notes == ()
    # An explicit time leaves a coordinate called t to space.
    problem = built(box(["t", "s"]), "u_s - u_tt", time="s")
    assert problem.domain.space == ("t",)
    with pytest.raises(
        ConfigError, match=r"'tua' is not a coordinate.*did you mean 'tau'"
    ) as caught:
        built(box(["x", "tau"]), "u_tau - u_xx", time="tua")
    assert caught.value.path == ("problem", "time")


@pytest.mark.parametrize(
    ("names", "equation", "time"),
    [
        (["x", "tau"], "u_tau - u_xx", "tau"),
        (["x", "s"], "u_s + u*u_x - 0.01*u_xx", "s"),
        (["x", "y", "s"], "u_s - u_xx - u_yy", "s"),
        (["s", "x"], "u_s + u*u_x + u_xxx", "s"),
        (["x", "s"], "u_ss - c^2*u_xx", "s"),
        (["s", "x", "y"], "u_ss - u_xx - u_yy + 0.1*u_s", "s"),
        (["x", "s"], "u_ss + u_xxxx", "s"),
        (["x", "tau"], "u_tautau - (1 + x)*u_xx", "tau"),
        (["x", "s"], "u_ss - (1 + x)*speed^2*u_xx", "s"),
    ],
)
def test_a_coordinate_that_may_be_time_is_named(names, equation, time):
    numbers = {"constants": {"c": 2}, "unknowns": {"speed": 3} if "speed" in equation else {}}
    problem = built(box(names), equation, **numbers)
    (note,) = problem.notes
    assert f"condition walls includes the faces {time} = 0 and {time} = 1" in note
    assert note.endswith(f"write 'time: {time}' under problem")
    settled = built(box(names), equation, **numbers, time=time)
    assert settled.notes == ()
    assert not any(name == time for name, _ in walls(settled))


def test_a_first_value_suggests_a_time():
    conditions = {
        "walls": {"on": "boundary", "equal": {"u": 0}},
        "start": {"on": "s = 0", "equal": {"u": "sin(x)"}},
    }
    (note,) = built(box("xs"), "u_s + u_x", conditions=conditions).notes
    assert "'time: s'" in note


@pytest.mark.parametrize(
    ("names", "equation"),
    [
        ("xy", "u_xx + u_yy"),
        ("xyz", "u_xx + u_yy + u_zz + u"),
        ("xy", "u_xxxx + 2*u_xxyy + u_yyyy"),
        ("xy", "u_x + u_y"),
        ("xy", "u_yy - u_xxxx"),
        ("xt", "u_t - u_xx"),
        ("xyt", "u_t + u_y - u_xx"),
        ("x", "u_x + u"),
    ],
)
def test_there_is_no_doubt_without_reason(names, equation):
    assert built(box(names), equation).notes == ()


def test_there_is_no_doubt_where_boundary_leaves_the_ends_out():
    conditions = {"walls": {"on": ["x = 0", "x = 1"], "equal": {"u": 0}}}
    assert built(box(["x", "tau"]), "u_tau - u_xx", conditions=conditions).notes == ()
    conditions = {"walls": {"on": "boundary and 0 < tau < 1", "equal": {"u": 0}}}
    assert built(box(["x", "tau"]), "u_tau - u_xx", conditions=conditions).notes == ()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_shipped_configs_leave_no_doubt(path):
    assert build_problem(load_config(path)[0], 1).notes == ()


@pytest.mark.parametrize(
    ("names", "equation", "on", "reason"),
    [
        ("xt", "u_t - u_xx", "t = 0", "t is time"),
        ("xt", "u_t - u_xx", "t >= 1", "t is time"),
        ("xt", "u_t - u_xx", ["x = 0", "t = 0"], "t is time"),
        ("t", "u_t + u", "t = 0", "t is time"),
        ("xa", "u_xx - a", "a = 1", "a is a parameter"),
        ("xy", "u_xx + u_yy", "x = 0.5", "no outward normal"),
        ("xy", "u_xx + u_yy", "interior", "no outward normal"),
        ("xy", "u_xx + u_yy", "x = 0 and y = 0", "no outward normal"),
        ("xyz", "u_xx + u_yy + u_zz", "x = 0 and y = 0", "no outward normal"),
    ],
)
@pytest.mark.parametrize("equal", [{"u_n": 0}, {"u": "u_n"}, {"0*u_n": 1}])
def test_a_normal_derivative_needs_a_normal(names, equation, on, reason, equal):
    conditions = {"one": {"on": on, "equal": equal}}
    with pytest.raises(ConfigError, match=reason) as caught:
        built(box(names), equation, conditions=conditions)
    assert caught.value.path[:4] == ("problem", "conditions", "one", "equal")


def refused(**given):
    with pytest.raises(ConfigError) as caught:
        built(**{"coordinates": box("xt"), "equation": "u_t - u_xx"} | given)
    assert caught.value.path[0] == "problem"
    return caught.value.message, caught.value.path[1:]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"coordinates": box("xn"), "equation": "u_xx + u_nn"}, ("coordinates", "n")),
        ({"constants": {"u_n": 300}}, ("constants", "u_n")),
        ({"unknowns": {"u_n": 300}}, ("unknowns", "u_n")),
        ({"fields": ["u", "u_n"]}, ("fields", "u_n")),
    ],
)
def test_what_is_also_a_normal_derivative_is_refused(given, path):
    message, where = refused(**given)
    assert "along the normal" in message
    assert where == path


@pytest.mark.parametrize(
    ("name", "condition", "more"),
    [
        ("side", {"periodic": "x"}, {}),
        ("quadrature", {"integral": "{}", "over": "x", "equal": 1}, {}),
        ("measured_v", {"data": "values.csv", "fields": ["v"]}, {"x": [0.5], "t": [0.5], "v": [2]}),
        ("normal_x", {"on": "x = 1", "equal": {"v_n": "{}"}}, {}),
    ],
)
def test_a_field_may_have_any_name_of_a_column(name, condition, more, tmp_path):
    """What the program adds to points has names that are no user's."""
    if more:
        np.savetxt(
            tmp_path / "values.csv",
            np.array([*more.values()]).T,
            "%g",
            ",",
            header=",".join(more),
            comments="",
        )
        condition = condition | {"data": str(tmp_path / "values.csv")}
    if "integral" in condition:
        condition = condition | {"integral": name}
    if "equal" in condition and "on" in condition:
        condition = condition | {"equal": {"v_n": name}}
    problem = built(
        box("xt"), f"{name}_t - v_xx", fields=["v", name], conditions={"one": condition}
    )
    block = problem.blocks[1]
    items = block.source.items(0, 0, 1)
    assert name not in items.extras
    used = {s.name for e in block.formulas.expressions for s in e.free_symbols}
    assert used - set(items.extras) == {s for s in used if s in block.formulas.derivatives}
    assert used & set(items.extras)


@pytest.mark.parametrize("name", ["__side", "a__b", "u__op0", "_"])
def test_names_of_the_program_are_refused(name):
    message, path = refused(constants={name: 1})
    assert f"'{name}' is not a valid name" in message
    assert path == ("constants", name)


@pytest.mark.parametrize(
    ("condition", "message", "path"),
    [
        ({"on": "x = 0", "equal": {"u": "u"}}, "both sides are the same", ("equal", "u")),
        ({"on": "x = 0", "equal": {"u": 0, "t": 0}}, "contains no field", ("equal", "t")),
        ({"at": {"x": 0, "t": 0}, "equal": {"x": 1}}, "contains no field", ("equal", "x")),
        ({"periodic": "x", "of": ["u", "t"]}, "contains no field", ("of", 1)),
        ({"integral": "x", "equal": 1}, "contains no field", ("integral",)),
        (
            {"at": {"x": "0.5a", "t": 0}, "equal": {"u": 1}},
            "the number is followed by",
            ("at", "x"),
        ),
        ({"at": [{"x": 0, "t": 0}, {"x": 0}], "equal": {"u": 1}}, "a point with x", ("at", 1)),
        ({"integral": "u", "equal": 1, "at": {"x": 0.5}}, "over all coordinates", ("at",)),
        ({"integral": "u", "over": ["x", "t"], "equal": 1, "at": {"x": 0}}, "all coord", ("at",)),
    ],
)
def test_conditions_that_impose_nothing_are_refused(condition, message, path):
    said, where = refused(conditions={"one": condition})
    assert message in said
    assert where == ("conditions", "one", *path)


def test_a_condition_may_hold_an_unknown_alone():
    conditions = {"guess": {"at": {"x": 0, "t": 0}, "equal": {"k": 1}}}
    assert built(box("xt"), "u_t - k*u_xx", unknowns={"k": 2}, conditions=conditions)


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        ("equal", {"on": "x = 0", "equal": {}}),
        ("at", {"at": [], "equal": {"u": 1}}),
        ("at", {"integral": "u", "over": "x", "equal": 1, "at": []}),
        ("over", {"integral": "u", "over": [], "equal": 1}),
        ("of", {"periodic": "x", "of": []}),
        ("fields", {"data": "values.csv", "fields": []}),
    ],
)
def test_empty_entries_of_conditions_are_refused(name, condition, tmp_path):
    (tmp_path / "values.csv").write_text("x,t,u\n0,0,0\n")
    given = {
        key: str(tmp_path / value) if key == "data" else value for key, value in condition.items()
    }
    with pytest.raises(ValueError, match=f"'{name}' is empty"):
        CONDITION.validate_python(given)


@pytest.mark.parametrize("kind", [{"data": "d.csv"}, {"at": {"x": 0}, "equal": {"u": 0}}])
def test_points_that_are_given_have_no_number(kind):
    with pytest.raises(ValueError, match=f"'points' does not go with '{next(iter(kind))}'"):
        CONDITION.validate_python({**kind, "points": 9})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"on": "x = 0", "periodic": "x"}, "is of several kinds: on, periodic"),
        ({"on": "x = 0", "integral": "u", "at": {"t": 0}}, "is of several kinds: on, integral"),
        ({"on": "x = 0", "at": {"t": 0}, "equal": {"u": 0}}, "'at' does not go with 'on'"),
        ({"periodic": "x", "equal": {"u": 0}}, "'equal' does not go with 'periodic'"),
        ({"equal": {"u": 0}, "on": None}, "does not say where it holds"),
        ({"on": "x = 0"}, "does not say what must hold"),
        ({"at": {"x": 0}, "equal": None}, "does not say what must hold"),
    ],
)
def test_a_condition_is_of_one_kind_and_whole(given, said):
    with pytest.raises(ValueError, match=said):
        CONDITION.validate_python(given)


def test_a_misspelt_key_of_a_condition_is_named():
    ends = {"on": "boundary", "equals": {"u": 0}}
    with pytest.raises(ConfigError, match=r"conditions\.ends\.equals: .* did you mean 'equal'"):
        PDESpec(coordinates={"x": (0, 1)}, fields=["u"], conditions={"ends": ends})


@pytest.mark.parametrize(
    ("key", "meant"),
    [("betwen", "between"), ("periodc", "periodic"), ("On", "on"), ("dat", "data")],
)
def test_a_misspelt_kind_of_condition_is_named(key, meant):
    sides = {key: ["a", "b"], "equal": {"u": "u"}}
    with pytest.raises(ConfigError, match=rf"conditions\.sides\.{key}: .* mean '{meant}'"):
        PDESpec(coordinates={"x": (0, 1)}, fields=["u"], conditions={"sides": sides})


def test_every_kind_of_condition_can_be_written():
    shortest = {
        "on": {"on": "x = 0", "equal": {"u": 0}, "periodic": None},
        "between": {"between": ["a", "b"], "equal": {"u": "u"}},
        "periodic": {"periodic": "x"},
        "data": {"data": "values.csv"},
        "integral": {"integral": "u", "at": {"t": 0}, "equal": 1},
        "at": {"at": [{"x": 0}], "equal": {"u": 0}},
    }
    assert set(shortest) == set(KINDS)
    for key, given in shortest.items():
        assert type(CONDITION.validate_python(given)) is KINDS[key]


def test_an_unknown_that_occurs_nowhere_is_refused():
    message, path = refused(unknowns={"k": 1})
    assert message == "'k' occurs in no equation and no condition"
    assert path == ("unknowns", "k")


@pytest.mark.parametrize("ends", [[-2, 2], [1, 2]])
def test_a_shape_does_not_take_a_parameter_for_an_axis(ends):
    given = {"equation": "u_xx + k*u_yy", "geometry": {"disk": {"radius": 1}}}
    message, path = refused(coordinates={"k": ends, "x": None, "y": None}, **given)
    assert "takes the first 2 coordinates other than time, k, x" in message
    assert "differentiates with respect to k" in message
    assert path == ("geometry",)
    problem = built({"x": None, "y": None, "k": ends}, **given)
    assert problem.domain.parameters == ("k",)
