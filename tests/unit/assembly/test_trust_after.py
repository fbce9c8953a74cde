"""Warnings after training: each rule on results made up for it, and on real ones."""

from dataclasses import replace

import numpy as np
import pytest

from pdehvd.assembly.build import build_parts, build_problem, build_reference
from pdehvd.assembly.trust import problem_scales, trained_state
from pdehvd.assembly.trust.after_training import after_training
from pdehvd.assembly.trust.judge import PointJudge, far_from_reference
from pdehvd.assembly.trust.trained_parts import PartResidual, part_residuals
from pdehvd.comm.group import Solo
from pdehvd.config.root import prepare, validate
from pdehvd.config.yaml_source import parse_source
from pdehvd.training.fresh_residuals import TermResidual
from pdehvd.training.state import TrainState

prepare()
GROWTH = """
precision: float64
problem:
  name: pde
  coordinates: {t: [0, 5]}
  fields: [N]
  unknowns: {rate: {initial: 1, positive: true}}
  equations: {growth: N_t - rate*N*(1 - N)}
  conditions: {start: {at: {t: 0}, equal: {N: 0.2}}}
  reference: {name: exact, N: 1/(1 + 4*exp(-t))}
sampling: {name: sobol, equations: 64, conditions: 8}
model: {name: mlp, width: 8, depth: 2}
optimizer: ssbroyden
"""
STEADY = """
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1], t: [0, 1]}
  fields: [k]
  equations: {constant: k_t}
  conditions: {start: {on: t = 0, equal: {k: 1 + x}}}
sampling: {name: sobol, equations: 64, conditions: 8}
model: {name: mlp, width: 8, depth: 2}
"""


def made_up(text, function):
    """Return a result without residuals whose first field is a function of points [N, D]."""
    parts = build_parts(validate(parse_source(text, "test")), Solo())
    config = validate(parse_source(text, "test"))
    problem = parts.objective.problem
    reference = parts.evaluator.reference if parts.evaluator else None
    known = problem_scales.gather_scales(config, problem, reference)
    theta = parts.objective.initial(0)
    state = TrainState(
        1000, theta, {}, np.ones(len(problem.terms)), parts.objective.initial_moments()
    )
    found = trained_state.gather_result(known, (), parts.objective, state, {})
    return replace(
        found,
        residuals=dict.fromkeys(problem.terms, TermResidual(1e-6, 1e-6)),
        values={problem.fields[0]: function(found.points)},
        unknowns={},
        layers=dict.fromkeys(found.layers, 0.0),
        parts=(),
    )


@pytest.fixture(scope="module")
def right():
    return made_up(GROWTH, lambda x: 1 / (1 + 4 * np.exp(-x[:, 0])))


def names(found):
    return [caution.name for caution in after_training(found)]


def only(found):
    (caution,) = after_training(found)
    return caution.text


def test_a_right_answer_is_silent(right):
    assert names(replace(right, errors={"N": 0.01})) == []


def test_a_large_error_beside_small_residuals(right):
    text = only(replace(right, errors={"N": 0.7}))
    assert "wrong although the loss is small" in text and "N by 70%" in text
    large = {**right.residuals, "equation/growth": TermResidual(0.2, 0.2)}
    assert names(replace(right, errors={"N": 0.7}, residuals=large)) == []


def test_residuals_that_are_small_at_trained_points_alone(right):
    only_there = {**right.residuals, "equation/growth": TermResidual(1e-6, 0.2)}
    text = only(replace(right, residuals=only_there))
    assert "`growth` holds at the training points only" in text
    assert "`sampling: {name: sobol, equations: 256, conditions: 32, resample_every: 500}`" in text
    for residual in (TermResidual(1e-9, 1e-4), TermResidual(0.1, 0.2)):
        both = {**right.residuals, "equation/growth": residual}
        assert names(replace(right, residuals=both)) == []


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (4e-15, "rate ran from 1 to 4e-15"),
        (1e9, "rate ran from 1 to 1e+09"),
        (1.00001, "rate has not moved from its initial guess 1"),
    ],
)
def test_unknowns_at_an_edge(right, found, told):
    assert told in only(replace(right, unknowns={"rate": (1.0, found)}))


