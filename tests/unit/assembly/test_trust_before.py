"""Warnings before training: the cause by name, and lines that mend it and are accepted."""

from pathlib import Path

import pytest

from pdehvd.assembly.problem import resolve, with_entries
from pdehvd.assembly.trust.suggested_fixes import mended
from pdehvd.config.root import load_config, prepare
from pdehvd.config.yaml_source import parse_source
from tests.support.warnings_before import config_of, judge_of, scales_of, warnings_of

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
prepare()


def one(config, name):
    """Return the only warning; its lines, if they are any, are accepted and end it."""
    found = warnings_of(config)
    assert set(found) == {name}
    caution = found[name]
    if caution.mend:
        assert warnings_of(mended(config, caution.mend)) == {}
    return caution


@pytest.mark.parametrize("path", CONFIGS, ids=[path.stem for path in CONFIGS])
def test_shipped_configs_warn_of_nothing(path):
    config, _ = load_config(path)
    if config.problem.kind == "points":
        # As a run does: sizes that need it are found first.
        assert judge_of(with_entries(config, resolve(config))).before == []


HEAT = """
coordinates: {x: [0, 0.04], t: [0, 30]}
fields: [T]
constants: {alpha: 5.0e-5}
equations: {heat: T_t - alpha*T_xx}
conditions:
  ends: {on: [x = 0, x = 0.04], equal: {T: 300}}
  start: {on: t = 0, equal: {T: 300 + 700*sin(pi*x/0.04)}}
"""


def test_kelvin():
    caution = one(config_of(HEAT), "field_size")
    assert "T takes values from 300 to 99" in caution.text
    assert "`hard: {T: 300 + 700*network}`" in caution.text


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ("1.0e-6*sin(pi*x)", "{u: 1e-06*network}"),
        ("101325 + 300*sin(pi*x)", "{u: 101300 + 300*network}"),
        ("-5.0e+4*(1 + x)", "{u: -50000 + 50000*network}"),
        ("450*sin(2*pi*x)", "{u: 400*network}"),
    ],
)
def test_values_of_any_unit(values, line):
    problem = f"""
    coordinates: {{x: [0, 1], t: [0, 1]}}
    fields: [u]
    equations: {{heat: u_t - u_xx}}
    conditions: {{start: {{on: t = 0, equal: {{u: "{values}"}}}}}}
    """
    found = warnings_of(config_of(problem))
    assert "hard: " + line in found["field_size"].text.replace("'", "")


def test_values_of_a_construction_are_scaled_within_it():
    problem = """
    coordinates: {x: [0, 1]}
    fields: [u]
    equations: {rod: u_xx + 8000}
    hard: {u: x*(1 - x)*network}
    reference: {name: exact, u: 4000*x*(1 - x)}
    """
    assert "x*(1 - x)*(4000*network)" in one(config_of(problem), "field_size").text


def test_a_source_and_a_flux_give_the_size_that_nothing_else_tells():
    rod = """
    coordinates: {x: [0, 0.1]}
    fields: [T]
    equations: {rod: 50*T_xx + 1.0e+6}
    conditions: {ends: {on: [x = 0, x = 0.1], equal: {T: 0}}}
    """
    found = warnings_of(config_of(rod))["field_size"]
    assert "T has a size of about 2e+01 by `rod`" in found.text
    flux = """
    coordinates: {x: [0, 1]}
    fields: [T]
    equations: {rod: T_xx}
    conditions:
      left: {on: x = 0, equal: {T: 0}}
      heated: {on: x = 1, equal: {2*T_n: 6000}}
    """
    assert "by `heated`" in one(config_of(flux), "field_size").text


