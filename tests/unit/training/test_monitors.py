"""Monitors have the values of closed forms, and mistakes in them are named."""

import json

import numpy as np
import pytest
import yaml

from pdehvd.assembly.build import build_parts
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config
from pdehvd.errors import ConfigError
from pdehvd.problems.monitors import IntegralMonitor
from pdehvd.training import point_monitors
from pdehvd.training.checkpoint import Checkpoints
from pdehvd.training.history import History
from pdehvd.training.monitors import deviation, in_words
from pdehvd.training.progress import Progress
from pdehvd.training.trainer import Output, Trainer

# The hard form is the field, whatever the network gives: u = x^2 y, v = exp(x) t.
FIELDS = {"u": "x^2*y + 0*network", "v": "exp(x)*t + 0*network"}
BOX = {
    "coordinates": {"x": [0, 1], "y": [0, 2], "t": [0, 1]},
    "constants": {"k": 3},
    "unknowns": {"a": 0.5},
    "definitions": {"flux": "k*u_x"},
}
DISK = {
    "coordinates": {"x": None, "y": None, "t": [0, 2]},
    "geometry": {"disk": {"radius": 1}, "name": "rim"},
    "constants": {"k": 3},
    "unknowns": {"a": 0.5},
    "definitions": {"flux": "k*u_x"},
}


def written(tmp_path, place, monitors, **more):
    problem = {
        "name": "pde",
        **place,
        "fields": ["u", "v"],
        "equations": {"one": "u_t - a*u_xx - u_yy", "two": "v_t - v_xx - v_yy"},
        "hard": FIELDS,
        "monitors": monitors,
    }
    content = {
        "precision": "float64",
        "problem": problem,
        "sampling": {"name": "sobol", "equations": 16},
        "model": {"width": 4, "depth": 1},
    }
    path = tmp_path / "problem.yaml"
    path.write_text(json.dumps(content | more))
    return load_config(path)[0]


def values(tmp_path, place, monitors, **more):
    """Return the values of monitors by name, with the parts of the run."""
    parts = build_parts(written(tmp_path, place, monitors, **more), Solo())
    trainer = Trainer(parts, written(tmp_path, place, monitors, **more).training)
    return parts.monitors(trainer.fresh_state()), parts


E = float(np.e)
ON_THE_BOX = {
    # over: all coordinates, some at places of the others, a region
    "all": ({"integral": "u"}, 2 / 3),
    "squares": ({"integral": "u_x^2 + u_y^2", "over": ["x", "y"], "at": {"t": 1}}, 32 / 9 + 0.4),
    "line": ({"integral": "v", "over": "x", "at": {"y": 1, "t": "1/k"}}, (E - 1) / 3),
    "faces": ({"integral": "flux*n_x + u_n", "on": "x = 1 and t = 0"}, 16.0),
    "outflow": ({"integral": "v_n", "on": "boundary"}, E - 1),
    "probe": ({"value": "flux + a + x*t", "at": {"x": 0.5, "y": 1, "t": 0.5}}, 3.75),
    "third": ({"value": "v_xxx", "at": {"x": 1, "y": 0, "t": 1}}, E),
    "top": ({"maximum": "v"}, E),
    "low": ({"minimum": "-u", "at": {"t": 0}}, -2.0),
    "on a line": ({"maximum": "u", "at": {"x": 0.5, "t": 0}}, 0.5),
    "at a point": ({"maximum": "u", "at": {"x": 0.5, "y": 2, "t": 0}}, 0.5),
    "largest flux": ({"maximum": "u_n", "on": "x = 1"}, 4.0),
    "unknown": ({"value": "2*a", "at": {"x": 0, "y": 0, "t": 0}}, 1.0),
}
ON_THE_DISK = {
    "all": ({"integral": "u*y"}, 2 * np.pi / 24),
    "section": ({"integral": "u*y", "over": ["x", "y"], "at": {"t": 1}}, np.pi / 24),
    "chord": ({"integral": "1 + u_y", "over": "y", "at": {"x": 0.6, "t": 0}}, 1.36 * 1.6),
    # The flux of u through the rim is the integral of its Laplacian 2 y, which is 0.
    "flux": ({"integral": "u_n", "on": "rim and t = 1"}, 0.0),
    "half": ({"integral": "u_n", "on": "rim and y > 0 and t = 1"}, 2.0),
    "push": ({"integral": "u*n_y", "on": "rim"}, 2 * np.pi / 4),
    "top": ({"maximum": "u", "at": {"t": 0}}, 2 / 3**1.5),
    "rim": ({"minimum": "v", "on": "rim and t = 2"}, 2 / E),
}