def test_unknowns_that_run_to_zero_together():
    shared = GROWTH.replace("1, positive: true}}", "1, positive: true}, m: 1}")
    shared = shared.replace("N_t - rate", "m*N_t - rate")
    found = made_up(shared, lambda x: 1 / (1 + 4 * np.exp(-x[:, 0])))
    text = only(replace(found, unknowns={"rate": (1.0, 5e-5), "m": (1.0, 0.3)}))
    assert text.startswith("rate ran from 1 to 5e-05: only the ratio of rate and m is determined")
    assert "Make one of them a constant" in text and "Try" not in text
    assert names(replace(found, unknowns={"rate": (1.0, 0.1), "m": (1.0, 0.1)})) == []


def test_unknowns_that_are_on_their_way(right):
    assert names(replace(right, unknowns={"rate": (1.0, 0.3)})) == []
    assert names(replace(right, unknowns={"rate": (1.0, 1.00001)}, steps=50)) == []


def test_a_constant(right):
    flat = {"N": np.full(len(right.points), 0.6)}
    assert "N is constant over the domain (0.6)" in only(replace(right, values=flat))


def test_an_estimated_size_is_not_asked_for():
    driven = ROUND.replace("0.6*u_x", "0.6*u_x - 1").replace("sin(2*pi*x)", "0")
    text = only(made_up(driven, lambda x: np.full(len(x), 3.0)))
    assert "u is constant over the domain (3), while `carry` gives it a size of about" in text


def test_zero_beyond_a_thin_layer(right):
    jump = {"N": np.where(right.points[:, 0] < 0.01, 0.2, 1e-9)}
    beyond = replace(right, values=jump, layers={"start": 100.0})
    text = only(beyond)
    assert "N is zero on 100% of the domain" in text and "`start`" in text
    assert "{start: 100.0}" in text
    # A solution that really decays has small residuals where it does so.
    assert names(replace(beyond, layers={"start": 1e-3})) == []
    violated = {**right.residuals, "condition/start": TermResidual(0.2, 0.2)}
    assert "zero" in names(replace(beyond, layers={}, residuals=violated))


def test_a_short_run_is_not_called_wrong(right):
    flat = {"N": np.full(len(right.points), 0.6)}
    assert names(replace(right, values=flat, steps=100)) == []
    violated = {**right.residuals, "condition/start": TermResidual(0.2, 0.2)}
    zero = replace(right, values={"N": 0 * flat["N"]}, residuals=violated)
    assert names(zero) == ["zero"] and names(replace(zero, steps=100)) == []


def test_what_must_not_depend_on_a_coordinate():
    along = made_up(STEADY, lambda x: 1 + x[:, 0] + x[:, 1])
    text = only(along)
    assert "k must not depend on t (`constant`)" in text
    assert "{constant: 100.0}" in text
    assert names(made_up(STEADY, lambda x: 1 + x[:, 0])) == []


ROUND = """
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1], t: [0, 2]}
  fields: [u]
  equations: {carry: u_t + 0.6*u_x}
  conditions:
    sides: {periodic: x}
    start: {on: t = 0, equal: {u: sin(2*pi*x)}}
sampling: {name: sobol, equations: 64, conditions: 8}
model: {name: mlp, width: 8, depth: 2}
"""


def test_what_is_carried_around_must_not_fade():
    def wave(x):
        return np.sin(2 * np.pi * (x[:, 0] - 0.6 * x[:, 1]))

    text = only(made_up(ROUND, lambda x: wave(x) * np.exp(-x[:, 1])))
    assert "u shrinks to 14% of its initial size" in text and "`carry`" in text
    assert names(made_up(ROUND, wave)) == []
    damped = ROUND.replace("0.6*u_x", "0.6*u_x + u")
    assert names(made_up(damped, lambda x: wave(x) * np.exp(-x[:, 1]))) == []
    # Without periodic faces it may leave.
    left = ROUND.replace("periodic: x", "on: x = 0, equal: {u: 0}")
    assert names(made_up(left, lambda x: wave(x) * np.exp(-x[:, 1]))) == []


