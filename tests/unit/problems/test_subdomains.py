"""Subdomains: what names mean where, which points an interface has, and what is refused."""

import numpy as np
import pytest
import sympy

from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import compile_numpy, symbol
from pdehvd.problems.pde import PDESpec
from pdehvd.problems.sampling import SobolSpec
from pdehvd.problems.subdomain import interface

WALL = {
    "coordinates": {"x": [0, 1]},
    "subdomains": {"steel": "x < 0.5", "glass": "rest"},
    "fields": ["u"],
    "constants": {"k": {"steel": 400, "glass": 1.5}},
    "equations": {"heat": "k*u_xx"},
    "conditions": {
        "left": {"on": "x = 0", "equal": {"u": 0}},
        "right": {"on": "x = 1", "equal": {"u": 1}},
        "contact": {"between": ["steel", "glass"], "equal": {"u": "u", "k*u_n": "k*u_n"}},
    },
    "scale": "none",
}
FLOW = {
    "coordinates": {"x": [0, 2], "y": [-1, 1], "t": [0, 3]},
    "subdomains": {"plate": {"where": "y < 0", "fields": ["T"]}, "channel": {"where": "y > 0"}},
    "fields": ["u", "T"],
    "definitions": {"speed": "u^2", "k": {"plate": 5, "channel": "2 + x"}, "flux": "-k*T_y"},
    "equations": {"motion": "u_yy + 1", "heat": {"plate": "T_yy", "channel": "T_t + u*T_x - T_yy"}},
    "conditions": {"contact": {"between": ["plate", "channel"], "equal": {"T": "T", "T_n": "T_n"}}},
    "scale": "none",
}
BOX = {"x": [0, 2], "y": [0, 1]}
ROUND = {"shape": {"disk": {"center": [1, 0.5], "radius": 0.25}}}

SHELL = {
    "shape": {
        "difference": [
            {"disk": {"center": [1, 0.5], "radius": 0.4}},
            {"disk": {"center": [1, 0.5], "radius": 0.25}},
        ]
    }
}


def built(base, count=64, **changes):
    spec = PDESpec.model_validate({"name": "pde", **base, **changes})
    return spec.build(SobolSpec(equations=32, conditions=count), 1)


def refused(base, **changes):
    with pytest.raises(ConfigError) as caught:
        built(base, **changes)
    assert caught.value.path[0] == "problem"
    return str(caught.value), caught.value.path[1:]


def in_two(subdomains, coordinates=BOX, equation="laplacian(u)", **changes):
    names = list(subdomains)[:2]
    return built(
        {
            "coordinates": coordinates,
            "subdomains": subdomains,
            "fields": ["u"],
            "equations": {"e": equation},
            "conditions": {"contact": {"between": names, "equal": {"u": "u + 1", "u_n": "2*u_n"}}},
            "scale": "none",
            **changes,
        }
    )


def points_of(problem, name):
    block = next(block for block in problem.blocks if block.name == name)
    items = block.source.items(0, 0, block.count)
    normals = np.stack([items.extras[f"__normal_{axis}"] for axis in problem.coordinates], 1)
    return items.x, normals


def value(expression, **known):
    """Return an expression at one place; names that are missing are 0."""
    names = sorted({str(free) for free in expression.free_symbols} | {"x"})
    columns = {name: np.array([float(known.get(name, 0.0))]) for name in names}
    return float(compile_numpy([expression], names)(columns)[0][0])


def test_names_mean_the_field_of_the_subdomain_that_holds_the_point():
    problem = built(WALL)
    assert problem.fields == ("u_steel", "u_glass") and problem.outputs == ("u",)
    u = problem.language.definitions["u"]
    assert value(u, x=0.2, u_steel=3, u_glass=7) == 3
    assert value(u, x=0.8, u_steel=3, u_glass=7) == 7
    steel, glass = problem.blocks[0].terms[0].expressions
    second = {"u_steel_xx": 1.0, "u_glass_xx": 10.0}
    assert [value(steel, x=0.2, **second), value(steel, x=0.8, **second)] == [400, 0]
    assert [value(glass, x=0.2, **second), value(glass, x=0.8, **second)] == [0, 15]


