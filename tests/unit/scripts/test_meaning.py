"""Thirty random problems with known solutions, and faults that the judge must see."""

from dataclasses import replace

import numpy as np
import shapely
from meaning import table
from meaning_cases import draw
from meaning_judge import judge

SEED = 18
CASES = 30


def test_what_is_imposed_is_what_the_text_means():
    findings = [judge(draw(SEED, number), number) for number in range(CASES)]
    assert not [finding.show() for finding in findings if finding.problems]
    kinds = {name for finding in findings for name in finding.made}
    assert {"integral", "periodic pairs", "outward normals", "the whole rim"} <= kinds
    assert table(findings, SEED).row_count == len(kinds)


def test_a_case_is_the_same_every_time():
    assert draw(SEED, 3).text == draw(SEED, 3).text != draw(SEED, 4).text


def first(kind):
    """Return the first case with a condition of a kind, and the condition's key."""
    for number in range(500):
        case = draw(SEED, number)
        for key, expected in case.conditions.items():
            if expected.kind == kind:
                return case, key
    raise LookupError(kind)


def failed(case):
    return {name for name, _ in judge(case, 0).problems}


def test_a_wrong_solution_is_seen():
    case, _ = first("face")
    assert any("residual" in name for name in failed(replace(case, solution=case.solution + 1)))


def test_a_wrong_integral_is_seen():
    case, key = first("integral")
    wrong = replace(case.conditions[key], value=case.conditions[key].value + 1e6)
    assert "integral" in failed(replace(case, conditions={**case.conditions, key: wrong}))


def test_a_sign_that_is_not_kept_is_seen():
    case, _ = first("strict sign")
    text = case.text.replace(" < ", " <= ")
    assert "points of a strict sign" in failed(replace(case, text=text))


def test_a_missing_face_is_seen():
    case, _ = first("closed sign")
    text = case.text.replace(" <= ", " < ")
    assert "no face is missing" in failed(replace(case, text=text))


def test_another_shape_is_seen():
    case, _ = first("rim")
    size = np.sqrt(case.outline.area)
    moved = shapely.affinity.translate(case.outline, 0.3 * size, 0.0)
    assert "inside the shape" in failed(replace(case, outline=moved))
    grown = case.outline.buffer(2 * size)
    assert "the whole rim" in failed(replace(case, outline=grown))
