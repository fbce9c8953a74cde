"""Damaged run directories: checkpoints torn, exchanged or forged, links, metrics, configs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import numpy as np

from pdehvd.assembly.build import build_parts
from pdehvd.comm.group import Solo
from pdehvd.config.root import dump, load_config
from pdehvd.training.checkpoint import Checkpoints, open_checkpoint
from pdehvd.training.checkpoint_index import INDEX, SUMS
from pdehvd.training.trainer import Trainer
from scripts.fuzz.archives import odd
from scripts.fuzz.configs import flipped
from scripts.fuzz.judge import Case

_CONFIG = """\
name: small
problem:
  name: pde
  coordinates: {x: [-1, 1], t: [0, 1]}
  fields: [u]
  equations: {heat: u_t - u_xx}
  conditions:
    initial: {on: t = 0, equal: {u: -sin(pi*x)}}
  reference: {name: exact, u: x*t}
sampling: {name: sobol, equations: 16, conditions: 8}
model: {name: mlp, width: 3, depth: 1}
training: {steps: 2, checkpoint_every: 2}
"""
_ROWS = [
    '{"step": [1]}',
    '{"step": "a"}',
    '{"step": {}}',
    '{"step": null}',
    "[1]",
    "{",
    "null",
    '"a"',
]
_ROWS += ['{"step": 1, "loss/total": [1]}', '{"step": 1, "loss/total": {}}', '{"step": 1e400}']
_ROWS += ['{"step": 100000000000000000000000000}', '{"step": 1, "loss/total": 1' + "0" * 400 + "}"]
_ROWS += [
    "[" * 100_000,
    '{"step": 1, "\\ud800": 1}',
    '{"step": true}',
    '{"": 1}',
    "\0",
    '{"step": -1}',
]
_COUNTS: list[object] = [None, "a", [], {}, -1, 1.5, 1e400, 10**30, True, "2", [2]]
_RECORDS = [*_COUNTS, "float32", "object", "<U8", [3], [[[0, 1]]], [[[0, 10**15]]], [10**12], [0]]
_CRAFTED = "forged"


def prepared(config: Path, run: Path, steps: tuple[int, ...]) -> list[str]:
    """Make a run directory with a checkpoint for each of `steps`, and return their hashes."""
    loaded, _ = load_config(config)
    trainer = Trainer(build_parts(loaded, Solo()), loaded.training)
    state = trainer.fresh_state()
    run.mkdir()
    (run / "config.yaml").write_text(dump(loaded))
    (run / "metrics.jsonl").write_text("".join(f'{{"step": {step}}}\n' for step in steps))
    hashes = []
    for step in steps:
        one = replace(state, step=step, theta=state.theta + step)
        Checkpoints(run, keep=9).save(trainer.snapshot(one))
        hashes.append(hashlib.sha256(one.theta.numpy().tobytes()).hexdigest())
    return hashes


def _damaged(rng: Random, step: Path) -> str:
    """Change the bytes of a file of a checkpoint without its checksum, or the checksums."""
    file = rng.choice(sorted(step.iterdir()))
    what = rng.choice(["flip", "flip", "cut", "empty", "delete", "folder", "loop", "append"])
    raw = file.read_bytes()
    if what == "flip":
        file.write_bytes(flipped(rng, raw))
    elif what == "cut":
        file.write_bytes(raw[: rng.randrange(len(raw))])
    elif what == "append":
        file.write_bytes(raw + b"x")
    elif what == "empty":
        file.write_bytes(b"")
    else:
        file.unlink()
        if what == "folder":
            file.mkdir()
        elif what == "loop":
            file.symlink_to(file.name)
    return f"{what} {step.name}/{file.name}"


def _forged(rng: Random, step: Path) -> str:
    """Put something else into a checkpoint, with the right checksums."""
    index = json.loads((step / INDEX).read_text())
    trainer = index["trainers"][0]
    name = rng.choice(list(trainer["arrays"]))
    what = rng.choice(["text", "counter", "counters", "record", "records", "array", "file"])
    text = ""
    if what == "text":
        text = rng.choice(["", "[" * 100_000, "{}", "[]", "\0", flipped_text(rng, index)])
    elif what == "counter":
        trainer["counters"][rng.choice(list(trainer["counters"]))] = rng.choice(_COUNTS)
    elif what == "counters":
        trainer["counters"] = rng.choice([[], {}, None, 1, "x", {"step": 2}])
    elif what == "record":
        trainer["arrays"][name][rng.choice(["dtype", "shape", "spans"])] = rng.choice(_RECORDS)
    elif what == "records":
        del trainer["arrays"][name]
    else:
        file = rng.choice(sorted(step.glob("*.npy")))
        if what == "array":
            np.save(file, odd(rng, np.load(file)), allow_pickle=True)
        else:
            file.write_bytes(flipped(rng, file.read_bytes()))
    (step / INDEX).write_text(text or json.dumps(index))
    files = [file for file in sorted(step.iterdir()) if file.name != SUMS]
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (step / SUMS).write_text("".join(sums))
    return f"{_CRAFTED}: {what} {name}"


def flipped_text(rng: Random, index: dict[str, Any]) -> str:
    """Return the text of an index with a byte changed."""
    return flipped(rng, json.dumps(index).encode()).decode(errors="replace")


def _litter(rng: Random, folder: Path) -> str:
    """Put something odd next to the checkpoints."""
    names = ["step-99999999", "step-00000008", "latest", "best", ".step-00000008.new", ".x.old"]
    names += [
        "step-999999999999999999999999",
        "step-0000000٣",
        "step-00000002.bak",
        "ü",
        ".best.new",
    ]
    name = rng.choice(names)
    path = folder / name
    if path.is_symlink():
        path.unlink()
    what = rng.choice(["file", "folder", "link out", "dangling", "loop", "pipe"])
    if what == "file":
        path.write_text("x")
    elif what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to({"link out": "../../../keep", "dangling": "nowhere", "loop": name}[what])
    return f"{what} {name}"


class Runs:
    """Run directories that are resumed or evaluated; training itself has been done."""

    name = "run"

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "keep").mkdir()
        (root / "keep" / INDEX).write_text("This must not change.")
        (root / "runs.yaml").write_text(_CONFIG)
        self.hashes = prepared(root / "runs.yaml", root / "sound", (2, 4, 6))
        (root / "wide.yaml").write_text(_CONFIG.replace("width: 3", "width: 4"))
        prepared(root / "wide.yaml", root / "wide", (6,))

    def case(self, rng: Random, number: int, folder: Path) -> Case:
        """Damage a copy of a run and return how it is resumed or evaluated."""
        run = folder / "run"
        shutil.copytree(self.root / "sound", run, symlinks=True)
        shutil.copy(self.root / "runs.yaml", folder / "case.yaml")
        steps = sorted((run / "checkpoints").glob("step-*"))
        changes: dict[str, Callable[[], str]] = {
            "damaged": lambda: _damaged(rng, rng.choice([steps[-1], *steps])),
            "all damaged": lambda: ", ".join(_damaged(rng, step) for step in steps),
            "forged": lambda: _forged(rng, steps[-1]),
            "litter": lambda: _litter(rng, run / "checkpoints"),
            "swapped": lambda: self._swapped(rng, steps),
            "file": lambda: self._file(rng, run),
        }
        what = changes[rng.choice([*changes, "forged", "file"])]()
        arguments = ["train", "case.yaml", "--resume", "run", "--quiet"]
        if rng.random() < 0.3:
            arguments = ["evaluate", "run"]
        named = ("run", "case.yaml", "config.yaml")
        trained = arguments[0] == "train" and not what.startswith(_CRAFTED)
        truth = (lambda: self._wrong(run)) if trained else None
        writes = ("run",)
        return Case(
            self.name, number, f"{arguments[0]}: {what}", arguments, named, writes, truth, _alone
        )

    def _swapped(self, rng: Random, steps: list[Path]) -> str:
        """Exchange parts of checkpoints, or take one of another network."""
        if rng.random() < 0.5:
            shutil.rmtree(steps[-1])
            shutil.copytree(self.root / "wide" / "checkpoints" / steps[-1].name, steps[-1])
            return "checkpoint of another network"
        name = rng.choice([INDEX, SUMS, "trainer-0.theta.npy"])
        shutil.copy(steps[0] / name, steps[-1] / name)
        return f"{name} of another step"

    def _file(self, rng: Random, run: Path) -> str:
        """Change the config or the metrics of a run."""
        name = rng.choice(["config.yaml", "metrics.jsonl", "metrics.jsonl"])
        raw = (run / name).read_bytes()
        if name == "metrics.jsonl":
            rows = [rng.choice(_ROWS) for _ in range(2)]
            (run / name).write_text("\n".join([raw.decode(), *rows]), errors="surrogatepass")
        else:
            (run / name).write_bytes(flipped(rng, raw))
        return name

    def _wrong(self, run: Path) -> str:
        """Return what is wrong with a run that was resumed: only true states may go on.

        One that has all its steps is left as it is, without a summary; its state must be true too.
        """
        if (run / "summary.json").exists():
            found = json.loads((run / "summary.json").read_text())["parameters_sha256"]
        else:
            theta = open_checkpoint(run, report=lambda text: None).whole("theta")
            found = hashlib.sha256(theta.tobytes()).hexdigest()
        return "" if found in self.hashes else "went on from no true state"


@contextmanager
def _alone() -> Iterator[None]:
    """Train in a process that has computed before, and draw nothing."""
    with (
        mock.patch("pdehvd.launch.process_setup.configure_threads", lambda *_: 1),
        mock.patch("pdehvd.experiment.summary._draw", lambda *given: None),
    ):
        yield