def test_a_condition_holds_the_fields_of_the_subdomains_that_it_touches():
    problem = built(WALL)
    ((left,), (right,), contact) = [block.terms[0].expressions for block in problem.blocks[1:]]
    assert left == symbol("u_steel") and right == symbol("u_glass") - 1
    assert contact[0] == symbol("u_steel") - symbol("u_glass")
    slope = {"u_steel_x": 1.0, "u_glass_x": 100.0, "__normal_x": 1.0}
    assert value(contact[1], **slope) == 400 - 150
    ends = {"ends": {"on": ["x = 0", "x = 1"], "equal": {"u": 0}}}
    (both,) = built(WALL, conditions=ends).blocks[1].terms[0].expressions
    assert value(both, x=0, u_steel=3, u_glass=7) == 3
    assert value(both, x=1, u_steel=3, u_glass=7) == 7


def test_a_point_and_data_hold_the_field_of_their_subdomain(tmp_path):
    table = tmp_path / "values.csv"
    table.write_text("x,u\n0.1,5\n0.9,6\n")
    conditions = {
        "pinned": {"at": {"x": 0.75}, "equal": {"u": 2}},
        "measured": {"data": str(table)},
        "mass": {"integral": "u", "equal": 1},
    }
    problem = built(WALL, conditions=conditions)
    pinned, measured, mass = [block.terms[0].expressions[0] for block in problem.blocks[1:]]
    assert pinned == symbol("u_glass") - 2
    assert value(measured, x=0.1, u_steel=3, u_glass=7, __measured_u=5) == -2
    assert value(measured, x=0.9, u_steel=3, u_glass=7, __measured_u=6) == 1
    assert value(mass, x=0.9, u_steel=3, u_glass=7, __quadrature=1) != value(
        mass, x=0.1, u_steel=3, u_glass=7, __quadrature=1
    )


def test_fields_and_definitions_live_where_they_are_known():
    problem = built(FLOW)
    assert problem.fields == ("T_plate", "u_channel", "T_channel")
    assert problem.outputs == ("u", "T", "speed", "flux")
    x = np.array([[1, -0.5, 1], [1, 0.5, 1]], float)
    lives = problem.subdomains.lives
    assert list(lives("u", x)) == list(lives("speed", x)) == [False, True]
    assert list(lives("T", x)) == list(lives("flux", x)) == [True, True]
    assert np.isnan(value(problem.language.definitions["speed"], y=-0.5, u_channel=3))
    assert value(problem.language.definitions["speed"], y=0.5, u_channel=3) == 9
    flux = problem.language.definitions["flux"]
    assert value(flux, y=-0.5, T_plate_y=1) == -5
    assert value(flux, y=0.5, x=1, T_channel_y=1) == -3
    motion, heat = problem.blocks[0].terms
    assert len(motion.expressions) == 1 and len(heat.expressions) == 2
    assert value(motion.expressions[0], y=-0.5) == 0 and value(motion.expressions[0], y=0.5) == 1


def test_on_an_interface_a_field_of_one_side_has_its_meaning():
    wall = {"wall": {"on": "y = 0", "equal": {"u": 0, "T_plate": 1}}}
    (block,) = built(FLOW, conditions=wall).blocks[1:]
    assert block.terms[0].expressions == (symbol("u_channel"), symbol("T_plate") - 1)


def test_a_hard_form_and_a_scale_hold_in_every_subdomain():
    hard = built(WALL, hard={"u": "k*network"}).hard
    assert hard == {
        "u_steel": 400 * symbol("network"),
        "u_glass": sympy.Rational(3, 2) * symbol("network"),
    }
    scale = {"fields": {"u": 300}, "terms": {}, "unknowns": {}}
    own = built(WALL, hard={"u_steel": "x*network"}, scale=scale).hard
    assert own["u_steel"] == 300 * symbol("x") * symbol("network")
    assert own["u_glass"] == 300 * symbol("network")


