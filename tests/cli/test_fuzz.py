"""Bad input at random: 200 commands of `make fuzz`, always the same ones."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest

from pdehvd import cli
from scripts.fuzz import __main__ as fuzz
from scripts.fuzz import judge as fuzz_judge
from scripts.fuzz.judge import Case, judge
from scripts.fuzz.verdict import show

CASES = 200
SEED = 5


@pytest.mark.usefixtures("lone")
@pytest.mark.parametrize("kind", fuzz.KINDS)
def test_no_bad_input_breaks_a_promise(kind: str, tmp_path: Path) -> None:
    count = fuzz.counts(CASES)[kind]
    verdicts = list(fuzz.campaign(kind, SEED, range(count), tmp_path))
    assert len(verdicts) == count
    assert any(verdict.code == 2 for verdict in verdicts)
    assert any(verdict.code == 0 for verdict in verdicts)
    assert not [show(verdict) for verdict in verdicts if verdict.problems]


def _traceback(given: Any) -> int:
    raise RuntimeError("this must not come out")


def _hang(given: Any) -> int:
    while True:
        time.sleep(0.01)


def _lose(given: Any) -> int:
    (Path.cwd().parent / "keep.txt").unlink()
    return 0


def _leave(given: Any) -> int:
    Path("left.txt").write_text("half")
    return 2


def _fill(given: Any) -> int:
    return len(bytearray(64 << 30))


PLANTED: dict[str, tuple[Callable[[Any], int], str]] = {
    "an exception": (_traceback, "RuntimeError came out of main"),
    "a hang": (_hang, "hangs at test_fuzz.py"),
    "a lost file": (_lose, "written or lost: keep.txt"),
    "a file left": (_leave, "written or lost: case/left.txt"),
    "memory": (_fill, "MemoryError"),
    "no words": (lambda given: 2, "names no file or setting"),
    "failure": (lambda given: 1, "ended with code 1"),
}


class Planted:
    """A kind whose cases do nothing bad."""

    name = "planted"

    def case(self, rng: Random, number: int, folder: Path) -> Case:
        """Return a case that writes nothing."""
        return Case(self.name, number, "", ["check"], ("case.yaml",))


@pytest.mark.parametrize("fault", PLANTED)
def test_the_judge_sees_what_is_planted(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    main, expected = PLANTED[fault]
    (tmp_path / "keep.txt").write_text("Nobody may touch this.")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(cli, "main", main)
    monkeypatch.setattr(fuzz_judge, "SECONDS", 0.1)
    verdict = judge(Planted(), SEED, 0, tmp_path)
    assert any(expected in problem for problem in verdict.problems), verdict


def test_a_process_that_dies_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Cases after the deadly one are run all the same."""
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import json, os, sys\n"
        "first, count = (int(sys.argv[sys.argv.index(k) + 1]) for k in ('--first', '--cases'))\n"
        "for number in range(first, first + count):\n"
        "    if number == 2: os.abort()\n"
        "    print(json.dumps({'kind': 'config', 'number': number, 'what': ''}), flush=True)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    verdicts = fuzz.chunk("config", SEED, range(5), "worker")
    assert [verdict.number for verdict in verdicts] == [0, 1, 2, 3, 4]
    assert [bool(verdict.problems) for verdict in verdicts] == [False, False, True, False, False]
