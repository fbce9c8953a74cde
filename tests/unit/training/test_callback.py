"""When callbacks are told of what, in a run of one process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest

from pdehvd import cli, spec
from pdehvd.comm.group import Group
from pdehvd.config.root import register_builtin
from pdehvd.launch import process_setup
from pdehvd.spec import register
from pdehvd.training.callback import Callback, CallbackSpec, Change
from pdehvd.training.outcome import Outcome
from pdehvd.training.state import TrainState

CONFIG = """\
name: decay
precision: float64
problem:
  name: pde
  coordinates: {x: [0, 1]}
  fields: [u]
  equations: {decay: u_x + u}
  conditions: {start: {on: x = 0, equal: {u: 1}}}
sampling: {name: uniform, equations: 16, conditions: 1}
model: {name: mlp, width: 8, depth: 1}
callbacks: [recorder]
training: {steps: 4, steps_per_call: 2, checkpoint_every: 2, log_every: 2, keep: 1}
"""
MOMENTS: list[tuple[object, ...]] = []


class Recorder(Callback):
    """Notes what it is told."""

    def on_launch(self) -> None:
        MOMENTS.append(("launch",))

    def on_start(self, directory: Path, group: Group, state: TrainState) -> None:
        assert (directory / "config.yaml").exists() and group.size == 1
        MOMENTS.append(("start", state.step))

    def before_steps(self, state: TrainState, count: int) -> None:
        MOMENTS.append(("before steps", state.step, count))

    def after_steps(self, state: TrainState) -> None:
        MOMENTS.append(("after steps", state.step))

    def on_log(self, row: Mapping[str, float]) -> None:
        MOMENTS.append(("log", row["step"]))

    def before_checkpoint(self, state: TrainState) -> None:
        MOMENTS.append(("before checkpoint", state.step))

    def before_change(self, change: Change, path: Path) -> None:
        MOMENTS.append((change, path.name))

    def after_checkpoint(self, state: TrainState) -> None:
        MOMENTS.append(("after checkpoint", state.step))

    def on_end(self, outcome: Outcome) -> None:
        MOMENTS.append(("end", outcome.status))


class RecorderSpec(CallbackSpec):
    name: Literal["recorder"] = "recorder"

    def build(self) -> Callback:
        return Recorder()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register it for one test, in a process where TensorFlow already runs."""
    register_builtin()
    sections = {name: dict(specs) for name, specs in spec.registry._sections.items()}
    monkeypatch.setattr(spec.registry, "_sections", sections)
    monkeypatch.setattr(process_setup, "configure_threads", lambda *_: 1)
    register("callback")(RecorderSpec)
    MOMENTS.clear()


ARRAYS = (
    "theta",
    "weights",
    "moments",
    *(f"optimizer.{n}" for n in ("iteration", "slot_0", "slot_1")),
)
FILES = [*(f"trainer-0.{name}.npy" for name in ARRAYS), "index.json", "SHA256SUMS"]


def saved(step: int, *links: str) -> list[tuple[object, ...]]:
    """Return what is told of one checkpoint."""
    return [
        ("before checkpoint", step),
        *(("write", name) for name in FILES),
        ("rename", f"step-{step:08d}"),
        *(("link", link) for link in links),
    ]


@pytest.mark.usefixtures("recorder", "unseen", "eagerly")
def test_a_run_tells_of_all_its_moments_in_order(tmp_path: Path) -> None:
    (tmp_path / "decay.yaml").write_text(CONFIG)
    words = ["train", str(tmp_path / "decay.yaml"), "--output", str(tmp_path / "runs"), "--quiet"]
    assert cli.main(words) == 0
    assert [
        ("launch",),
        ("start", 0),
        ("before steps", 0, 1),
        ("after steps", 1),
        ("log", 1),
        ("before steps", 1, 1),
        ("after steps", 2),
        ("log", 2),
        *saved(2, "best", "latest"),
        ("after checkpoint", 2),
        ("before steps", 2, 2),
        ("after steps", 4),
        ("log", 4),
        *saved(4, "best", "latest"),
        ("remove", "step-00000002"),
        ("after checkpoint", 4),
        # The last checkpoint is there: only the link is made again.
        ("before checkpoint", 4),
        ("link", "latest"),
        ("after checkpoint", 4),
        ("end", "completed"),
    ] == MOMENTS
    MOMENTS.clear()
    longer = ["--resume", str(tmp_path / "runs" / "latest"), "--set", "training.steps=6"]
    assert cli.main([*words, *longer]) == 0
    assert MOMENTS[:3] == [("launch",), ("start", 4), ("before steps", 4, 2)]
    rows = (tmp_path / "runs" / "latest" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["step"] for row in rows] == [1, 2, 4, 6]


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("mail", "callbacks.0.name: unknown callback 'mail'; expected a name that a plug-in"),
        ("3", "callbacks.0: got 3; expected a mapping"),
    ],
)
def test_without_a_plug_in_there_is_no_callback(
    given: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    register_builtin()
    monkeypatch.setattr(spec.registry, "_sections", {**spec.registry._sections, "callback": {}})
    file = tmp_path / "decay.yaml"
    file.write_text(CONFIG.replace("[recorder]", f"[{given}]"))
    assert cli.main(["check", str(file)]) == 2
    assert told in capfd.readouterr().err
