"""What all references share: numbers, names, times."""

from __future__ import annotations

import numpy as np
import pytest

from pdehvd.errors import ConfigError
from pdehvd.reference.base import Reference, check_times, columns, evaluate_number, positive


class Line(Reference):
    def evaluate(self, points):
        return {"u": points[:, 0], "w": points[:, 0] * 0}


def test_call_returns_the_known_fields_in_float64() -> None:
    values = Line(("u",), {}, ("u",))(np.ones((3, 1), np.float32))
    assert set(values) == {"u"}
    assert values["u"].dtype == np.float64
    assert values["u"].shape == (3,)


def test_number_uses_constants() -> None:
    assert evaluate_number("2*a", {"a": 3.0}) == 6.0


def test_number_names_its_place() -> None:
    with pytest.raises(ConfigError) as caught:
        evaluate_number("2*b", {"a": 3.0}, "nu")
    assert caught.value.path == ("nu",)


@pytest.mark.parametrize("value", [0, -1, "a - 1"])
def test_positive_refuses(value: float | str) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        positive(value, {"a": 1.0}, "nu")


def test_columns_finds_places() -> None:
    assert columns("r", "coordinate", ("t", "x"), ("x", "t")) == [1, 0]


def test_columns_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        columns("r", "field", ("uu", "p"), ("u",))
    assert caught.value.nearest == "uu"


@pytest.mark.parametrize(
    ("times", "end"), [([-0.1, 0.5], 1.0), ([0.0, 1.1], 1.0), ([-1.0], np.inf)]
)
def test_times_outside_are_refused(times: list[float], end: float) -> None:
    with pytest.raises(ConfigError, match="evaluated for t"):
        check_times("r", np.array(times), end)


def test_times_may_be_off_by_rounding() -> None:
    check_times("r", np.array([-1e-12, 1 + 1e-12]), 1.0)
