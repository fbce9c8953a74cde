"""What describes a run imports no TensorFlow: it takes seconds, and a refusal needs none of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

GOOD = Path(__file__).parents[2] / "configs" / "burgers.yaml"
SCRIPT = """
import sys
from pdehvd.cli import main
code = main(sys.argv[1:])
print("heavy:", *sorted({"tensorflow", "keras"} & set(sys.modules)))
sys.exit(code)
"""
# What --set makes wrong, and what the message must hold.
REFUSED = {
    "trainin.steps=3": "did you mean 'training'?",
    "model=resnet": "unknown model 'resnet'",
    "optimizer={name: lamb, beta_1: 2}": "beta_1",
    "model=unet": "is for networks that map fields on a grid",
    "problem.equations.momentum=u_t + v": "'v'",
    "problem.conditions.walls.on=x = 3": "walls",
    "problem.reference={name: file, path: no.csv}": "no.csv",
    "sampling.equations=1": "2 processes for 1 collocation point",
}


def heavy(*arguments: str) -> tuple[int, str, str]:
    """Return the exit code, what of TensorFlow a command has imported, and its messages."""
    command = [sys.executable, "-c", SCRIPT, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return done.returncode, done.stdout.rpartition("heavy:")[2].strip(), done.stderr


@pytest.mark.parametrize("setting", REFUSED)
def test_a_config_is_refused_without_tensorflow(setting):
    code, imported, stderr = heavy("check", str(GOOD), "--np", "2", "--set", setting)
    assert (code, imported) == (2, ""), stderr
    assert REFUSED[setting] in stderr


@pytest.mark.parametrize("np", ["1", "2"])
@pytest.mark.parametrize(
    "setting",
    ["trainin.steps=3", "problem.equations.momentum=u_t + v", "training.micro_batches=10000"],
)
def test_training_is_refused_before_anything_starts(setting, np, tmp_path):
    options = ("--np", np, "--output", str(tmp_path), "--set", setting)
    code, imported, stderr = heavy("train", str(GOOD), *options)
    assert (code, imported) == (2, "")
    assert len(stderr.splitlines()) == 1 and not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["--help", "list", "schema"])
def test_what_describes_configs_needs_no_tensorflow(command):
    assert heavy(command)[:2] == (0, "")
