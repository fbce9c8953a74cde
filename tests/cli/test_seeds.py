"""`train --seeds`: several runs, how far their results are apart, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pdehvd import cli
from pdehvd.launch import job
from pdehvd.launch.commands import Command
from pdehvd.launch.processes_spec import ProcessesSpec
from pdehvd.results.open_run import open_run
from tests.support.commands import SAMPLES, Type, contents
from tests.support.launcher import pdehvd

QUICK = ("--set", "training.report=false")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are started: here, in this process."""
    found: list[list[str]] = []

    def launch(command: Command, processes: ProcessesSpec, np: int) -> int:
        found.append(command.argv())
        return cli.main(command.argv())

    monkeypatch.setattr(job, "launch", launch)
    return found


@pytest.mark.draws
def test_results_of_several_seeds(type_: Type, here: Path, started: list[list[str]]) -> None:
    answer = type_("train", "small.yaml", "--seeds", "3", *QUICK)
    assert answer.code == 0, answer.err
    assert len(started) == 3 and "[3/3] seed 3" in answer.out
    place = here / "runs/small/seeds"
    found = json.loads((place / "seeds.json").read_text())
    runs = [open_run(place / run) for run in found["runs"]]
    assert [run.config.seed for run in runs] == [1, 2, 3]
    assert found["numbers"]["loss"] == [run.summary["loss"] for run in runs]
    points = np.random.default_rng(0).uniform([-1, 0], [1, 1], (20_000, 2))
    values = np.stack([run.predict(points)["u"] for run in runs])
    size = np.sqrt(np.mean(values.var(axis=0, ddof=1)) / np.mean(values.mean(axis=0) ** 2))
    assert found["spread"]["u"] == pytest.approx(size, rel=0.05)
    exact = -np.sin(np.pi * points[:, 0]) * np.exp(-0.1 * np.pi**2 * points[:, 1])
    error = np.linalg.norm(values.mean(axis=0) - exact) / np.linalg.norm(exact)
    assert found["relative_l2_of_mean"]["u"] == pytest.approx(error, rel=0.05)
    assert {"curves.png", "mean_solution_u.png", "deviation_solution_u.png"} <= {
        file.name for file in place.iterdir()
    }


def test_runs_are_kept_and_an_interrupted_one_goes_on(
    type_: Type, here: Path, started: list[list[str]]
) -> None:
    assert type_("train", "small.yaml", "--seeds", "2", *QUICK).code == 0
    first, second = json.loads((here / "runs/small/seeds/seeds.json").read_text())["runs"]
    (here / "runs/small/seeds" / second / "summary.json").unlink()
    answer = type_("train", "small.yaml", "--seeds", "3", *QUICK)
    assert answer.code == 0, answer.err
    assert f"already trained: runs/small/seeds/{first}" in answer.out
    assert len(started) == 4 and "--resume" in started[2] and "--resume" not in started[3]
    rows = [line.split()[:2] for line in answer.out.splitlines()]
    assert ["relative", "L2"] in rows
    assert len(json.loads((here / "runs/small/seeds/seeds.json").read_text())["runs"]) == 3


def test_runs_that_diverge_are_left_out(type_: Type, here: Path, started: list[list[str]]) -> None:
    rate = "optimizer={name: sgd, learning_rate: 1e200}"
    answer = type_("train", "small.yaml", "--seeds", "2", "--set", rate, *QUICK)
    assert answer.code == 4 and "2 of 2 seeds diverged" in answer.out


def test_samples_have_numbers_only(type_: Type, here: Path, started: list[list[str]]) -> None:
    (here / "samples.yaml").write_text(SAMPLES + "training: {steps: 2, report: false}\n")
    answer = type_("train", "samples.yaml", "--seeds", "2")
    assert answer.code == 0, answer.err
    found = json.loads((here / "runs/samples/seeds/seeds.json").read_text())
    assert len(found["numbers"]["loss"]) == 2 and found["spread"] == {}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "1"], "--seeds"),
        (["--seeds", "2", "--set", "training.steps=9"], "runs of another config"),
        (["--seeds", "2", "--set", "modle.width=3"], "unknown key 'modle'"),
        (["--seeds", "2", "--resume", "latest"], "without --resume"),
        (["--seeds", "2", "--discovery", "hosts"], "elastic"),
    ],
)
def test_what_is_refused(
    type_: Type, here: Path, started: list[list[str]], words: list[str], message: str
) -> None:
    (here / "runs/small/seeds").mkdir(parents=True)
    (here / "runs/small/seeds/seeds.json").write_text('{"config": "another"}')
    before = contents(here)
    answer = type_("train", "small.yaml", *words)
    assert answer.code == 2 and message in answer.err, answer.err
    assert contents(here) == before


@pytest.mark.nightly
def test_on_two_processes(here: Path) -> None:
    done = pdehvd("train", "small.yaml", "--seeds", "2", "--np", "2", *QUICK, cwd=here)
    assert done.returncode == 0, done.stderr
    found = json.loads((here / "runs/small/seeds/seeds.json").read_text())
    for run in found["runs"]:
        summary = json.loads((here / "runs/small/seeds" / run / "summary.json").read_text())
        assert summary["processes"] == 2
