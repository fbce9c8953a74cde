"""Eigenproblems: a norm for each mode, products of two, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from pdehvd.assembly.build import build_problem, build_reference
from pdehvd.assembly.first_eigenvalues import check_determined, first_eigenvalues, guessed
from pdehvd.config.root import Config, prepare, validate
from pdehvd.config.yaml_source import parse_source
from pdehvd.errors import ConfigError
from pdehvd.problems.modes import mode_name

prepare()

ROD: dict[str, Any] = {
    "name": "pde",
    "coordinates": {"x": [0, 1]},
    "fields": ["u"],
    "unknowns": {"lam": {"eigenvalue": True, "modes": 2}},
    "equations": {"rod": "u_xx + lam*u"},
    "conditions": {"ends": {"on": "boundary", "equal": {"u": 0}}},
}
SAMPLING = {"name": "sobol", "equations": 200, "conditions": 50}
GUESSED = {"eigenvalue": True, "modes": 2, "initial": [10, 40]}


def config(sampling: Any = SAMPLING, **changes: Any) -> Config:
    text = json.dumps({"problem": ROD | changes, "sampling": sampling})
    return validate(parse_source(text, "modes.yaml"))


def built(**changes: Any):
    own = config(**changes)
    return own.problem.build(own.sampling, own.seed)


def refusal(**changes: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        guessed(config(**changes))
        built(**changes)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "number", "right"), [("u", 2, "u2"), ("u", None, "u"), ("u1", 2, "u1_2")]
)
def test_a_mode_is_named_by_its_number(name: str, number: int | None, right: str) -> None:
    assert mode_name(name, number) == right


def test_all_modes_have_the_equations_a_norm_and_products() -> None:
    problem = built(unknowns={"lam": GUESSED})
    assert problem.fields == ("u1", "u2")
    assert [unknown.name for unknown in problem.unknowns] == ["lam1", "lam2"]
    assert [unknown.initial for unknown in problem.unknowns] == [10.0, 40.0]
    terms = {term.name: len(term.expressions) for b in problem.blocks for term in b.terms}
    assert terms == {
        "equation/rod": 2,
        "condition/ends": 2,
        "condition/norm": 2,
        "condition/orthogonality": 1,
    }
    assert problem.up_to_sign == ("u1", "u2")


def test_one_distance_holds_for_all_modes() -> None:
    problem = built(unknowns={"lam": GUESSED | {"within": 0.5}})
    assert [unknown.within for unknown in problem.unknowns] == [0.5, 0.5]


def test_one_mode_keeps_the_names_of_the_texts() -> None:
    problem = built(unknowns={"lam": {"eigenvalue": True, "initial": 10}})
    assert problem.fields == ("u",) and problem.unknowns[0].name == "lam"
    assert "condition/orthogonality" not in [t.name for b in problem.blocks for t in b.terms]


RING = {
    "coordinates": {"x": [0, 1]},
    "equations": {"ring": "u_xx + lam*u"},
    "conditions": {
        "sides": {"periodic": "x", "of": ["u", "u_x"]},
    },
}
CLAMPED = {
    "fields": ["w"],
    "equations": {"beam": "w_xxxx - lam*w"},
    "conditions": {
        "wall": {"on": "x = 0", "equal": {"w": 0, "w_x": 0}},
        "end": {"on": "x = 1", "equal": {"w_xx": 0, "w_xxx": 0}},
    },
}
COLUMN = {
    "fields": ["w"],
    "equations": {"column": "w_xxxx + lam*w_xx"},
    "conditions": {"ends": {"on": "boundary", "equal": {"w": 0, "w_xx": 0}}},
}
HARD = {"conditions": {}, "hard": {"u": "x*(1 - x)*network"}}
WEIGHT = {"equations": {"rod": "u_xx + 4*lam*u"}}
MIXED = {"fields": ["u", "q"], "equations": {"flux": "q - u_x", "balance": "q_x + lam*u"}}
OSCILLATOR = {
    "coordinates": {"x": [-6, 6]},
    "equations": {"wave": "-u_xx/2 + x^2/2*u - lam*u"},
}
FREE = {"conditions": {"ends": {"on": "boundary", "equal": {"u_x": 0}}}}
PI2 = 9.869604401


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({}, [PI2, 4 * PI2, 9 * PI2]),
        (HARD, [PI2, 4 * PI2, 9 * PI2]),
        (WEIGHT, [PI2 / 4, PI2, 9 / 4 * PI2]),
        (MIXED, [PI2, 4 * PI2, 9 * PI2]),
        (OSCILLATOR, [0.5, 1.5, 2.5]),
        (FREE, [0.0, PI2, 4 * PI2]),
        (RING, [0.0, 4 * PI2, 4 * PI2]),
        (CLAMPED, [12.3623634, 485.518819, 3806.54627]),
        (COLUMN, [PI2, 4 * PI2, 9 * PI2]),
    ],
    ids=["rod", "hard", "weight", "mixed", "oscillator", "free", "ring", "beam", "column"],
)
def test_the_first_eigenvalues_are_estimated(changes: dict[str, Any], right: list[float]) -> None:
    problem = built(**changes, unknowns={"lam": {"eigenvalue": True, "initial": 1}})
    found = first_eigenvalues(problem, "lam", 3, None)
    assert found.values[:3] == pytest.approx(right, rel=2e-3, abs=1e-3)


def test_eigenvalues_above_a_number_are_estimated() -> None:
    problem = built(unknowns={"lam": {"eigenvalue": True, "initial": 1}})
    found = first_eigenvalues(problem, "lam", 1, 50.0)
    assert found.values[:1] == pytest.approx([9 * PI2], rel=2e-3)


def test_guesses_do_not_depend_on_the_points_of_training() -> None:
    few = {"name": "sobol", "equations": 10, "conditions": 2}
    assert guessed(config(few)).problem.unknowns["lam"] == guessed(config()).problem.unknowns["lam"]


def test_guesses_stay_apart() -> None:
    found = guessed(config()).problem.unknowns["lam"]
    assert found.initial == pytest.approx([PI2, 4 * PI2], rel=2e-3)
    assert found.within == pytest.approx([0.01 * PI2, 0.04 * PI2], rel=2e-2)


def test_given_guesses_are_kept() -> None:
    given = config(unknowns={"lam": GUESSED})
    assert guessed(given).problem.unknowns["lam"] == given.problem.unknowns["lam"]


@pytest.mark.parametrize("conditions", [{"end": {"on": "x = 0", "equal": {"u": 0}}}, {}])
def test_missing_conditions_are_seen_where_guesses_are_given(conditions: dict[str, Any]) -> None:
    check_determined(config(unknowns={"lam": GUESSED}))
    with pytest.raises(ConfigError, match="any number is an eigenvalue"):
        check_determined(config(unknowns={"lam": GUESSED}, conditions=conditions))


def test_positive_eigenvalues_are_estimated_above_zero() -> None:
    unknown = {"eigenvalue": True, "modes": 2, "positive": True}
    found = guessed(config(**FREE, unknowns={"lam": unknown})).problem.unknowns["lam"]
    assert found.initial == pytest.approx([PI2, 4 * PI2], rel=2e-3)


def test_an_estimate_reads_back() -> None:
    unknown = {"eigenvalue": True, "modes": 2, "above": 20}
    found = guessed(config(unknowns={"lam": unknown})).problem.unknowns["lam"]
    assert found.initial == pytest.approx([4 * PI2, 9 * PI2], rel=2e-3)
    assert type(found).model_validate(found.plain()) == found


def test_a_reference_of_any_size_has_the_norm_of_modes() -> None:
    reference = {"name": "exact", "u1": "3*sin(pi*x)", "u2": "-sin(2*pi*x)"}
    own = config(unknowns={"lam": GUESSED}, reference=reference)
    known = build_reference(own, build_problem(own, 1))
    values = known(np.array([[0.25], [0.5]]))
    assert values["u1"] == pytest.approx([1.0, np.sqrt(2)])
    assert values["u2"] == pytest.approx([-np.sqrt(2), 0.0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"unknowns": {"lam": {"eigenvalue": True}, "mu": {"eigenvalue": True}}}, "second"),
        (
            {"parameters": {"k": [1, 2]}, "equations": {"rod": "k*u_xx + lam*u"}},
            "would depend on k",
        ),
        (
            {
                "subdomains": {"a": "x < 0.5", "b": "x > 0.5"},
                "conditions": {"ends": {"on": "boundary", "equal": {"u": 0}}},
            },
            "subdomains are not supported",
        ),
        ({"conditions": {"ends": {"on": "boundary", "equal": {"u": 1}}}}, "homogeneous"),
        ({"equations": {"rod": "u_xx + lam*u + 1"}}, "homogeneous"),
        ({"conditions": {"norm": {"on": "boundary", "equal": {"u": 0}}}}, "'norm'"),
        ({"unknowns": {"lam": {"eigenvalue": True, "modes": 2, "initial": [1]}}}, "1 value"),
        ({"unknowns": {"lam": {"modes": 2, "initial": 1}}}, "modes"),
        ({"unknowns": {"lam": {"initial": [1, 2]}}}, "list"),
        ({"unknowns": {"lam": {"positive": True}}}, "initial guess"),
        ({"unknowns": {"lam": {"initial": 1, "within": -1}}}, "above 0"),
        ({"unknowns": {"lam": {"initial": 1, "within": 1, "positive": True}}}, "positive"),
        ({"equations": {"rod": "u_xx + lam*u + u^3"}}, "not linear"),
        ({"constants": {"u2": 1}}, "u2"),
        ({"conditions": {}, "hard": {"u": "x*(1 - x)*network + x"}}, "homogeneous"),
        ({"equations": {"rod": "u_xx + lam^2*u"}}, "equations.rod is not linear in lam"),
        ({"unknowns": {"lam": {"eigenvalue": True, "above": 1, "initial": 2}}}, "one of both"),
        (
            {"conditions": {"end": {"on": "x = 0", "equal": {"u": 0}}}},
            "any number is an eigenvalue",
        ),
        (
            {"conditions": {"ends": {"on": "boundary", "equal": {"u": 0, "u_x": 0}}}},
            "could not be estimated",
        ),
        (
            {
                "coordinates": {"x": [-200, 200]},
                "equations": {"wave": "-u_xx/2 - where(abs(x) < 0.5, 10, 0)*u - lam*u"},
            },
            "a well or a layer is small",
        ),
    ],
)
def test_what_has_no_modes_is_refused(changes: dict[str, Any], words: str) -> None:
    assert words in refusal(**changes)