def test_a_constant_of_varying_ones_varies():
    constants = {"k": {"steel": 4, "glass": 2}, "twice": "2*k", "one": 1, "both": "twice + one"}
    problem = built(WALL, constants=constants, equations={"heat": "both*u_xx"})
    steel, glass = problem.blocks[0].terms[0].expressions
    assert value(steel, x=0.2, u_steel_xx=1) == 9 and value(glass, x=0.8, u_glass_xx=1) == 5
    assert problem.language.constants == {"one": 1.0}


@pytest.mark.parametrize("order", [("core", "shell"), ("shell", "core")])
def test_an_interface_is_the_common_boundary_with_normals_out_of_the_first(order):
    places = {"core": ROUND, "shell": "rest"}
    problem = in_two({name: places[name] for name in order})
    x, normals = points_of(problem, "contact")
    away = x - [1, 0.5]
    np.testing.assert_allclose(np.linalg.norm(away, axis=1), 0.25, rtol=1e-9)
    # The normal as it is sampled points out of the disk; the residual turns it.
    np.testing.assert_allclose(normals, away / 0.25, atol=1e-9)
    value_, flux = problem.blocks[1].terms[0].expressions
    assert value_ == symbol(f"u_{order[0]}") - symbol(f"u_{order[1]}") - 1
    slopes = {f"u_{order[0]}_x": 1.0, f"u_{order[1]}_x": 10.0, "__normal_x": 1.0}
    assert value(flux, **slopes) == (-19 if order[0] == "core" else 19)


@pytest.mark.parametrize(
    ("subdomains", "measure"),
    [
        ({"a": "x < 0.5", "b": "x >= 0.5"}, 1.0),
        ({"a": "x < 0.5 and y < 0.5", "b": "rest"}, 1.0),
        ({"b": "rest", "a": "x > 0.5 and x < 1.5 and y > 0.25 and y < 0.75"}, 3.0),
        ({"a": ROUND, "b": "rest"}, np.pi / 2),
        # What others share is no boundary of the rest, nor is what lies flush with the domain.
        ({"c": "rest", "b": "x >= 0.5 and x <= 1.5", "a": "x < 0.5"}, 1.0),
        ({"core": ROUND, "shell": SHELL, "c": "rest"}, np.pi / 2),
        ({"b": "rest", "shell": SHELL, "core": ROUND}, 0.8 * np.pi),
        # The side of the rectangle that lies on the wall of the box is no interface.
        ({"a": {"shape": {"rectangle": {"from": [0, 0], "to": [1, 0.5]}}}, "b": "rest"}, 1.5),
        # Three parts that meet.
        ({"a": "x < 1 and y < 0.5", "b": "x < 1 and y > 0.5", "c": "rest"}, 1.0),
    ],
)
def test_the_interface_has_the_length_of_the_common_boundary(subdomains, measure):
    problem = in_two(subdomains)
    one, other = (problem.subdomains.named(name, ()) for name in list(subdomains)[:2])
    region, _ = interface(problem.domain.frame, one.place, other.place)
    assert region.measure == pytest.approx(measure, rel=5e-3)
    x, normals = points_of(problem, "contact")
    np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1, rtol=1e-9)
    for part in (one, other):
        assert part.contains(x).all() and not part.place.interior(x).any()


def test_an_interface_in_space_and_time():
    box = {"x": [-1, 1], "y": [-1, 1], "z": [-1, 1], "t": [0, 2]}
    ball = {"shape": {"ball": {"center": [0, 0, 0], "radius": 0.5}}}
    problem = in_two({"a": ball, "b": "rest"}, box, "u_t - laplacian(u)")
    x, normals = points_of(problem, "contact")
    np.testing.assert_allclose(np.linalg.norm(x[:, :3], axis=1), 0.5, rtol=1e-9)
    assert np.ptp(x[:, 3]) > 1.8 and not normals[:, 3].any()


def test_without_subdomains_nothing_changes():
    plain = {**WALL, "subdomains": {}, "constants": {"k": 3}}
    plain["conditions"] = {"left": {"on": "x = 0", "equal": {"u": 0}}}
    problem = built(plain)
    assert problem.fields == problem.outputs == ("u",)
    assert problem.blocks[0].terms[0].expressions == (3 * symbol("u_xx"),)


