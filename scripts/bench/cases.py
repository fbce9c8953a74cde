"""What both sides of the comparison train, and how one run of each is started and read."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pdehvd.launch.single_copy import mechanism
from scripts.shared import machine

CONFIGS = Path(machine.ROOT, "configs")
DRIVER = ("-m", "scripts.bench.peer_deepxde")
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "",
}


@dataclass(frozen=True)
class Case:
    """A problem with the numbers that both sides share."""

    name: str
    # Both our config file and the function in peer_deepxde.py.
    problem: str
    layers: tuple[int, int]
    # Interior, boundary and initial points. The peer's loss has its residual on all of them.
    points: tuple[int, int, int]
    conditions: dict[str, int]
    steps: int

    def settings(self) -> dict[str, object]:
        """Return what is set in our config to match the peer."""
        return {
            "precision": "float32",
            "model.depth": self.layers[0],
            "model.width": self.layers[1],
            "sampling": {
                "name": "sobol",
                "equations": sum(self.points),
                "conditions": self.conditions,
            },
            "weighting": "fixed",
            "optimizer": {"name": "adam", "learning_rate": 1e-3},
            "scaling.mode": "weak",
            "processes.threads": 1,
        }


ON_BURGERS = {"walls": 80, "initial": 160}
ON_BELTRAMI = {"walls": 1000, "initial": 1000}
MANY = "Burgers, 10,000 points"
CASES = [
    Case("Burgers", "burgers", (3, 20), (2540, 80, 160), ON_BURGERS, 4000),
    Case(MANY, "burgers", (3, 20), (9760, 80, 160), ON_BURGERS, 2000),
    Case("Kovasznay", "kovasznay", (4, 50), (2600, 400, 0), {"walls": 400}, 600),
    Case("Beltrami", "beltrami", (4, 50), (10000, 1000, 1000), ON_BELTRAMI, 100),
]


@dataclass
class Measured:
    """One run: seconds per step after warm-up, error against time, memory of one process."""

    seconds_per_step: float
    megabytes: float
    curve: list[tuple[float, float]] = field(default_factory=list)
    detail: str = ""


class RunError(RuntimeError):
    """A side of the comparison did not run."""


def _descendants(root: int) -> list[int]:
    """Return the process ids of a process and all below it."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, IndexError):
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                parents.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += parents.get(pid, [])
    return found


def _peak(pid: int) -> float:
    """Return the largest resident memory that a process ever had, in MB."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def run(command: list[str], cores: list[int], environ: dict[str, str], limit: float) -> float:
    """Run a command on some cores; return the peak memory of its largest process in MB.

    Raises RunError with the last lines of its output.
    """
    peak = 0.0
    with tempfile.TemporaryFile("w+") as log:
        child = subprocess.Popen(
            command,
            env={**machine.child_environment(str(Path(command[0]).parent.parent)), **environ},
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=machine.ROOT,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
        timer = threading.Timer(limit, child.terminate)
        timer.start()
        while True:
            peak = max([peak, *(_peak(pid) for pid in _descendants(child.pid))])
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(1.0)
                break
        timer.cancel()
        if child.returncode:
            log.seek(0)
            tail = "\n".join(log.read().splitlines()[-15:])
            raise RunError(f"{' '.join(command)} ended with {child.returncode}:\n{tail}")
    return peak


def _late_half(values: list[float]) -> float:
    """Return the median of the second half: the first compiles, and fills caches."""
    return statistics.median(values[len(values) // 2 :])


def run_ours(
    config: str,
    settings: Mapping[str, object],
    np_: int,
    cores: list[int],
    limit: float = 1800,
) -> Measured:
    """Train with `pdehvd train` and read its run directory."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.prefix, "bin", "pdehvd")), "train", str(CONFIGS / f"{config}.yaml")]
        command += ["--np", str(np_), "--output", folder, "--quiet"]
        for name, value in settings.items():
            command += ["--set", f"{name}={json.dumps(value)}"]
        peak = run(command, cores[:np_], ONE_THREAD, limit)
        summary = next(Path(folder).rglob("summary.json"))
        rows = (summary.parent / "metrics.jsonl").read_text().splitlines()
    metrics = [json.loads(row) for row in rows]
    times = [row["seconds_per_step"] for row in metrics if row.get("seconds_per_step")]
    curve = []
    for row in metrics:
        errors = [v for k, v in row.items() if k.startswith("relative_l2/") and v is not None]
        if errors:
            curve.append((row["seconds"], max(errors)))
    return Measured(_late_half(times), peak, curve)


@dataclass(frozen=True)
class Variant:
    """One way to run the peer; the fastest is what we compare with."""

    name: str
    backend: str = "tensorflow.compat.v1"
    xla: bool = False
    environ: tuple[tuple[str, str], ...] = ()


ALONE = [
    Variant("TF1 graph"),
    Variant("TF2", "tensorflow"),
    Variant("TF2 with XLA", "tensorflow", xla=True),
]
# Its Horovod support is on one backend only.
TOGETHER = [
    Variant("TF1 graph, Horovod"),
    Variant("TF1 graph, Horovod, cycle time 0.1 ms", environ=(("HOROVOD_CYCLE_TIME", "0.1"),)),
]


def run_peer(
    python: Path,
    case: Case,
    variant: Variant,
    np_: int,
    cores: list[int],
    options: Mapping[str, object],
    limit: float = 1800,
) -> tuple[Measured, np.ndarray, np.ndarray]:
    """Train with DeepXDE; return what was measured, and its predictions with their times."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out.npz")
        command = [str(python), *DRIVER, case.problem, "--out", str(out)]
        command += ["--points", ",".join(str(n) for n in case.points)]
        command += ["--xla"] if variant.xla else []
        for name, value in options.items():
            command += [f"--{name}", str(value)]
        environ = {
            **ONE_THREAD,
            "DDE_BACKEND": variant.backend,
            "PEER_CORES": ",".join(str(core) for core in cores[:np_]),
            **dict(variant.environ),
        }
        if np_ > 1:
            environ |= {
                "OMPI_ALLOW_RUN_AS_ROOT": "1",
                "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                "OMPI_MCA_btl_vader_single_copy_mechanism": mechanism(),
            }
            # The driver pins each process itself.
            mpirun = [str(python.with_name("mpirun")), "-np", str(np_), "--bind-to", "none"]
            command = [*mpirun, *command]
        peak = run(command, cores[:np_], environ, limit)
        with np.load(out) as data:
            times = [float(second) for second in data["seconds_per_step"]]
            measured = Measured(_late_half(times), peak, [], variant.name)
            if "lbfgs" in options:
                measured.detail += f", {int(data['lbfgs_iterations'])} L-BFGS iterations"
            return measured, data["curve_seconds"], data["curve_values"]