CAVITY = """
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1], y: [0, 1]}
  fields: [u, v, p]
  equations:
    momentum_x: u*u_x + v*u_y + p_x - (u_xx + u_yy)
    momentum_y: u*v_x + v*v_y + p_y - (v_xx + v_yy)
    continuity: u_x + v_y
  conditions:
    lid: {on: y = 1, equal: {u: 1, v: 0}}
    walls: {on: [x = 0, x = 1, y = 0], equal: {u: 0, v: 0}}
sampling: {name: sobol, equations: 64, conditions: 64}
model: {name: mlp, width: 8, depth: 2}
"""


def test_conditions_that_differ_where_they_meet():
    flow = made_up(CAVITY, lambda x: x[:, 1])
    flow = replace(flow, values={name: flow.points[:, 1] for name in "uvp"})
    assert names(flow) == []
    wrong = replace(flow, errors={"u": 0.33, "p": 0.05})
    assert names(wrong) == ["wrong_answer", "meeting"]
    text = after_training(wrong)[1].text
    assert "`lid` and `walls` prescribe different values of u where they meet (1 and 0 near" in text
    even = made_up(CAVITY.replace("u: 1,", "u: 16*(x*(1 - x))^2,"), lambda x: x[:, 1])
    even = replace(even, values=flow.values, errors={"u": 0.33})
    assert names(even) == ["wrong_answer"]


def test_a_level_that_nothing_fixes():
    flow = made_up(CAVITY, lambda x: x[:, 1])
    wrong = replace(flow, values={n: flow.points[:, 1] for n in "uvp"}, errors={"p": 0.5})
    text = after_training(wrong)[-1].text
    assert "only derivatives of p occur" in text
    assert "`conditions: {p_level: {at: {x: 0.0, y: 0.0}, equal: {p: 0}}}`" in text


def test_residuals_that_are_no_solution(right):
    parts = (
        PartResidual("equation/growth", ("N",), 0.2, 0.8),
        PartResidual("condition/start", ("N",), 0.01, 0.8),
        PartResidual("condition/start", ("B",), 3e-5, 3e-5),
    )
    text = only(replace(right, parts=parts))
    assert "(`start` for B 100%, `growth` 25%)" in text
    assert names(replace(right, parts=parts, steps=100)) == []
    assert names(replace(right, parts=(parts[1],))) == []
    # Another rule knows the cause.
    flat = {"N": np.full(len(right.points), 0.6)}
    assert names(replace(right, parts=parts, values=flat)) == ["constant"]


PARTS = """
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1], t: [0, 1]}
  fields: [u, v]
  equations: {wave: u_tt - 4*u_xx + 3, other: v - 5*u}
  hard: {u: "x + x^2 + 2*t + 3*t^2 + 0*network", v: "5e-3*t"}
  conditions:
    start: {on: t = 0, equal: {u: x, v: 0}}
    sides: {periodic: x}
    flux: {on: x = 1, equal: {u_n: 0}}
    mean: {integral: 2*u, over: x, equal: 0, at: {t: 0}}
sampling: {name: sobol, equations: 64, conditions: 64}
model: {name: mlp, width: 8, depth: 2}
"""


def test_parts_of_terms_and_their_sizes():
    config = validate(parse_source(PARTS, "test"))
    objective = build_parts(config, Solo()).objective
    theta = objective.initial(0)
    state = TrainState(1000, theta, {}, np.ones(7), objective.initial_moments())
    names = problem_scales.gather_scales(config, objective.problem, None).names
    found = part_residuals(names, objective, state)
    parts = {(part.term, part.fields): (part.residual, part.size) for part in found}
    assert parts["equation/wave", ("u",)][0] == pytest.approx(1.0)
    assert parts["equation/wave", ("u",)][1] >= 8
    assert parts["condition/start", ("u",)][0] == pytest.approx(np.sqrt(1 / 5), rel=1e-2)
    assert parts["condition/start", ("v",)][0] == 0
    assert parts["condition/sides", ("u",)][0] == pytest.approx(2.0)
    # Nothing but its own value measures a flux at its points; inside, it is as large.
    assert parts["condition/flux", ("u",)][0] == pytest.approx(3.0)
    assert parts["condition/flux", ("u",)][1] >= 3
    assert parts["condition/mean", ("u",)][0] == pytest.approx(2 * (1 / 2 + 1 / 3))


