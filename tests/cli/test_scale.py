"""`scale` and `net`: what is refused, and one small sweep with real processes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pdehvd.assembly import needs
from pdehvd.launch import mpirun, threads
from pdehvd.scaling import study
from tests.support.commands import Type, contents
from tests.support.launcher import environment, pdehvd

NET = {
    "reduction": {"float32": 1e-10, "float64": 1e-10},
    "copy_bytes_per_second": 5e9,
    "samples": [
        {
            "library": "mpi",
            "dtype": dtype,
            "processes": 2,
            "hosts": 1,
            "bytes": size,
            "seconds": [1e-4 + size * 1e-9, 1.1e-4 + size * 1e-9],
        }
        for dtype in ("float32", "float64")
        for size in (1024, 65536, 1048576)
    ],
}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--np", "1,two"], "--np: got 'two'; expected whole numbers from 1 with commas"),
        (["--np", "0"], "--np: got '0'"),
        (["--np", "1,,2"], "--np: got ''"),
        (["--mode", "week"], "--mode: got 'week'; expected weak or strong; did you mean 'weak'?"),
        (["--predict", "1"], "--predict: got '1'; expected whole numbers from 2"),
        (["--predict", "8"], "expected --network FILE/net.json of pdehvd net --np 2"),
        (["--predict", "8", "--network", "none.json"], "there is no file none.json"),
        (["--predict", "8", "--network", "small.yaml"], "cannot read small.yaml"),
        (["--set", "topology.pernode=4"], "topology.pernode: unknown key 'pernode'"),
        (["--set", "topology.per_node=0"], "topology.per_node: got 0; expected a number of at"),
        (["--np", "1,33", "--mode", "strong"], "33 processes for 32 collocation points"),
        (["--set", "modle.width=3"], "--set modle.width: modle: unknown key 'modle'"),
        (["--repeats", "0"], "repeats"),
        (["--predict", "64", "--network", "net.json"], "strong scaling of 32 points"),
        (
            ["--predict", "8", "--network", "net.json", "--set", "processes.collectives=horovod"],
            "too few times of horovod in float32",
        ),
    ],
)
def test_what_scale_refuses(here: Path, type_: Type, words: list[str], told: str) -> None:
    (here / "net.json").write_text(json.dumps(NET))
    before = contents(here)
    typed = type_("scale", "small.yaml", *words)
    assert typed.code == 2 and told in typed.err and "Traceback" not in typed.err
    assert contents(here) == before


def test_what_a_machine_cannot_start(
    here: Path, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "available_memory", lambda: 3.0 * mpirun.PROCESS_BYTES)
    monkeypatch.setattr(study, "available_memory", needs.available_memory)
    typed = type_("scale", "small.yaml", "--np", "1,4")
    assert typed.code == 2 and "expected at most 3 on this machine" in typed.err
    typed = type_("net", "--np", "2", "--largest", "1GB")
    assert typed.code == 2 and "a smaller --largest" in typed.err
    forbidden = "processes.oversubscribe=false"
    monkeypatch.setattr(threads, "node_cores", lambda: 1)
    typed = type_("scale", "small.yaml", "--np", "2", "--set", forbidden)
    assert typed.code == 2 and "2 processes need 2 cores, and 1 may be used here" in typed.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--np", "1"], "2 or more"),
        (["--largest", "many"], "--largest: got 'many'; expected a size from 4KB to 16GB"),
        (["--largest", "1KB"], "--largest: got '1KB'"),
        (["--output", "small.yaml"], "cannot write to small.yaml"),
    ],
)
def test_what_net_refuses(here: Path, type_: Type, words: list[str], told: str) -> None:
    before = contents(here)
    typed = type_("net", *words)
    assert typed.code == 2 and told in typed.err
    assert contents(here) == before


def test_a_measurement_is_not_written_over(here: Path, type_: Type) -> None:
    (here / "net.json").write_text("{}")
    typed = type_("net", "--output", ".")
    assert typed.code == 2 and "holds a measurement already" in typed.err


def test_a_sweep_of_real_processes(here: Path) -> None:
    """net, an interrupted sweep, the rest of it with a prediction, and nothing to do."""
    measured = pdehvd("net", "--np", "2", "--largest", "16KB", "--output", "n", cwd=here)
    assert measured.returncode == 0, measured.stderr
    assert "oneDNN" not in measured.stderr
    network = json.loads((here / "n/net.json").read_text())
    libraries = {sample["library"] for sample in network["samples"]}
    assert libraries == {"mpi4py", "mpi", "horovod", "horovod-gloo"}
    assert all(min(sample["seconds"]) > 0 for sample in network["samples"])
    assert (here / "n/net.png").read_bytes()[:4] == b"\x89PNG"

    words = ["scale", "small.yaml", "--np", "1,2", "--mode", "strong", "--repeats", "1"]
    words += ["--steps", "8", "--output", "s"]
    _interrupted_after_a_run(here, words)
    # Runs do not depend on the cluster that a prediction assumes, so those made before count.
    words += ["--predict", "2,16", "--network", "n/net.json", "--set", "topology.gigabits=1"]
    done = pdehvd(*words, cwd=here)
    assert done.returncode == 0, done.stderr
    assert "[1/2] 1 process, run 1: already done" in done.stdout
    assert "strong scaling, fixed global batch: speed-up T1/Tp" in done.stdout
    assert "predicted and measured" in done.stdout
    found = json.loads((here / "s/scaling.json").read_text())
    one, two = found["rows"]["strong"]
    assert (one["processes"], two["processes"]) == (1, 2)
    assert two["speed_up"] == pytest.approx(one["step"] / two["step"])
    assert two["efficiency"] == pytest.approx(two["speed_up"] / 2)
    assert one["communication"] == 0 < two["communication"] and two["memory_mib"] > 100
    runs = found["runs"]
    assert [len(run["curve"]) for run in runs] == [4, 4]
    # The same training, whatever the number of processes and the clock that runs beside.
    assert runs[0]["loss"] == pytest.approx(runs[1]["loss"], rel=1e-10)
    prediction = found["predictions"][0]
    assert [step["processes"] for step in prediction["steps"]] == [1, 2, 16]
    for name in ("speed", "split", "error", "prediction"):
        assert (here / f"s/{name}.png").read_bytes()[:4] == b"\x89PNG"
    other = pdehvd(*words, "--set", "seed=9", cwd=here)
    assert other.returncode == 2 and "another --output" in other.stderr


def _interrupted_after_a_run(here: Path, words: list[str]) -> None:
    """Send SIGINT while the run on two processes starts; that of one process is kept."""
    command = [sys.executable, "-m", "pdehvd", *words]
    with subprocess.Popen(
        command, cwd=here, env=environment(), stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("[2/2]"):
                break
        time.sleep(1)
        child.send_signal(signal.SIGINT)
        child.stdout.read()
        code = child.wait(120)
    assert code == 130
    kept = json.loads((here / "s/scaling.json").read_text())["runs"]
    assert [run["processes"] for run in kept] == [1]