@pytest.mark.parametrize(("waves", "told"), [(1, False), (4, False), (25, True)])
def test_sources_that_oscillate(waves, told):
    problem = f"""
    coordinates: {{x: [0, 1]}}
    fields: [u]
    constants: {{k: {2 * waves}*pi}}
    equations: {{p: u_xx + k^2*sin(k*x)}}
    conditions: {{ends: {{on: boundary, equal: {{u: 0}}}}}}
    """
    found = warnings_of(config_of(problem))
    assert "field_size" not in found
    if told:
        assert "the source of `p` has 2" in found["source_waves"].text
        assert "wavelengths along x" in found["source_waves"].text
        assert "fourier: {count: 16, scale: 1" in found["source_waves"].text
        lines = found["source_waves"].mend
        assert "source_waves" not in warnings_of(mended(config_of(problem), lines))
    else:
        assert found == {}


@pytest.mark.parametrize(
    ("source", "waves"), [("1/(2*sqrt(x))", False), ("log(x)", False), ("cos(40*pi*x)", True)]
)
def test_a_singular_source_has_no_waves(source, waves):
    problem = f"""
    coordinates: {{x: [-1, 1]}}
    fields: [u]
    equations: {{p: "u_x - {source}"}}
    conditions: {{end: {{on: x = 1, equal: {{u: 1}}}}}}
    """
    assert ("source_waves" in warnings_of(config_of(problem))) is waves


@pytest.mark.parametrize(
    ("hard", "line"),
    [("x*(1 - x)*1000*network", "x*(1 - x)*1000*(7e-04*network)"), ("0.5*x*(1 - x)", "")],
)
def test_sizes_within_a_construction(hard, line):
    problem = f"""
    coordinates: {{x: [0, 1]}}
    fields: [u]
    equations: {{rod: u_xx + 1}}
    hard: {{u: "{hard}"}}
    """
    if line:
        assert line in one(config_of(problem), "field_size").text
    else:
        assert warnings_of(config_of(problem)) == {}


def test_sizes_of_data_and_of_residuals(tmp_path):
    table = tmp_path / "ageing.csv"
    table.write_text("t,DP\n0,1000\n500,500\n1000,333.3\n2000,200\n")
    problem = f"""
    coordinates: {{t: [0, 2000]}}
    fields: [DP]
    constants: {{g: exp(-33.59717)}}
    unknowns: {{A: {{initial: 1.0e+8, positive: true}}}}
    equations: {{ageing: DP_t + A*g*DP^2}}
    conditions: {{measured: {{data: {table}, fields: [DP]}}}}
    """
    config = config_of(problem)
    found = warnings_of(config)
    assert set(found) == {"field_size", "term_sizes"}
    assert "`hard: {DP: 200 + 800*network}`" in found["field_size"].text
    assert "`measured` about 5e+02" in found["term_sizes"].text
    both = mended(mended(config, found["field_size"].mend), found["term_sizes"].mend)
    assert warnings_of(both) == {}


EDGES = """
coordinates: {x: [0, 1], y: [0, 1]}
fields: [u]
equations: {poisson: "u_xx + u_yy + 2*pi^2*sin(pi*x)*sin(pi*y)"}
conditions: {edges: {on: boundary, equal: {u: VALUES}}}
"""


@pytest.mark.parametrize(
    "values",
    [
        "sin(pi*x)*sin(pi*y)",
        "1000*sin(pi*x)*sin(2*pi*y)",
        "x*(1 - x)*y*(1 - y)*1.0e+5",
        "(1 + cos(pi*x))*(1 - cos(pi*x))*sin(pi*y)",
        '"where(x*y >= 0, sin(pi*x)*sin(pi*y), 1)"',
    ],
)
def test_what_rounding_leaves_is_zero(values):
    assert warnings_of(config_of(EDGES.replace("VALUES", values))) == {}


def test_small_values_that_rounding_does_not_explain():
    found = warnings_of(
        config_of(EDGES.replace("VALUES", "1.0e-16*x").replace("2*pi^2*", "1e-16*"))
    )
    assert "u takes values from 0 to 1" in found["field_size"].text


PRESSURE = """
coordinates: {x: [0, 1], t: [0, 1]}
fields: [p]
equations: {heat: p_t - 0.01*p_xx}
conditions:
  ends: {on: boundary, equal: {p: 101325}}
  start: {on: t = 0, equal: {p: 101325 + sin(pi*x)}}
"""


def test_a_constant_in_a_hard_form_is_no_part_of_the_residuals():
    caution = one(config_of(PRESSURE), "field_size")
    assert "`hard: {p: 101325 + 1*network}`" in caution.text
    for hard in ("101325 + network", "101325 + 0.1*x + network", "network + 101325"):
        assert warnings_of(config_of(PRESSURE + f'hard: {{p: "{hard}"}}')) == {}


@pytest.mark.parametrize(
    "condition",
    ["{p_n: 0.5*(101325 - p)}", "{p/101325: 1}", "{p^2: 101325^2 + 2*101325*x*t}"],
)
def test_constants_in_a_hard_form_within_other_conditions(condition):
    problem = PRESSURE + 'hard: {p: "101325 + network"}'
    sizes = scales_of(config_of(problem.replace("{p: 101325}", condition))).terms
    size = {term.name: term.size for term in sizes}["condition/ends"]
    allowed = {"{p_n": (0.1, 3), "{p/1": (1e-6, 1e-5), "{p^2": (1e5, 1e6)}[condition[:4]]
    assert allowed[0] < size < allowed[1]


def test_a_hard_form_that_gives_all_known_values_leaves_the_rest_to_the_network():
    room = """
    coordinates: {x: [0, 1]}
    fields: [T]
    equations: {rod: T_xx + 2}
    hard: {T: 300 + network}
    conditions: {ends: {on: boundary, equal: {T: 300}}}
    """
    assert warnings_of(config_of(room)) == {}


def test_one_fix_follows_the_other():
    """The weights are those that are right once the field has its hard form."""
    problem = PRESSURE.replace("heat: ", "heat: 1.0e+4*(")
    found = warnings_of(config_of(problem.replace("p_xx}", "p_xx)}")))
    assert set(found) == {"field_size", "term_sizes"}
    assert "`heat` about 1e+04" in found["term_sizes"].text
    weights = found["term_sizes"].mend["weighting"]["terms"]
    assert 0.1 < weights["ends"] < 10 and weights["heat"] < 1e-7


@pytest.mark.parametrize(
    ("factor", "precision", "told"),
    [
        ("1.0e-170", "float64", "`e` by 1e-170"),
        ("1.0e+200", "float64", "`e` by 1e+200"),
        ("1.0e-20", "float32", "`e` by 1e-20"),
        ("1.0e-20", "float64", ""),
    ],
)
def test_sizes_whose_squares_no_computer_holds(factor, precision, told):
    problem = f"""
    coordinates: {{x: [0, 1]}}
    fields: [u]
    equations: {{e: {factor}*(u_xx - 1)}}
    conditions: {{c: {{on: boundary, equal: {{{factor}*u: 0}}}}}}
    """
    found = warnings_of(config_of(problem, precision=precision))
    if told:
        assert set(found) == {"extreme_terms"}
        assert told in found["extreme_terms"].text and precision in found["extreme_terms"].text
    else:
        assert set(found) == {"term_sizes"}


def test_coordinates_far_apart():
    problem = """
    coordinates: {x: [0, 1.0e-3], t: [0, 3600]}
    fields: [u]
    equations: {diffusion: u_t - 1.0e-12*u_xx}
    conditions:
      ends: {on: [x = 0, x = 0.001], equal: {u: 0}}
      start: {on: t = 0, equal: {u: 1}}
    """
    found = warnings_of(config_of(problem))
    assert "x spans 0.001 and t spans 3.6e+03" in found["coordinate_size"].text
    assert warnings_of(mended(config_of(problem), found["coordinate_size"].mend)) == {}
    balanced = (
        problem.replace("1.0e-12*u_xx", "u_xx").replace("1.0e-3]", "1]").replace("0.001", "1")
    )
    assert warnings_of(config_of(balanced.replace("3600", "1"))) == {}


