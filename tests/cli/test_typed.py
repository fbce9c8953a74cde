"""What the docs show, what is shipped, and the cases go through the real commands."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Type
from tests.cli.conftest import Typed as Answer
from tests.parallel.launcher import pdehvd
from tests.typed import Typed, cases, documented, shipped

EVERYTHING = [*documented(), *shipped(), *cases()]
# Of `pdehvd export`.
FORMATS = {"points": ("npz", "vtk", "savedmodel"), "grid": ("npz", "savedmodel")}


def settings(typed: Typed) -> list[str]:
    """Return what shortens a run: few steps, points and pixels, every phase of the optimizer."""
    data = typed.data
    given = ["training.steps=4", "training.checkpoint_every=2", "training.evaluate_every=2"]
    given += ["training.steps_per_call=2", "training.early_stopping=null"]
    phases = data.get("optimizer")
    if isinstance(phases, list):
        given += [f"optimizer.{index}.steps=1" for index in range(len(phases) - 1)]
    if data["problem"]["name"] == "parametric":
        return given + _on_a_grid(data)
    given += ["sampling.equations=48"]
    if data["sampling"]["name"] == "rad":
        given += ["sampling.candidates=64", "sampling.every=2"]
    if isinstance(data["sampling"].get("conditions"), int):
        given += [f"sampling.conditions={12 * len(data['problem']['conditions'])}"]
    return given


def _on_a_grid(data: dict[str, Any]) -> list[str]:
    """Return what makes a generative run small."""
    given = ["training.levels=null", "problem.resolution=8"]
    given += ["sampling.batch=2", "sampling.held_out=1"]
    return given + (["model.depth=2"] if "depth" in data["model"] else [])


def options(typed: Typed) -> list[str]:
    return [
        *(word for setting in settings(typed) for word in ("--set", setting)),
        *(word for plugin in typed.plugins for word in ("--plugin", str(plugin))),
    ]


def plugins(typed: Typed) -> list[str]:
    return [word for plugin in typed.plugins for word in ("--plugin", str(plugin))]


def starts_processes(typed: Typed) -> bool:
    """Return whether its training is one of processes of its own: several, or exact sums."""
    processes = typed.data.get("processes") or {}
    return bool(processes.get("np") or processes.get("elastic") or "aggregation: exact" in typed.text)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("typed", EVERYTHING, ids=[typed.place for typed in EVERYTHING])
def test_it_is_checked_trained_and_looked_at(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: Type
) -> None:
    import time
    monkeypatch.chdir(tmp_path)
    typed.write(tmp_path)
    clock = []

    def done(*words: str) -> None:
        t = time.time()
        if words[0] == "train" and starts_processes(typed):
            real = pdehvd(*words, cwd=tmp_path)
            answer = Answer(real.returncode, real.stdout, real.stderr)
        else:
            answer = type_(*words)
        clock.append((words[0], round(time.time() - t, 2)))
        assert answer.code == 0, f"{' '.join(words)}\n{answer.err}"
        assert "Traceback" not in answer.out + answer.err

    done("check", "typed.yaml", *options(typed))
    done("train", "typed.yaml", "--output", "out", *options(typed))
    more = ["--set", "training.steps=6", "--resume", "out/latest"]
    done("train", "typed.yaml", *options(typed), *more)
    looks = [["evaluate"], ["plot"]]
    looks += [["export", "--format", form] for form in ("npz", "vtk", "savedmodel")]
    for command, *rest in looks:
        done(command, "out/latest", *rest, *plugins(typed))
    with open("/tmp/typed_times", "a") as f: print(typed.place, sum(c for _, c in clock), clock, file=f)
    summary = json.loads((tmp_path / "out" / "latest" / "summary.json").read_text())
    assert summary["steps"] == 6
