"""Names that were meant: other letters, other programs' words, slips."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pdehvd.config.listing import schema
from pdehvd.config.root import prepare, validate
from pdehvd.config.yaml_source import parse_source
from pdehvd.errors import ConfigError, counted, nearest
from pdehvd.numerics.functions import CONSTANTS, FUNCTIONS
from pdehvd.results.export_formats import FORMATS
from pdehvd.spec import registered
from pdehvd.synonyms import SYNONYMS, fold_name

prepare()
REGIONS = {"interior", "boundary"}
OPTIMIZERS = sorted(registered("optimizer"))


def words(tree: Any) -> Iterator[str]:
    """Yield the keys and the choices of a JSON Schema."""
    if isinstance(tree, list):
        for item in tree:
            yield from words(item)
    elif isinstance(tree, dict):
        yield from tree.get("properties", {})
        yield from (word for word in tree.get("enum", []) if isinstance(word, str))
        if isinstance(tree.get("const"), str):
            yield tree["const"]
        for item in tree.values():
            yield from words(item)


def test_every_synonym_stands_for_something_that_exists() -> None:
    known = {*words(schema()), *FUNCTIONS, *CONSTANTS, *REGIONS, *FORMATS}
    dotted = {"sampling.equations", "sampling.conditions", "training.steps"}
    known |= {one for one in dotted if set(one.split(".")) <= known}
    missing = {word: meant for word, meant in SYNONYMS.items() if not set(meant) <= known}
    assert not missing
    assert all(word == fold_name(word) for word in SYNONYMS)


@pytest.mark.parametrize(
    ("given", "valid", "meant"),
    [
        ("U", ["x", "t", "u"], "u"),
        ("T", ["x", "t", "u"], "t"),
        ("L-BFGS", OPTIMIZERS, "lbfgs"),
        ("L-BFGS-B", OPTIMIZERS, "lbfgs"),
        ("lbfgs-b", OPTIMIZERS, "lbfgs"),
        ("adma", OPTIMIZERS, "adam"),
        ("ADAM", OPTIMIZERS, "adam"),
        ("Adam W", OPTIMIZERS, "adamw"),
        ("levenberg_marquardt", OPTIMIZERS, "gauss_newton"),
        ("Gauss-Newton", OPTIMIZERS, "gauss_newton"),
        ("RMSProp", OPTIMIZERS, "rmsprop"),
        ("ssboryden", OPTIMIZERS, "ssbroyden"),
        ("lr", ["name", "learning_rate"], "learning_rate"),
        ("maxIter", ["steps", "max_seconds"], "steps"),
        ("hidden_layers", ["width", "depth", "layers"], "depth"),
        ("circle", ["rectangle", "disk"], "disk"),
        ("batch_size", ["name", "batch"], "batch"),
        ("batch_size", ["name", "sampling.equations"], "sampling.equations"),
        ("num_points", ["on", "points"], "points"),
        ("on_boundary", ["on", "equal"], "on"),
        ("criteria", ["integral", "on"], "on"),
        ("criteria", ["integral"], ""),
        ("version", ["name", "precision"], ""),
        ("lr_scheduler", ["name", "learning_rate"], "learning_rate"),
        ("torch.optim.Adam", OPTIMIZERS, "adam"),
        ("tf.keras.optimizers.RMSprop", OPTIMIZERS, "rmsprop"),
        ("qqq", OPTIMIZERS, ""),
        ("", OPTIMIZERS, ""),
        ("lr", [], ""),
        ("u_XX", ["u", "u_x", "u_xx"], "u_xx"),
    ],
)
def test_the_name_that_was_meant(given: str, valid: list[str], meant: str) -> None:
    assert nearest(given, valid) == meant


def test_a_name_as_it_is_comes_before_all_others() -> None:
    assert nearest("step", ["piecewise", "heaviside", "step"]) == "step"
    assert nearest("X_1", ["x1", "x_1"]) == "x1"


def test_counts_agree_with_their_nouns() -> None:
    assert counted(1, "process") == "1 process"
    assert counted(0, "process") == "0 processes"
    assert counted(12_345, "point") == "12,345 points"
    assert counted(2, "batch") == "2 batches"


def test_the_beginning_of_a_key_means_the_key_of_its_section() -> None:
    """`init` of an unknown is `initial`, and that of a model is `initialization`."""
    text = """
problem:
  name: pde
  coordinates: {x: [0, 1]}
  fields: [u]
  unknowns: {k: {init: 1}}
  equations: {growth: u_x - k*u}
sampling: {name: sobol, equations: 4}
model: {name: mlp, init: glorot_normal}
"""
    with pytest.raises(ConfigError) as caught:
        validate(parse_source(text, "test"))
    unknown, model = str(caught.value).splitlines()
    assert "unknowns.k.init" in unknown and unknown.endswith("did you mean 'initial'?")
    assert "model.init" in model and model.endswith("did you mean 'initialization'?")
