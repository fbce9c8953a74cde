"""A report as its reader uses it: the commands that it shows, copied into a shell."""

from __future__ import annotations

import html
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Type


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
    assert shlex.split(first) == ["pdehvd", *typed]
    monkeypatch.chdir(shlex.split(stand)[1])
    before = (here / "my runs/latest").resolve()
    assert type_(*typed).code == 0
    assert (here / "my runs/latest").resolve() != before


def test_a_moved_run_is_reported_with_its_new_place(type_: Type, here: Path) -> None:
    assert type_("train", "small.yaml").code == 0
    shutil.move((here / "runs/latest").resolve(), here / "moved")
    assert type_("report", "moved").code == 0
    *_, again = shown(here / "moved/report.html")
    assert shlex.split(again)[2] == str(here.resolve() / "moved/config.yaml")
    assert type_(*shlex.split(again)[1:]).code == 0
