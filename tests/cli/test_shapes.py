"""Shapes of every kind, from the check to the trained run and back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.commands import Type

PLANE = {
    "rectangle": "{rectangle: {from: [0, 0], to: [1, 1]}}",
    "union": "{union: [{rectangle: {from: [0, 0], to: [1, 1]}}, {disk: {radius: 0.5}}]}",
    "plate": "{difference: [{rectangle: {from: [0, 0], to: [4, 1]}, name: plate}, "
    "{disk: {center: [2, 0.5], radius: 0.2}, name: hole}]}",
}
SPACE = {
    "cuboid": "{cuboid: {from: [0, 0, 0], to: [1, 1, 1]}}",
    "cylinder": "{cylinder: {from: [0, 0, 0], to: [0, 0, 1], radius: 0.5}}",
}
CONFIG = """\
problem:
  name: pde
  coordinates: {coordinates}
  geometry: {shape}
  fields: [u]
  equations: {{poisson: {laplace} + 1}}
  conditions: {{walls: {{on: boundary, equal: {{u: 0}}}}}}
sampling: {{name: sobol, equations: 16, conditions: 16}}
model: {{name: mlp, width: 4, depth: 1}}
training: {{steps: 2}}
"""


@pytest.mark.parametrize("name", [*PLANE, *SPACE])
def test_a_shape_is_checked_trained_and_opened(name: str, type_: Type, here: Path) -> None:
    coordinates, shape = "xy" if name in PLANE else "xyz", (PLANE | SPACE)[name]
    text = CONFIG.format(
        coordinates="{" + ", ".join(f"{one}: null" for one in coordinates) + "}",
        shape=shape,
        laplace=" + ".join(f"u_{one}{one}" for one in coordinates),
    )
    (here / "shape.yaml").write_text(text)
    checked = type_("check", "shape.yaml")
    assert checked.code == 0, checked.err
    (here / "resolved.yaml").write_text(checked.out.split("\n\n")[0])
    assert type_("check", "resolved.yaml").out.split("\n\n")[0] == checked.out.split("\n\n")[0]
    trained = type_("train", "resolved.yaml")
    assert trained.code == 0, trained.err
    run = trained.out.split("run: ")[-1].strip()
    assert type_("train", "resolved.yaml", "--resume", run, "--set", "training.steps=3").code == 0
    assert type_("plot", run).code == 0
