"""Sections whose kind is said by the key that they have: conditions, monitors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pdehvd.errors import ConfigError
from pdehvd.spec import Spec


def check_one_kind(
    what: str,
    given: Mapping[str, object],
    kinds: Mapping[str, type[Spec]],
    keys: Sequence[str],
    kind: str,
    expected: str,
) -> None:
    """Raise `ConfigError` where a section has `keys` of several kinds, or a key of another kind.

    Keys that no kind has are left to validation, which knows the nearest one.
    """
    if len(keys) > 1:
        raise ConfigError(f"the {what} is of several kinds: " + ", ".join(keys), (), expected)
    own = kinds[kind].model_fields
    known = {key for spec in kinds.values() for key in spec.model_fields}
    foreign = sorted(key for key in given if key not in own and key in known)
    if foreign:
        raise ConfigError(f"'{foreign[0]}' does not go with '{kind}'", (foreign[0],))
