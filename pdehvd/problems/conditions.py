"""The kinds of conditions that a problem may hold; the key that a condition has says which it is.

A new kind is a module with its `ConditionSpec`, and an entry here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Discriminator, Tag

from pdehvd.errors import ConfigError, nearest
from pdehvd.problems.condition import ConditionSpec
from pdehvd.problems.condition_at_points import AtPoints
from pdehvd.problems.condition_between import Between
from pdehvd.problems.condition_data import Data
from pdehvd.problems.condition_integral import Integral
from pdehvd.problems.condition_on_region import OnRegion
from pdehvd.problems.condition_periodic import Periodic
from pdehvd.problems.keyed import check_one_kind

# By the key that says it. An integral may have `at` too, so that key comes last.
KINDS: dict[str, type[ConditionSpec]] = {
    "on": OnRegion,
    "between": Between,
    "periodic": Periodic,
    "data": Data,
    "integral": Integral,
    "at": AtPoints,
}
_ONE = "one of on, between, periodic, data, at, integral"


def _one_kind(value: object) -> object:
    """Refuse data whose keys are of no kind, or of several."""
    if not isinstance(value, Mapping):
        return value
    given = {key: entry for key, entry in value.items() if entry is not None}
    kind = _key(given)
    if kind is None:
        known = {key for spec in KINDS.values() for key in spec.model_fields}
        for key in given:
            near = "" if key in known else nearest(str(key), list(KINDS))
            if near:
                raise ConfigError(f"unknown key '{key}'", (key,), _ONE, near)
        raise ConfigError("the condition does not say where it holds", (), _ONE)
    several = [key for key in KINDS if key in given and key != "at"]
    check_one_kind("condition", given, KINDS, several, kind, _ONE)
    own = KINDS[kind].model_fields
    # An unknown key is perhaps the one that is missing: validation names it.
    if "equal" in own and "equal" not in given and set(given) <= set(own):
        raise ConfigError("the condition does not say what must hold", (), "equal: {u: 0}")
    return given


def _key(given: Mapping[str, object]) -> str | None:
    """Return the key that says of which kind a condition is."""
    return next((key for key in KINDS if key in given), None)


def _name(value: object) -> str | None:
    """Return the name of the kind, which is what errors show of a union's branch."""
    if isinstance(value, ConditionSpec):
        return type(value).__name__
    key = _key(value) if isinstance(value, Mapping) else None
    return KINDS[key].__name__ if key is not None else OnRegion.__name__


Condition = Annotated[
    Annotated[OnRegion, Tag("OnRegion")]
    | Annotated[Between, Tag("Between")]
    | Annotated[Periodic, Tag("Periodic")]
    | Annotated[Data, Tag("Data")]
    | Annotated[Integral, Tag("Integral")]
    | Annotated[AtPoints, Tag("AtPoints")],
    Discriminator(_name),
    BeforeValidator(_one_kind),
]
