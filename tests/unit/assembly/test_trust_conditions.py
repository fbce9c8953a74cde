"""Warnings about conditions: those that contradict each other, and those that are missing."""

import pytest

from pdehvd.errors import ConfigError
from tests.support.warnings_before import config_of, judge_of, warnings_of

PLATE = """
coordinates: {x: [0, 1], y: [0, 2]}
fields: [u]
equations: {laplace: u_xx + u_yy}
conditions: CONDITIONS
"""
HOLED = """
coordinates: {x: null, y: null}
geometry:
  difference:
    - {rectangle: {from: [0, 0], to: [4, 1]}, name: plate}
    - {disk: {center: [1, 0.5], radius: 0.2}, name: hole}
fields: [u]
equations: {laplace: u_xx + u_yy}
conditions: CONDITIONS
"""


def found(problem, conditions, **sections):
    return warnings_of(config_of(problem.replace("CONDITIONS", conditions), **sections))


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        (
            "{walls: {on: boundary, equal: {u: 0}}, hot: {on: x = 0, equal: {u: 1}}}",
            "`walls` and `hot` prescribe different values of u on x = 0 (0 and 1)",
        ),
        (
            "{walls: {on: boundary, equal: {2*u: x}}, hot: {on: y = 2 and x > 0.5, equal: {u: x}}}",
            "`walls` and `hot` prescribe different values of u on y = 2",
        ),
        (
            "{walls: {on: boundary, equal: {u: 0}}, flat: {on: x = 1, equal: {u_x: 1}}, "
            "steep: {on: boundary and x > 0.9, equal: {u_x: 2}}}",
            "`flat` and `steep` prescribe different values of u_x on x = 1",
        ),
        (
            "{walls: {on: boundary, equal: {u: 0}}, "
            "one: {at: {x: 0.5, y: 1}, equal: {u: 1}}, other: {at: {x: 1/2, y: 1}, equal: {u: 2}}}",
            "`one` and `other` prescribe different values of u on x = 0.5, y = 1 (1 and 2)",
        ),
        (
            "{walls: {on: boundary, equal: {u: 0}}, flux: {on: y = 2, equal: {u_n: 0}}, "
            "slope: {on: y = 2, equal: {u_y: 1}}}",
            "`flux` and `slope` prescribe different values of u_y on y = 2 (0 and 1)",
        ),
        (
            "{walls: {on: boundary, equal: {u: 0}}, flux: {on: boundary, equal: {u_n: 1}}, "
            "slope: {on: x = 0, equal: {u_x: 1}}}",
            "`flux` and `slope` prescribe different values of u_x on x = 0 (-1 and 1)",
        ),
        (
            "{walls: {on: boundary, equal: {u: 0}}, one: {at: {x: 0, y: 0.5}, equal: {u: 1}}}",
            "`walls` and `one` prescribe different values of u on x = 0, y = 0.5 (0 and 1)",
        ),
        (
            "{walls: {on: boundary, equal: {u: 0}}, along: {on: y = 2, equal: {u_x: 1}}}",
            "`walls` and `along` prescribe different values of u_x on y = 2 (0 and 1)",
        ),
        # Derivatives and points that agree, and a point at a corner.
        (
            "{walls: {on: boundary, equal: {u: 0}}, flux: {on: x = 0, equal: {u_n: 1}}, "
            "slope: {on: x = 0, equal: {u_x: -1, u_y: 0}}}",
            "",
        ),
        (
            "{lid: {on: y = 2, equal: {u: x}}, walls: {on: x = 1, equal: {u: 0}}, "
            "rest: {on: [x = 0, y = 0], equal: {u_n: 0}}, "
            "one: {at: [{x: 0.5, y: 2}, {x: 1, y: 2}], equal: {u: x}}}",
            "",
        ),
        ("{walls: {on: boundary, equal: {u: 0}}, inside: {on: interior, equal: {u_x: 1}}}", ""),
        # What only meets at corners, or agrees, or is measured.
        ("{lid: {on: y = 2, equal: {u: 1}}, walls: {on: boundary and y < 2, equal: {u: 0}}}", ""),
        ("{walls: {on: boundary, equal: {u: x}}, hot: {on: x = 1, equal: {2*u: 2}}}", ""),
        ("{walls: {on: boundary, equal: {u: x}}, hot: {on: x = 1, equal: {u_x: 2}}}", ""),
        ("{walls: {on: boundary, equal: {u: 0}}, seen: {on: interior, equal: {u: x}}}", ""),
    ],
)
def test_conditions_that_contradict_each_other(conditions, told):
    warnings = found(PLATE, conditions)
    if told:
        assert told in warnings["contradiction"].text
    else:
        assert warnings == {}


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ("{all: {on: boundary, equal: {u: 0}}, rim: {on: hole, equal: {u: 1}}}", "near x = "),
        ("{all: {on: plate, equal: {u: 0}}, end: {on: x = 4, equal: {u: 1}}}", "on x = 4"),
        ("{all: {on: plate, equal: {u: 0}}, rim: {on: hole, equal: {u: 1}}}", ""),
        (
            "{all: {on: plate, equal: {u: 0}}, west: {on: hole and x < 1, equal: {u: 0}}, "
            "east: {on: hole and x >= 1, equal: {u: 1}}}",
            "",
        ),
    ],
)
def test_conditions_on_parts_of_a_shape(conditions, told):
    warnings = found(HOLED, conditions)
    assert (told in warnings["contradiction"].text) if told else warnings == {}


