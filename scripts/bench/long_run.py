"""Does a run grow? Memory, open files, threads, time per step and what it writes, over many steps.

    .venv/bin/python -m scripts.bench.long_run --steps 20000
    .venv/bin/python -m scripts.bench.long_run --steps 20000 --np 2 --config configs/burgers.yaml

The run is looked at from outside, by psutil; growth is that of the last quarter of the run over
the second: the first one compiles, and fills caches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[2]
MIB = 2**20
_ROWS = 8


@dataclass(frozen=True)
class Sample:
    """What a run uses at some step; memory in MiB over all ranks."""

    step: int
    memory: float
    files: int
    threads: int


def ranks(job: psutil.Process) -> list[psutil.Process]:
    """Return the processes that train: those that import TensorFlow."""
    found = [job, *job.children(recursive=True)]
    return [process for process in found if process.memory_info().rss > 200 * MIB]


def last_step(metrics: Path) -> int:
    """Return the step of the last whole row."""
    with open(metrics, "rb") as file:
        file.seek(max(0, metrics.stat().st_size - 4096))
        lines = file.read().splitlines()
    for line in reversed(lines):
        try:
            return int(json.loads(line)["step"])
        except (ValueError, KeyError):
            continue
    return 0


def watch(command: list[str], folder: Path, steps: int) -> tuple[int, list[Sample]]:
    """Run a training and look at it a few times a second."""
    with open(folder / "output.txt", "wb") as output:
        child = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output)
    try:
        return _look(child, folder, steps)
    finally:
        child.terminate()


def _look(child: subprocess.Popen[bytes], folder: Path, steps: int) -> tuple[int, list[Sample]]:
    samples: list[Sample] = []
    metrics = folder / "runs" / "latest" / "metrics.jsonl"
    while child.poll() is None:
        time.sleep(0.25)
        if not metrics.exists():
            continue
        try:
            found = ranks(psutil.Process(child.pid))
            memory = sum(process.memory_info().rss for process in found) / MIB
            files = sum(process.num_fds() for process in found)
            threads = sum(process.num_threads() for process in found)
        except psutil.Error:
            continue
        step = last_step(metrics)
        # After the last step the run draws, which is another matter.
        if 0 < step < steps and found:
            samples.append(Sample(step, memory, files, threads))
    return child.returncode, samples


def quarter(samples: list[Sample], steps: int, number: int) -> list[Sample]:
    """Return the samples of a quarter of the run."""
    low, high = steps * (number - 1) // 4, steps * number // 4
    return [sample for sample in samples if low < sample.step <= high]


def growth(early: list[float], late: list[float]) -> float:
    """Return how much the median grew."""
    return statistics.median(late) / statistics.median(early) - 1


def report(samples: list[Sample], run: Path, steps: int) -> bool:
    """Print the tables; return whether nothing grew by one per cent."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    times = [(row["step"], row["seconds_per_step"]) for row in rows if row["seconds_per_step"]]
    table = Table("steps to", "memory MiB", "open files", "threads", "ms per step")
    for number in range(1, _ROWS + 1):
        low, high = steps * (number - 1) // _ROWS, steps * number // _ROWS
        some = [sample for sample in samples if low < sample.step <= high]
        paces = [seconds for step, seconds in times if low < step <= high]
        if some and paces:
            table.add_row(
                str(high),
                f"{statistics.median(s.memory for s in some):.1f}",
                str(max(s.files for s in some)),
                str(max(s.threads for s in some)),
                f"{statistics.median(paces) * 1e3:.3f}",
            )
    console = Console()
    console.print(table)
    early, late = quarter(samples, steps, 2), quarter(samples, steps, 4)
    memory = growth([s.memory for s in early], [s.memory for s in late])
    files = max(s.files for s in late) - max(s.files for s in early)
    pace = growth(
        [seconds for step, seconds in times if steps / 4 < step <= steps / 2],
        [seconds for step, seconds in times if step > steps * 3 / 4],
    )
    console.print(f"growth: memory {memory:+.2%}, open files {files:+d}, time per step {pace:+.2%}")
    kept = sorted(path.name for path in (run / "checkpoints").iterdir())
    sizes = {
        name: sum(f.stat().st_size for f in run.rglob(f"{name}*") if f.is_file()) / 1024
        for name in ("metrics.jsonl", "log.txt", "events.out")
    }
    written = ", ".join(f"{name} {size:.0f} KiB" for name, size in sizes.items())
    console.print(f"written: {len(rows)} rows, {written}; checkpoints: {', '.join(kept)}")
    return memory < 0.01 and files <= 0


def main() -> int:
    """Return 0 where neither memory nor the number of open files grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "burgers.yaml")
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--np", type=int, default=1)
    parser.add_argument("--every", type=int, default=50, help="steps between checkpoints")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    options = parser.parse_args()
    command = [sys.executable, "-m", "pdehvd", "train", str(options.config.resolve())]
    command += ["--np", str(options.np)]
    settings = [f"training.steps={options.steps}", f"training.checkpoint_every={options.every}"]
    settings += ["training.log_every=10", f"training.evaluate_every={options.every * 2}"]
    settings += ["processes.threads=1", *options.settings]
    command += [word for setting in settings for word in ("--set", setting)]
    with tempfile.TemporaryDirectory(prefix="long-run-") as name:
        folder = Path(name)
        code, samples = watch(command, folder, options.steps)
        if code != 0:
            print((folder / "output.txt").read_text(), file=sys.stderr)
            return code
        steady = report(samples, (folder / "runs" / "latest").resolve(), options.steps)
    return 0 if steady else 1


if __name__ == "__main__":
    sys.exit(main())
