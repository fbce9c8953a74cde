"""A problem in other units is solved as well as the original: `scale: auto`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pdehvd.config.yaml_source import parse_source, read_source, to_yaml
from pdehvd.spec.plain import Facts
from tests.support.launcher import pdehvd
from tests.support.units import Units, in_units

DECAY = """
precision: float64
problem:
  name: pde
  coordinates: {t: [0, 2]}
  fields: [u, v]
  equations: {decay: u_t + u, rest: v_t - u}
  conditions: {start: {at: {t: 0}, equal: {u: 1, v: 0}}}
  reference: {name: exact, u: exp(-t), v: 1 - exp(-t)}
sampling: {name: sobol, equations: 64}
model: {name: mlp, width: 8, depth: 1}
optimizer: gauss_newton
training: {steps: 60, evaluate_every: 60}
"""
# Their references are exact, and they are on boxes, without definitions.
SHIPPED = (
    "beam",
    "heat_1d",
    "heat_gauss_newton",
    "heat_parameter",
    "heat_source",
    "helmholtz_gauss_newton",
    "kdv_ssbroyden",
    "kovasznay_gauss_newton",
    "poisson_2d",
    "poisson_2d_gauss_newton",
    "poisson_5d_spring",
    "wave_1d",
)


def systems(config: Facts) -> dict[str, Units]:
    """Return units of lengths 1e-3 and 1e3, sizes 1e-6 and 1e6, and offsets of 1e3 sizes."""
    coordinates, fields = list(config["problem"]["coordinates"]), list(config["problem"]["fields"])
    long, large = dict.fromkeys(coordinates, 1e3), dict.fromkeys(fields, 1e6)
    short, small = dict.fromkeys(coordinates, 1e-3), dict.fromkeys(fields, 1e-6)
    return {
        "long and small": Units(long, small, residual=1e-4),
        "short and large": Units(short, large, residual=1e5),
        "with an offset": Units(offsets=dict.fromkeys(fields, 1e3)),
    }


def errors(config: Facts, units: Units, folder: Path) -> dict[str, float]:
    """Return the errors of a config in other units, relative to the size of the original."""
    folder.mkdir()
    (folder / "config.yaml").write_text(to_yaml(in_units(config, units)))
    done = pdehvd("train", "config.yaml", "--quiet", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((folder / "runs/latest/summary.json").read_text())
    sizes = {name: max(1.0, abs(units.offsets.get(name, 0.0))) for name in summary["relative_l2"]}
    return {name: error * sizes[name] for name, error in summary["relative_l2"].items()}


def check(found: dict[str, float], own: dict[str, float]) -> None:
    for name, error in found.items():
        assert error < 3 * own[name] + 1e-8, (name, error, own)


def test_coupled_equations_in_other_units(tmp_path: Path) -> None:
    config = parse_source(DECAY, "decay").data
    found = errors(config, systems(config)["long and small"], tmp_path / "other")
    check(found, errors(config, Units(), tmp_path / "own"))


_own: dict[str, dict[str, float]] = {}


@pytest.mark.nightly
@pytest.mark.parametrize("system", ["long and small", "short and large", "with an offset"])
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_problem_in_other_units(tmp_path: Path, name: str, system: str) -> None:
    config = read_source(f"configs/{name}.yaml").data
    if name not in _own:
        _own[name] = errors(config, Units(), tmp_path / "own")
    check(errors(config, systems(config)[system], tmp_path / "other"), _own[name])
