"""Make the noisy measurements of the inverse problems from their references.

    python -m scripts.make_data

Writes `configs/data/NAME.csv` for every config that names it; the same numbers each time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from pdehvd.config.yaml_source import read_source
from pdehvd.numerics.expressions import parse_number
from pdehvd.reference import Reference
from pdehvd.spec import registered

CONFIGS = Path(__file__).resolve().parent.parent / "configs"


@dataclass(frozen=True)
class Measurement:
    """How many points are measured, and the noise as a share of each field's standard deviation."""

    count: int
    noise: float
    fields: tuple[str, ...]


MEASUREMENTS = {
    "burgers_inverse": Measurement(400, 0.01, ("u",)),
    "heat_inverse": Measurement(200, 0.02, ("u",)),
    "kovasznay_inverse": Measurement(200, 0.01, ("u", "v")),
    "lorenz_inverse": Measurement(100, 0.005, ("x", "y", "z")),
}


def problem(name: str) -> dict:
    """Return the `problem` section of a config, as plain data."""
    return cast(dict, read_source(CONFIGS / f"{name}.yaml").data["problem"])


def reference(section: dict) -> Reference:
    """Build the reference of a problem section."""
    constants: dict[str, float] = {}
    for name, value in section.get("constants", {}).items():
        constants[name] = parse_number(value, constants)
    spec = registered("reference")[section["reference"]["name"]]
    built = spec.model_validate(section["reference"])
    return built.build(tuple(section["coordinates"]), tuple(section["fields"]), constants)  # type: ignore[attr-defined]


def table(name: str) -> str:
    """Return the CSV text of a config's measurements: uniform points, Gaussian noise."""
    wanted, section = MEASUREMENTS[name], problem(name)
    random = np.random.Generator(np.random.Philox(sum(name.encode())))
    ends = np.array([[parse_number(v) for v in pair] for pair in section["coordinates"].values()])
    unit = random.random((wanted.count, len(ends)))
    points = ends[:, 0] + (ends[:, 1] - ends[:, 0]) * unit
    points = points[np.lexsort(points.T)].round(6)
    values = reference(section)(points)
    columns = [values[field] for field in wanted.fields]
    noisy = [v + wanted.noise * v.std() * random.standard_normal(len(v)) for v in columns]
    rows = np.column_stack([points, *noisy])
    lines = [",".join([*section["coordinates"], *wanted.fields])]
    lines += [",".join(f"{value:.6f}" for value in row) for row in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write every table."""
    for name in MEASUREMENTS:
        path = CONFIGS / "data" / f"{name}.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_text(table(name), encoding="utf-8")
        print(path.relative_to(CONFIGS.parent))


if __name__ == "__main__":
    main()