def test_a_hard_form_that_contradicts_a_condition():
    given = PLATE.rstrip() + "\nhard: {u: x*network}"
    conditions = "{hot: {on: x = 0, equal: {u: 3}}, cold: {on: x = 1, equal: {u: 0}}}"
    text = found(given, conditions)["contradiction"].text
    assert "`hard` and `hot` prescribe different values of u on x = 0 (0 and 3)" in text
    assert found(given, "{cold: {on: boundary and x > 0, equal: {u: 1}}}") == {}


WAVE = """
coordinates: {x: [0, 1], t: [0, 1]}
fields: [u]
equations: {wave: EQUATION}
conditions: CONDITIONS
"""
ENDS = "ends: {on: boundary, equal: {u: 0}}"


@pytest.mark.parametrize(
    ("equation", "conditions", "told"),
    [
        ("u_t - u_xx", f"{{{ENDS}}}", "which needs 1 condition at t = 0, but has none"),
        (
            "u_tt - u_xx",
            f"{{{ENDS}, start: {{on: t = 0, equal: {{u: sin(pi*x)}}}}}}",
            "of order 2 in t for u, which needs 2 conditions at t = 0, but has 1",
        ),
        ("u_tt - u_xx", f"{{{ENDS}, start: {{on: t = 0, equal: {{u: x, u_t: 0}}}}}}", ""),
        ("u_t + u_xx", f"{{{ENDS}, last: {{on: t = 1, equal: {{u: sin(pi*x)}}}}}}", ""),
        ("u_t - u_xx", f"{{{ENDS}, seen: {{on: interior, equal: {{u: x}}}}}}", ""),
        ("t*u_tt + u_t - u_xx", f"{{{ENDS}, start: {{on: t = 0, equal: {{u: x}}}}}}", ""),
    ],
)
def test_initial_conditions_that_are_missing(equation, conditions, told):
    warnings = found(WAVE.replace("EQUATION", equation), conditions)
    assert (told in warnings["too_few_conditions"].text) if told else warnings == {}


@pytest.mark.parametrize(
    ("hard", "told"), [("sin(pi*x) + t*network", "but has 1"), ("sin(pi*x) + t^2*network", "")]
)
def test_hard_forms_count_as_initial_conditions(hard, told):
    problem = WAVE.replace("EQUATION", "u_tt - u_xx").rstrip() + f'\nhard: {{u: "{hard}"}}'
    warnings = found(problem, f"{{{ENDS}}}")
    assert (told in warnings["too_few_conditions"].text) if told else warnings == {}


def test_a_field_of_a_system_may_stand_for_another():
    system = """
    coordinates: {x: [0, 1], t: [0, 1]}
    fields: [u, v]
    equations: {first: u_t - v, second: v_t - u_xx}
    conditions:
      start: {on: t = 0, equal: {u: sin(pi*x), u_t: 0}}
      ends: {on: boundary, equal: {u: 0}}
    """
    assert warnings_of(config_of(system)) == {}
    missing = warnings_of(config_of(system.replace(", u_t: 0", "")))["too_few_conditions"]
    assert "of order 1 in t for v" in missing.text


