"""What a person types who makes no mistake."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from pdehvd import __version__, cli
from pdehvd.config.yaml_source import parse_source, read_source
from pdehvd.errors import EnvironmentFault
from pdehvd.experiment import run as run_module
from pdehvd.launch import job
from pdehvd.launch.commands import TrainCommand
from tests.support.commands import CONFIG, Type

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
PLUGIN = '''\
from typing import Literal

import numpy as np
from pdehvd.models.mlp import MLP
from pdehvd.spec import register


@register("model")
class Tiny(MLP):
    """A tiny network.

    More words.
    """

    name: Literal["tiny"] = "tiny"
    width: int = 3
'''


def test_help_needs_no_tensorflow() -> None:
    code = (
        "import sys; from pdehvd.cli import main; code = main(['--help']); "
        "heavy = {'tensorflow', 'keras', 'numpy', 'sympy', 'pandas'} & set(sys.modules); "
        "sys.exit(f'imports {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for command in ["train", "evaluate", "plot", "report", "export", "check", "schema", "list"]:
        assert f"\n  {command} " in done.stdout


def test_the_module_runs_like_the_script() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pdehvd", "train", "no such file.yaml"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr == "there is no file no such file.yaml\n"


def test_version_and_help(type_: Type) -> None:
    assert type_("--version").out == f"pdehvd {__version__}\n"
    assert type_("train", "--help").out.startswith("Usage: pdehvd train [OPTIONS]")
    nothing = type_()
    assert (nothing.code, nothing.err) == (0, "") and "Commands:" in nothing.out


def test_list(type_: Type, here: Path) -> None:
    everything = type_("list")
    assert everything.code == 0
    for name in ("burgers_cole_hopf", "sobol", "mlp", "adam", "exponential", "global_mean", "pde"):
        assert name in everything.out
    models = type_("list", "model").out
    assert "mlp" in models and "sobol" not in models


def test_a_plugin_is_listed_and_used(type_: Type, here: Path) -> None:
    (here / "mine.py").write_text(PLUGIN)
    listed = type_("list", "model", "--plugin", "mine.py").out
    assert "tiny" in listed and "A tiny network." in listed and "More words" not in listed
    answer = type_("check", "small.yaml", "--set", "model=tiny", "--plugin", "mine.py")
    assert answer.code == 0, answer.err
    assert parse_source(answer.out.split("\n\n")[0], "x").data["model"]["name"] == "tiny"


def test_check_prints_the_config_and_its_cost(type_: Type, here: Path) -> None:
    answer = type_("check", "small.yaml", "--set", "training.steps=7")
    assert answer.code == 0, answer.err
    text, cost = answer.out.split("\n\n", 1)
    resolved = parse_source(text, "x.yaml").data
    assert resolved["training"]["steps"] == 7
    assert resolved["optimizer"]["beta_1"] == 0.9
    # 2 x 5 + 5, 5 x 5 + 5, 5 x 1 + 1
    assert "51 parameters, 48 points, 1 process\n" in cost
    assert cost.splitlines()[1].split() == ["equation/heat", "32", "3"]
    (here / "resolved.yaml").write_text(text)
    assert type_("check", "resolved.yaml").out == answer.out


def test_check_estimates_per_process(type_: Type, here: Path) -> None:
    def estimates(*more: str) -> tuple[float, float]:
        line = type_("check", "small.yaml", "--set", "sampling.equations=300000", *more).out
        words = line.split("estimated: ")[1].split()
        return float(words[0].replace(",", "")), float(words[-4])

    (alone, work), (shared, same) = estimates(), estimates("--np", "3")
    assert shared == pytest.approx(alone / 3, rel=0.01)
    assert same == work
    weak, more = estimates("--np", "3", "--set", "scaling.mode=weak")
    assert weak == pytest.approx(alone, rel=0.01)
    assert more == pytest.approx(3 * work, rel=0.01)


def test_the_schema_accepts_what_runs_and_refuses_what_does_not(type_: Type, here: Path) -> None:
    schema = json.loads(type_("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for config in CONFIGS:
        errors = [error.message for error in validator.iter_errors(read_source(config).data)]
        assert not errors, config.name
    good = {**parse_source(CONFIG, "x").data, "optimizer": "adam"}
    for change, valid in (
        ({}, True),
        ({"aggregation": "global_mean", "model": "mlp"}, True),
        ({"sampling": "sobol"}, False),
        ({"model": "mpl"}, False),
        ({"model": {"width": 3}, "optimizer": [{"steps": 5}, {"name": "lbfgs"}]}, True),
        ({"model": {"mode": "fan_in"}}, False),
        ({"sampling": {"equations": 16}}, False),
        ({"model": {"name": "mlp", "widht": 3}}, False),
        ({"optimizer": {"name": "adam", "learning_rate": "fast"}}, False),
        ({"trainig": {}}, False),
        ({"seed": "one"}, False),
    ):
        assert validator.is_valid({**good, **change}) is valid, change


def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], int]]:
    calls: list[tuple[list[str], int]] = []

    def start(command: TrainCommand, processes: object, np: int) -> int:
        calls.append((command.argv(), np))
        return 4

    monkeypatch.setattr(job, "launch", start)
    return calls


def test_train_starts_the_processes_with_the_same_words(
    type_: Type, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = launched(monkeypatch)
    (here / "mine.py").write_text(PLUGIN)
    run = here / "old"
    run.mkdir()
    (run / "config.yaml").write_text(CONFIG)
    answer = type_(
        *["train", "--np=3", "small.yaml", "--set", "seed=2", "--set", "model=tiny"],
        *["--plugin", "mine.py", "--resume", "old", "--output", "out", "--quiet"],
    )
    assert answer.code == 4, "the launched processes decide about the exit code"
    expected = ["train", "small.yaml", "--set", "seed=2", "--set", "model=tiny"]
    expected += ["--plugin", "mine.py", "--resume", str(run), "--output", "out", "--quiet"]
    assert calls == [(expected, 3)]


def test_the_option_wins_over_the_file(
    type_: Type, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = launched(monkeypatch)
    (here / "small.yaml").write_text(CONFIG + "processes: {np: 2}\n")
    type_("train", "small.yaml")
    type_("train", "small.yaml", "--np", "3")
    assert [np for _, np in calls] == [2, 3]


def joined(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", str(rank))


def test_a_rank_trains_in_place(type_: Type, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = launched(monkeypatch)
    trained: list[str] = []
    monkeypatch.setattr(run_module, "train", lambda config, *rest: trained.append(config.name) or 0)
    joined(monkeypatch, 1)
    assert type_("train", "small.yaml").code == 0
    assert type_("train", "small.yaml", "--np", "2").code == 0
    assert type_("train", "small.yaml", "--set", "processes.np=5").code == 0
    assert (trained, calls) == (["small"] * 3, [])
    answer = type_("train", "small.yaml", "--np", "3")
    assert answer.code == 2
    assert "--np 3, but the launcher has started 2 processes" in answer.err


def test_a_rank_other_than_0_waits_before_it_tells(
    type_: Type, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(cli.time, "sleep", waited.append)
    monkeypatch.setattr(cli, "_PATIENCE", 1.5)
    joined(monkeypatch, 0)
    assert type_("train", "7").err == "there is no file 7\n"
    assert waited == []
    joined(monkeypatch, 1)
    assert type_("train", "7").err == "rank 1: there is no file 7\n"
    assert waited == [1.5]


def test_failures_that_are_nobodys_input(
    type_: Type, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(error: BaseException) -> None:
        def train(*rest: object) -> int:
            raise error

        monkeypatch.setattr(run_module, "train", train)

    fail(EnvironmentFault("there is no mpirun"))
    answer = type_("train", "small.yaml")
    assert (answer.code, answer.err) == (3, "there is no mpirun\n")
    fail(ValueError("two\nlines"))
    answer = type_("train", "small.yaml")
    assert answer.code == 1 and answer.err.startswith("pdehvd failed: ValueError: two lines (test_")
    answer = type_("train", "small.yaml", "--debug")
    assert answer.code == 1 and "Traceback (most recent call last)" in answer.err
    fail(KeyboardInterrupt())
    assert type_("train", "small.yaml").code == 130


@pytest.mark.draws
def test_a_run_from_training_to_export(type_: Type, here: Path) -> None:
    trained = type_("train", "small.yaml", "--output", "out")
    assert trained.code == 0, trained.err
    run = here / "out" / "latest"
    summary = json.loads((run / "summary.json").read_text())
    assert (summary["status"], summary["steps"], summary["processes"]) == ("completed", 4, 1)
    assert str(run.resolve()) in trained.out
    evaluated = type_("evaluate", "out/latest")
    assert evaluated.code == 0, evaluated.err
    row = evaluated.out.splitlines()[1].split()
    assert row[0] == "u" and 0 < float(row[1]) < 10
    for path in type_("plot", str(run)).out.split():
        assert os.path.getsize(path) > 0
    report = type_("report", str(run))
    assert report.code == 0 and Path(report.out.strip()).name == "report.html"
    exported = type_("export", str(run), "--format", "npz", "--output", "u.npz")
    assert exported.code == 0, exported.err
    assert (here / "u.npz").is_file()
    resumed = type_("train", "small.yaml", "--resume", "out/latest", "--set", "training.steps=6")
    assert resumed.code == 0, resumed.err
    assert json.loads((run / "summary.json").read_text())["steps"] == 6
    newest = ("--resume", "latest", "--set", "training.steps=8", "--set", "output=out")
    resumed = type_("train", "small.yaml", *newest)
    assert resumed.code == 0, resumed.err
    assert json.loads((run / "summary.json").read_text())["steps"] == 8
    assert (here / "out" / "small").is_dir() and len(list((here / "out" / "small").iterdir())) == 1
