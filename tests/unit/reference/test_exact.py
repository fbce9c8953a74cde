"""Closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.reference import Exact


def test_values() -> None:
    spec = Exact.model_validate({"name": "exact", "u": "a*x*cos(t)", "v": 2})
    reference = spec.build(("x", "t"), ("u", "v"), {"a": 3.0})
    points = np.array([[0.5, 0.1], [2.0, -1.0]])
    values = reference(points)
    assert np.allclose(values["u"], 3 * points[:, 0] * np.cos(points[:, 1]), rtol=1e-15)
    assert np.array_equal(values["v"], [2.0, 2.0])


def test_fields_may_be_unknown() -> None:
    reference = Exact.model_validate({"u": "x"}).build(("x",), ("u", "p"), {})
    assert reference.fields == ("u",)


def test_true_unknowns_and_free_constants() -> None:
    spec = Exact.model_validate({"p": "k*x", "unknowns": {"k": "2*a"}, "up_to_constant": ["p"]})
    reference = spec.build(("x",), ("p",), {"a": 2.0})
    assert reference(np.array([[1.0]]))["p"][0] == 4.0
    assert reference.unknowns == {"k": 4.0}
    assert reference.up_to_constant == ("p",)


@pytest.mark.parametrize(
    ("section", "path"),
    [
        ({"uu": "x", "u": "x"}, ("uu",)),
        ({}, ()),
        ({"u": "x", "up_to_constant": ["w"]}, ("up_to_constant",)),
        ({"u": "y"}, ("u",)),
        ({"u": "__import__('os')"}, ("u",)),
        ({"u": "x", "unknowns": {"k": "b"}}, ("unknowns", "k")),
    ],
)
def test_refused(section: dict[str, object], path: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        Exact.model_validate(section).build(("x",), ("u",), {})
    assert caught.value.path == path


def test_true_unknowns_may_stand_alone() -> None:
    alone = Exact.model_validate({"unknowns": {"k": 2}}).build(("x",), ("u",), {})
    assert alone.unknowns == {"k": 2.0} and alone.fields == ()
    with pytest.raises(ConfigError, match="no closed form of a field; expected a key such as u"):
        Exact().build(("x",), ("u",), {})


def test_a_form_is_text_or_a_number() -> None:
    with pytest.raises(ValueError, match="u"):
        Exact.model_validate({"u": ["x"]})
