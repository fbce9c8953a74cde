"""Finds the kind of a config's problem: the only place where it is chosen."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TypeVar

from pdehvd.assembly.kind import AnyKind
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError

# Built-in kinds are modules of this package, above this floor: found by name, never imported here.
_PACKAGE = "pdehvd.kinds"
_kinds: dict[str, AnyKind] = {}
KindClass = TypeVar("KindClass", bound=type[AnyKind])


def register_kind(name: str) -> Callable[[KindClass], KindClass]:
    """Register a kind under the name that specs give as their `kind`; the last one counts.

    Arguments:
        name: the `kind` of specs
    """

    def add(kind: KindClass) -> KindClass:
        kind.name = name
        _kinds[name] = kind()
        return kind

    return add


def kind_of(config: Config) -> AnyKind:
    """Return the kind of a config's problem. Raises `ConfigError` where nothing owns it."""
    return kind_named(config.problem.kind)


def kind_named(name: str) -> AnyKind:
    """Return a kind by its name. Raises `ConfigError` where nothing owns it."""
    if name not in _kinds and importlib.util.find_spec(f"{_PACKAGE}.{name}"):
        importlib.import_module(f"{_PACKAGE}.{name}")
    if name not in _kinds:
        raise ConfigError(
            f"the kind of problem '{name}' is not registered",
            ("problem", "name"),
            f'a plug-in with @register_kind("{name}")',
        )
    return _kinds[name]