def test_the_error_of_a_zero_reference_is_absolute():
    config = validate(parse_source(GROWTH.replace("1/(1 + 4*exp(-t))", "0"), "test"))
    problem = build_problem(config, 1)
    judge = PointJudge(config, problem, build_reference(config, problem))
    texts = {caution.name: caution.text for caution in judge.before}
    assert "the reference of N is zero, so its error is absolute" in texts["absolute_error"]
    assert far_from_reference(judge.relative({"N": 0.5})) == ""
    usual = validate(parse_source(GROWTH, "test"))
    judge = PointJudge(usual, problem, build_reference(usual, problem))
    assert "N is off by 50%" in far_from_reference(judge.relative({"N": 0.5}))


def test_the_last_line_of_a_wrong_answer():
    assert far_from_reference({"u": 0.01, "v": 0.33}) == (
        "the answer is wrong: v is off by 33% of its size"
    )
    assert far_from_reference({"u": 0.01, "v": float("nan")}) == ""
    assert far_from_reference({"u": 0.33, "v": 0.33}, {"v"}) == (
        "the answer is wrong: u is off by 33% of its size, "
        "v is off by 33% of its deviation from its mean"
    )


OFFSET = GROWTH.replace("N: 1/(1 + 4*exp(-t))", "N: LEVEL + exp(-t)")


def judge_of(text):
    config = validate(parse_source(text, "test"))
    problem = build_problem(config, 1)
    return PointJudge(config, problem, build_reference(config, problem))


@pytest.mark.parametrize(
    ("level", "precision", "told"),
    [
        ("101325", "float64", True),
        ("101325", "float32", False),
        ("20", "float64", True),
        ("1", "float64", False),
        ("-101325", "float64", True),
    ],
)
def test_an_offset_does_not_hide_the_error_of_what_varies(level, precision, told):
    """exp(-t) deviates by 0.25 from its mean; single precision does not hold it at 1e5."""
    judge = judge_of(OFFSET.replace("LEVEL", level).replace("float64", precision))
    absolute = 0.2
    size = abs(float(level) + 0.2)
    text = far_from_reference(judge.relative({"N": absolute / size}), judge.deviating)
    if told:
        assert "N is off by 81" in text and "% of its deviation from its mean" in text
    else:
        assert "deviation" not in text


def test_a_constant_reference_has_no_deviation():
    judge = judge_of(GROWTH.replace("1/(1 + 4*exp(-t))", "(3*t + 1)/(t + 1/3)"))
    assert judge.relative({"N": 0.05}) == {"N": 0.05} and not judge.deviating


def test_a_wrong_answer_beside_an_offset(right):
    scales = replace(right.scales, offset_references={"N": 1e5})
    text = only(replace(right, scales=scales, errors={"N": 0.4}))
    assert "N by 40% of its deviation from its mean" in text


def test_parts_are_measured_without_the_constant_of_a_hard_form():
    text = PARTS.replace('u: "x + x^2 + 2*t + 3*t^2 + 0*network"', 'u: "1.0e+5 + x + 0*network"')
    config = validate(parse_source(text.replace("equal: {u: x,", "equal: {u: 1.0e+5,"), "test"))
    objective = build_parts(config, Solo()).objective
    state = TrainState(1000, objective.initial(0), {}, np.ones(7), objective.initial_moments())
    names = problem_scales.gather_scales(config, objective.problem, None).names
    parts = {(p.term, p.fields): p for p in part_residuals(names, objective, state)}
    start = parts["condition/start", ("u",)]
    assert start.residual == pytest.approx(1 / np.sqrt(3), rel=2e-2)
    assert start.size < 10


