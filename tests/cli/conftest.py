"""A folder with a small config, and a way to type commands into this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pdehvd import cli
from pdehvd.launch import process_setup

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
LAUNCHERS = ("OMPI_COMM_WORLD", "HOROVOD", "PMI", "SLURM", "MPI_LOCALNRANKS")


@dataclass(frozen=True)
class Typed:
    """What a command answered."""

    code: int
    out: str
    err: str


Type = Callable[..., Typed]


@pytest.fixture
def lone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide a launcher that started the tests; leave threads as they are, TensorFlow may run."""
    for name in list(os.environ):
        if name.startswith(LAUNCHERS):
            monkeypatch.delenv(name)
    monkeypatch.setattr(process_setup, "configure_threads", lambda *_: 1)
    monkeypatch.setattr(cli, "_PATIENCE", 0.0)


@pytest.fixture
def type_(lone: None, unseen: None, eagerly: None, capfd: pytest.CaptureFixture[str]) -> Type:
    """Return a function that runs a command line in this process."""

    def run(*arguments: str) -> Typed:
        capfd.readouterr()
        code = cli.main([str(argument) for argument in arguments])
        return Typed(code, *capfd.readouterr())

    return run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder that holds small.yaml."""
    (tmp_path / "small.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file and folder below, to see that nothing was written."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b""
        for path in sorted(folder.rglob("*"))
    }