def test_coordinates_that_the_network_takes_as_they_are():
    model = {"name": "mlp", "width": 8, "depth": 2, "scale_inputs": False}
    caution = one(
        config_of(
            HEAT.replace("30]", "3.0e+4]").replace("700", "3").replace("300", "0"), model=model
        ),
        "coordinate_size",
    )
    assert "scale_inputs: true" in caution.text


def test_first_guesses_beyond_any_learning_rate():
    problem = """
    coordinates: {x: [0, 1]}
    fields: [u]
    unknowns: {stiffness: FIRST}
    equations: {rod: u_xx - stiffness/2.0e+8}
    conditions:
      ends: {on: [x = 0, x = 1], equal: {u: x}}
      middle: {at: {x: 0.5}, equal: {u: 0.4}}
    """
    caution = one(config_of(problem.replace("FIRST", "2.0e+8")), "unknown_size")
    assert "stiffness: {initial: 200000000.0, positive: true}" in caution.text
    negative = warnings_of(config_of(problem.replace("FIRST", "-2.0e+8")))["unknown_size"]
    assert not negative.mend and "Write `-2e+08*stiffness` for `stiffness`" in negative.text


@pytest.mark.parametrize("first", ["1", "{initial: 1, positive: true}", "-1"])
def test_first_guesses_far_from_balance(first):
    problem = """
    coordinates: {t: [0, 10]}
    fields: [u]
    unknowns: {A: FIRST}
    equations: {decay: u_t + A*1.0e-9*u^2}
    conditions: {measured: {at: [{t: 0}, {t: 5}], equal: {u: 1/(1 + t)}}}
    """
    caution = one(config_of(problem.replace("FIRST", first)), "unknown_size")
    assert "`decay` is balanced only at about" in caution.text
    told = "Write `-" if first == "-1" else "positive: true}}`"
    assert told in caution.text


def test_first_guesses_far_from_the_reference():
    problem = """
    coordinates: {t: [0, 1]}
    fields: [u]
    unknowns: {A: 2}
    equations: {decay: u_t + A*u}
    conditions: {start: {at: {t: 0}, equal: {u: 1}}}
    reference: {name: exact, u: exp(-A*t), unknowns: {A: 5.0e+3}}
    """
    caution = warnings_of(config_of(problem))["unknown_size"]
    assert "A starts at 2, and the reference says 5e+03" in caution.text
    assert "`unknowns: {A: {initial: 5000.0, positive: true}}`" in caution.text


def test_an_eigenproblem():
    problem = """
    coordinates: {r: [0, 2]}
    fields: [w]
    unknowns: {mu: {initial: 3, positive: true}}
    equations: {string: w_rr + mu*w}
    hard: {w: r*(2 - r)*exp(network)}
    """
    without = warnings_of(config_of(problem))["zero"]
    assert "integral: w^2, equal: 1" in without.text
    caution = one(mended(config_of(problem), without.mend), "zero")
    assert "only `norm` excludes that" in caution.text
    assert "`weighting: {name: fixed, terms: {norm: 100.0}}`" in caution.text


def test_a_coefficient_that_only_multiplies():
    problem = """
    coordinates: {x: [0, 1], t: [0, 1]}
    fields: [c, D]
    equations: {spread: c_t - D_x*c_x - D*c_xx, steady: D_t}
    conditions:
      ends: {on: [x = 0, x = 1], equal: {c: 0}}
      seen: {on: interior, equal: {c: exp(-t)*sin(pi*x)}, points: 50}
    """
    caution = one(config_of(problem), "coefficient")
    assert "D is in no condition and only multiplies other fields in `spread`" in caution.text
    assert "{ends: 100.0, seen: 100.0}" in caution.text
    given = problem.rstrip() + '\n    hard: {D: "2 + x"}'
    assert "coefficient" not in warnings_of(config_of(given))


