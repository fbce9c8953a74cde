"""The commands honour what a coordinate is, and say what they take it for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Type

NOTE = "a is a parameter: no equation differentiates with respect to it"
WARNING = "includes the faces tau = 0 and tau = 1"


@pytest.fixture
def config(here: Path) -> Path:
    """Return a config whose time is called tau; its walls are `boundary`."""
    text = (here / "small.yaml").read_text()
    for old, new in (
        ("t: [0, 1]}", "y: [0, 1], tau: [0, 1]}\n  time: tau"),
        ("u_t - nu*u_xx", "u_tau - nu*(u_xx + u_yy)"),
        ("[x = -1, x = 1], equal: {u: 0}", "boundary, equal: {u_n: 0}"),
        ("on: t = 0", "on: tau = 0"),
        ("pi^2*t)", "pi^2*tau)"),
    ):
        assert old in text
        text = text.replace(old, new)
    path = here / "tau.yaml"
    path.write_text(text)
    return path


def test_a_time_by_another_name_goes_through_all_commands(type_: Type, config: Path) -> None:
    checked = type_("check", config)
    assert checked.code == 0 and "time: tau" in checked.out and WARNING not in checked.out
    trained = type_("train", config)
    assert trained.code == 0, trained.err
    run = Path("runs/latest")
    assert json.loads((run / "summary.json").read_text())["notes"] == []
    assert type_("evaluate", run).code == 0
    assert type_("plot", run).code == 0
    series = type_("export", run, "--format", "vtk", "--output", "all")
    assert series.code == 0, series.err
    assert 'timestep="1.0"' in (Path("all") / "fields.pvd").read_text()
    once = type_("export", run, "--format", "vtk", "--at", "tau=0.5", "--output", "one.vtu")
    assert once.code == 0 and Path("one.vtu").is_file()
    again = type_("train", config, "--resume", run, "--set", "training.steps=6")
    assert again.code == 0, again.err


def test_what_is_doubtful_is_said_by_check_and_train(type_: Type, config: Path) -> None:
    text = config.read_text().replace("  time: tau\n", "")
    config.write_text(text.replace("y: [0, 1]", "a: [0, 1]").replace(" + u_yy", " + a"))
    checked = type_("check", config)
    assert checked.code == 0, checked.err
    assert NOTE in checked.out and WARNING in checked.out and "write 'time: tau'" in checked.out
    trained = type_("train", config)
    assert trained.code == 0, trained.err
    assert trained.out.count(NOTE) == trained.out.count(WARNING) == 1
    assert len(json.loads(Path("runs/latest/summary.json").read_text())["notes"]) == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("problem.time=tua", "'tua' is not a coordinate; expected one of x, y, tau; did you mean"),
        ("problem.conditions.initial.equal={u_n: 0}", "which has no outward normal in space"),
        ("problem.conditions.walls.on=boundary and y > 1", "y above 1 is outside"),
    ],
)
def test_mistakes_end_with_one_sentence(
    type_: Type, config: Path, setting: str, message: str
) -> None:
    for command in ("check", "train"):
        answer = type_(command, config, "--set", setting)
        assert answer.code == 2
        assert message in answer.err and "Traceback" not in answer.err
        assert not Path("runs").exists()
