"""Chosen values of some coordinates, at which a solution is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from pdehvd.errors import ConfigError, unknown
from pdehvd.problems.frame import CLOSE
from pdehvd.problems.geometry import Domain


def fixed_coordinates(domain: Domain, given: Mapping[str, float]) -> dict[str, float]:
    """Return chosen values by the names of coordinates and parameters.

    Raises `ConfigError` for other names, values outside the domain, and where no coordinate is
    left.
    """
    for name, value in given.items():
        if name not in domain.names:
            raise unknown(name, "a coordinate", domain.names, ("at",))
        low, high = domain.bounds[domain.names.index(name)]
        close = CLOSE * (high - low)
        if not low - close <= value <= high + close:
            raise ConfigError(
                f"{name} = {value:g} is outside the domain",
                ("at", name),
                f"a number in [{low:g}, {high:g}]",
            )
    if set(domain.names) <= set(given):
        raise ConfigError(
            "all coordinates are fixed", ("at",), "some of them, or values by Run(...).predict"
        )
    return {name: float(value) for name, value in given.items()}


def place_name(fixed: Mapping[str, float]) -> str:
    """Return chosen values as a part of a file's name, such as `nu=0.005`."""
    return ",".join(f"{name}={value:g}" for name, value in fixed.items())