ROD = """
coordinates: {r: [0, 1]}
fields: [u]
equations: {rod: EQUATION}
conditions: CONDITIONS
"""


@pytest.mark.parametrize(
    ("equation", "conditions", "told"),
    [
        ("u_rr + 1", "{left: {on: r = 0, equal: {u: 0}}}", "needs 2 conditions, but has 1"),
        ("u_rr + 1", "{ends: {on: boundary, equal: {u: 0}}}", ""),
        ("u_rr + 1", "{left: {on: r = 0, equal: {u: 0, u_r: 1}}}", ""),
        ("r*u_rr + u_r + r", "{right: {on: r = 1, equal: {u: 0}}}", ""),
        ("u_rr + u_r/r + 1", "{right: {on: r = 1, equal: {u: 0}}}", ""),
    ],
)
def test_conditions_of_ordinary_equations(equation, conditions, told):
    warnings = found(ROD.replace("EQUATION", equation), conditions)
    assert (told in warnings["too_few_conditions"].text) if told else warnings == {}


def test_fields_in_no_condition():
    assert "no condition contains u" in found(PLATE, "{}")["no_condition"].text
    apart = """
    coordinates: {x: [0, 1], y: [0, 1]}
    fields: [u, v]
    equations: {one: u_xx + u_yy - 1, two: v_xx + v_yy - SOURCE}
    conditions: {walls: {on: boundary, equal: {u: 0, u_n: 0}}}
    """
    assert "contains v" in warnings_of(config_of(apart.replace("SOURCE", "1")))["no_condition"].text
    coupled = apart.replace("- 1,", "- v,").replace("SOURCE", "1")
    assert warnings_of(config_of(coupled)) == {}


DERIVED = """
coordinates: {x: [0, 1], y: [0, 1]}
fields: [u, w, v]
equations: {a: u_xx + u_yy - 1, b: SECOND, c: THIRD}
conditions: {walls: {on: boundary, equal: {u: 0}}, MORE}
"""


@pytest.mark.parametrize(
    ("second", "third", "more", "said"),
    [
        ("u - w_x", "v - u_x", "", ["w"]),
        ("u - w_x", "w - v_y", "", ["w", "v"]),
        ("u + w + w_x", "v - w", "", ["w"]),
        ("u - w_xx - w_yy", "v - u", "ends: {on: boundary, equal: {w: 0}}", []),
        # What a condition fixes, is given by values, or stands in several equations.
        ("w - u_x", "v - w_x", "", []),
        ("u_x - w_x + v_y", "w_y - v_x", "", []),
    ],
)
def test_fields_that_an_equation_derives_from_others(second, third, more, said):
    problem = DERIVED.replace("SECOND", second).replace("THIRD", third).replace("MORE", more)
    judge = judge_of(config_of(problem))
    texts = [caution.text for caution in judge.before]
    assert [text.split(",")[0] for text in texts] == [f"no condition contains {f}" for f in said]


@pytest.mark.parametrize(
    ("more", "silent"),
    [
        ("", False),
        ("point: {at: {x: 0, y: 0}, equal: {u: 1}}", True),
        ("mean: {integral: u, equal: 0}", True),
        ("air: {on: x = 0, equal: {u_n: -1 - u}}", True),
    ],
)
def test_constants_that_may_be_added(more, silent):
    fluxes = "left: {on: x = 0, equal: {u_n: -1}}, right: {on: x = 1, equal: {u_n: 1}}, "
    fluxes += "others: {on: y = 0, equal: {u_n: 0}}, top: {on: y = 2, equal: {u_n: 0}}"
    warnings = found(PLATE, f"{{{fluxes}, {more}}}" if more else f"{{{fluxes}}}")
    if silent:
        assert warnings == {}
    else:
        assert "only derivatives of u" in warnings["free_constant"].text
        free = PLATE.rstrip() + "\nreference: {name: exact, u: x, up_to_constant: [u]}"
        assert found(free, f"{{{fluxes}}}") == {}


