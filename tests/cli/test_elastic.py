"""Elastic jobs on the command line: who is asked, and what a config may not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from pdehvd.launch import job
from pdehvd.launch.processes_spec import ProcessesSpec
from tests.support.commands import CONFIG, Type


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[ProcessesSpec, int]]:
    """Start nothing; note with what it would be started."""
    calls: list[tuple[ProcessesSpec, int]] = []

    def start(arguments: list[str], processes: ProcessesSpec, np: int) -> int:
        calls.append((processes, np))
        return 0

    monkeypatch.setattr(job, "launch", start)
    return calls


def test_the_file_lies_beside_the_config(type_: Type, here: Path, launched: list) -> None:
    (here / "deep").mkdir()
    section = "processes: {elastic: {max: 3, discovery: hosts.txt}}\n"
    (here / "deep" / "small.yaml").write_text(CONFIG + section)
    assert type_("train", "deep/small.yaml").code == 0
    processes, np = launched[0]
    assert np == 3 and processes.survived == 100 and processes.elastic is not None
    assert processes.elastic.source == str(here / "deep" / "hosts.txt")


def test_a_program_is_named_on_the_command_line_only(
    type_: Type, here: Path, launched: list
) -> None:
    (here / "small.yaml").write_text(CONFIG + "processes: {elastic: {max: 3}}\n")
    answer = type_("train", "small.yaml")
    assert answer.code == 2 and "--discovery PROGRAM" in answer.err
    assert type_("train", "small.yaml", "--discovery", "discover").code == 0
    answer = type_("train", "small.yaml", "--discovery", "discover", "--np", "2")
    assert answer.code == 2 and "the job is elastic" in answer.err
    assert launched[0][0].elastic.program == str(here / "discover")
    (here / "small.yaml").write_text(CONFIG + "processes: {elastic: {max: 3, program: ls}}\n")
    answer = type_("train", "small.yaml")
    assert answer.code == 2 and "processes.elastic.program" in answer.err


def test_restarts_need_a_launcher_even_for_one_process(
    type_: Type, here: Path, launched: list
) -> None:
    (here / "small.yaml").write_text(CONFIG + "processes: {restarts: 2}\n")
    assert type_("train", "small.yaml").code == 0
    assert [np for _, np in launched] == [1]