STARTED = "conditions: {start: {on: t = 0, equal: {u: 1}}, ends: {on: boundary, equal: {u: 1}}}"
FORGOTTEN = f"""
coordinates: {{x: [0, 1], t: [0, 1]}}
fields: [u, v, w]
equations: {{heat: u_t - u_xx}}
{STARTED}
"""


def test_a_field_that_no_term_holds():
    caution = one(config_of(FORGOTTEN), "unused")
    assert caution.text.startswith("no equation and no condition contains v, w, which keeps")


@pytest.mark.parametrize(
    "held",
    ["conditions: {mean: {integral: v*w, equal: 1}}", 'hard: {v: "x", w: "0"}'],
)
def test_fields_held_by_an_integral_or_given_are_not_forgotten(held):
    assert "unused" not in warnings_of(config_of(FORGOTTEN.replace(STARTED, held)))


def test_a_pressure_is_no_coefficient():
    problem = """
    coordinates: {x: [0, 1], y: [0, 1]}
    fields: [u, v, p]
    equations:
      momentum_x: u*u_x + v*u_y + p_x - (u_xx + u_yy)
      momentum_y: u*v_x + v*v_y + p_y - (v_xx + v_yy)
      continuity: u_x + v_y
    conditions: {walls: {on: boundary, equal: {u: y, v: 0}}}
    """
    assert warnings_of(config_of(problem)) == {}


def test_standing_waves():
    problem = """
    coordinates: {y: [0, 2]}
    fields: [a]
    constants: {k: 12}
    equations: {helmholtz: a_yy + k^2*a}
    conditions: {left: {on: y = 0, equal: {a: 1}}, right: {on: y = 2, equal: {a_n: 0}}}
    """
    caution = one(config_of(problem), "motion")
    assert "`helmholtz` has 3.8 wavelengths of a along y (wave number 12)" in caution.text
    assert "fourier: {count: 16, scale: 1.9}" in caution.text
    assert warnings_of(config_of(problem.replace("k: 12", "k: 3"))) == {}


TRANSPORT = """
coordinates: {z: [0, 2], t: [0, 3]}
fields: [q]
equations: {advection: q_t + 8*q_z}
conditions: {sides: {periodic: z}, start: {on: t = 0, equal: {q: sin(pi*z)}}}
"""


@pytest.mark.parametrize(
    ("equation", "told"),
    [
        (
            "advection: q_t + 8*q_z",
            "carries q along z at the speed 8, through the domain 12 times",
        ),
        ("advection: q_tt - 64*q_zz", "cross the domain along z 12 times (speed 8)"),
    ],
)
def test_what_travels_far(equation, told):
    problem = TRANSPORT.replace("advection: q_t + 8*q_z", equation)
    if "q_tt" in equation:
        problem = problem.replace("periodic: z", "periodic: z, of: [q, q_z]")
        problem = problem.replace("sin(pi*z)}", "sin(pi*z), q_t: 0}")
    config = config_of(problem)
    caution = one(config, "motion")
    assert told in caution.text
    assert "`coordinates: {z: [0, 2], t: [0.0, 0.25]}`" in caution.text


@pytest.mark.parametrize(
    ("equation", "told"),
    [
        ("q_t + 8*q_z - q_zz", False),
        ("q_t + 8*q_z - 0.1*q_zz", True),
        # Diffusion in polar and spherical coordinates, and what only grows.
        ("z*q_t - q_z - z*q_zz", False),
        ("q_t - q_z/z - q_zz", False),
        ("q_t - 2*q_z/z - q_zz", False),
        ("q_t + 8*q_z + q_zz", True),
    ],
)
def test_what_diffusion_smooths_on_its_way(equation, told):
    problem = TRANSPORT.replace("q_t + 8*q_z", equation)
    problem = problem.replace("periodic: z", "periodic: z, of: [q, q_z]")
    assert ("motion" in warnings_of(config_of(problem))) is told


