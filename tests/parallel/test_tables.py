"""Tables as other programs write them, on one process and on two."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.launcher import pdehvd

CONFIG = """\
name: slope
precision: float64
problem:
  name: pde
  coordinates: {t: [0, pi/2]}
  fields: [u]
  equations: {slope: u_t - cos(t)}
  conditions:
    measured: {data: table.csv}
  reference: {name: exact, u: sin(t)}
sampling: {name: sobol, equations: 64}
model: {name: mlp, width: 8, depth: 2}
optimizer: ssbroyden
training: {steps: 150, log_every: 50, report: false}
"""
# In single precision, as a spreadsheet saves it: the last time is 7e-8 beyond pi/2.
TABLE = (
    "\ufefft;note;u\r\n[s];;[m]\r\n0;start;0\r\n0,78539819;;0,70710677\r\n1,5707964;end;1\r\n;;\r\n"
)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "slope.yaml").write_text(CONFIG)
    return tmp_path


def test_a_table_in_single_precision(here: Path) -> None:
    (here / "table.csv").write_text(TABLE, newline="")
    losses = []
    for processes in ("1", "2"):
        done = pdehvd("train", "slope.yaml", "--np", processes, cwd=here)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("table.csv: 1 point outside the domain by rounding was moved") == 1
        summary = json.loads((here / "runs" / "latest" / "summary.json").read_text())
        assert summary["relative_l2"]["u"] < 1e-4
        losses.append(json.loads((here / "runs/latest/metrics.jsonl").read_text().splitlines()[0]))
    assert losses[0]["loss/data/measured"] == pytest.approx(losses[1]["loss/data/measured"], 1e-9)


def test_a_shifted_table_is_refused(here: Path) -> None:
    (here / "table.csv").write_text("t,u\n0,0,1\n")
    done = pdehvd("train", "slope.yaml", "--np", "2", cwd=here)
    assert done.returncode == 2
    told = "row 1 (line 2) has 3 values between commas, the header in line 1 has 2 names"
    assert told in done.stderr and "Traceback" not in done.stderr
    assert not (here / "runs").exists()
