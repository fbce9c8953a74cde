"""What goes with what: `pdehvd list --for`, and the tables of the config reference."""

from __future__ import annotations

import pytest

from pdehvd.config.root import prepare
from pdehvd.spec import registered
from tests.support.commands import Type
from tests.support.documentation import extension

TABLES = extension("combinations")
prepare()
OPTIMIZERS = registered("optimizer")
CELLS = [(problem, name) for problem in TABLES.PROBLEMS for name in sorted(OPTIMIZERS)]


def _options(settings) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def _trained_or_refused(problem: str, name: str, type_: Type) -> None:
    """Train two steps of a cell that fits; one that does not must be refused with its reason."""
    config, settings = TABLES.PROBLEMS[problem]
    path = str(TABLES.CONFIGS / f"{config}.yaml")
    reason = TABLES.reasons("optimizer", config, settings)[name]
    given = _options([*settings, f"optimizer={{name: {name}}}"])
    answer = type_("train", path, "--quiet", *given)
    assert answer.code == (2 if reason else 0), answer.err
    assert (reason in answer.err) if reason else "Traceback" not in answer.err


@pytest.mark.nightly
@pytest.mark.parametrize(("problem", "name"), CELLS)
def test_each_cell_is_trained_or_refused(problem, name, type_, unseen):
    _trained_or_refused(problem, name, type_)


def test_what_is_refused_is_what_the_optimizers_say_they_need():
    found = {
        problem: {name for name, reason in TABLES.reasons("optimizer", *given).items() if reason}
        for problem, given in TABLES.PROBLEMS.items()
    }
    needs = {name: spec.model_construct(name=name).needs for name, spec in OPTIMIZERS.items()}
    redrawn = {name for name, need in needs.items() if need.fixed_batch > 5}
    assert found["points"] == found["inverse"] == set()
    assert found["points redrawn"] == redrawn
    assert found["float32"] == {name for name, need in needs.items() if need.float64}
    squares = {name for name, need in needs.items() if need.least_squares}
    assert found["energy"] == found["residual"]
    assert redrawn < found["energy"] <= redrawn | squares


def test_a_list_for_a_config_says_what_fits_and_why_the_rest_does_not(type_):
    config, settings = TABLES.PROBLEMS["energy"]
    path = str(TABLES.CONFIGS / f"{config}.yaml")
    answer = type_("list", "weighting", "--for", path, *_options(settings))
    assert answer.code == 0, answer.err
    rows = {line.split()[0]: line for line in answer.out.splitlines()[1:]}
    assert rows["fixed"].split()[1] == "yes"
    assert rows["ntk"].split()[1] == "no" and "balances several terms" in rows["ntk"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["model"], "the names of 'model' cannot be tried; expected one of optimizer, "),
        ([], "try which section?; expected one of optimizer, aggregation, weighting"),
    ],
)
def test_only_sections_that_a_name_fills_are_tried(words, said, type_):
    answer = type_("list", *words, "--for", str(TABLES.CONFIGS / "heat_1d.yaml"))
    assert answer.code == 2
    assert said in answer.err
