"""Warnings are printed once and stored, and are the same on any number of processes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from tests.support.launcher import CONFIGS, nightly, pdehvd

CONFIG = str(CONFIGS / "doubtful.yaml")


def trained(folder: Path, np: int) -> tuple[list[str], dict, str]:
    folder.mkdir()
    done = pdehvd("train", CONFIG, "--np", str(np), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    run = (folder / "runs" / "latest").resolve()
    summary = json.loads((run / "summary.json").read_text())
    return done.stdout.splitlines(), summary, (run / "report.html").read_text()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return what runs on a number of processes say; each is started when asked for."""
    folder = tmp_path_factory.mktemp("warnings")
    return cache(lambda np: trained(folder / str(np), np))


@pytest.mark.parametrize("np", [nightly(1), 2])
def test_a_run_warns_at_its_start_and_at_its_end(run, np):
    lines, summary, report = run(np)
    told = [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]
    size, zero = summary["warnings"]
    assert told == [size, size, zero]
    assert "T takes values from 300 to 900" in size
    assert "Try `hard: {T: 300 + 600*network}`." in size
    assert "T is zero on 100% of the domain" in zero
    ended = next(line for line in lines if line.startswith("completed: "))
    assert ended.endswith("the answer is wrong: T is off by 99% of its size")
    assert "<h2>Warnings</h2>" in report and "300 + 600*network" in report


@pytest.mark.nightly
def test_warnings_do_not_depend_on_the_number_of_processes(run):
    assert run(1)[1]["warnings"] == run(2)[1]["warnings"]


def test_check_warns_as_the_run_does(run, tmp_path):
    done = pdehvd("check", CONFIG, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"warning: {run(2)[1]['warnings'][0]}"
