"""A problem from Python trains as the same problem from a file does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pdehvd
from pdehvd.config.root import load_config

TEXT = """\
name: decay
seed: 3
precision: float64
problem:
  name: pde
  coordinates: {x: [-1, 1], t: [0, 1]}
  fields: [u]
  constants: {nu: 0.01/pi}
  equations: {momentum: u_t + u*u_x - nu*u_xx}
  conditions:
    walls: {on: [x = -1, x = 1], equal: {u: 0}}
    initial: {on: t = 0, equal: {u: -sin(pi*x)}}
    mass: {integral: u^2, over: x, equal: exp(-t), points: 3}
sampling: {name: sobol, equations: 24, conditions: 8}
model: {name: mlp, width: 4, depth: 2}
optimizer:
  - {name: adam, learning_rate: 1.0e-2, steps: 3}
  - {name: lbfgs}
aggregation: exact
training: {steps: 5, report: false}
"""


def problem() -> pdehvd.PDE:
    """Return the problem of the file, with functions for its expressions."""
    return pdehvd.PDE(
        coordinates={"x": (-1, 1), "t": (0, 1)},
        fields=["u"],
        constants={"nu": "0.01/pi"},
        equations={"momentum": lambda u, u_t, u_x, u_xx, nu: u_t + u * u_x - nu * u_xx},
        conditions={
            "walls": pdehvd.OnRegion(on=["x = -1", "x = 1"], equal={"u": 0}),
            "initial": {"on": "t = 0", "equal": {"u": lambda x: -np.sin(np.pi * x)}},
            "mass": pdehvd.Integral(
                integral=lambda u: u**2, over="x", equal=lambda t: np.exp(-t), points=3
            ),
        },
    )


def experiment(**changes: object) -> pdehvd.Experiment:
    """Return the whole file."""
    sections = {
        "name": "decay",
        "seed": 3,
        "precision": "float64",
        "problem": problem(),
        "sampling": pdehvd.Sobol(equations=24, conditions=8),
        "model": pdehvd.MLP(width=4, depth=2),
        "optimizer": [pdehvd.Adam(learning_rate=1e-2, steps=3), pdehvd.LBFGS()],
        "aggregation": pdehvd.ExactSum(),
        "training": pdehvd.Training(steps=5, report=False),
    }
    return pdehvd.Experiment(**(sections | changes))


def test_it_is_the_spec_of_the_file(here: Path) -> None:
    (here / "decay.yaml").write_text(TEXT)
    read, _ = load_config("decay.yaml")
    assert read == experiment()


def test_it_trains_to_the_same_bits_on_one_and_two_processes(here: Path) -> None:
    (here / "decay.yaml").write_text(TEXT)
    runs = [
        pdehvd.train("decay.yaml", quiet=True),
        pdehvd.train(experiment(), quiet=True),
        pdehvd.train(experiment(), np=2, quiet=True),
    ]
    assert {run.summary["processes"] for run in runs} == {1, 2}
    assert len({run.summary["parameters_sha256"] for run in runs}) == 1
    points = {"x": np.linspace(-1, 1, 5), "t": 0.5}
    first, *others = (run.predict(points)["u"] for run in runs)
    assert first.shape == (5,)
    for other in others:
        np.testing.assert_array_equal(first, other)
    assert set(runs[2].evaluate()["residuals"]) == set(runs[0].evaluate()["residuals"])
    # The files that they were written to for their processes are gone.
    assert not list(here.glob(".pdehvd-*"))


def test_a_mapping_may_hold_functions_and_objects(here: Path) -> None:
    given = {
        "problem": {
            "name": "pde",
            "coordinates": {"x": (0, 1)},
            "fields": ["u"],
            "equations": {"decay": lambda u, u_x: u_x + u},
        },
        "sampling": pdehvd.Uniform(equations=4),
    }
    run = pdehvd.train(given, quiet=True, model=pdehvd.MLP(width=3, depth=1), training={"steps": 1})
    text = (run.directory / "config.yaml").read_text()
    assert "decay: u_x + u" in text and "width: 3" in text


def test_mistakes_name_their_places(here: Path) -> None:
    wrong = problem().model_copy(update={"equations": {"momentum": "u_t + v"}})
    for attempt in (pdehvd.check, lambda one: pdehvd.train(one, quiet=True)):
        with pytest.raises(
            pdehvd.ConfigError, match=r"^problem\.equations\.momentum: unknown name"
        ):
            attempt(experiment(problem=wrong))
    with pytest.raises(pdehvd.ConfigError, match=r"^problem\.equatons: .*mean 'equations'"):
        pdehvd.PDE(coordinates={"x": (0, 1)}, fields=["u"], equatons={"a": "u"})
    with pytest.raises(pdehvd.ConfigError, match=r"^problem\.equations\.a: the function returned"):
        pdehvd.PDE(coordinates={"x": (0, 1)}, fields=["u"], equations={"a": lambda u: [u]})
    with pytest.raises(pdehvd.ConfigError, match=r"^model: got Adam; expected one of"):
        experiment(model=pdehvd.Adam())
    with pytest.raises(pdehvd.ConfigError, match=r"^problem\.equations\.a: the function returned"):
        pdehvd.train({"problem": {"equations": {"a": lambda u: [u]}}})
    with pytest.raises(pdehvd.ConfigError, match=r"^optimizer\.0: got MLP"):
        experiment(optimizer=[pdehvd.MLP()])