def test_periodic_faces_that_join_values_only():
    problem = WAVE.replace("EQUATION", "u_t - 0.01*u_xx")
    start = "start: {on: t = 0, equal: {u: sin(2*pi*x)}}"
    caution = found(problem, f"{{sides: {{periodic: x}}, {start}}}")["periodic_slope"]
    assert "`conditions: {sides: {of: [u, u_x]}}`" in caution.text
    assert found(problem, f"{{sides: {{periodic: x, of: [u, u_x]}}, {start}}}") == {}
    model = {"name": "mlp", "width": 8, "depth": 2, "periodic": {"x": 1}}
    assert found(problem, f"{{sides: {{periodic: x}}, {start}}}", model=model) == {}


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        # 0 against 1.2e-16, 2.7e-6 and 1e-9, where u is about 1.
        ("{all: {on: boundary, equal: {u: 0}}, right: {on: x = 1, equal: {u: sin(pi*x)}}}", ""),
        ("{all: {on: boundary, equal: {u: 0}}, right: {on: x = 1, equal: {u: S*exp(-t)}}}", ""),
        ("{all: {on: boundary, equal: {u: 0}}, left: {on: x = 0, equal: {u: 1.0e-9}}}", ""),
        ("{all: {on: boundary, equal: {u_x: 0}}, left: {on: x = 0, equal: {u_x: 1.0e-12}}}", ""),
        ("{all: {on: boundary, equal: {u: 0}}, left: {on: x = 0, equal: {u: 0.01}}}", "0 and 0.01"),
    ],
)
def test_differences_by_rounding_are_no_contradictions(conditions, told):
    start = ", start: {on: t = 0, equal: {u: sin(pi*x)}}}"
    given = conditions[:-1].replace("S", "sin(3.14159*x)") + start
    warnings = found(WAVE.replace("EQUATION", "u_t - 0.1*u_xx"), given)
    assert (told in warnings["contradiction"].text) if told else "contradiction" not in warnings


def test_small_values_of_a_small_field_do_contradict():
    conditions = "{all: {on: boundary, equal: {u: 0}}, left: {on: x = 0, equal: {u: 1.0e-9}}}"
    small = PLATE.replace("u_xx + u_yy", "u_xx + u_yy - 1.0e-9")
    assert "contradiction" in found(small, conditions)


@pytest.mark.parametrize(
    ("conditions", "place", "told"),
    [
        ("{e: {on: boundary, equal: {u: 1/x}}}", "equal.u", "1/x is inf at x = 0, y = "),
        ("{e: {on: x = 0, equal: {u_x/x: 0.5}}}", "equal.u_x/x", "1/x is inf at x = 0"),
        ("{e: {on: y = 0, equal: {u: log(x - 5)}}}", "equal.u", "log(x - 5) is nan at x = "),
        ("{e: {at: {x: 0, y: 1}, equal: {u: 1 - y/x^2}}}", "equal.u", " is inf at x = 0, y = 1"),
        ("{e: {on: y = 0, equal: {u: 1/x}}}", "", ""),
        ("{e: {on: x = 0, equal: {u: exp(-1/x)}}}", "", ""),
        ('{e: {on: x = 0, equal: {u_x: "where(x > 0, 1/x, 3)"}}}', "", ""),
        ("{e: {on: boundary, equal: {u: sqrt(u_x - 5)}}}", "", ""),
    ],
)
def test_conditions_that_are_finite_nowhere_are_refused(conditions, place, told):
    config = config_of(PLATE.replace("CONDITIONS", conditions))
    if not told:
        assert "infinite_values" not in warnings_of(config)
        return
    with pytest.raises(ConfigError) as caught:
        warnings_of(config)
    assert ".".join(map(str, caught.value.path)) == f"problem.conditions.e.{place}"
    assert told in str(caught.value)


def test_conditions_and_equations_that_are_not_finite_at_some_points():
    some = "{e: {at: [{x: 0, y: 1}, {x: 1, y: 1}], equal: {u: 1/x}}}"
    text = found(PLATE, some)["infinite_values"].text
    assert "`e` is not finite at 50% of its points, such as x = 0, y = 1" in text
    half = PLATE.replace("u_xx + u_yy", "u_x - sqrt(y - 1)")
    text = found(half, "{e: {on: boundary, equal: {u: 0}}}")["infinite_values"].text
    assert "`laplace` is not finite at 50% of its points" in text and "is nan" in text


