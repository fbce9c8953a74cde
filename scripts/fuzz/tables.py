"""Bad data files: CSV, NPZ and HDF5 tables of a condition or of a reference solution."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np

from scripts.fuzz.archives import changed, hdf5, netcdf, npz
from scripts.fuzz.configs import flipped
from scripts.fuzz.judge import Case

_CONFIG = """\
problem:
  name: pde
  coordinates: {{x: [-1, 1], t: [0, 1]}}
  fields: [u]
  equations: {{heat: u_t - u_xx}}
  conditions:
    initial: {{on: t = 0, equal: {{u: -sin(pi*x)}}}}
{line}
sampling: {{name: sobol, equations: 16, conditions: 8}}
model: {{name: mlp, width: 3, depth: 1}}
"""
_MEASURED = "    points: {{data: {file}}}"
_REFERENCE = "  reference: {{name: file, path: {file}, interpolation: {method}}}"
_CELLS = [
    "",
    "nan",
    "inf",
    "-inf",
    "1e999",
    "warm",
    "0x10",
    "1,2",
    '"',
    "'",
    "ü",
    "\0",
    "１",
    "1_000",
]
_CELLS += [
    "TRUE",
    "2020-01-01",
    "#",
    "9" * 400,
    " ",
    "\x1b[31m",
    "x" * 5000,
    "1;2",
    "1e-400",
    "None",
]


def _columns(rng: Random) -> dict[str, np.ndarray]:
    """Return sound columns, on a grid or scattered."""
    if rng.random() < 0.5:
        x, t = (one.reshape(-1) for one in np.meshgrid(np.linspace(-1, 1, 5), np.linspace(0, 1, 4)))
    else:
        x, t = (np.array([rng.uniform(low, 1) for _ in range(12)]) for low in (-1, 0))
    return {"x": x, "t": t, "u": np.sin(3 * x) * np.exp(-t)}


def _csv(rng: Random, columns: dict[str, np.ndarray]) -> tuple[str, bytes]:
    """Return what was done and the bytes of a CSV file."""
    what = rng.choice(["cell", "cell", "row", "header", "columns", "bytes", "cut", "code", "quote"])
    if what == "columns":
        columns = {k: np.asarray(v).reshape(-1) for k, v in changed(rng, columns).items()}
    rows = [list(columns), *([str(v) for v in row] for row in zip(*columns.values(), strict=False))]
    i = 0 if what == "header" else rng.randrange(len(rows))
    if what in ("cell", "header") and rows[i]:
        rows[i][rng.randrange(len(rows[i]))] = rng.choice([*_CELLS, *rows[0]])
    elif what == "row":
        rows[i] = rng.choice([[], rows[i] * 2, rows[i][:-1], [*rows[i], ""], [","], ["#"], rows[0]])
    elif what == "quote":
        rows[i] = ['"' + rng.choice(["", '"', "x"]), *rows[i]]
    raw = "\n".join(rng.choice([",", ",", ",", ";", "\t"]).join(row) for row in rows).encode()
    if what == "bytes":
        raw = flipped(rng, raw)
    elif what == "cut":
        raw = raw[: rng.randrange(len(raw))]
    elif what == "code":
        raw = raw.decode().encode(rng.choice(["utf-16", "utf-32", "utf-8-sig", "utf-16-le"]))
    return what, raw


class Tables:
    """Data files that a small config names."""

    name = "table"

    def __init__(self, root: Path) -> None:
        self.root = root

    def case(self, rng: Random, number: int, folder: Path) -> Case:
        """Write a bad data file and return how the config that names it is checked."""
        columns = _columns(rng)
        ending = rng.choice(["csv", "csv", "npz", "npz", "h5", "nc"])
        file = folder / f"data.{ending}"
        if ending in ("h5", "nc"):
            what = (hdf5 if ending == "h5" else netcdf)(rng, columns, file)
        else:
            what, raw = npz(rng, columns) if ending == "npz" else _csv(rng, columns)
            file.write_bytes(raw)
        if rng.random() < 0.1:
            file = file.rename(
                folder / f"data.{rng.choice(['csv', 'npz', 'h5', 'hdf5', 'nc', 'CSV', 'txt'])}"
            )
        method = rng.choice(["cubic", "linear", "nearest"])
        line = rng.choice([_MEASURED, _REFERENCE]).format(file=file.name, method=method)
        (folder / "case.yaml").write_text(_CONFIG.format(line=line))
        return Case(
            self.name,
            number,
            f"{file.name}: {what}",
            ["check", "case.yaml"],
            (file.name, "case.yaml:"),
        )
