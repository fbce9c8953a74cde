"""Random problems against an independent evaluation: 30 of `make meaning`, and planted faults."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pdehvd.problems import block, condition_periodic, regions
from pdehvd.problems import region_relations as relations
from pdehvd.problems.block import Items
from pdehvd.problems.integrals import IntegralSource
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.sources import GivenSource, RegionSource
from scripts.meaning import __main__ as campaign
from scripts.meaning.finding import Finding
from scripts.meaning.judge import judge
from scripts.meaning.problems import Problem, problem
from scripts.meaning.training import config

CASES = 30
SEED = 2


def test_random_problems_mean_what_they_say() -> None:
    found = list(campaign.campaign(SEED, range(CASES)))
    assert not [f"{one.number}: {one.problems}" for one in found if one.problems]
    assert sum(one.accepted for one in found) > CASES / 2
    assert any(one.refused for one in found)
    # An exact solution leaves what rounding leaves, and that is not nothing.
    assert 0 < max(one.residual for one in found) < 1e-9


def test_a_problem_is_always_the_same() -> None:
    assert problem(SEED, 3).data == problem(SEED, 3).data != problem(SEED, 4).data


Plant = Callable[[pytest.MonkeyPatch], None]


def _change(owner: Any, name: str, change: Callable[[Any], Any]) -> Plant:
    """Return a fault: a function of the program whose result is changed."""
    right = getattr(owner, name)

    def plant(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(owner, name, lambda *given, **more: change(right(*given, **more)))

    return plant


def _scaled(name: str, factor: float) -> Callable[[Items], Items]:
    """Return a change of the columns of items whose name begins so."""

    def change(items: Items) -> Items:
        extras = {
            key: value * factor if key.startswith(name) else value
            for key, value in items.extras.items()
        }
        return Items(items.x, extras)

    return change


def _moved(items: Items) -> Items:
    return Items(items.x * (1 + 1e-6), items.extras)


def _shuffled(items: Items) -> Items:
    return Items(items.x, {name: np.roll(column, 1) for name, column in items.extras.items()})


def _beyond(source: Any) -> Any:
    low, high = source.lower.domain.bounds[source.axis]
    return dataclasses.replace(source, upper=high + 0.01 * (high - low))


def _forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(block, "substitute_hard", lambda expressions, *others: list(expressions))


PLANTED: dict[str, tuple[str, Plant, str]] = {
    "a strict sign that holds": ("on", _change(relations, "_at", lambda at: True), "points off"),
    "normals turned inwards": (
        "on",
        _change(RegionSource, "items", _scaled("__normal_", -1.0)),
        "not the outward ones",
    ),
    "normals of another length": (
        "on",
        _change(RegionSource, "items", _scaled("__normal_", 1.001)),
        "not of length 1",
    ),
    "a face that is missing": (
        "on",
        _change(regions, "boundary", lambda parts: parts[:-1] or parts),
        "of the points on",
    ),
    "uneven points": ("on", _change(Sobol, "points", lambda x: x**1.5), "not spread evenly"),
    "points beside their place": ("on", _change(RegionSource, "items", _moved), "points off"),
    "weights of integrals off by 1 %": (
        "integral",
        _change(IntegralSource, "items", _scaled("__quadrature", 1.01)),
        "the integral is wrong by",
    ),
    "values of other rows": ("data", _change(GivenSource, "items", _shuffled), "of a residual"),
    "partners outside": (
        "periodic",
        _change(condition_periodic, "join_faces", _beyond),
        "the domain",
    ),
    "hard conditions forgotten": ("hard", _forgotten, "the exact solution leaves"),
}


@lru_cache
def _problems(kind: str) -> list[Problem]:
    """Return those of the 30 problems that are accepted and hold a condition of a kind."""
    every = [problem(SEED, number) for number in range(CASES)]
    return [
        one
        for one in every
        if not one.refused
        and (kind in one.data["problem"] or any(kind in c.given for c in one.conditions))
    ]


@pytest.mark.parametrize("fault", PLANTED)
def test_the_judge_sees_what_is_planted(
    fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, plant, expected = PLANTED[fault]
    plant(monkeypatch)
    seen = (what for one in _problems(kind) for what in judge(one, tmp_path).problems)
    assert any(expected in what for what in seen)


def test_a_wrong_acceptance_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What must be refused is, with one message; the judge says so where it is not."""
    bad = next(one for n in range(CASES) if (one := problem(SEED, n)).refused)
    assert judge(bad, tmp_path).refused
    del bad.data["problem"]["conditions"]["bad"]
    found = judge(bad, tmp_path)
    assert found.problems == [f"accepted: {bad.refused}"]


def test_a_process_that_dies_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Problems after the deadly one are judged all the same."""
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import json, os, sys\n"
        "first, count = (int(sys.argv[sys.argv.index(k) + 1]) for k in ('--first', '--cases'))\n"
        "for number in range(first, first + count):\n"
        "    if number == 2: os.abort()\n"
        "    print(json.dumps({'number': number, 'what': ''}), flush=True)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    found = campaign.chunk(SEED, range(5), "worker")
    assert [one.number for one in found] == [0, 1, 2, 3, 4]
    assert [bool(one.problems) for one in found] == [False, False, True, False, False]


def test_the_last_line_counts() -> None:
    found = [Finding(0, "x", accepted=True, residual=1e-15), Finding(1, "x", problems=["wrong"])]
    assert campaign.summary(found, [0.01]) == (
        "2 problems; 1 accepted; 0 refused; 1 findings; "
        "largest residual of an exact solution 1.0e-15; trained to errors of 1.0e-02"
    )


def test_problems_to_train_are_read() -> None:
    """Those that the nightly campaign trains have references, and are solved by them."""
    for number in range(3):
        given = config(SEED, number)
        assert (
            given["problem"]["reference"]["u"]
            == given["problem"]["conditions"]["walls"]["equal"]["u"]
        )
