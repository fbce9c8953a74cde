"""Trained runs that are closed forms: enough to look at, without any training."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from pdehvd.kinds.points_run import PointRun
from pdehvd.problems.geometry import build_domain
from pdehvd.problems.parameters import LogUniform
from pdehvd.training.fresh_residuals import TermResidual

EXTRA = 0.02


class Domain:
    def __init__(self, names, bounds, time=None, inside=None):
        self.names, self.bounds, self.time = tuple(names), np.array(bounds, dtype=float), time
        self.parameters = ()
        self._inside = inside

    def spread(self, points, axes):
        pass

    def contains(self, points):
        return np.ones(len(points), bool) if self._inside is None else self._inside(points)


class Reference:
    def __init__(self, functions, up_to_constant=()):
        self.functions, self.up_to_constant = functions, up_to_constant
        self.unknowns = {}

    def __call__(self, points):
        return {name: function(points) for name, function in self.functions.items()}


class FakeRun(PointRun):
    """Predicts its reference plus a small wave."""

    unknowns = None  # A property of other runs.

    def __init__(self, directory, domain, functions, reference=True, shift=0.0, free=()):
        self.directory = directory
        self.config = SimpleNamespace(name="fake", problem=SimpleNamespace(geometry=None))
        fields = tuple(functions)
        self.problem = SimpleNamespace(
            coordinates=domain.names,
            fields=fields,
            outputs=fields,
            arguments=lambda _: domain.names,
            domain=domain,
            measured={},
            labels={},
            up_to_sign=(),
        )
        self.problem.monitors = ()
        self.functions, self.shift = functions, shift
        self.reference = Reference(functions, free) if reference else None
        self.unknowns = {}
        self.laws = {}

    @property
    def summary(self):
        path = self.directory / "summary.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def predict(self, points):
        wave = EXTRA * np.cos(5 * points[:, 0])
        return {
            name: function(points) + wave + self.shift for name, function in self.functions.items()
        }

    measured = predict

    def equation_residuals(self, points):
        return {name: function(points) for name, function in self.laws.items()}

    def residuals(self):
        return {"equation/momentum": TermResidual(1e-3, 2e-3)}

    def module(self):
        import tensorflow as tf

        class Module(tf.Module):
            @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float64)])
            def predict(self, x):
                return {"u": x[:, 0] + 2.0 * x[:, 1]}

        return Module()


def with_parameter():
    """Return a domain of x, t and a log-uniform parameter."""
    given = {"a": LogUniform(range=[0.01, 1]).build("a", {})}
    box = {"x": [-1, 1], "t": [0, 1]}
    return build_domain(box, differentiated=("x", "t"), parameters=given)


SHAPES = {
    "parameter": with_parameter(),
    "line": Domain("t", [[0, 10]], time="t"),
    "line_time": Domain("xt", [[-1, 1], [0, 1]], time="t"),
    "plane": Domain("xy", [[0, 2], [0, 1]]),
    "plane_shape": Domain(
        "xy", [[-1, 1], [-1, 1]], inside=lambda p: ~((p[:, 0] > 0) & (p[:, 1] < 0))
    ),
    "plane_time": Domain("xyt", [[0, 1], [0, 1], [0, 2]], time="t"),
    "space": Domain("xyz", [[-1, 1], [0, 1], [0, 1]]),
    "space_time": Domain("xyzt", [[-1, 1], [-1, 1], [-1, 1], [0, 1]], time="t"),
}


def u(points):
    return np.sin(2 * points).sum(axis=1)


def v(points):
    return np.cos(3 * points[:, 0]) * np.exp(-points[:, -1])


@pytest.fixture
def fake(tmp_path):
    """Return a maker of runs on one of the shapes, with fields u and, if asked for, v."""

    def make(shape="line_time", fields="u", **more):
        functions = {name: {"u": u, "v": v}[name] for name in fields}
        return FakeRun(tmp_path, SHAPES[shape], functions, **more)

    return make


@pytest.fixture
def fill():
    """Return the writer of the files that a training leaves behind."""
    return write_files


def write_files(directory, unknown=False, summary=None):
    """Write the files that a training leaves in a run directory."""
    directory.mkdir(parents=True, exist_ok=True)
    terms = ("loss/equation/momentum", "loss/condition/walls", "loss/condition/initial")
    rng = np.random.default_rng(0)
    with (directory / "metrics.jsonl").open("w") as file:
        for step in range(0, 2001, 20):
            row = {"step": step, "seconds": step / 100, "learning_rate": 1e-3 * 0.999**step}
            for index, term in enumerate(terms):
                decay = np.exp(-step / (300 + 200 * index)) + 1e-4
                row[term] = float(decay * np.exp(0.3 * rng.normal()))
            row["loss/total"] = sum(row[term] for term in terms)
            if step % 200 == 0:
                row["relative_l2/u"] = float(np.exp(-step / 700) + 1e-3)
            if unknown:
                row["unknown/nu"] = 0.01 + 0.09 * float(np.exp(-step / 400))
            file.write(json.dumps(row) + "\n")
    (directory / "config.yaml").write_text("name: fake\nproblem:\n  name: pde\n")
    (directory / "environment.json").write_text(
        '{"packages": {"tensorflow": "2.21"}, "command": ["pdehvd", "train", "a b.yaml"]}'
    )
    (directory / "summary.json").write_text(json.dumps(summary or SUMMARY))


SUMMARY = {
    "status": "completed",
    "processes": 2,
    "steps": 2000,
    "seconds": 20.5,
    "points_per_second": 123456.0,
    "loss": 3.2e-4,
    "relative_l2": {"u": 0.0123},
    "parameters_sha256": "ab" * 32,
}
