"""What an optimizer cannot get from a config is said before anything runs."""

from pathlib import Path

import pytest

from pdehvd.assembly import needs
from pdehvd.assembly.build import build_parts
from pdehvd.comm.group import Solo
from pdehvd.config.root import load_config, register_builtin
from pdehvd.errors import ConfigError
from pdehvd.numerics.vectors import Pieces
from pdehvd.optimizers.base import Needs
from pdehvd.spec import registered

register_builtin()
CONFIG = """
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1]}
  fields: [u]
  equations: {decay: u_x + u}
  conditions: {start: {on: x = 0, equal: {u: 1}}}
sampling: {name: sobol, equations: 16, conditions: 1}
model: {name: mlp, width: 8, depth: 1}
optimizer: adam
"""


def refusal(folder, *settings):
    """Return what loading or building a config with these settings is refused with."""
    path = folder / "problem.yaml"
    path.write_text(CONFIG)
    with pytest.raises(ConfigError) as caught:
        build_parts(load_config(path, settings)[0], Solo())
    return str(caught.value)


@pytest.mark.parametrize("name", ["bfgs", "ssbfgs", "ssbroyden", "gauss_newton"])
def test_dense_methods_refuse_single_precision(tmp_path, name):
    settings = ["precision=float32", f"optimizer={name}"]
    text = refusal(tmp_path, *settings)
    assert (
        text.startswith(f"optimizer: {name} cannot run in float32") and "precision: float64" in text
    )
    path = tmp_path / "problem.yaml"
    allowed = f"optimizer={{name: {name}, precision_checked: false}}"
    assert build_parts(load_config(path, ["precision=float32", allowed])[0], Solo())


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            ["training.stop_at={relative_l2: 1e-3}"],
            "training.stop_at.relative_l2: the error is not known without a reference",
        ),
        (
            ["problem.reference={name: exact, u: log(x - 2)}"],
            "problem.reference: it has no finite value of u in the domain",
        ),
    ],
)
def test_errors_that_cannot_be_known(tmp_path, settings, text):
    assert text in refusal(tmp_path, *settings)
    path = tmp_path / "problem.yaml"
    known = ["training.stop_at={relative_l2: 1e-3}", "problem.reference={name: exact, u: exp(-x)}"]
    assert build_parts(load_config(path, known)[0], Solo())


class Three(Solo):
    size = 3


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            ["processes.threads=2"],
            "processes.threads: the order of summation of 2 threads may vary",
        ),
        (["aggregation.chunk=8"], "aggregation.chunk: 3 processes for 2 chunks"),
        (["aggregation.chunk=0"], "aggregation.chunk: got 0"),
        (["training.micro_batches=2"], "training.micro_batches: the chunks of 'exact'"),
    ],
)
def test_what_cannot_be_exact(tmp_path, settings, text):
    path = tmp_path / "problem.yaml"
    path.write_text(CONFIG)
    with pytest.raises(ConfigError) as caught:
        build_parts(load_config(path, ["aggregation={name: exact}", *settings])[0], Three())
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (
            ["model.norm={name: batch, sync: local}"],
            "model.norm.sync: 'exact' needs statistics that",
        ),
        (["aggregation.chunk=2"], "a batch of 7 cannot be cut into chunks of 2"),
    ],
)
def test_what_cannot_be_exact_on_a_grid(settings, text):
    path = Path(__file__).parents[2] / "parallel" / "fields.yaml"
    with pytest.raises(ConfigError) as caught:
        build_parts(load_config(path, ["aggregation={name: exact}", *settings])[0], Three())
    assert text in str(caught.value)


@pytest.mark.parametrize("name", registered("optimizer"))
def test_theta_in_pieces_is_refused_with_the_reason_or_taken(tmp_path, name):
    path = tmp_path / "problem.yaml"
    path.write_text(CONFIG)
    config, _ = load_config(path)
    objective, spec = build_parts(config, Solo()).objective, registered("optimizer")[name]()
    needs.check_needs(config, objective, spec)
    objective.vectors = Pieces(Three(), (20, 0, 5))
    if not spec.needs.whole:
        needs.check_needs(config, objective, spec)
        return
    with pytest.raises(ConfigError) as caught:
        needs.check_needs(config, objective, spec)
    assert f"{name} needs all parameters on every process" in str(caught.value)
    assert spec.needs.whole in str(caught.value)


def test_a_method_from_a_plugin_that_says_nothing_is_not_trusted_with_pieces():
    assert "objective.vectors" in Needs().whole


def test_points_that_change_too_fast(tmp_path):
    text = refusal(tmp_path, "sampling.resample_every=2", "optimizer=ssbroyden")
    assert "change every 2" in text and "sampling.resample_every" in text


def test_matrices_beyond_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(needs, "machine_memory", lambda: 1000.0)
    text = refusal(tmp_path, "optimizer={name: gauss_newton, solver: normal}")
    assert "GiB" in text and "25 parameters" in text and "solver: cg" in text
    assert "lbfgs" in refusal(tmp_path, "optimizer=bfgs")


def test_kfac_wants_layers(tmp_path):
    text = refusal(tmp_path, "optimizer=kfac", "model.adaptive=2")
    assert "adaptive" in text and text.startswith("optimizer: kfac")


@pytest.mark.parametrize(
    ("optimizer", "place", "words"),
    [
        ("{name: lbfgs, memory: 0}", "optimizer.memory", "at least 1"),
        ("{name: gauss_newton, damping: -1}", "optimizer.damping", "greater than 0"),
        ("{name: gauss_newton, solver: normall}", "optimizer.solver", "'normal'"),
        ("{name: kfac, damping: 0}", "optimizer.damping", "greater than 0"),
        ("{name: gauss_newton, adaptive: false}", "optimizer.adaptive", "line_search: true"),
        ("[adam, lbfgs]", "optimizer.0", "'steps'"),
        ("{name: adam, steps: 5}", "optimizer.steps", "training.steps"),
        ("[{name: adam, steps: 5}, {name: lbfsg}]", "optimizer.1.name", "lbfgs"),
        ("[{name: adam, steps: 0}, lbfgs]", "optimizer.0.steps", "at least 1"),
        ("[]", "optimizer", "at least 1"),
    ],
)
def test_bad_settings_name_their_place(tmp_path, optimizer, place, words):
    text = refusal(tmp_path, f"optimizer={optimizer}")
    assert f"{place}: " in text and words in text
