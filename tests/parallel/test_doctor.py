"""The doctor with real processes: on this machine, and on one that lacks nearly everything."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
from pathlib import Path

from tests.support.launcher import ROOT, environment, pdehvd


def checks(output: str) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in json.loads(output)["checks"]}


def test_two_processes_add_numbers(tmp_path):
    done = pdehvd("doctor", "--np", "2", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = checks(done.stdout)
    assert "failed" not in {check["status"] for check in found.values()}
    assert found["test allreduce"]["found"].startswith("2 processes with MPI")
    assert "4 MB" in found["allreduce time"]["found"]
    for name in ("maximum", "gather", "reduce-scatter", "alltoall", "exchange", "broadcast"):
        assert found[f"test {name}"]["found"].startswith("exact on tensors and arrays, with its")
    assert list(tmp_path.iterdir()) == []


def test_broken_surroundings_are_told_with_what_to_do(tmp_path):
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.symlink_to(Path(sys.executable).resolve())
    fake = tmp_path / "fake" / "horovod"
    fake.mkdir(parents=True)
    (fake / "__init__.py").write_text("raise ImportError('libmpi.so.40: no such file')\n")
    (tmp_path / "file").write_text("")
    paths = [str(fake.parent), str(ROOT), *site.getsitepackages()]
    done = subprocess.run(
        [str(python), "-m", "pdehvd", "doctor", "--json", "--output", str(tmp_path / "file" / "a")],
        env={**environment(), "PYTHONPATH": os.pathsep.join(paths), "PATH": str(tmp_path / "bin")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 3, done.stdout + done.stderr
    found = checks(done.stdout)
    failed = {name for name, check in found.items() if check["status"] == "failed"}
    assert failed == {"run folder", "Horovod", "MPI"}
    assert all(found[name]["advice"] for name in failed)
    assert "libmpi.so.40" in found["Horovod"]["found"]
    assert "test allreduce" not in found