@pytest.mark.parametrize(
    ("place", "cases"), [(BOX, ON_THE_BOX), (DISK, ON_THE_DISK)], ids=["box", "disk"]
)
def test_values_are_those_of_closed_forms(tmp_path, place, cases):
    found, _ = values(tmp_path, place, {name: monitor for name, (monitor, _) in cases.items()})
    assert list(found) == list(cases)
    for name, (monitor, value) in cases.items():
        # Extremes are those at points nearby.
        close = 2e-3 if {"maximum", "minimum"} & set(monitor) else 1e-8
        assert found[name] == pytest.approx(value, abs=close), name


def test_chunks_of_an_exact_sum_give_the_same_values(tmp_path):
    monitors = {name: monitor for name, (monitor, _) in ON_THE_DISK.items()}
    plain, _ = values(tmp_path, DISK, monitors)
    # Five chunks; a probe lies in one of them only.
    chunked, _ = values(tmp_path, DISK, monitors, aggregation={"name": "exact", "chunk": 4})
    assert list(chunked) == list(plain)
    np.testing.assert_allclose(list(chunked.values()), list(plain.values()), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("most", [7000, 1000])
def test_parts_that_fit_into_memory_give_the_same_values(tmp_path, monkeypatch, most):
    monitors = {name: monitor for name, (monitor, _) in ON_THE_DISK.items()}
    whole, _ = values(tmp_path, DISK, monitors)
    monkeypatch.setattr(point_monitors, "_AT_ONCE", most)
    cut, _ = values(tmp_path, DISK, monitors)
    np.testing.assert_allclose(list(cut.values()), list(whole.values()), rtol=1e-12, atol=1e-13)


def test_a_mean_over_points_is_announced(tmp_path):
    part = "interior and x^2 + y^2 < 1/4 and t = 0"
    found, parts = values(tmp_path, DISK, {"part": {"integral": "1 + 0*u + u_y", "on": part}})
    (note,) = parts.notes
    assert note == "monitor part: a mean over 8,192 points, good to about 3 digits"
    assert found["part"] == pytest.approx(np.pi / 4 + np.pi / 4 / 4**2, rel=3e-3)


MISTAKES = {
    "a missing field": ({"integral": "w_x"}, "integral", "unknown name 'w_x'"),
    "a place of all coordinates": ({"integral": "u", "at": {"t": 1}}, "at", "all coordinates"),
    "an open coordinate": (
        {"integral": "u", "over": ["x", "y"]},
        "",
        "the integral leaves the coordinate t; expected a value of each under 'at'",
    ),
    "a foreign coordinate": ({"integral": "u", "over": "z"}, "over", "'z' is not a coordinate"),
    "outside": ({"integral": "u", "over": ["x", "y"], "at": {"t": 3}}, "at", "lies outside"),
    "a point outside": ({"value": "u", "at": {"x": 2, "y": 0, "t": 0}}, "at", "lies outside"),
    "an extreme outside": ({"maximum": "u", "at": {"t": 2}}, "at.t", "lies outside the domain"),
    "a point without a coordinate": ({"value": "u", "at": {"x": 0}}, "at", "a point with x"),
    "a value nowhere": ({"value": "u"}, "", "the key 'at' is missing"),
    "nothing under at": ({"maximum": "u", "at": {}}, "at", "'at' is empty"),
    "a region and a place": (
        {"integral": "u", "on": "boundary", "at": {"t": 1}},
        "at",
        "'at' and 'on' together; expected one of both, such as 'on: boundary and t = 1'",
    ),
    "a region and coordinates": ({"integral": "u", "on": "boundary", "over": "x"}, "over", "both"),
    "a missing region": ({"integral": "u", "on": "hole"}, "on", "'hole' names no region"),
    "a region without a normal": ({"integral": "u_n", "on": "t = 0"}, "integral", "no outward"),
    "a normal inside": ({"maximum": "u*n_x"}, "maximum", "'n_x' where there is no outward normal"),
    "a key of another kind": ({"maximum": "u", "over": "x"}, "over", "does not go with 'maximum'"),
    "two kinds": ({"maximum": "u", "minimum": "u"}, "", "several kinds: maximum, minimum"),
    "no kind": ({"expected": 1}, "", "does not say what it measures"),
    "a misspelt kind": ({"integrale": "u"}, "integrale", "did you mean 'integral'?"),
    "an unknown key": ({"maximum": "u", "where": "x"}, "where", "unknown key 'where'"),
    "no field": ({"integral": "k*x"}, "integral", "the monitor contains no field"),
    "an infinite value": (
        {"value": "u/x", "at": {"x": 0, "y": 0, "t": 0}},
        "value",
        "1/x is inf at x = 0",
    ),
    "a field in the known value": ({"maximum": "u", "expected": "u"}, "expected", "unknown name"),
    "a truth": ({"maximum": "u", "expected": True}, "expected", "got true"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_are_named(tmp_path, case):
    monitor, key, message = MISTAKES[case]
    with pytest.raises(ConfigError) as caught:
        build_parts(written(tmp_path, BOX, {"m": monitor}), Solo())
    path = ".".join(part for part in ("problem.monitors.m", key) if part)
    assert f"{path}: " in str(caught.value) and message in str(caught.value)


RODS = {
    "coordinates": {"x": [0, 1], "y": [0, 2], "t": [0, 1]},
    "parameters": {
        "k": {"name": "values", "values": [1, 2, 5]},
        "b": {"name": "log_uniform", "range": [0.1, 10]},
    },
    "constants": {},
    "unknowns": {"a": 0.5},
}


def test_parameters_have_values_in_integrals_and_their_distributions_in_extremes(tmp_path):
    monitors = {
        "at": {"integral": "k*u*b", "over": ["x", "y"], "at": {"t": 0, "k": 2, "b": 5}},
        "on": {"integral": "k*u_n", "on": "x = 1 and k = 5 and b = 1"},
        "least": {"minimum": "u + (k - 4)^2"},
        "face": {"minimum": "u + (k - 4)^2", "on": "x = 0"},
        "most": {"maximum": "u*b", "on": "x = 1 and y = 2 and t = 0"},
    }
    found, _ = values(tmp_path, RODS, monitors)
    wanted = {"at": 20 / 3, "on": 20.0, "least": 1.0, "face": 1.0, "most": 20.0}
    assert found == pytest.approx(wanted, rel=3e-2)
    with pytest.raises(ConfigError, match=r"monitors.m.on: the integral leaves the parameter b"):
        values(tmp_path, RODS, {"m": {"integral": "u", "on": "x = 1 and k = 2"}})
    with pytest.raises(ConfigError, match=r"monitors.m: the integral leaves the .* k, b"):
        values(tmp_path, RODS, {"m": {"integral": "u"}})


def test_objects_of_python_are_checked_at_once():
    with pytest.raises(ConfigError, match="at: 'at' and 'on' together"):
        IntegralMonitor(integral="u", on="boundary", at={"t": 1})
    assert IntegralMonitor(integral=lambda u, x: u * x).integral == "u*x"


def test_monitors_are_logged_where_errors_are_and_change_nothing(tmp_path):
    problem = yaml.safe_load(
        """
        {name: pde, coordinates: {x: [0, 1]}, fields: [u], equations: {decay: u_x + u},
         conditions: {start: {at: {x: 0}, equal: {u: 1}}}}
        """
    )
    content = {
        "precision": "float64",
        "sampling": {"name": "uniform", "equations": 16},
        "model": {"width": 8, "depth": 1},
        "training": {"steps": 50, "evaluate_every": 20, "log_every": 10, "checkpoint_every": 25},
    }
    monitors = {"mean": {"integral": "u", "expected": "1 - exp(-1)"}, "end": {"minimum": "u"}}
    ends = []
    for name, more in (("with", monitors), ("without", {})):
        path = tmp_path / f"{name}.yaml"
        path.write_text(json.dumps({**content, "problem": {**problem, "monitors": more}}))
        config, _ = load_config(path)
        trainer = Trainer(build_parts(config, Solo()), config.training)
        folder = tmp_path / name
        output = Output(History(folder), Progress(1, quiet=True), Checkpoints(folder, 3))
        with output.history:
            ends.append(trainer.fit(trainer.fresh_state(), output))
    followed, plain = ends
    rows = [json.loads(row) for row in (tmp_path / "with/metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if "monitor/mean" in row] == [20, 40, 50]
    assert rows[-1]["monitor/end"] == followed.monitors["end"]
    assert plain.monitors == {}
    np.testing.assert_array_equal(followed.state.theta, plain.state.theta)
    # Which step is the best one does not depend on how often something is measured.
    assert followed.state.best_step == plain.state.best_step


def test_words_about_a_value():
    assert in_words("drag", 3.3, None) == "monitor drag = 3.3"
    assert in_words("sum", 2e-3, 0.0) == "monitor sum = 0.002 (expected 0, error 2.000e-03)"
    assert deviation(-1.0, -2.0) == 0.5
