"""A solution for all parameters is looked at where one likes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.commands import Type
from tests.support.launcher import CONFIGS


@pytest.mark.draws
def test_it_is_evaluated_drawn_and_exported_at_chosen_values(type_: Type, here: Path) -> None:
    assert type_("train", str(CONFIGS / "rods.yaml")).code == 0
    run = Path("runs/latest")
    place = ("--at", "a=0.1", "--at", "b=1.5")
    for command, files in {
        ("evaluate",): ["evaluation_a=0.1,b=1.5.json"],
        ("plot",): ["plots/a=0.1,b=1.5/solution_u.png", "plots/a=0.1,b=1.5/slices_u.png"],
        ("export", "--format", "vtk"): ["exports/fields_a=0.1,b=1.5.vtu"],
    }.items():
        done = type_(command[0], str(run), *command[1:], *place)
        assert done.code == 0, done.err
        assert all((run / name).is_file() for name in files)
    errors = json.loads((run / "evaluation_a=0.1,b=1.5.json").read_text())
    assert errors["at"] == {"a": 0.1, "b": 1.5} and 0 < errors["relative_l2"]["u"] < 2
    done = type_("plot", str(run), "--at", "c=1")
    assert done.code == 2
    assert "'c' is not a coordinate; expected one of x, t, a, b" in done.err