@pytest.mark.parametrize(
    ("changes", "message", "path"),
    [
        ({"subdomains": {"steel": "x < 0.5", "glass": "x > 0.3"}}, "overlap", "subdomains.glass"),
        ({"subdomains": {"steel": "x < 0.5", "glass": "x > 0.7"}}, "in no subdomain", "subdomains"),
        ({"subdomains": {"steel": "x < 5", "glass": "rest"}}, "whole", "subdomains.steel"),
        ({"subdomains": {"steel": "x = 0", "glass": "rest"}}, "a face", "subdomains.steel"),
        ({"subdomains": {"steel": "x^2 < 0.2", "glass": "rest"}}, "limits", "subdomains.steel"),
        ({"subdomains": {"steel": "rest", "glass": "rest"}}, "twice", "subdomains.glass"),
        ({"subdomains": {"steel": "x < 0.5 or x > 0.8", "glass": "rest"}}, "limits", None),
        ({"subdomains": {"steel": "y < 0.5", "glass": "rest"}}, "unknown name 'y'", None),
        ({"constants": {"k": {"steel": 4}}}, "no value in glass", "constants.k"),
        ({"constants": {"k": {"steel": 4, "glas": 1}}}, "not a subdomain", "constants.k.glas"),
        ({"equations": {"heat": {"steel": "u_xx"}}}, "no equation in glass", "equations"),
        ({"equations": {"heat": {}}}, "empty", "equations.heat"),
        ({"equations": {"heat": {"x": "u"}}}, "not a subdomain", "equations.heat.x"),
        ({"definitions": {"q": {"stel": "u"}}}, "not a subdomain", "definitions.q.stel"),
    ],
)
def test_bad_subdomains_are_named(changes, message, path):
    said, place = refused(WALL, **changes)
    assert message in said
    assert path is None or ".".join(map(str, place)) == path


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        ({"between": ["steel", "steel"], "equal": {"u": "u"}}, "no boundary with itself"),
        ({"between": ["steel", "glas"], "equal": {"u": "u"}}, "not a subdomain"),
        ({"between": ["steel", "glass"], "equal": "u"}, "a single value"),
        ({"on": "x = 0.5", "equal": {"u": 1}}, "two values on the boundary"),
    ],
)
def test_bad_conditions_of_subdomains_are_named(condition, message):
    said, place = refused(WALL, conditions={"c": condition})
    assert message in said and place[:2] == ("conditions", "c")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conditions": {"c": {"on": "y = -1", "equal": {"u": 0}}}}, "lives in channel only"),
        ({"conditions": {"c": {"on": "boundary", "equal": {"u": 0}}}}, "lives in channel only"),
        ({"conditions": {"c": {"at": {"x": 1, "y": -1, "t": 0}, "equal": {"speed": 0}}}}, "lives"),
        ({"equations": {"heat": {"plate": "u_yy + T", "channel": "u*T"}}}, "lives in channel only"),
        (
            {"monitors": {"mean": {"integral": "u", "over": ["x", "y"], "at": {"t": 0}}}},
            "lives in channel only",
        ),
        ({"conditions": {"c": {"between": ["plate", "channel"], "equal": {"u": 0}}}}, "lives in"),
        ({"subdomains": {"plate": "t < 1", "channel": "rest"}}, "not a coordinate in space"),
    ],
)
def test_a_field_is_not_used_where_it_does_not_live(changes, message):
    said, _ = refused(FLOW, **changes)
    assert message in said


@pytest.mark.parametrize(
    "apart",
    [
        {"a": "x < 0.5", "c": "rest", "b": "x > 0.5 and x < 1.5"},
        {"core": ROUND, "c": "rest", "shell": SHELL},
    ],
)
def test_the_rest_does_not_meet_what_is_enclosed_by_others(apart):
    with pytest.raises(ConfigError, match="no common boundary"):
        in_two(apart)


def test_a_shape_that_lies_flush_with_the_domain_has_the_boundary_there():
    corner = {"shape": {"rectangle": {"from": [0, 0], "to": [1, 1]}}}
    left = {"left": {"on": "x = 0", "equal": {"u": 3}}}
    problem = in_two({"a": corner, "b": "rest"}, conditions=left)
    assert problem.blocks[1].terms[0].expressions == (symbol("u_a") - 3,)
    x = np.array([[0.0, 0.5], [1.0, 0.5], [2.0, 0.5], [0.5, 1.0]])
    holds = np.stack([part.contains(x) for part in problem.subdomains.parts])
    assert holds.tolist() == [[True, True, False, True], [False, True, True, False]]


