"""Random problems with known solutions, trained by the real command to their error."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import yaml

ERROR = 1e-2
_PATIENCE = 900.0


def config(seed: int, number: int) -> str:
    """Return a Poisson problem on a random shape, with a known solution and conditions."""
    rng = Random(f"train/{seed}/{number}")
    a, b = (round(rng.uniform(0.5, 1.5), 2) for _ in "ab")
    solution = f"sin({a}*x)*cos({b}*y) + {rng.choice([0, 1])}"
    right = f"{a**2 + b**2!r}*sin({a}*x)*cos({b}*y)"
    shape = rng.choice(
        [
            {"disk": {"radius": 1}},
            {"polygon": [[-1, -1], [1, -0.7], [0.2, 1]]},
            {
                "difference": [
                    {"rectangle": {"from": [-1, -1], "to": [1, 1]}},
                    {"disk": {"radius": 0.4}},
                ]
            },
        ]
    )
    problem = {
        "name": "pde",
        "coordinates": {"x": None, "y": None},
        "geometry": shape,
        "fields": ["u"],
        "equations": {"poisson": f"u_xx + u_yy + {right}"},
        "conditions": {
            "left": {"on": "boundary and x < 0", "equal": {"u": solution}},
            "right": {"on": "boundary and x >= 0", "equal": {"u": solution}},
        },
        "reference": {"name": "exact", "u": solution},
    }
    content = {
        "name": "trained",
        "seed": number,
        "precision": "float64",
        "problem": problem,
        "sampling": {"name": "sobol", "equations": 256, "conditions": 128},
        "model": {"name": "mlp", "width": 16, "depth": 2},
        "optimizer": {"name": "ssbroyden"},
        "training": {"steps": 400},
    }
    return yaml.safe_dump(content, sort_keys=False)


def trained(seed: int, number: int, folder: Path) -> list[str]:
    """Train a problem in a folder of its own; return what is wrong, if anything."""
    folder.mkdir()
    (folder / "case.yaml").write_text(config(seed, number))
    command = [sys.executable, "-m", "pdehvd", "train", "case.yaml", "--output", "runs"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_PATIENCE)
    if done.returncode != 0:
        return [f"training {number} ended with {done.returncode}: {done.stderr[-500:]}"]
    [summary] = folder.glob("runs/trained/*/summary.json")
    error = json.loads(summary.read_text())["relative_l2"]["u"]
    return [] if error < ERROR else [f"training {number} ended with an error of {error:.2e}"]
