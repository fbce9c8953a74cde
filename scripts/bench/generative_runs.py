"""What `generative.py` times: `pdehvd train` and its peers, each in processes of their own."""

from __future__ import annotations

import itertools
import json
import re
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pdehvd.comm.grid import shard
from scripts.bench.cases import ONE_THREAD, RunError, run
from scripts.shared import machine

PEER = ("-m", "scripts.bench.peer_keras")
# Seconds that a single run may take.
LIMIT = 3600.0
# Bytes of memory that Keras must leave to everything else.
SPARE = 2**30
# From here on activations are computed again.
REMAT_SIZE = 1024
# What TensorFlow, C++ and Python say, and the signals of an abort and of the kernel.
NO_MEMORY = re.compile(r"OOM|RESOURCE_EXHAUSTED|bad_alloc|MemoryError|ended with -(6|9|11):")


@dataclass(frozen=True)
class Run:
    """Seconds per step, peak memory of the largest process in MiB, number of parameters."""

    seconds: float
    mebibytes: float
    parameters: int


def say(text: str) -> None:
    """Write a line of progress."""
    print(text, file=sys.stderr, flush=True)


def file(size: int) -> Path:
    """Return the config file of a resolution."""
    return Path(machine.ROOT, "configs", f"poisson_kl_{size}.yaml")


def unet_settings(size: int) -> dict[str, Any]:
    """Return settings for a network that Keras has too: the coarsest level has 2 or 4 nodes."""
    narrow = {"width": 8, "max_width": 32, "remat": size >= REMAT_SIZE}
    widths = {"width": 16, "max_width": 64} if size == 64 else narrow
    depth = min(size.bit_length() - 2, 8)
    model = {"name": "unet", "depth": depth, "up": "bilinear", "output": "sigmoid", **widths}
    batch = {64: 16, 256: 8}.get(size, 4)
    return {"model": model, "problem.hard": None, "sampling.batch": batch}


def train(
    size: int, settings: Mapping[str, Any], np_: int, cores: Sequence[int]
) -> tuple[dict[str, Any], list[dict[str, Any]], float]:
    """Run `pdehvd train`; return its summary, its metrics, and the peak memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.prefix, "bin", "pdehvd")), "train", str(file(size)), "--quiet"]
        command += ["--np", str(np_), "--output", folder]
        command += _arguments({"processes.threads": 1, **settings})
        peak = run(command, list(cores[:np_]), ONE_THREAD, LIMIT)
        summary = next(Path(folder).rglob("summary.json"))
        rows = (summary.parent / "metrics.jsonl").read_text().splitlines()
        return json.loads(summary.read_text()), [json.loads(row) for row in rows], peak


class Runs:
    """Times processes of all kinds on one config; `settings` are over it for all of them."""

    def __init__(
        self, size: int, steps: int, settings: Mapping[str, Any], cores: Sequence[int]
    ) -> None:
        self.size, self.steps, self.settings, self.cores = size, steps, settings, cores

    def ours(self, np_: int, more: Mapping[str, Any] | None = None) -> Run:
        """Time steps of Adam at the finest level, as Keras has it, with no error to measure."""
        # A row of metrics costs a millisecond: at low resolutions it is for several steps.
        every = max(self.steps // 6, 1)
        total = self.steps + every
        settings = {
            **self.settings,
            "optimizer": {"name": "adam", "learning_rate": 2e-3},
            "sampling.held_out": 0,
            "training.levels": None,
            "training.steps": total,
            "training.log_every": every,
            "training.checkpoint_every": total,
            **(more or {}),
        }
        summary, rows, peak = train(self.size, settings, np_, self.cores)
        # From row to row: what is before the first one is compiling, too.
        pairs = itertools.pairwise(rows)
        times = [(b["seconds"] - a["seconds"]) / (b["step"] - a["step"]) for a, b in pairs]
        timed = Run(statistics.median(times), peak, summary["parameters"])
        return _printed(f"ours on {np_} {dict(more or {})}", timed)

    def convolutions(self, np_: int = 1) -> Run:
        """Time the convolutions alone, forward and backward; on several cores shards of a batch.

        The shards side by side exchange nothing, so they tell what the machine allows.
        """
        shards = []
        for rank, core in enumerate(self.cores[:np_]):
            start, stop = shard(self.settings["sampling.batch"], rank, np_)
            settings = {**self.settings, "sampling.batch": stop - start}
            shards.append(Runs(self.size, self.steps, settings, [core]))
        with ThreadPoolExecutor(np_) as pool:
            runs = list(pool.map(lambda runs: runs._peer("convolutions"), shards))
        return max(runs, key=lambda run: run.seconds)

    def keras(self, way: str) -> Run | None:
        """Time `fit` of Keras; None where it needs more memory than there is."""
        try:
            return self._peer("keras", "--way", way, "--bytes", str(_available() - SPARE))
        except RunError as error:
            if not NO_MEMORY.search(str(error)):
                raise
            say(f"  Keras, {way}: not enough memory")
            return None

    def _peer(self, kind: str, *options: str) -> Run:
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "out.json")
            command = [sys.executable, *PEER, kind, str(file(self.size)), *options]
            command += ["--steps", str(self.steps), "--out", str(out)]
            command += _arguments(self.settings)
            peak = run(command, [self.cores[0]], ONE_THREAD, LIMIT)
            found = json.loads(out.read_text())
        timed = Run(statistics.median(found["seconds"]), peak, found["parameters"])
        return _printed(" ".join([kind, *options[:2]]), timed)


def _printed(what: str, run: Run) -> Run:
    say(f"  {what}: {run.seconds:.3f} s a step, {run.mebibytes:.0f} MiB")
    return run


def _arguments(settings: Mapping[str, Any]) -> list[str]:
    texts = (f"{name}={json.dumps(value)}" for name, value in settings.items())
    return [part for text in texts for part in ("--set", text)]


def _available() -> int:
    """Return the bytes of memory that are free now."""
    found = re.search(r"MemAvailable:\s*(\d+)", Path("/proc/meminfo").read_text())
    assert found
    return 1024 * int(found.group(1))
