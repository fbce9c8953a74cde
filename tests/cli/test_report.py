"""A report as its reader uses it: the commands that it shows, copied into a shell."""

from __future__ import annotations

import html
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pdehvd.launch.typed_command import program
from tests.support.commands import CONFIG, Type
from tests.support.launcher import ROOT, pdehvd

# A shell in which no environment is activated; this tree, whichever the environment belongs to.
BARE = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}


def shown(report: Path) -> list[str]:
    """Return the commands of a report."""
    text = report.read_text(encoding="utf-8")
    lines = html.unescape(re.search(r"How to reproduce.*?<pre>(.*?)</pre>", text, re.S)[1])
    return [line for line in lines.splitlines() if line and not line.startswith("#")]


def test_the_commands_of_a_report_work_where_the_reader_stands(
    type_: Type,
    here: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = ["train", "small.yaml", "--output", "my runs"]
    monkeypatch.setattr(sys, "argv", ["pdehvd", *typed])
    assert type_(*typed).code == 0
    started, again = shown(here / "my runs/latest/report.html")
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert type_(*shlex.split(again)[1:]).code == 0
    assert Path("runs/latest/summary.json").exists()
    stand, first = started.split(" && ")
    assert shlex.split(first) == [*program(), *typed]
    monkeypatch.chdir(shlex.split(stand)[1])
    before = (here / "my runs/latest").resolve()
    assert type_(*typed).code == 0
    assert (here / "my runs/latest").resolve() != before


def test_a_moved_run_is_reported_with_its_new_place(type_: Type, here: Path) -> None:
    assert type_("train", "small.yaml").code == 0
    shutil.move((here / "runs/latest").resolve(), here / "moved")
    assert type_("report", "moved").code == 0
    *_, again = shown(here / "moved/report.html")
    assert str(here.resolve() / "moved/config.yaml") in shlex.split(again)
    assert type_(*shlex.split(again)[1:]).code == 0


def test_a_run_without_a_report_is_reported_later(type_: Type, here: Path) -> None:
    assert type_("train", "small.yaml", "--set", "training.report=false").code == 0
    run = here / "runs" / "latest"
    assert (run / "summary.json").exists()
    assert not (run / "report.html").exists() and not (run / "plots").exists()
    assert type_("report", "latest").code == 0
    assert (run / "report.html").exists() and list((run / "plots").iterdir())


def trained(runs: Path) -> dict:
    """Return what the newest run in a folder says of itself, and its pinned parameters."""
    summary = json.loads((runs / "latest" / "summary.json").read_text())
    return {name: summary[name] for name in ("parameters_sha256", "processes", "steps")}


@pytest.mark.nightly
def test_the_lines_typed_in_a_bare_shell_give_the_same_parameters(tmp_path: Path) -> None:
    here, elsewhere = tmp_path / "it's here", tmp_path / "elsewhere"
    here.mkdir()
    elsewhere.mkdir()
    (here / "my config.yaml").write_text(CONFIG)
    shutil.copy(ROOT / "docs" / "examples" / "float64_sum.py", here / "my plug-in.py")
    settings = ["aggregation=float64_sum", "optimizer={name: adam, learning_rate: 2e-3}"]
    settings += ['problem.conditions.walls={"on": ["x = -1", "x = 1"], "equal": {u: 0}}']
    given = [word for setting in settings for word in ("--set", setting)]
    given += ["--np", "2", "--plugin", "my plug-in.py", "--output", "my runs"]
    done = pdehvd("train", "my config.yaml", *given, cwd=here)
    assert done.returncode == 0, done.stderr
    first = trained(here / "my runs")
    started, again = shown(here / "my runs/latest/report.html")
    before = (here / "my runs/latest").resolve()
    for line, runs in ((started, here / "my runs"), (again, elsewhere / "runs")):
        done = subprocess.run(
            ["/bin/sh", "-c", line], env=BARE, cwd=elsewhere, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert (runs / "latest").resolve() != before
        assert trained(runs) == first