DISK = """
coordinates: {x: null, y: null}
geometry: {disk: {radius: 1}, name: rim}
fields: [u]
equations: {poisson: u_xx + u_yy + 4}
conditions: CONDITIONS
"""
RADIAL = """
coordinates: {r: [0, 1], z: [0, 1]}
fields: [u]
equations: {pipe: r*u_rr + u_r + r*u_zz}
conditions: CONDITIONS
"""
FLOW = """
coordinates: {x: [0, 1], y: [0, 1]}
fields: [u, v, p]
equations:
  momentum_x: u*u_x + v*u_y + p_x - u_xx - u_yy
  momentum_y: u*v_x + v*v_y + p_y - v_xx - v_yy
  continuity: u_x + v_y
conditions: CONDITIONS
"""
CUBE = """
coordinates: {a: [0, 1], b: [0, 1], c: [0, 1], d: [0, 1], f: [0, 1]}
fields: [u]
equations: {poisson: u_aa + u_bb + u_cc + u_dd + u_ff - 1}
conditions: CONDITIONS
"""
CAPPED = """
coordinates: {x: null, y: null}
geometry:
  union:
    - {rectangle: {from: [0, 0], to: [30, 1]}, name: channel}
    - {disk: {center: [0.5, 0.5], radius: 0.2}, name: inside}
fields: [u]
equations: {laplace: u_xx + u_yy}
conditions: CONDITIONS
"""
HOLE = """
coordinates: {x: null, y: null}
geometry:
  difference:
    - {rectangle: {from: [0, 0], to: [30, 1]}, name: channel}
    - {disk: {center: [2, 0.5], radius: 0.01}, name: wire}
fields: [u]
equations: {laplace: u_xx + u_yy}
conditions: CONDITIONS
"""
POLAR = """
coordinates: {r: [0, 1], a: [0, pi]}
fields: [u]
equations: {laplace: EQUATION}
conditions: {out: {on: r = 1, equal: {u: 1}}, MORE}
"""
STRIP = "{x: [0, 300], y: [0, 1]}"
VORTICITY = """
coordinates: {x: [0, 1], y: [0, 1]}
fields: [s, w]
equations: {kinematics: s_xx + s_yy + w, transport: s_y*w_x - s_x*w_y - (w_xx + w_yy)}
conditions:
  walls: {on: [y = 0, y = 1], equal: {s: y, s_n: 0}}
  inflow: {on: x = 0, equal: {s: y, w: 0}}
  MORE
"""
CLAMPED = PLATE.replace("u_xx + u_yy", "u_xxxx + 2*u_xxyy + u_yyyy - 1")
BODY = """
coordinates: {x: [0, 1], y: [0, 1]}
fields: [u, v]
equations: {x: 2*u_xx + u_yy + v_xy, y: v_xx + 2*v_yy + u_xy}
conditions: {free: {on: [x = 1, y = 0, y = 1], equal: {2*u_x + v_y: 1, u_y + v_x: 0}}, MORE}
"""
HEAT = WAVE.replace("EQUATION", "u_t - u_xx")
COLD = "start: {on: t = 0, equal: {u: sin(pi*x)}}"


