"""The Python interface on runs that were trained by typed commands."""

import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pdehvd import Run
from pdehvd.errors import ConfigError, OutsideDomainWarning
from tests.support.commands import Type

PLATE = """\
name: plate
precision: float32
problem:
  name: pde
  coordinates: {x: [-1, 1], y: [-1, 1]}
  geometry:
    difference:
      - polygon: [[-1, -1], [1, -1], [1, 1], [-1, 1]]
      - disk: {center: [0, 0], radius: 0.5}
  fields: [u, v]
  equations: {u: u_xx + u_yy + 1, v: v_x - u}
  conditions:
    rim: {on: boundary, equal: {u: 0, v: 0}}
sampling: {name: sobol, equations: 32, conditions: 16}
model: {name: mlp, width: 5, depth: 2}
optimizer: {name: adam}
training: {steps: 2}
"""


@pytest.fixture
def plate(type_: Type, here: Path) -> Run:
    """Return a run in a square with a hole."""
    (here / "plate.yaml").write_text(PLATE)
    assert type_("train", "plate.yaml").code == 0
    return Run("latest")


def test_a_run_predicts_at_points_by_name_and_tells_what_is_outside(plate: Run) -> None:
    x = np.linspace(-1, 1, 5)
    with pytest.warns(OutsideDomainWarning, match="1 of 5 points outside .*by about 0.5"):
        values = plate.predict({"x": x, "y": 0.0})
    assert {name: u.dtype for name, u in values.items()} == dict.fromkeys("uv", np.float32)
    bounded = plate.predict({"x": x, "y": 0.0}, outside="nan")
    assert np.isnan(bounded["v"]).tolist() == [False, False, True, False, False]
    np.testing.assert_array_equal(bounded["u"][[0, 1, 3, 4]], values["u"][[0, 1, 3, 4]])
    assert plate.predict(np.zeros((0, 2)))["u"].shape == (0,)
    with pytest.raises(ConfigError, match="the columns x, y"):
        plate.predict("points.csv")


def test_a_saved_model_says_its_domain_and_keeps_to_its_bounds(plate: Run, type_: Type) -> None:
    folder = Path(type_("export", "latest", "--format", "savedmodel").out.strip())
    note = json.loads((folder / "pdehvd.json").read_text())
    assert note["domain"]["bounds"] == {"x": [-1, 1], "y": [-1, 1]}
    assert note["domain"]["geometry"]["difference"][1]["disk"]["radius"] == 0.5
    x = np.float32([[0, 0], [1, 1], [1.001, 0], [0, np.nan]])
    model = tf.saved_model.load(str(folder))
    u = model.signatures["bounded"](x=tf.constant(x))["u"].numpy()
    right = plate.predict(x[:2], outside="nan")["u"][1]
    assert np.isnan(u).tolist() == [False, False, True, True]
    assert u[1] == pytest.approx(right, rel=1e-5)


def test_what_is_no_run_is_an_error_in_one_sentence(here: Path) -> None:
    with pytest.raises(ConfigError, match="there is no run runs/nope; expected a directory"):
        Run("runs/nope")
