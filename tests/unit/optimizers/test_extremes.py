"""Every registered optimizer on losses that vanish, stand still, or leave the range of numbers.

An optimizer is tested by being registered: no exception but `StalledError`, no parameter that is
no number where the loss is one.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import tensorflow as tf
import yaml

from pdehvd.assembly.build import build_objective, build_problem
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config, register_builtin
from pdehvd.objectives.host import HostCalls, HostObjective
from pdehvd.optimizers.base import BoundObjective, HostOptimizer, StalledError
from pdehvd.spec import registered
from tests.support.launcher import nightly

register_builtin()
# Ways of a method that share little with its default.
WAYS = {
    "gauss_newton": [
        {"solver": "normal"},
        {"solver": "kernel"},
        {"solver": "cg"},
        {"solver": "kernel", "adaptive": False, "line_search": True, "momentum": 0.9},
    ],
    "kfac": [{}, {"momentum": False}],
    "sgd": [{}, {"momentum": 0.9}],
    "rmsprop": [{}, {"centered": True}],
}
OPTIMIZERS = [
    pytest.param(name, options, id="-".join([name, *(str(v) for v in options.values())]))
    for name in registered("optimizer")
    for options in WAYS.get(name, [{}])
]
STEPS = 6
WAVE = "u_xx + u - sin(3*x)"
# For double precision; single has the fourth part of the exponents, and a bit less.
LOSSES = {
    "zero from the start": {"equations": {"e": "u_x"}, "hard": {"u": "where(x < 2, 1, network)"}},
    "zero where it is flat": {"equations": {"e": "max(u - 3, 0)"}},
    "zero soon": {"equations": {"e": "k - 2 + where(x < 2, 0, u)"}, "unknowns": {"k": 0.5}},
    "constant": {"equations": {"e": "where(u > 9, u, 2)"}},
    "of one sign": {"equations": {"e": "where(u > 0, 1, 2)"}},
    "tiny": {"equations": {"e": f"{{tiny}}*({WAVE})"}},
    "less than tiny": {"equations": {"e": f"{{tiny}}*{{tiny}}*({WAVE})"}},
    "tiny quadratic": {
        "equations": {"e": "{tiny}*(k - 2 + where(x < 2, 0, u))"},
        "unknowns": {"k": 0.5},
    },
    "small": {"equations": {"e": f"{{small}}*({WAVE})"}},
    "large": {"equations": {"e": f"{{large}}*({WAVE})"}},
    "huge": {"equations": {"e": f"{{huge}}*({WAVE})"}},
    "more than huge": {"equations": {"e": f"{{huge}}*{{huge}}*({WAVE})"}},
    "both": {
        "equations": {"e": f"{{tiny}}*({WAVE})"},
        "conditions": {"c": {"on": "x = 0", "equal": {"{huge}*u": "{huge}"}}},
    },
}
SIZES = {
    "float64": {"tiny": "1e-150", "small": "1e-75", "large": "1e75", "huge": "1e150"},
    "float32": {"tiny": "1e-19", "small": "1e-10", "large": "1e10", "huge": "1e19"},
}
PURE = {}


@cache
def objective_of(loss, precision):
    """Return the objective, its compiled calls, a batch and the weights; compiled once."""
    text = yaml.safe_dump(
        {
            "precision": precision,
            "problem": {
                "name": "pde",
                "coordinates": {"x": [0, 1]},
                "fields": ["u"],
                **LOSSES[loss],
            },
            "sampling": {"name": "sobol", "equations": 16, "conditions": 1},
            "model": {"name": "mlp", "width": 4, "depth": 1},
        }
    )
    for name, number in SIZES[precision].items():
        text = text.replace(f"{{{name}}}", number)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "problem.yaml"
        path.write_text(text)
        config, _ = load_config(path)
    objective = build_objective(config, build_problem(config, 1), Solo())
    weights = tf.ones([len(objective.terms)], objective.dtype)
    return objective, HostCalls(objective), objective.batch(0), weights


def trained(loss, precision, spec):
    """Return the last theta, and the one before, of a few steps; stop where the method stalls."""
    objective, calls, batch, weights = objective_of(loss, precision)
    spec = spec.suited(objective).resolved(objective.batch_size, STEPS)
    optimizer = spec.build(Solo())
    before = theta = objective.initial(1)
    if isinstance(optimizer, HostOptimizer):
        bound = HostObjective(calls, batch, weights)
    else:
        bound = BoundObjective(objective, batch, weights)
        before = theta = tf.constant(theta)
        # Its update is compiled, and knows of the objective the number of parameters alone.
        optimizer = PURE.setdefault((spec, objective.dtype, objective.size), optimizer)
    state = optimizer.init(theta)
    for _ in range(STEPS):
        try:
            # As the trainer does: what leaves the range of numbers is looked for afterwards.
            with np.errstate(all="ignore"):
                after, state, *_ = optimizer.step(bound, theta, state)
        except StalledError:
            break
        before, theta = theta, after
        if not np.all(np.isfinite(theta)):
            break
    return np.asarray(theta), np.asarray(before)


def spec_of(name, options):
    spec = registered("optimizer")[name]
    checked = {"precision_checked": False} if "precision_checked" in spec.model_fields else {}
    return spec(**options, **checked)


BY_DAY = [(loss, "float64") for loss in ("zero soon", "constant", "tiny", "huge", "both")]
CASES = [(loss, "float64") for loss in LOSSES]
CASES += [(loss, "float32") for loss in ("zero soon", "tiny", "huge", "both")]
CASES = [case if case in BY_DAY else nightly(*case) for case in CASES]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("loss", "precision"), CASES)
@pytest.mark.parametrize(("name", "options"), OPTIMIZERS)
def test_no_step_leaves_the_numbers_where_the_loss_does_not(name, options, loss, precision):
    theta, before = trained(loss, precision, spec_of(name, options))
    assert np.all(np.isfinite(before))
    if not np.all(np.isfinite(theta)):
        _, calls, batch, weights = objective_of(loss, precision)
        at = calls.evaluate(tf.constant(before), batch, weights)
        assert not (np.isfinite(at.loss) and np.all(np.isfinite(at.gradient)))