@pytest.mark.parametrize(
    ("problem", "conditions", "expected"),
    [
        (PLATE, "{walls: {on: boundary and x < 1, equal: {u: 0}}}", "u has no condition on x = 1,"),
        (
            PLATE,
            "{walls: {on: boundary and x < 1, equal: {u: 0}}, "
            "low: {on: x = 1 and y < 1.5, equal: {u_n: 0}}}",
            "25% of x = 1 (such as (1, ",
        ),
        (DISK, "{right: {on: rim and x > 0, equal: {u: 0}}}", "50% of `rim` (such as (-"),
        (HOLED, "{plate: {on: plate, equal: {u: 0}}}", "no condition on `hole`,"),
        (HEAT, f"{{left: {{on: x = 0, equal: {{u: 0}}}}, {COLD}}}", "no condition on x = 1,"),
        (FLOW, "{walls: {on: [x = 0, y = 0, y = 1], equal: {u: y, v: 0}}}", "u and v have no"),
        (CUBE, "{walls: {on: boundary and a < 1, equal: {u: 0}}}", "no condition on a = 1,"),
        (HOLE, "{outer: {on: channel, equal: {u: 0}}}", "no condition on `wire`,"),
        (CLAMPED, "{a: {on: boundary and x < 1, equal: {u: 0, u_n: 0}}}", "no condition on x = 1,"),
        (BODY.replace("MORE", ""), "", "u and v have no condition on x = 0,"),
        (VORTICITY.replace("MORE", ""), "", "s and w have no condition on x = 1,"),
        # Complete, or complete in another way.
        (CAPPED, "{walls: {on: boundary, equal: {u: 0}}}", ""),
        (HOLE, "{all: {on: [channel, wire], equal: {u: 0}}}", ""),
        (PLATE.replace("{x: [0, 1], y: [0, 2]}", STRIP), "{a: {on: boundary, equal: {u: 0}}}", ""),
        (
            POLAR.replace("EQUATION", "r^2*u_rr + r*u_r + u_aa"),
            "ends: {on: [a = 0, a = pi], equal: {u: 1}}",
            "",
        ),
        (
            POLAR.replace("EQUATION", "r^2*u_rr + 2*r*u_r + u_aa + u_a*cos(a)/sin(a)"),
            "in: {on: r = 0, equal: {u: 1}}",
            "",
        ),
        (VORTICITY.replace("MORE", "outflow: {on: x = 1, equal: {s_n: 0, w_n: 0}}"), "", ""),
        (
            FLOW,
            "{a: {on: [x = 0, y = 0, y = 1], equal: {u: y, v: 0}}, "
            "b: {on: x = 1, equal: {p: 0, v: 0}}}",
            "",
        ),
        (PLATE, "{walls: {on: boundary, equal: {u: 0}}}", ""),
        (
            PLATE,
            "{a: {on: [x = 0, x = 1], equal: {u: 0}}, b: {on: y = 0, equal: {u_n: 1}}, "
            "c: {on: y = 2, equal: {u_n + u: 1}}}",
            "",
        ),
        (
            DISK,
            "{a: {on: rim and x > 0, equal: {u: 0}}, b: {on: rim and x <= 0, equal: {u: 0}}}",
            "",
        ),
        (
            PLATE,
            "{a: {on: y = 0, equal: {u: 0, u_y: 1}}, b: {on: [x = 0, x = 1], equal: {u: 0}}}",
            "",
        ),
        (PLATE, "{a: {on: [y = 0, y = 2], equal: {u: 0}}, b: {periodic: x, of: [u, u_x]}}", ""),
        (PLATE, "{seen: {on: interior, equal: {u: x}}}", ""),
        (
            RADIAL,
            "{out: {on: r = 1, equal: {u: 0}}, ends: {on: [z = 0, z = 1], equal: {u: 0}}}",
            "",
        ),
        (
            FLOW,
            "{walls: {on: boundary, equal: {u: 0, v: 0}}, pin: {at: {x: 0, y: 0}, equal: {p: 0}}}",
            "",
        ),
        (CUBE, "{walls: {on: boundary, equal: {u: 0}}}", ""),
    ],
)
def test_parts_of_the_boundary_without_a_condition(problem, conditions, expected):
    warnings = found(problem.replace("MORE", conditions), conditions)
    if expected:
        assert expected in warnings["no_boundary_condition"].text
    else:
        assert "no_boundary_condition" not in warnings


@pytest.mark.parametrize(("form", "warned"), [("x*network", True), ("x*(1 - x)*network", False)])
def test_hard_forms_that_leave_a_face_open(form, warned):
    warnings = found(HEAT.rstrip() + f'\nhard: {{u: "{form}"}}', f"{{{COLD}}}")
    assert ("no_boundary_condition" in warnings) == warned


def test_features_that_repeat_need_no_condition_there():
    model = {"name": "mlp", "width": 4, "depth": 1, "periodic": {"x": {}}}
    assert "no_boundary_condition" in found(HEAT, f"{{{COLD}}}")
    assert "no_boundary_condition" not in found(HEAT, f"{{{COLD}}}", model=model)