def test_a_field_of_time_alone_is_one_in_all_subdomains():
    changes = {
        "coordinates": {"x": [0, 1], "t": [0, 1]},
        "fields": {"u": ["x", "t"], "s": ["t"]},
        "equations": {"heat": "u_t - k*u_xx - s", "change": "s_t - 1"},
        "conditions": {"left": {"on": "x = 0", "equal": {"u": "s"}}},
    }
    problem = built(WALL, **changes)
    assert problem.fields == ("u_steel", "s", "u_glass")
    assert problem.outputs == ("s", "u")
    assert problem.blocks[1].terms[0].expressions == (symbol("u_steel") - symbol("s"),)


@pytest.mark.parametrize(
    "condition",
    [
        {"on": "x = 0", "equal": {"u_glass": 0}},
        {"on": "boundary", "equal": {"u_glass": 0}},
        {"on": "interior", "equal": {"u_glass": "x"}},
        {"at": {"x": 0.25}, "equal": {"u_glass_x": 0}},
        {"integral": "u_glass", "equal": 1},
    ],
)
def test_a_version_is_not_used_outside_its_subdomain(condition):
    said, _ = refused(WALL, conditions={"c": condition})
    assert "'u_glass' cannot be used here: it lives in glass only" in said
    for more in (
        {"monitors": {"m": {"maximum": "u_glass"}}},
        {"equations": {"e": {"steel": "u_glass_x", "glass": "u_x"}}},
    ):
        said, _ = refused(WALL, **more)
        assert "'u_glass' cannot be used here: it lives in glass only" in said


def test_a_contact_resistance_names_both_versions():
    equal = {"k*u_n": "k*u_n", "k*u_n + 7*(u_steel - u_glass)": 0}
    contact = {"contact": {"between": ["steel", "glass"], "equal": equal}}
    (_, resistance) = built(WALL, conditions=contact).blocks[1].terms[0].expressions
    known = {"u_steel_x": 1.0, "__normal_x": 1.0, "u_steel": 3, "u_glass": 1}
    assert value(resistance, **known) == 400 + 14


def test_values_on_an_interface_are_counted_and_those_elsewhere_refused(tmp_path):
    table = tmp_path / "values.csv"
    table.write_text("x,u\n0.1,5\n0.5,6\n0.9,7\n")
    problem = built(WALL, conditions={"m": {"data": str(table)}})
    assert any("`m` has 1 value of u on interfaces" in note for note in problem.notes)
    table.write_text("x,y,t,u\n1,-0.5,0,5\n1,0.5,0,6\n")
    measured = {"m": {"data": str(table), "missing": True}}
    said, _ = refused(FLOW, conditions=measured)
    assert "1 value of u where it does not live, the first in row 1, at x = 1, y = -0.5" in said
    table.write_text("x,y,t,u\n1,-0.5,0,\n1,0.5,0,6\n")
    (residual,) = built(FLOW, conditions=measured).blocks[1].terms[0].expressions
    lost = {"y": -0.5, "u_channel": 3, "__measured_u": 0, "__factor_u": 0}
    there = {"y": 0.5, "u_channel": 3, "__measured_u": 6, "__factor_u": 1}
    assert value(residual, **lost) == 0 and value(residual, **there) == -3


@pytest.mark.parametrize("name", ["a b", "1a", "x", "n", "rest", "boundary"])
def test_bad_names_of_subdomains(name):
    said, path = refused({**WALL, "constants": {"k": 1}}, subdomains={name: "x < 0.5", "b": "rest"})
    assert path == ("subdomains", name) and "expected another name" in said


def test_parts_that_do_not_meet_have_no_interface():
    apart = {"a": "x < 0.5", "b": "x > 1.5", "c": "rest"}
    with pytest.raises(ConfigError, match="no common boundary"):
        in_two(apart)
