"""A kind of problem in one plug-in file goes through all commands, with no edit elsewhere."""

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pdehvd import Run, cli, spec
from pdehvd.assembly import kind_registry
from pdehvd.assembly.build import build_problem
from pdehvd.assembly.examine import examine
from pdehvd.config.root import load_config, register_builtin
from pdehvd.errors import ConfigError
from pdehvd.launch import process_setup
from tests.support.commands import LAUNCHERS

FOLDER = Path(__file__).parents[3] / "docs" / "examples" / "kind"
CONFIG, PLUGIN = FOLDER / "table.yaml", FOLDER / "table.py"


@pytest.fixture(scope="module")
def patched():
    """Register for this module only, and train in a process where TensorFlow already runs."""
    with pytest.MonkeyPatch.context() as patch:
        # Modules register at their first import: what that adds must outlive this module.
        register_builtin()
        for kind in ("points", "grid"):
            kind_registry.kind_named(kind)
        sections = {name: dict(specs) for name, specs in spec.registry._sections.items()}
        patch.setattr(spec.registry, "_sections", sections)
        patch.setattr(kind_registry, "_kinds", dict(kind_registry._kinds))
        patch.setattr(process_setup, "configure_threads", lambda *_: 1)
        for name in list(os.environ):
            if name.startswith(LAUNCHERS):
                patch.delenv(name)
        yield
    for name in [name for name in sys.modules if name.startswith("pdehvd_plugin_table_")]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def directory(patched, tmp_path_factory):
    """Return a run of a hundred steps."""
    output = tmp_path_factory.mktemp("runs")
    words = ["train", CONFIG, "--plugin", PLUGIN, "--output", output, "--quiet"]
    words += ["--set", "training.steps=100", "--set", "training.evaluate_every=50"]
    assert cli.main([str(word) for word in words]) == 0
    return (output / "latest").resolve()


def typed(capfd, command, directory, *more):
    """Type a command on the run; return its code and what it printed."""
    capfd.readouterr()
    code = cli.main([command, str(directory), "--plugin", str(PLUGIN), *more])
    return code, capfd.readouterr()


def refusal(*settings):
    with pytest.raises(ConfigError) as caught:
        build_problem(load_config(CONFIG, settings, [PLUGIN])[0], 1)
    return str(caught.value)


def test_it_is_checked(patched):
    config, source = load_config(CONFIG, plugins=[PLUGIN])
    _, cost = examine(config, source, 2)
    assert cost.parameters == 3 * 16 + 17 * 16 + 17 == 337
    assert (cost.points, cost.processes, cost.warnings) == (48, 2, ())


def test_it_is_trained(directory):
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["status"] == "completed" and summary["steps"] == 100
    assert 0 < summary["relative_l2"]["u"] < 0.8
    assert {"table.png", "loss.png", "error.png"} <= {p.name for p in directory.glob("plots/*")}
    report = (directory / "report.html").read_text()
    assert "Measured at 12 points." in report and "data: table" in report


def test_it_is_evaluated_on_the_rows_that_are_held_out(directory, capfd):
    code, printed = typed(capfd, "evaluate", directory)
    measured = json.loads((directory / "evaluation.json").read_text())
    summary = json.loads((directory / "summary.json").read_text())
    assert code == 0 and "relative l2" in printed.out
    assert measured["relative_l2"]["u"] == pytest.approx(summary["relative_l2"]["u"], rel=1e-12)
    rows = Run(directory, [PLUGIN]).trained.problem.held_out
    values = Run(directory, [PLUGIN]).predict({"x": rows.x[:, 0], "y": rows.x[:, 1]})["u"]
    error = np.linalg.norm(values - rows.y[:, 0]) / np.linalg.norm(rows.y)
    assert measured["relative_l2"]["u"] == pytest.approx(error, rel=1e-12)


def test_it_is_drawn(directory, capfd):
    code, printed = typed(capfd, "plot", directory)
    assert code == 0 and "plots/table.png" in printed.out


def test_what_it_has_not_is_refused_in_one_message(directory, capfd, tmp_path):
    code, printed = typed(capfd, "export", directory, "--format", "vtk")
    assert code == 2 and "format: the problem table cannot be exported" in printed.err
    code, printed = typed(capfd, "predict", directory, "--field", str(tmp_path / "a.npz"))
    assert code == 2 and "takes no input fields" in printed.err


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("aggregation=exact", "aggregation: 'exact' works on chunks, which networks that learn"),
        (
            "training.micro_batches=2",
            "training.micro_batches: micro-batches are not supported for networks",
        ),
        ("processes.buckets=2", "processes.buckets: buckets are not supported for networks that"),
        ("scaling.mode=weak", "scaling.mode: a table has the same rows"),
        ("model={name: unet}", "model.name: unet is for networks that map fields on a grid"),
        (
            "sampling={name: samples, batch: 4, held_out: 4}",
            "sampling.name: samples is for",
        ),
    ],
)
def test_what_does_not_go_with_it_is_refused(patched, setting, expected):
    assert refusal(setting).startswith(expected)


def test_more_processes_than_rows(patched):
    config = load_config(CONFIG, plugins=[PLUGIN])[0]
    with pytest.raises(ConfigError, match=r"sampling\.held_out: 49 processes for 48 rows"):
        build_problem(config, 49)


def test_a_row_that_is_not_finite_is_named(directory):
    trained = Run(directory, [PLUGIN]).trained
    theta = tf.fill([trained.objective.size], tf.constant(np.nan, tf.float64))
    said = trained.objective.whole(0).where_not_finite(theta, tf.zeros(0))
    assert said.startswith("data/table at the inputs [")


def test_a_kind_that_nothing_owns(patched, monkeypatch):
    config = load_config(CONFIG, plugins=[PLUGIN])[0]
    monkeypatch.setattr(type(config.problem), "kind", "tables")
    with pytest.raises(
        ConfigError, match=r"problem\.name: the kind of problem .* is not registered"
    ):
        build_problem(config, 1)
