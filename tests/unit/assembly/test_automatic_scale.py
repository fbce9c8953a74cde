"""`scale: auto`: sizes from a problem in any units, and what they change of it."""

from __future__ import annotations

import numpy as np
import pytest

from pdehvd.assembly.build import build_objective
from pdehvd.assembly.problem import build_problem, resolve, with_entries
from pdehvd.assembly.trust.automatic_scale import scaled
from pdehvd.comm.group import Solo
from pdehvd.config.root import dump, validate
from pdehvd.config.yaml_source import parse_source, read_source, to_yaml
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import symbol
from tests.support.units import Units, in_units
from tests.support.warnings_before import config_of, warnings_of

ROD = """
coordinates: {x: [0, 0.04], t: [0, 30]}
fields: [T]
constants: {alpha: 5.0e-5}
equations: {heat: T_t - alpha*T_xx}
conditions:
  ends: {on: [x = 0, x = 0.04], equal: {T: 300}}
  start: {on: t = 0, equal: {T: 300 + 700*sin(pi*x/0.04)}}
"""
USUAL = """
coordinates: {x: [0, 1], t: [0, 1]}
fields: [u]
equations: {heat: u_t - u_xx/10}
conditions:
  ends: {on: boundary, equal: {u: 0}}
  start: {on: t = 0, equal: {u: sin(pi*x)}}
"""
DISCOVERY = """
coordinates: {t: [0, 1]}
fields: [u]
unknowns: {a: FIRST}
equations: {decay: u_t + a*u/5000}
conditions:
  start: {at: {t: 0}, equal: {u: 1}}
  later: {at: [{t: 0.5}, {t: 1}], equal: {u: exp(-t)}}
"""
FLOW = read_source("configs/kovasznay_gauss_newton.yaml").data


def scale_of(config):
    return scaled(config).problem.plain()["scale"]


def test_fields_in_their_units():
    found = scale_of(config_of(ROD))
    assert found["fields"] == {"T": {"offset": 300.0, "size": 700.0}}
    assert found["unknowns"] == {}


def test_usual_sizes_are_left_alone():
    config = config_of(USUAL)
    assert scale_of(config) == "none"
    assert dump(scaled(config)) == dump(config).replace("scale: auto", "scale: none")


def test_none_is_none_and_found_sizes_stay():
    assert scale_of(config_of(ROD + "scale: none")) == "none"
    once = scaled(config_of(ROD))
    assert scaled(once) == once
    assert validate(parse_source(dump(once), "again")) == once


def test_a_reference_has_no_part_in_it():
    other = ROD + "reference: {name: exact, T: 1.0e9*x*t}\n"
    assert scale_of(config_of(other)) == scale_of(config_of(ROD))


def test_given_sizes_are_kept_and_others_found():
    given = config_of(ROD.replace("T: 300 + 700", "T: 300 + 7.0e5") + "scale: {fields: {T: 1.0e5}}")
    found = scale_of(given)
    assert found["fields"] == {"T": 100000.0}
    assert set(found["terms"]) in (set(), {"heat", "ends", "start"})


def rewritten(text, units):
    problem = {**parse_source(text, "usual").data, "reference": {"name": "exact", "u": "0"}}
    return config_of(to_yaml(in_units({"problem": problem}, units)["problem"]))


@pytest.mark.parametrize("residual", [1e-9, 1e9])
@pytest.mark.parametrize("size", [1e-6, 1e6])
def test_terms_of_sizes_far_apart_become_one(size, residual):
    units = Units({"x": 1e3, "t": 1e-3}, {"u": size}, residual=residual)
    found = scale_of(rewritten(USUAL, units))
    assert found["fields"] == {"u": size}
    assert found["terms"]["heat"] == pytest.approx(1.1 * residual, rel=0.3)
    assert found["terms"]["start"] == pytest.approx(0.7 * size, rel=0.1)


def test_an_offset_of_a_thousand_sizes():
    found = scale_of(rewritten(USUAL, Units(offsets={"u": 1e3})))
    assert found == {"fields": {"u": {"offset": 1000.0, "size": 1.0}}, "terms": {}, "unknowns": {}}


def test_an_equation_in_other_units():
    """rho c T_t - k T_xx + ...: 3e6 T_t next to values of 1."""
    text = USUAL.replace("u_t - u_xx/10", "3.0e6*u_t - 3.0e5*u_xx")
    terms = scale_of(config_of(text))["terms"]
    assert terms["heat"] == pytest.approx(3e6, rel=0.6) and terms["start"] < 2
    assert not {"term_sizes", "field_size"} & set(warnings_of(scaled(config_of(text))))


