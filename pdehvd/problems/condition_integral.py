"""Integrals of fields over coordinates, over all of them or at places of the others."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
import sympy
from pydantic import Field

from pdehvd.errors import ConfigError, unknown, within
from pdehvd.numerics.compiling import compile_numpy
from pdehvd.numerics.derivatives import internal
from pdehvd.numerics.expressions import symbol
from pdehvd.problems.condition import ConditionSpec, Imposed, Row, Setting, Site, points_at
from pdehvd.problems.integrals import IntegralSource, integral_source
from pdehvd.problems.text import Entries, FromFunction

PLACES = 16  # where a coordinate is left open and the file gives no number of points
_NOTHING = 1e-6  # relative to the largest value that an integral shall have


class Integral(ConditionSpec):
    """`{integral: u, over: x, at: {t: 1}, equal: 0}`: an integral has a value at each place."""

    empty: ClassVar[dict[str, str]] = {
        "equal": "{u: 0}",
        "at": "at least one point such as {x: 0}",
        "over": "a coordinate, or no 'over' for all",
    }

    integral: Annotated[str, FromFunction] = Field(description="the integrand")
    over: str | list[str] | None = Field(
        None, description="the coordinates of the integral; all by default, without parameters"
    )
    at: Row | list[Row] | None = Field(None, description="places of the other coordinates")
    equal: Entries = Field(description="the value, an expression")
    points: int | None = Field(
        None, ge=1, description="number of places of the coordinate that is left open"
    )

    @property
    def count(self) -> int | None:
        return self.points

    @property
    def averaged(self) -> bool:
        return True

    def impose(self, site: Site) -> Imposed:
        names = list(site.domain.names)
        over = coordinates_of(self.over, self.at, site)
        if isinstance(self.equal, dict):
            raise ConfigError(
                "'equal' of an integral is a mapping", (*site.path, "equal"), "one expression"
            )
        axes = tuple(names.index(name) for name in over)
        rest = [name for name in names if name not in over]
        kept = [names.index(name) for name in rest]
        places = self._places(rest, site)
        others = np.zeros((len(places), len(names)))
        others[:, kept] = places
        with within(*site.path, *(["at"] if self.at is not None else [])):
            source = integral_source(site.domain, axes, others, strict=self.at is not None)
        there = site.at(source.x.reshape(-1, len(names)))
        integrand = there.language.residual(self.integral, (*site.path, "integral"))
        value = site.language.function(self.equal, (*site.path, "equal"), rest)
        if not set(site.language.unknowns) & {free.name for free in value.free_symbols}:
            _check_empty(source, value, rest, places, site)
        weighted = symbol(internal("quadrature")) * integrand - value / source.points_per_item
        return Imposed(source, [weighted], [("integral",)])

    def _places(self, rest: list[str], site: Site) -> np.ndarray:
        """Return the places [N, len(rest)] of the coordinates that are not integrated over.

        Parameters that no point names take values all over their distributions.
        """
        free = [name for name in rest if name in site.domain.declared]
        if self.at is not None and at_parameters(self.at, site):
            free = []
        fixed = [name for name in rest if name not in free]
        if self.at is not None:
            places = points_at(self.at, site, fixed)
        elif len(fixed) > 1:
            raise ConfigError(
                "the integral leaves the coordinates " + ", ".join(fixed),
                site.path,
                "points with their values under 'at'",
            )
        elif fixed:
            low, high = site.domain.bounds[site.domain.names.index(fixed[0])]
            places = np.linspace(low, high, self.points or PLACES)[:, None]
        else:
            places = np.zeros((1, 0))
        return _joined(places, site.domain.covered(free, self.points or PLACES))


def at_parameters(at: Row | list[Row], site: Setting) -> bool:
    """Return whether a point under `at` names a parameter."""
    rows = at if isinstance(at, list) else [at]
    return any(name in row for name in site.domain.declared for row in rows)


def _joined(places: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return each row of `places` [N, a] with each of `others` [M, b], [N * M, a + b]."""
    rows = np.repeat(places, len(others), axis=0)
    return np.concatenate([rows, np.tile(others, (len(places), 1))], axis=1)


def coordinates_of(
    over: str | list[str] | None, at: Row | list[Row] | None, site: Setting
) -> list[str]:
    """Return the coordinates of an integral: by default all, without parameters.

    Raises `ConfigError` where they are wrong.
    """
    names = list(site.domain.names)
    inner = [name for name in names if name not in site.domain.declared]
    over = [over] if isinstance(over, str) else over or inner
    if at is not None and set(inner) <= set(over) and not at_parameters(at, site):
        _refuse_at(at, site)
    for name in over:
        if name not in names:
            raise unknown(name, "a coordinate", names, (*site.path, "over"))
    if len(set(over)) < len(over):
        message = f"over {', '.join(over)} holds a coordinate twice"
        raise ConfigError(message, (*site.path, "over"), "each once")
    return over


def _refuse_at(at: Row | list[Row], site: Setting) -> None:
    """Raise `ConfigError` where an integral over all coordinates is asked for at a place."""
    rows = at if isinstance(at, list) else [at]
    rest = [name for name in site.domain.names if not any(name in row for row in rows)]
    over = f"'over: {rest[0] if len(rest) == 1 else '[' + ', '.join(rest) + ']'}'"
    raise ConfigError(
        "'at' with an integral over all coordinates",
        (*site.path, "at"),
        f"no 'at', or {over}" if rest else "no 'at'",
    )


def _check_empty(
    source: IntegralSource, value: sympy.Expr, rest: list[str], places: np.ndarray, site: Site
) -> None:
    """Raise `ConfigError` where an integral over nothing, which is 0, shall be something else.

    So it is at the two ends of a disk, and between the parts of a domain.
    """
    (wanted,) = compile_numpy([value], rest)(dict(zip(rest, places.T, strict=True)))
    asked = np.abs(wanted) > _NOTHING * np.abs(wanted).max()
    wrong = np.flatnonzero(~source.weights.any(axis=1) & asked)
    if wrong.size:
        place = ", ".join(f"{n} = {at:g}" for n, at in zip(rest, places[wrong[0]], strict=True))
        raise ConfigError(
            f"nothing of the domain lies at {place}, so the integral is 0 there, and not "
            f"{wanted[wrong[0]]:g}",
            (*site.path, "equal"),
            "an expression that vanishes there, or other places under 'at'",
        )
