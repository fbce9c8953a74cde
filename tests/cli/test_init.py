"""`init`: a config to begin with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pdehvd.config.template import KINDS
from tests.support.commands import Type, contents

SHORT = ("--set", "training.steps=2")
# What a whole training must reach, as a relative L2 error.
ERRORS = {"steady": 1e-3, "time": 1e-3, "ode": 1e-3, "shape": 1e-2, "generative": 0.1}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_accepted_and_trains(
    type_: Type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = type_("init", "rod", "--kind", kind)
    assert answer.code == 0, answer.err
    files = ["rod.yaml", "rod.csv"] if kind == "inverse" else ["rod.yaml"]
    assert answer.out.splitlines()[:-1] == files == sorted(contents(tmp_path), reverse=True)
    assert answer.out.splitlines()[-1] == "next: pdehvd check rod.yaml; pdehvd train rod.yaml"
    text = Path("rod.yaml").read_text()
    assert "NAME" not in text and text.startswith("# ")
    checked = type_("check", "rod.yaml")
    assert checked.code == 0 and "warning" not in checked.out, checked.out + checked.err
    assert type_("train", "rod.yaml", *SHORT).code == 0
    assert Path("runs/rod").is_dir()


@pytest.mark.nightly
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_trains_to_a_small_error(
    lone: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    from pdehvd import cli

    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", "rod", "--kind", kind]) == 0
    assert cli.main(["train", "rod.yaml"]) == 0
    summary = json.loads(Path("runs/latest/summary.json").read_text())
    assert summary["warnings"] == []
    if kind == "inverse":
        assert summary["unknowns"]["alpha"] == pytest.approx(0.1, rel=0.02)
    else:
        assert max(summary["relative_l2"].values()) < ERRORS[kind]


def test_time_is_the_default_and_names_may_be_paths(type_: Type, here: Path) -> None:
    (here / "sub").mkdir()
    answer = type_("init", "sub/rod.yaml")
    assert answer.code == 0 and answer.out.startswith("sub/rod.yaml\n")
    assert "heat" in (here / "sub/rod.yaml").read_text()
    assert type_("check", "sub/rod.yaml").code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["small"], "small.yaml exists and is not overwritten; expected a new name"),
        (["taken", "--kind", "inverse"], "taken.csv exists and is not overwritten"),
        (["rod", "--kind", "stedy"], "unknown kind 'stedy'; expected one of steady, time,"),
        (["rod", "--kind", "Inverse"], "did you mean 'inverse'?"),
        (["two words"], "the name 'two words'; expected letters"),
        ([""], "the name ''"),
        (["latest"], "the name of the link to the newest run"),
        (["none/rod"], "cannot write none/rod.yaml: No such file or directory"),
        ([], "NAME"),
    ],
)
def test_bad_input(type_: Type, here: Path, words: list[str], told: str) -> None:
    (here / "taken.csv").write_text("x\n1\n")
    before = contents(here)
    answer = type_("init", *words)
    assert answer.code == 2 and told in answer.err, answer.err
    assert len(answer.err.splitlines()) == 1 and contents(here) == before
