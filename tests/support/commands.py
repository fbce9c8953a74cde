"""Commands typed into this process, and a small config to type them about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

CONFIG = """\
name: small
seed: 1
precision: float64
problem:
  name: pde
  coordinates: {x: [-1, 1], t: [0, 1]}
  fields: [u]
  constants: {nu: 0.1}
  equations:
    heat: u_t - nu*u_xx
  conditions:
    walls: {on: [x = -1, x = 1], equal: {u: 0}}
    initial: {on: t = 0, equal: {u: -sin(pi*x)}}
  reference: {name: exact, u: -sin(pi*x)*exp(-nu*pi^2*t)}
sampling: {name: sobol, equations: 32, conditions: 16}
model: {name: mlp, width: 5, depth: 2}
optimizer: {name: adam, learning_rate: 1e-3}
training: {steps: 4, steps_per_call: 2, checkpoint_every: 2, evaluate_every: 2, log_every: 1}
"""
SAMPLES = """\
problem:
  name: parametric
  coordinates: {x: [0, 1], y: [0, 1]}
  inputs: {nu: {name: karhunen_loeve, modes: 2, range: [-1, 1]}}
  energy: nu*(u_x**2 + u_y**2)/2
  boundary: {x = 0: 1, x = 1: 0}
  resolution: 8
sampling: {name: samples, samples: 20, batch: 4, held_out: 3}
model: {name: unet, depth: 1, width: 2}
"""
LAUNCHERS = ("OMPI_COMM_WORLD", "HOROVOD", "PMI", "SLURM", "MPI_LOCALNRANKS")


@dataclass(frozen=True)
class Answer:
    """What a command answered."""

    code: int
    out: str
    err: str


Type = Callable[..., Answer]


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file and folder below, to see that nothing was written."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }
