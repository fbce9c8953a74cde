"""What the docs show, what is shipped, and the cases go through the real commands.

Every config is checked. So many are trained that every key that occurs is in one of them. Of those
that are drawn alike one is looked at with all commands, of those with the same kind of a section
one is resumed; `make nightly` does all of it with every config.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from scripts.nightly.jobs import expectations
from tests.support.commands import Answer, Type
from tests.support.launcher import pdehvd
from tests.support.pictures import hide_pictures, without_pictures
from tests.support.typed import Typed, cases, documented, key_paths, shipped

REFUSED = {name: e.refused for name, e in expectations().items() if e.refused is not None}
WARNED = {name: e.warned for name, e in expectations().items() if e.warned is not None}
EVERYTHING = [
    *documented(),
    *shipped(),
    *(case for case in cases() if Path(case.place).stem not in REFUSED),
]
# Dimensions that its files may have, time included.
VTK = 4


def settings(typed: Typed, steps: int) -> list[str]:
    """Return what shortens a run: few steps, points and pixels, every phase of the optimizer."""
    data = typed.data
    given = [f"training.steps={steps}", "training.checkpoint_every=2", "training.evaluate_every=2"]
    given += ["training.steps_per_call=2", "training.early_stopping=null"]
    phases = data.get("optimizer")
    if isinstance(phases, list):
        given += [f"optimizer.{index}.steps=1" for index in range(len(phases) - 1)]
    elif isinstance(phases, dict) and "warmup" in str(phases):
        given += ["optimizer.learning_rate.warmup=1"]
    if data["problem"]["name"] == "parametric":
        return given + _on_a_grid(data)
    given += ["sampling.equations=48"]
    if data["sampling"]["name"] == "rad":
        given += ["sampling.candidates=64", "sampling.every=10"]
    if isinstance(data["sampling"].get("conditions"), int):
        count = max(1, len(data["problem"].get("conditions", {})))
        given += [f"sampling.conditions={12 * count}"]
    return given


def _on_a_grid(data: dict[str, Any]) -> list[str]:
    """Return what makes a generative run small."""
    given = ["training.levels=null", "problem.resolution=8"]
    given += ["sampling.batch=2", "sampling.held_out=1"]
    return given + (["model.depth=2"] if "depth" in data["model"] else [])


def narrow(typed: Typed) -> list[str]:
    """Return what makes a network narrow; `check` builds it as wide as it is."""
    model = typed.data.get("model", {})
    given = [f"model.{key}=4" for key in ("width", "max_width") if key in model]
    return given + (["model.layers=[8, 8]"] if "layers" in model else [])


def options(typed: Typed, *more: str, steps: int = 4) -> list[str]:
    given = [word for setting in (*settings(typed, steps), *more) for word in ("--set", setting)]
    return [*given, *plugins(typed)]


def dimensions(typed: Typed) -> int:
    return len(typed.data["problem"]["coordinates"])


def plugins(typed: Typed) -> list[str]:
    return [word for plugin in typed.plugins for word in ("--plugin", str(plugin))]


def several(typed: Typed) -> list[str]:
    """Return the keys of the section `processes` that start processes."""
    processes = typed.data.get("processes") or {}
    return [key for key in ("np", "elastic") if processes.get(key)]


def on_two(typed: Typed) -> list[str]:
    """Return what lets it train on no more processes than the machine has cores."""
    return ["processes.np=2"] if "np" in several(typed) else []


def alone(typed: Typed) -> list[str]:
    """Return what lets it go on on one process."""
    return [f"processes.{key}=null" for key in several(typed)]


def kind_of_pictures(typed: Typed) -> tuple[object, ...]:
    """Return what decides which pictures a run gets; sizes and optimizers change their content."""
    problem = typed.data["problem"]
    parts = ("geometry", "unknowns", "reference")
    return (
        problem["name"],
        dimensions(typed),
        "t" in problem["coordinates"],
        len(problem.get("fields", ())) > 1,
        *(bool(problem.get(part)) for part in parts),
    )


def kinds(typed: Typed) -> set[tuple[str, str]]:
    """Return the kinds of the sections that have a state, or decide who has it."""
    found = set()
    for section in ("problem", "model", "sampling", "optimizer", "weighting", "aggregation"):
        given = typed.data.get(section, "")
        for one in given if isinstance(given, list) else [given]:
            found.add((section, one["name"] if isinstance(one, dict) else one))
    return found | {("processes", key) for key in several(typed)}


def features(typed: Typed) -> set[object]:
    """Return what a config has that another may lack: keys, kinds of sections, pictures."""
    keys = key_paths({key: value for key, value in typed.data.items() if key != "name"})
    return {*keys, *kinds(typed), kind_of_pictures(typed)}


def covering(configs: Sequence[Typed]) -> list[Typed]:
    """Return some configs that have together all features; the one with most new ones first."""
    having = {typed.place: features(typed) for typed in configs}
    left, chosen = set().union(*having.values()), set()
    while left:
        best = max(having, key=lambda place: len(having[place] & left))
        left -= having[best]
        chosen.add(best)
    return [typed for typed in configs if typed.place in chosen]


_COVERING = covering(EVERYTHING)
TRAINED = [typed for typed in EVERYTHING if typed in _COVERING or Path(typed.place).stem in WARNED]
DRAWN = {kind_of_pictures(typed): typed for typed in TRAINED}
RESUMED = {kind: typed for typed in TRAINED for kind in kinds(typed)}


class Person:
    """Types commands about one config in its folder; all must succeed."""

    def __init__(self, typed: Typed, folder: Path, type_: Type) -> None:
        self._typed, self._folder, self._type = typed, folder, type_

    def answer(self, *words: str, drawn: bool = False) -> Answer:
        """Return what a command answered; what starts processes, or is exact, is one here."""
        starts = several(self._typed) and not set(alone(self._typed)) & set(words)
        exact = "exact" in str(self._typed.data.get("aggregation"))
        if words[0] == "train" and (starts or exact):
            # Other processes draw where this one only seems to.
            unseen = () if drawn else ("--set", "training.report=false")
            done = pdehvd(*words, *unseen, cwd=self._folder)
            return Answer(done.returncode, done.stdout, done.stderr)
        return self._type(*words)

    def do(self, *words: str, drawn: bool = False) -> str:
        """Type a command that must succeed; return what it printed."""
        with pytest.MonkeyPatch.context() as patch:
            if not drawn:
                hide_pictures(patch)
            answer = self.answer(*words, drawn=drawn)
        assert answer.code == 0, f"{' '.join(words)}\n{answer.err}"
        assert "Traceback" not in answer.out + answer.err
        assert "could not be drawn" not in answer.out + answer.err
        return answer.out

    def check(self) -> None:
        cost = self.do("check", "typed.yaml", *options(self._typed))
        assert "warning:" not in cost or self._typed.place.startswith("tests/cases"), cost

    def train(self, steps: int, drawn: bool = False) -> None:
        words = options(self._typed, *self._small(), steps=steps)
        self.do("train", "typed.yaml", "--output", "out", *words, drawn=drawn)

    def resume(self, steps: int) -> None:
        words = options(self._typed, *self._small(), *alone(self._typed), steps=steps)
        self.do("train", "typed.yaml", *words, "--resume", "out/latest")

    def _small(self) -> tuple[str, ...]:
        return (*narrow(self._typed), *on_two(self._typed))

    def look(self, coarse: bool) -> None:
        """Evaluate, plot and export; of configs that are drawn alike, only one is drawn.

        Arguments:
            coarse: it is exported on few points; else on as many as users get
        """
        typed, first = self._typed, self._typed.place in _places(DRAWN)
        self.do("evaluate", "out/latest", *plugins(typed))
        self.do("plot", "out/latest", *plugins(typed), drawn=first)
        fewer = dimensions(typed) <= VTK and typed.data["problem"]["name"] != "parametric"
        resolution = ["--resolution", "9"] if fewer and coarse else []
        for form in ("npz", "savedmodel", *(["vtk"] if dimensions(typed) <= VTK else [])):
            given = resolution if form != "savedmodel" else []
            self.do("export", "out/latest", "--format", form, *given, *plugins(typed))

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._folder / "out/latest/summary.json").read_text())
        return found


@pytest.fixture
def person(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: Type) -> Person:
    """Return who stands in a folder that holds the config as typed.yaml."""
    monkeypatch.chdir(tmp_path)
    typed.write(tmp_path)
    return Person(typed, tmp_path, type_)


def _places(some: Mapping[Any, Typed]) -> set[str]:
    return {typed.place for typed in some.values()}


def each(configs: Sequence[Typed]) -> Callable[[Any], Any]:
    ids = [typed.place for typed in configs]
    return lambda test: pytest.mark.draws(pytest.mark.parametrize("typed", configs, ids=ids)(test))


@each(EVERYTHING)
def test_it_is_checked(typed: Typed, person: Person) -> None:
    person.check()


@each(TRAINED)
def test_it_is_trained(typed: Typed, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, resumed = (typed.place in _places(some) for some in (DRAWN, RESUMED))
    if not looked:
        without_pictures(monkeypatch)
    phases = typed.data.get("optimizer")
    steps = max(2, len(phases) if isinstance(phases, list) else 1)
    person.train(steps)
    if resumed:
        steps += 2
        person.resume(steps)
    if looked:
        person.look(coarse=True)
    summary = person.summary()
    assert summary["steps"] == steps
    assert WARNED.get(Path(typed.place).stem, "") in " ".join(summary["warnings"])


@pytest.mark.nightly
@each(EVERYTHING)
def test_it_goes_through_all_commands(typed: Typed, person: Person) -> None:
    person.check()
    person.train(4)
    person.resume(6)
    person.look(coarse=False)
    summary = person.summary()
    assert summary["steps"] == 6
    assert WARNED.get(Path(typed.place).stem, "") in " ".join(summary["warnings"])


@pytest.mark.nightly
@each(EVERYTHING)
def test_all_of_its_pictures_are_drawn(typed: Typed, person: Person) -> None:
    person.train(4, drawn=True)
    person.do("plot", "out/latest", *plugins(typed), drawn=True)


@pytest.mark.parametrize("name", REFUSED)
def test_a_case_that_has_no_answer_is_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, type_: Type
) -> None:
    monkeypatch.chdir(tmp_path)
    typed = next(case for case in cases() if Path(case.place).stem == name)
    typed.write(tmp_path)
    for command in ("check", "train"):
        answer = type_(command, "typed.yaml")
        assert answer.code == 2 and REFUSED[name] in answer.err, answer.err
        assert not (tmp_path / "runs").exists()


def test_there_is_something_to_type() -> None:
    assert len(list(documented())) > 30 and len(list(shipped())) > 30 and len(list(cases())) > 10