def test_a_pressure_that_no_condition_contains():
    """1e-6 m/s: the pressure is 1e-12 of its unit, by the momentum equations alone."""
    slow = in_units(FLOW, Units(sizes={"u": 1e-6, "v": 1e-6, "p": 1e-12}))
    config = validate(parse_source(to_yaml(slow), "slow"))
    fields = scale_of(config)["fields"]
    assert 3e-13 < fields["p"] < 3e-11
    assert set(fields) == {"u", "v", "p"}


@pytest.mark.parametrize(
    ("first", "expected"),
    [("5000", {"a": 5000.0}), ("-2.0e-5", {"a": 2e-5}), ("1", {}), ("0", {"a": 3000.0})],
)
def test_unknowns_of_unusual_sizes(first, expected):
    found = scale_of(config_of(DISCOVERY.replace("FIRST", first)))
    found = {} if found == "none" else found["unknowns"]
    assert found == {name: pytest.approx(value, rel=0.7) for name, value in expected.items()}


def test_unknowns_that_are_positive_need_none():
    found = scale_of(config_of(DISCOVERY.replace("FIRST", "{initial: 5000, positive: true}")))
    assert found == "none"


@pytest.mark.parametrize(
    ("scale", "path"),
    [
        ("{fields: {S: 3}}", "scale.fields.S: 'S' is not a field"),
        ("{terms: {haet: 3}}", "scale.terms.haet: 'haet' is not a term of the loss"),
        ("{unknowns: {a: 3}}", "scale.unknowns.a: 'a' is not an unknown"),
        ("{fields: {T: -3}}", "scale"),
        ("automatic", "scale"),
    ],
)
def test_bad_sizes_are_refused(scale, path):
    with pytest.raises(ConfigError) as caught:
        build_problem(config_of(ROD + f"scale: {scale}\n"), 1)
    assert path in str(caught.value)


def test_the_size_of_a_positive_unknown_is_refused():
    text = DISCOVERY.replace("FIRST", "{initial: 1, positive: true}") + "scale: {unknowns: {a: 2}}"
    with pytest.raises(ConfigError, match="its logarithm is trained"):
        build_problem(config_of(text), 1)


def residuals(text, unknown=None):
    config = config_of(text)
    problem = build_problem(config, 1)
    objective = build_objective(config, problem, Solo())
    theta = objective.initial(seed=3)
    if unknown is not None:
        theta[-1] = unknown
    values = objective.residuals(theta, objective.batch(0))
    return [value.numpy() for value in values], objective, theta


def test_sizes_are_hard_forms_and_divisors():
    """Residuals are those of the typed form over the sizes of their terms."""
    typed, _, _ = residuals(ROD + "hard: {T: 300 + 700*network}\nscale: none\n")
    sizes = "{fields: {T: {offset: 300, size: 700}}, terms: {heat: 50, ends: 700}, unknowns: {}}"
    found, _, _ = residuals(ROD + f"scale: {sizes}\n")
    for one, other, size in zip(typed, found, (50, 700, 1), strict=True):
        np.testing.assert_allclose(other, one / size, rtol=1e-12, atol=1e-12)


def test_unknowns_are_trained_in_units_of_their_size():
    text = DISCOVERY.replace("FIRST", "5000")
    plain, objective, theta = residuals(text + "scale: none\n", 4000.0)
    assert objective.initial(seed=3)[-1] == 5000
    sizes = "{fields: {}, terms: {}, unknowns: {a: 2000}}"
    found, objective, theta = residuals(text + f"scale: {sizes}\n", 2.0)
    assert objective.initial(seed=3)[-1] == 2.5
    assert float(objective.unknowns(theta)["a"]) == 4000
    for one, other in zip(plain, found, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-12)


def test_a_resumed_run_keeps_its_sizes():
    config = config_of(ROD)
    kept = {"scale": {"fields": {"T": 100.0}, "terms": {}, "unknowns": {}}}
    assert resolve(config, kept) == kept
    assert resolve(config, {}) == {"scale": "none"}
    given = with_entries(config, kept)
    assert given.problem.plain()["scale"]["fields"] == {"T": 100.0}
    # What the file says itself stands.
    assert resolve(given, {}) == {}


