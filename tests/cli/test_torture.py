"""A death of every moment that one process can play: an exception that nothing catches."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from scripts.torture import campaign
from scripts.torture.cases import ANY_RANK, WRITING, Case
from scripts.torture.deaths import MOMENTS
from scripts.torture.judge import Result, judge
from tests.support.commands import Type

DEATHS = campaign.HERE / "plugin.py"
CONFIG = campaign.HERE / "torture.yaml"
# In the middle of a compiled step nothing but a signal can come.
PLAYED = [moment for moment in (*WRITING, *ANY_RANK) if moment != "step"]


class Died(BaseException):
    """The process is gone."""


def trained(type_: Type, folder: Path, *words: str) -> Path:
    """Train to the end and return the run."""
    answer = type_("train", CONFIG, "--plugin", DEATHS, "--output", folder, *words)
    assert answer.code == 0, answer.err
    return (folder / "latest").resolve()


def bits(run: Path) -> str:
    return str(json.loads((run / "summary.json").read_text())["parameters_sha256"])


@pytest.fixture
def expected(type_: Type, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The parameters of a run that nobody disturbs."""
    if not _expected:
        _expected.append(bits(trained(type_, tmp_path_factory.mktemp("undisturbed"))))
    return _expected[0]


_expected: list[str] = []


@pytest.mark.parametrize("moment", PLAYED)
def test_a_run_goes_on_from_any_moment_with_the_same_bits(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: Type, expected: str
) -> None:
    def die(pid: int, signal: int) -> None:
        raise Died

    case = Case("pdehvd", "rank 0", "KILL", moment)
    with monkeypatch.context() as patch, pytest.raises(Died):
        patch.setattr(os, "kill", die)
        trained(type_, tmp_path, "--set", f"callbacks={json.dumps([case.death(tmp_path)])}")
    runs = list((tmp_path / "torture").glob("*")) if (tmp_path / "torture").exists() else []
    assert (tmp_path / "died").exists() and len(runs) == (moment != "join")
    resumed = [word for run in runs for word in ("--resume", str(run))]
    result = Result(case)
    judge(result, trained(type_, tmp_path, *resumed), expected)
    assert result.problems == []
    assert result.resumed == {"join": 0, "start": 0, "summary": 40}.get(moment, result.resumed)


def test_every_moment_of_the_cases_has_a_death() -> None:
    assert set(MOMENTS) == {*WRITING, *ANY_RANK, "disk"}