def test_an_oscillator_with_friction():
    problem = """
    coordinates: {t: [0, 1]}
    fields: [u]
    constants: {friction: 4, stiffness: 400}
    equations: {motion: u_tt + friction*u_t + stiffness*u}
    conditions: {start: {at: {t: 0}, equal: {u: 1, u_t: 0}}}
    """
    assert "`motion` has 3.2 wavelengths of u along t" in one(config_of(problem), "motion").text
    assert warnings_of(config_of(problem.replace("friction: 4", "friction: 39.5"))) == {}


def test_a_condition_of_the_third_kind_gives_a_size():
    problem = """
    coordinates: {x: [0, 0.1]}
    fields: [T]
    equations: {rod: T_xx}
    conditions: {air: {on: [x = 0, x = 0.1], equal: {50*T_n: 10*(300 - T)}}}
    """
    assert "T has a size of about 3e+02 by `air`" in one(config_of(problem), "field_size").text


def test_reactions_are_no_waves():
    problem = """
    coordinates: {x: [-1, 1], t: [0, 1]}
    fields: [u]
    equations: {balance: u_t - 1.0e-4*u_xx - 5*(u - u^3)}
    conditions: {start: {on: t = 0, equal: {u: x}}, ends: {on: boundary, equal: {u_n: 0}}}
    """
    assert warnings_of(config_of(problem)) == {}


@pytest.mark.parametrize(
    "equation",
    [
        "1/u - u_t",
        "log(u) + u_xx",
        "where(u > 0, u_t, u_x)",
        "sqrt(u_x^2 + u_t^2) - 1",
        "sign(u)*abs(u_x) - heaviside(u - 1)",
        "max(u, u_x) - min(u_t, 0)",
        "atan2(u, u_x) - c",
        "u^u_x - exp(u)",
        "u_t - where(x < 0.5, c, 2*c)*u_xx",
        "c*u_xxtt - 1.0e+300*u",
    ],
)
@pytest.mark.parametrize("left", ["u", "1/u", "u*u_x", "u^3 - c*u", "log(u + c)"])
def test_odd_equations_are_examined(equation, left):
    problem = f"""
    coordinates: {{x: [0, 1], t: [0, 1]}}
    fields: [u]
    unknowns: {{c: 0.5}}
    equations: {{odd: "{equation}"}}
    conditions:
      start: {{on: t = 0, equal: {{"{left}": c + x}}}}
      sides: {{periodic: x, of: [u, u_x]}}
      total: {{integral: u^2, over: x, equal: 1 + t}}
    """
    found = warnings_of(config_of(problem))
    assert "unexamined" not in found


@pytest.mark.parametrize("text", ["log(network)", "c*x + 1/network", "where(x > c, network, 0)"])
def test_odd_constructions_are_examined(text):
    problem = f"""
    coordinates: {{x: [0, 1]}}
    fields: [u]
    unknowns: {{c: 0.5}}
    equations: {{odd: u_x - c*u}}
    hard: {{u: "{text}"}}
    conditions: {{start: {{at: {{x: 0}}, equal: {{u: 1}}}}}}
    """
    assert "unexamined" not in warnings_of(config_of(problem))


def test_a_source_gives_fields_that_stand_together_a_size():
    body = """
    coordinates: {x: [0, 1], y: [0, 1]}
    fields: [u, v]
    constants: {E: 2.0e+11}
    equations:
      force_x: E*(u_xx + 0.4*u_yy + 0.5*v_xy)
      force_y: E*(v_yy + 0.4*v_xx + 0.5*u_xy) - 8.0e+4
    conditions: {clamped: {on: boundary, equal: {u: 0, v: 0}}}
    """
    found = warnings_of(config_of(body))["field_size"].text
    assert "v has a size of about 5e-08 by `force_y`" in found and "u has a size" in found
    assert warnings_of(config_of(body.replace("2.0e+11", "1").replace("8.0e+4", "1"))) == {}
    # A pressure that balances its force says nothing of the velocity.
    flow = """
    coordinates: {x: [0, 1]}
    fields: [u, p]
    equations: {force: p_x - 1.0e-3*u_xx - 1000, mass: u_x}
    conditions: {still: {on: x = 0, equal: {u: 0, p: 0}}}
    """
    found = warnings_of(config_of(flow))["field_size"].text
    assert "p has a size of about 2e+02" in found and "u has" not in found


