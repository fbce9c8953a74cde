"""Random problems of moderate sizes, trained by the real command to their error."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import sympy
import yaml

ALLOWED = 5e-2
_STEPS = 400
_PATIENCE = 1800.0


def config(seed: int, number: int) -> dict[str, Any]:
    """Return a linear problem with a known solution, and a small network for it."""
    rng = Random(f"training {seed} {number}")
    x, y, t = (sympy.Symbol(name) for name in "xyt")
    a, b, c = (sympy.Rational(rng.randint(2, 6), 3) for _ in range(3))
    kind = ("poisson", "heat", "helmholtz")[number % 3]
    whole, problem = "boundary", {}
    if kind == "heat":
        u = sympy.exp(-a * t) * sympy.sin(2 * b * x + c) + x * t / 4
        left, right = "u_t - 0.2*u_xx", u.diff(t) - u.diff(x, 2) / 5
        problem["coordinates"] = {"x": [-1, "3/2"], "t": [0, 1]}
        conditions = {"start": {"on": "t = 0", "equal": {"u": str(u.subs(t, 0))}}}
    else:
        u = sympy.sin(a * x + c) * sympy.exp(b * y / 2) + sympy.cos(c * y)
        more = 2 if kind == "helmholtz" else 0
        left = f"u_xx + u_yy + {more}*u"
        right = u.diff(x, 2) + u.diff(y, 2) + more * u
        problem["coordinates"] = {"x": None, "y": None}
        radii = [round(rng.uniform(0.6, 1.1), 2), round(rng.uniform(0.5, 1), 2)]
        outer = {"ellipse": {"radii": radii, "angle": "pi/6"}, "name": "rim"}
        hole = {"disk": {"center": [0.1, 0], "radius": 0.2}, "name": "hole"}
        problem["geometry"] = {"difference": [outer, hole]}
        whole = "rim"
        slope = {"on": "hole", "equal": {"u": str(u)}}
        conditions = {"hole": slope}
    conditions["walls"] = {"on": whole, "equal": {"u": str(u)}}
    return {
        "name": f"trained_{number}",
        "seed": number,
        "precision": "float64",
        "problem": {
            "name": "pde",
            **problem,
            "fields": ["u"],
            "equations": {"e": f"{left} - ({right})"},
            "conditions": conditions,
            "reference": {"name": "exact", "u": str(u)},
        },
        "sampling": {"name": "sobol", "equations": 256, "conditions": 96},
        "model": {"name": "mlp", "width": 12, "depth": 2, "activation": "tanh"},
        "optimizer": [{"name": "adam", "steps": 100, "learning_rate": 5e-3}, {"name": "ssbroyden"}],
        "training": {"steps": _STEPS, "evaluate_every": _STEPS, "checkpoint_every": _STEPS},
    }


def trained(seed: int, number: int) -> float:
    """Return the relative error of a trained problem; NaN where the command failed."""
    with tempfile.TemporaryDirectory(prefix="campaign-") as folder:
        path = Path(folder) / "case.yaml"
        path.write_text(yaml.safe_dump(config(seed, number), sort_keys=False))
        command = [sys.executable, "-m", "pdehvd", "train", str(path), "--output", f"{folder}/runs"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
        if done.returncode:
            print(done.stderr[-500:], flush=True)
            return math.nan
        (run,) = Path(folder, "runs").glob("*/summary.json")
        return float(json.loads(run.read_text())["relative_l2"]["u"])