LOGISTIC = GROWTH.replace("  unknowns: {rate: {initial: 1, positive: true}}\n", "")
LOGISTIC = LOGISTIC.replace("rate*", "").replace("N: 0.2", "N: 0.001").replace("5]", "20]")
LOGISTIC = LOGISTIC.replace("  reference: {name: exact, N: 1/(1 + 4*exp(-t))}\n", "")


def grown_from(start):
    return lambda x: start / (start + (1 - start) * np.exp(-x[:, 0]))


def test_a_zero_solution_that_only_a_small_start_excludes():
    found = made_up(LOGISTIC, lambda x: 9e-4 * np.exp(-3 * x[:, 0]))
    text = only(found)
    assert "gives another solution: N is off by 100% of its size" in text
    assert "Train on one time interval after another" in text
    assert names(replace(found, steps=100)) == []
    assert names(made_up(LOGISTIC, grown_from(0.001))) == []
    # With a reference, its errors tell.
    given = LOGISTIC.rstrip() + "\n"
    given = given.replace("sampling:", "  reference: {name: exact, N: 1 + 0*t}\nsampling:", 1)
    assert "integration" not in names(made_up(given, lambda x: 0 * x[:, 0]))


def test_unknowns_as_found_enter_the_integration():
    problem = LOGISTIC.replace("  equations", "  unknowns: {rate: 3}\n  equations")
    problem = problem.replace("N*(1 - N)", "rate*N*(1 - N)")
    found = made_up(problem, grown_from(0.001))
    assert names(replace(found, unknowns={"rate": (3.0, 1.0)})) == []
    assert names(replace(found, unknowns={"rate": (3.0, 2.0)})) == ["integration"]


PENDULUM = """
precision: float64
problem:
  name: pde
  coordinates: {t: [0, 20]}
  fields: [u]
  equations: {swing: u_tt + sin(u)}
  conditions: {start: {at: {t: 0}, equal: {u: 3.1415, u_t: 0}}}
sampling: {name: sobol, equations: 64, conditions: 8}
model: {name: mlp, width: 8, depth: 2}
"""


def test_an_unstable_rest_of_an_equation_of_second_order():
    text = "\n".join(
        c.text for c in after_training(made_up(PENDULUM, lambda x: 0 * x[:, 0] + 3.14))
    )
    assert "an integration of the equations" in text and "u is off by" in text
    # Chaos: integrations differ as well.
    lorenz = PENDULUM.replace("[u]", "[x, y, z]").replace("u: 3.1415, u_t: 0", "x: 1, y: 1, z: 1")
    lorenz = lorenz.replace(
        "swing: u_tt + sin(u)",
        "a: x_t - 10*(y - x), b: y_t - x*(28 - z) + y, c: z_t - x*y + 8/3*z",
    )
    found = made_up(lorenz.replace("20]", "40]"), lambda x: x[:, 0])
    found = replace(found, values=dict.fromkeys("xyz", found.points[:, 0]))
    assert "integration" not in names(found)


ROD = """
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1]}
  fields: [u]
  unknowns: {lam: {eigenvalue: true, modes: 2, initial: [10, 40]}}
  equations: {rod: u_xx + lam*u}
  conditions: {ends: {on: boundary, equal: {u: 0}}}
sampling: {name: sobol, equations: 64, conditions: 8}
model: {name: mlp, width: 8, depth: 2}
"""


@pytest.fixture(scope="module")
def rod():
    return made_up(ROD, lambda x: np.sin(np.pi * x[:, 0]))


def test_modes_that_are_the_same(rod):
    first = rod.values["u1"]
    second = np.sin(2 * np.pi * rod.points[:, 0])
    found = {"lam1": (10.0, 9.87), "lam2": (40.0, 9.88)}
    alike = replace(rod, values={"u1": first, "u2": -first}, unknowns=found)
    text = only(alike)
    assert text.startswith("modes 1 and 2 are the same: lam1 = 9.87, lam2 = 9.88")
    # Those of a degenerate pair have the same eigenvalue, and other fields.
    assert names(replace(alike, values={"u1": first, "u2": second})) == []
    apart = {"lam1": (10.0, 9.87), "lam2": (40.0, 39.48)}
    assert names(replace(alike, unknowns=apart)) == []