@pytest.mark.parametrize(
    ("equations", "start", "told"),
    [
        ("{N: N_t - N*(1 - N/10000)}", "{N: 2}", "N takes values from 2 to 9"),
        ("{T: T_t + 0.5*(T - 1500)}", "{T: 1}", "T takes values from 1 to 1"),
        (
            "{S: S_t + S*I/1.0e+5, I: I_t - S*I/1.0e+5 + 0.1*I}",
            "{S: 99990, I: 10}",
            "I takes values from 10 to 6",
        ),
        ("{y: y_t - y}", "{y: 1}", ""),
        ("{y: y_t - y^2}", "{y: 1}", ""),
        ("{y: (t - 5)*y_t - sqrt(y - 2)}", "{y: 1}", ""),
    ],
)
def test_sizes_to_which_a_solution_grows_from_its_start(equations, start, told):
    fields = ", ".join(parse_source(start, "test").data)
    end = 20 if told else 2
    problem = f"""
    coordinates: {{t: [0, {end}]}}
    fields: [{fields}]
    equations: {equations}
    conditions: {{start: {{at: {{t: 0}}, equal: {start}}}}}
    """
    found = warnings_of(config_of(problem))
    assert (told in found["field_size"].text) if told else found == {}


@pytest.mark.parametrize(
    ("equation", "start", "end", "warned"),
    [
        ("N_t - N*(1 - N)", "0.001", 20, True),
        ("N_t - N*(1 - N)", "0.05", 20, True),
        ("N_t - N*(1 - N)", "0.3", 20, False),
        # It hardly grows; zero is not a solution; it decays.
        ("N_t - N*(1 - N)", "0.05", 1, False),
        ("N_t - N*(1 - N) - 0.01", "0.001", 20, False),
        ("N_t + N", "0.05", 20, False),
    ],
)
def test_growth_from_a_small_start(equation, start, end, warned):
    problem = f"""
    coordinates: {{t: [0, {end}]}}
    fields: [N]
    equations: {{growth: {equation}}}
    conditions: {{start: {{at: {{t: 0}}, equal: {{N: {start}}}}}}}
    """
    found = warnings_of(config_of(problem))
    assert ("small_start" in found) is warned
    if warned:
        text = found["small_start"].text
        assert f"only `start` excludes that, with values of {start}, while N grows to 1" in text


def test_growth_from_a_hard_start():
    problem = """
    coordinates: {t: [0, 20]}
    fields: [N]
    equations: {growth: N_t - N*(1 - N/10000)}
    hard: {N: 2 + t*network}
    """
    assert "hard: {N: 2 + t*(" in warnings_of(config_of(problem))["field_size"].text


INVERSE = """
coordinates: {x: [0, 1], t: [0, 1]}
fields: [u]
unknowns: {a: {initial: 0.1, positive: true}, b: 1}
equations: {heat: EQUATION}
conditions:
  ends: {on: boundary, equal: {u: 0}}
  start: {on: t = 0, equal: {u: sin(pi*x)}}
"""
PROBE = "  probe: {at: {x: 0.5, t: 0.5}, equal: {u: 0.6}}\n"