MODE = """
coordinates: {x: [0, 1]}
fields: [u]
unknowns: {lam: {initial: 5, positive: true}}
equations: {mode: u_xx + lam*u}
conditions: {norm: {integral: u^2, equal: 1}}
hard: {u: x*(1 - x)*exp(network)}
"""
COEFFICIENT = """
coordinates: {x: [0, 1], t: [0, 1]}
fields: [u, k]
equations: {flux: u_t - k_x*u_x - k*u_xx + exp(-t)*sin(pi*x), steady: k_t}
conditions:
  ends: {on: [x = 0, x = 1], equal: {u: 0}}
  seen: {on: interior, equal: {u: exp(-t)*sin(pi*x)}}
"""


@pytest.mark.parametrize(
    ("text", "expected", "warning"),
    [(MODE, {"norm": 0.1}, "zero"), (COEFFICIENT, {"ends": 0.1, "seen": 0.1}, "coefficient")],
)
def test_terms_that_must_not_be_given_up(text, expected, warning):
    """A hundredfold weight; with it, or with that of the file, there is no warning."""
    config = config_of(text)
    assert scale_of(config) == {"fields": {}, "terms": expected, "unknowns": {}}
    assert warning in warnings_of(config) and warning not in warnings_of(scaled(config))
    weights = {"name": "fixed", "terms": dict.fromkeys(expected, 100.0)}
    assert scale_of(config_of(text, weighting=weights)) == "none"


def test_a_source_says_how_far_a_field_goes_from_its_only_value():
    """u_xx + u_yy = -20 sin(pi x) sin(pi y), 1000 all round: 1000 to 1001, and not 900 to 1100."""
    text = """
coordinates: {x: [0, 1], y: [0, 1]}
fields: [u]
equations: {balance: u_xx + u_yy + 20*sin(pi*x)*sin(pi*y)}
conditions: {rim: {on: boundary, equal: {u: 1000}}}
"""
    one = scale_of(config_of(text))["fields"]["u"]
    assert one["offset"] == 1000 and 0.3 < one["size"] < 3
    without = scale_of(config_of(text.replace("20*sin(pi*x)*sin(pi*y)", "0")))["fields"]["u"]
    assert without == {"offset": 1000.0, "size": 100.0}


INLET = """
coordinates: {x: [0, 1]}
fields: [v, T]
equations: {flow: v_xx, heat: T_xx - 1.0e6*v*T_x}
conditions:
  inlet: {on: x = 0, equal: {v: 2.0e-6, T: 300}}
  outlet: {on: x = 1, equal: {v: 1.0e-6, T: 800}}
"""


def test_each_residual_of_a_condition_has_a_size_of_its_own():
    """A velocity of 1e-6 next to a temperature of 300 counts as much."""
    found = scale_of(config_of(INLET))
    assert found["fields"] == {"v": {"offset": 1e-6, "size": 1e-6}, "T": pytest.approx(ROOM)}
    assert found["terms"]["inlet"] == [1e-6, 200.0]
    config = with_entries(config_of(INLET), {"scale": found})
    problem = build_problem(config, 1)
    (term,) = next(block for block in problem.blocks if block.name == "inlet").terms
    factors = [float(one.coeff(symbol(f))) for one, f in zip(term.expressions, "vT", strict=True)]
    assert factors == pytest.approx([1e6, 1 / 200])


ROOM = {"offset": 300.0, "size": 500.0}


def test_a_list_of_sizes_has_one_for_each_residual():
    text = INLET + "scale: {terms: {inlet: [1, 2, 3]}}\n"
    with pytest.raises(ConfigError, match="3 sizes for 2 residuals"):
        build_problem(config_of(text), 1)


def test_weights_of_the_file_are_a_part_of_the_sizes():
    text = USUAL.replace("u_t - u_xx/10", "3.0e6*u_t - 3.0e5*u_xx")
    plain = scale_of(config_of(text))["terms"]
    weights = {"name": "fixed", "terms": {"start": 100.0}}
    found = scale_of(config_of(text, weighting=weights))["terms"]
    assert found == {**plain, "start": pytest.approx(10 * plain["start"], rel=0.1)}
    balanced = {"name": "fixed", "terms": {"heat": 1e-13}}
    assert scale_of(config_of(text, weighting=balanced)) == "none"


def test_a_form_that_is_not_linear_in_the_network_is_left_alone():
    text = ROD.replace("fields: [T]", "fields: [T]\nhard: {T: 300*exp(network/1.0e4)}")
    assert scale_of(config_of(text)) == "none"
