"""Conditions: what must hold on parts of the domain, at points, between faces or on average."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import sympy

from pdehvd.errors import ConfigError, Path, nearest, within
from pdehvd.numerics.compiling import compile_numpy
from pdehvd.numerics.derivatives import internal, normal_names, partial_of
from pdehvd.numerics.expressions import parse_number, symbol
from pdehvd.problems.block import Language, Source, Term
from pdehvd.problems.condition_spec import ConditionSpec, Text
from pdehvd.problems.geometry import Domain
from pdehvd.problems.integrals import IntegralSource, integral_source
from pdehvd.problems.measured import Measured, read_measured
from pdehvd.problems.periodic import join_faces
from pdehvd.problems.regions import Region
from pdehvd.problems.sources import GivenSource, RegionSource

__all__ = ["ConditionSpec", "Site", "Text", "build_condition"]


@dataclass(frozen=True)
class Site:
    """What a condition needs to know of its problem.

    `notes` is where it says what surprises, `measured` where it leaves its table.
    """

    language: Language
    domain: Domain
    path: Path
    region_source: Callable[[Region], RegionSource]
    notes: list[str] = field(default_factory=list)
    measured: dict[str, Measured] = field(default_factory=dict)


def build_condition(name: str, spec: ConditionSpec, site: Site) -> tuple[Source, Term]:
    """Return where a condition holds and its residuals. Raises `ConfigError` with its path."""
    build = next(
        build
        for kind, build in (
            (spec.on, _on_region),
            (spec.periodic, _periodic),
            (spec.data, _data),
            (spec.integral, _integral),
            (spec.at, _at_points),
        )
        if kind is not None
    )
    source, residuals = build(spec, site)
    if spec.data is None:
        _check_effect(spec, site, residuals)
    return source, Term(
        f"condition/{name}" if spec.data is None else f"data/{name}", tuple(residuals)
    )


def _check_effect(spec: ConditionSpec, site: Site, residuals: list[sympy.Expr]) -> None:
    """Raise `ConfigError` at a residual in which nothing is trained: no field, no unknown."""
    language = site.language
    if isinstance(spec.equal, dict):
        places: list[Path] = [("equal", left) for left in spec.equal]
    elif spec.of is not None:
        places = [("of", i) for i in range(len(spec.of))]
    else:
        places = [("integral",)] * len(residuals)
    for where, residual in zip(places, residuals, strict=True):
        names = [s.name for s in residual.free_symbols]
        trained = any(
            name in language.unknowns or partial_of(name, language.fields, language.coordinates)
            for name in names
        )
        if not trained:
            fields = "one of " + ", ".join(language.fields)
            raise ConfigError(
                "both sides are the same" if residual == 0 else "the condition holds no field",
                (*site.path, *where),
                "two sides that differ" if residual == 0 else fields,
            )


def _sides(spec: ConditionSpec, site: Site, normal: bool) -> list[sympy.Expr]:
    """Return left minus right side of each entry of `equal`."""
    if not isinstance(spec.equal, dict):
        raise ConfigError(
            "'equal' is a single value", (*site.path, "equal"), "a mapping such as {u: 0}"
        )
    residuals = []
    for left, right in spec.equal.items():
        where = (*site.path, "equal", left)
        residuals.append(
            site.language.residual(left, where, normal)
            - site.language.residual(right, where, normal)
        )
    return residuals


def _on_region(spec: ConditionSpec, site: Site) -> tuple[Source, list[sympy.Expr]]:
    with within(*site.path, "on"):
        region = site.domain.region(spec.on or [])
    if not region.oriented:
        _refuse_normals(spec, site, region)
    return site.region_source(region), _sides(spec, site, normal=True)


def _refuse_normals(spec: ConditionSpec, site: Site, region: Region) -> None:
    """Raise `ConfigError` where a normal derivative is named on a region without normals."""
    language = site.language
    sides = spec.equal.items() if isinstance(spec.equal, dict) else ()
    for left, right in sides:
        where = (*site.path, "equal", left)
        for text in (left, right):
            names = normal_names(text, language.fields, language.coordinates)
            if names:
                raise ConfigError(
                    f"'{names[0]}' on '{region.text}', which has no outward normal in space"
                    f"{site.domain.no_normal(region)}",
                    where,
                    "a part of the boundary in space",
                )


def _periodic(spec: ConditionSpec, site: Site) -> tuple[Source, list[sympy.Expr]]:
    names = site.domain.names
    if spec.periodic not in names:
        raise ConfigError(
            f"'{spec.periodic}' is not a coordinate",
            (*site.path, "periodic"),
            "one of " + ", ".join(names),
            nearest(str(spec.periodic), names),
        )
    axis = names.index(spec.periodic)
    with within(*site.path, "periodic"):
        source = join_faces(site.domain, axis, site.region_source)
    quantities = spec.of or list(site.language.fields)
    side = symbol(internal("side"))
    residuals = [
        side * site.language.residual(text, (*site.path, "of", i))
        for i, text in enumerate(quantities)
    ]
    return source, residuals


def _data(spec: ConditionSpec, site: Site) -> tuple[Source, list[sympy.Expr]]:
    with within(*site.path):
        found = read_measured(str(spec.data), spec.fields, site.language.fields, site.domain)
    site.notes.extend(found.notes)
    site.measured[str(site.path[-1])] = found
    return found.source, [
        symbol(name) - symbol(internal(f"measured_{name}")) for name in found.fields
    ]


def _points(spec: ConditionSpec, site: Site, names: list[str]) -> np.ndarray:
    """Return the points [N, len(names)] that `at` gives."""
    listed = isinstance(spec.at, list)
    rows = spec.at if isinstance(spec.at, list) else [spec.at or {}]
    result = np.zeros((len(rows), len(names)))
    for i, row in enumerate(rows):
        where = (*site.path, "at", i) if listed else (*site.path, "at")
        if set(row) != set(names):
            raise ConfigError(
                f"a point with {', '.join(row) or 'no coordinates'}",
                where,
                "the coordinates " + ", ".join(names),
            )
        for d, name in enumerate(names):
            with within(*where, name):
                result[i, d] = parse_number(row[name], site.language.constants)
    return result


def _at_points(spec: ConditionSpec, site: Site) -> tuple[Source, list[sympy.Expr]]:
    x = _points(spec, site, list(site.domain.names))
    outside = np.flatnonzero(~site.domain.contains(x))
    if outside.size:
        raise ConfigError(f"point {outside[0] + 1} lies outside the domain", (*site.path, "at"))
    return GivenSource(x, {}), _sides(spec, site, normal=False)


def _refuse_at(spec: ConditionSpec, site: Site) -> None:
    """Raise `ConfigError` where an integral over all coordinates is asked for at a place."""
    rows = spec.at if isinstance(spec.at, list) else [spec.at or {}]
    rest = [name for name in site.domain.names if not any(name in row for row in rows)]
    raise ConfigError(
        "'at' with an integral over all coordinates",
        (*site.path, "at"),
        f"no 'at', or 'over: {rest[0] if len(rest) == 1 else '[' + ', '.join(rest) + ']'}'"
        if rest
        else "no 'at'",
    )


def _check_empty(
    source: IntegralSource, value: sympy.Expr, rest: list[str], places: np.ndarray, site: Site
) -> None:
    """Raise `ConfigError` where an integral over nothing, which is 0, shall be something else.

    So it is at the two ends of a disk, and between the parts of a domain.
    """
    (wanted,) = compile_numpy([value], rest)(dict(zip(rest, places.T, strict=True)))
    asked = np.abs(wanted) > 1e-6 * np.abs(wanted).max()
    wrong = np.flatnonzero(~source.weights.any(axis=1) & asked)
    if wrong.size:
        place = ", ".join(f"{n} = {at:g}" for n, at in zip(rest, places[wrong[0]], strict=True))
        raise ConfigError(
            f"nothing of the domain lies at {place}, so the integral is 0 there, and not "
            f"{wanted[wrong[0]]:g}",
            (*site.path, "equal"),
            "an expression that vanishes there, or other places under 'at'",
        )


def _integral(spec: ConditionSpec, site: Site) -> tuple[Source, list[sympy.Expr]]:
    domain, names = site.domain, list(site.domain.names)
    over = [spec.over] if isinstance(spec.over, str) else spec.over or names
    if spec.at is not None and set(over) == set(names):
        _refuse_at(spec, site)
    for name in over:
        if name not in names:
            raise ConfigError(
                f"'{name}' is not a coordinate",
                (*site.path, "over"),
                "one of " + ", ".join(names),
                nearest(name, names),
            )
    if len(set(over)) < len(over):
        raise ConfigError(
            f"over {', '.join(over)} holds a coordinate twice", (*site.path, "over"), "each once"
        )
    if isinstance(spec.equal, dict):
        raise ConfigError(
            "'equal' of an integral is a mapping", (*site.path, "equal"), "one expression"
        )
    axes = tuple(names.index(name) for name in over)
    rest = [name for name in names if name not in over]
    others = np.zeros((1, len(names)))
    if rest and spec.at is not None:
        points = _points(spec, site, rest)
        others = np.zeros((len(points), len(names)))
        others[:, [names.index(name) for name in rest]] = points
    elif rest:
        low, high = domain.bounds[names.index(rest[0])]
        if len(rest) > 1:
            raise ConfigError(
                "the integral leaves " + ", ".join(rest) + " open",
                site.path,
                "points of them under 'at'",
            )
        others = np.zeros((spec.points or 16, len(names)))
        others[:, names.index(rest[0])] = np.linspace(low, high, len(others))
    with within(*site.path, *(["at"] if spec.at is not None else [])):
        source = integral_source(domain, axes, others, strict=spec.at is not None)
    integrand = site.language.residual(spec.integral or "", (*site.path, "integral"))
    value = site.language.function(
        spec.equal if spec.equal is not None else 0, (*site.path, "equal"), rest
    )
    if not set(site.language.unknowns) & {free.name for free in value.free_symbols}:
        _check_empty(source, value, rest, others[:, [names.index(name) for name in rest]], site)
    return source, [symbol(internal("quadrature")) * integrand - value / source.points_per_item]