@pytest.mark.parametrize(
    ("equation", "more", "told"),
    [
        ("u_t - a*u_xx + b*u", "", "nothing determines a, b"),
        ("u_t - a*u_xx + b*u", PROBE, ""),
        ("u_t - a*u_xx + b*u", "  flux: {on: x = 1, equal: {u_n: -t}}\n", ""),
        ("u_t - a*u_xx + b*u", "  last: {on: t = 1, equal: {u: 0.3*sin(pi*x)}}\n", ""),
        ("u_t - a*b*u_xx", PROBE, "a and b cannot be distinguished"),
        ("u_t - u_xx + a*u + b*u", PROBE, "a and b cannot be distinguished"),
        ("u_t - u_xx + a*u + b*u^2", PROBE, ""),
        ("u_t - a*b*u_xx + b*u", PROBE, ""),
        # A factor of the whole equation.
        (
            "a*u_t - b*u_xx",
            PROBE,
            "only the ratio of a and b is determined; a = b = 0 solves `heat` for any u. "
            "Make one of them a constant",
        ),
        ("a^2*u_t - b*u_xx", PROBE, "only a combination of a and b is determined; a = b = 0"),
        ("u_t/a - u_xx/b", PROBE, "only the ratio of a and b is determined. Make"),
        (
            "a*(u_t - b*u_xx)",
            PROBE,
            "nothing determines a, which is only a factor of `heat`; a = 0 solves `heat` for any u",
        ),
        (
            "b*a^2*u_t + b^3*u_x - a*b*u_xx",
            PROBE,
            "a = b = 0 solves `heat` for any u. Divide by a or b",
        ),
        ("a*u_t - b*u_xx - x", PROBE, ""),
        ("a*u_t - b*u_xx", PROBE + "  heated: {on: x = 1, equal: {b*u_n: -t}}\n", ""),
        ("a*u_t - u_xx + b*u", PROBE, ""),
        ("a*b*u_t - b*u_xx", PROBE + "  air: {at: {x: 1, t: 1}, equal: {u_x: b}}\n", ""),
    ],
)
def test_unknowns_that_nothing_tells(equation, more, told):
    found = warnings_of(config_of(INVERSE.replace("EQUATION", equation) + more))
    assert (told in found["unidentified"].text) if told else found == {}


def test_layers_with_the_ends_of_the_network():
    problem = """
    coordinates: {x: [0, 1], t: [0, 1]}
    fields: [u]
    equations: {heat: u_t - u_xx}
    conditions: {rim: {on: [x = 0, x = 1, t = 0], equal: {u: sin(3*x)}}}
    """
    whole = config_of(problem, model={"name": "mlp", "layers": [2, 20, 20, 1]})
    assert "layers: [20, 20]" in one(whole, "layers").text
    hidden = config_of(problem, model={"name": "mlp", "layers": [20, 20]})
    assert warnings_of(hidden) == {}


def test_factors_that_several_equations_share():
    problem = """
    coordinates: {t: [0, 1]}
    fields: [u, v]
    unknowns: {a: 1, b: 1, c: 1}
    equations: {one: a*u_t + b*v, two: SECOND}
    conditions:
      start: {at: {t: 0}, equal: {u: 1, v: 0}}
      seen: {at: [{t: 0.5}, {t: 1}], equal: {u: 1 - t, v: t}}
    """
    shared = warnings_of(config_of(problem.replace("SECOND", "a*v_t - c*u")))
    assert "ratios of a, b and c are determined; a = b = c = 0" in shared["unidentified"].text
    assert warnings_of(config_of(problem.replace("SECOND", "a*v_t - u - c"))) == {}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("", "only the ratio of s and k is determined; s = k = 0 solves `heat` for any u"),
        ("  inside: {at: {x: 0.5, t: 0}, equal: {k: 1}}\n", ""),
    ],
)
def test_factors_that_are_fields(more, told):
    problem = """
coordinates: {x: [0, 1], t: [0, 1]}
fields: [u, k]
unknowns: {s: 1}
equations: {heat: s*u_t - k*u_xx - k_x*u_x, steady: k_t}
conditions:
  seen: {on: interior, equal: {u: exp(-t)*sin(pi*x)}}
"""
    found = warnings_of(config_of(problem + more))
    if told:
        assert told in found["unidentified"].text
        assert "or give a value of k at one point" in found["unidentified"].text
    else:
        assert "unidentified" not in found
