"""The kinds of monitors; the key that a monitor has says which it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar

import numpy as np
import sympy
from pydantic import BeforeValidator, Discriminator, Field, Tag

from pdehvd.errors import ConfigError, nearest, within
from pdehvd.problems.condition import Row, Setting, points_at
from pdehvd.problems.condition_integral import coordinates_of
from pdehvd.problems.extreme_points import points_of_domain, points_of_region
from pdehvd.problems.geometry import Domain, Region
from pdehvd.problems.integrals import integral_source
from pdehvd.problems.keyed import check_one_kind
from pdehvd.problems.monitor import (
    LARGEST,
    SMALLEST,
    SUM,
    Join,
    MeasuredAt,
    Monitor,
    MonitorSetting,
    MonitorSpec,
)
from pdehvd.problems.quadrature_region import RegionRule, nodes_along, region_rule
from pdehvd.problems.subdomains import Subdomains
from pdehvd.problems.text import Text


class IntegralMonitor(MonitorSpec):
    """`{integral: p*n_x, on: hole}`: an integral over coordinates, or over a region."""

    key: ClassVar[str] = "integral"
    join: ClassVar[Join] = SUM

    integral: Text = Field(description="the integrand")
    over: str | list[str] | None = Field(
        None, description="the coordinates of the integral; all by default"
    )
    at: Row | None = Field(None, description="values of the other coordinates")
    on: str | list[str] | None = Field(
        None, description="regions to integrate over, by length or area: 'boundary', 'x = 1'"
    )

    def measured_at(self, setting: Setting) -> MeasuredAt:
        if self.on is not None:
            region = _region(self.on, setting)
            _refuse_parameters(region, setting)
            return _of_rule(region_rule(region))
        domain = setting.domain
        names = domain.names
        over = coordinates_of(self.over, self.at, setting)
        rest = [name for name in names if name not in over]
        if rest and self.at is None:
            raise ConfigError(
                "the integral leaves the " + _coordinates(rest),
                setting.path,
                "a value of each under 'at'",
            )
        row = np.zeros((1, len(names)))
        row[:, [names.index(name) for name in rest]] = points_at(self.at or {}, setting, rest)
        if nodes_along(len(over)) is None:
            fixed = [f"{name} = {float(row[0, names.index(name)])!r}" for name in rest]
            return _of_rule(region_rule(domain.region(" and ".join(fixed) or "interior")))
        with within(*setting.path, *(["at"] if self.at is not None else [])):
            axes = [names.index(name) for name in over]
            source = integral_source(domain, axes, row, strict=True)
        return MeasuredAt(source.x[0], source.weights[0])


class ValueMonitor(MonitorSpec):
    """`{value: u, at: {x: 0.5, t: 1}}`: the value of an expression at a point."""

    key: ClassVar[str] = "value"
    join: ClassVar[Join] = SUM

    value: Text = Field(description="the expression")
    at: Row = Field(description="the point, by coordinate")

    def measured_at(self, setting: Setting) -> MeasuredAt:
        x = points_at(self.at, setting, setting.domain.names)
        if not setting.domain.contains(x).all():
            raise ConfigError("the point lies outside the domain", (*setting.path, "at"))
        return MeasuredAt(x, np.ones(1))


class _ExtremeMonitor(MonitorSpec):
    """The largest or smallest value at fixed points of the domain, or of a part of it."""

    on: str | list[str] | None = Field(
        None, description="regions; by default the domain with its boundary"
    )
    at: Row | None = Field(None, description="values of some coordinates, such as {t: 1}")

    def measured_at(self, setting: Setting) -> MeasuredAt:
        if self.on is not None:
            points = points_of_region(_region(self.on, setting), setting.domain)
        else:
            fixed = self._fixed(setting)
            with within(*setting.path, "at"):
                points = points_of_domain(setting.domain, fixed)
        return MeasuredAt(points.x, np.ones(len(points.x)), points.normals)

    def _fixed(self, setting: Setting) -> dict[int, float]:
        names = setting.domain.names
        given = [name for name in names if name in (self.at or {})]
        # Others than coordinates are refused with these as the right ones.
        row = points_at(self.at, setting, given or names)[0] if self.at else []
        fixed = {names.index(name): float(v) for name, v in zip(given, row, strict=True)}
        for axis, value in fixed.items():
            low, high = setting.domain.bounds[axis]
            if not low <= value <= high:
                raise ConfigError(
                    f"{names[axis]} = {value:g} lies outside the domain",
                    (*setting.path, "at", names[axis]),
                    setting.domain.frame.show(axis),
                )
        return fixed


class MaximumMonitor(_ExtremeMonitor):
    """`{maximum: u, at: {t: 1}}`: the largest value at fixed points."""

    key: ClassVar[str] = "maximum"
    join: ClassVar[Join] = LARGEST

    maximum: Text = Field(description="the expression")


class MinimumMonitor(_ExtremeMonitor):
    """`{minimum: u, on: boundary}`: the smallest value at fixed points."""

    key: ClassVar[str] = "minimum"
    join: ClassVar[Join] = SMALLEST

    minimum: Text = Field(description="the expression")


def build_monitors(
    specs: Mapping[str, MonitorSpec],
    subdomains: Subdomains,
    domain: Domain,
    hard: Mapping[str, sympy.Expr],
    notes: list[str],
) -> tuple[Monitor, ...]:
    """Return the monitors of a problem. Raises `ConfigError` whose path starts with `monitors`."""
    language = subdomains.common
    return tuple(
        spec.build(
            name, MonitorSetting(language, domain, ("monitors", name), subdomains, hard, notes)
        )
        for name, spec in specs.items()
    )


def _region(on: str | list[str], setting: Setting) -> Region:
    with within(*setting.path, "on"):
        return setting.domain.region(on)


def _refuse_parameters(region: Region, setting: Setting) -> None:
    """Raise `ConfigError` where a region extends along a parameter: integrals run over none."""
    names, declared = setting.domain.names, setting.domain.declared
    extended = {names[axis] for piece in region.pieces for axis in piece.free}
    left = [name for name in declared if name in extended]
    if left:
        word = "parameter" if len(left) == 1 else "parameters"
        raise ConfigError(
            f"the integral leaves the {word} {', '.join(left)}",
            (*setting.path, "on"),
            f"a region with a value of each, such as '{region.text} and {left[0]} = "
            f"{setting.domain.bounds[names.index(left[0]), 0]:g}'",
        )


def _coordinates(names: Sequence[str]) -> str:
    return f"coordinate{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _of_rule(rule: RegionRule) -> MeasuredAt:
    note = "" if rule.exact else f"a mean over {len(rule.weights):,} points, good to about 3 digits"
    return MeasuredAt(rule.x, rule.weights, rule.normals, note)


# By the key that says it.
KINDS: dict[str, type[MonitorSpec]] = {
    spec.key: spec for spec in (IntegralMonitor, ValueMonitor, MaximumMonitor, MinimumMonitor)
}
_ONE = "one of " + ", ".join(KINDS)
_KEYS = {key for spec in KINDS.values() for key in spec.model_fields}


def _one_kind(value: object) -> object:
    """Refuse data whose keys are of no kind, or of several."""
    if not isinstance(value, Mapping):
        return value
    given = {key: entry for key, entry in value.items() if entry is not None}
    kinds = [key for key in KINDS if key in given]
    if not kinds:
        _refuse_no_kind(given)
    check_one_kind("monitor", given, KINDS, kinds, kinds[0], _ONE)
    return given


def _refuse_no_kind(given: Mapping[str, object]) -> None:
    for key in given:
        if key not in _KEYS:
            raise ConfigError(f"unknown key '{key}'", (key,), _ONE, nearest(str(key), list(KINDS)))
    raise ConfigError("the monitor does not say what it measures", (), _ONE)


def _name(value: object) -> str | None:
    """Return the name of the kind, which is what errors show of a union's branch."""
    if isinstance(value, MonitorSpec):
        return type(value).__name__
    given = value if isinstance(value, Mapping) else {}
    key = next((key for key in KINDS if key in given), "value")
    return KINDS[key].__name__


AnyMonitor = Annotated[
    Annotated[IntegralMonitor, Tag("IntegralMonitor")]
    | Annotated[ValueMonitor, Tag("ValueMonitor")]
    | Annotated[MaximumMonitor, Tag("MaximumMonitor")]
    | Annotated[MinimumMonitor, Tag("MinimumMonitor")],
    Discriminator(_name),
    BeforeValidator(_one_kind),
]
