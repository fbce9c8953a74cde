"""What all conditions have in common, and what they know of their problem."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, ClassVar

import numpy as np
import sympy
from pydantic import Field, model_validator
from typing_extensions import Self

from pdehvd.errors import ConfigError, Path, within
from pdehvd.numerics.expressions import parse_number
from pdehvd.problems.block import Source, Term
from pdehvd.problems.extreme_points import points_of_region
from pdehvd.problems.finite_values import finite_nowhere
from pdehvd.problems.geometry import Domain
from pdehvd.problems.language import Language
from pdehvd.problems.measured import Measured
from pdehvd.problems.regions import Region
from pdehvd.problems.sources import RegionSource
from pdehvd.problems.subdomains import Subdomains
from pdehvd.problems.text import Text
from pdehvd.spec import Spec

# Points at which a region is tried for the subdomains that it touches, and the share of them
# that does not count: it lies on a rim.
_REGION_POINTS, _RIM = 2000, 1e-3

Row = dict[str, Text]
DrawnPoints = Annotated[
    int | None,
    Field(ge=1, description="number of points, instead of a share of sampling.conditions"),
]


@dataclass(frozen=True)
class Setting:
    """What texts of a problem need to know of it, and their place in the file.

    `language` is what names mean all over the domain, or at points that `at` was given.
    """

    language: Language
    domain: Domain
    path: Path
    subdomains: Subdomains

    def at(self, x: np.ndarray) -> Self:
        """Return the setting of texts that hold at points [N, D]."""
        return replace(self, language=self.subdomains.at(x))


@dataclass(frozen=True)
class Site(Setting):
    """What a condition needs to know of its problem.

    `notes` is where it says what surprises, `measured` where it leaves its table.
    """

    region_source: Callable[[Region], RegionSource]
    notes: list[str] = field(default_factory=list)
    measured: dict[str, Measured] = field(default_factory=dict)

    def on(self, region: Region) -> Self:
        """Return the setting of texts that hold on a region."""
        if len(self.subdomains.parts) == 1:
            return self
        x = points_of_region(region, self.domain, _REGION_POINTS).x
        return replace(self, language=self.subdomains.at(x, least=_RIM))


@dataclass(frozen=True)
class Imposed:
    """Residuals that shall vanish at the points of a source, each with its place in the file."""

    source: Source
    residuals: Sequence[sympy.Expr]
    places: Sequence[Path]


class ConditionSpec(Spec):
    """Base of the conditions: each is one module, and one entry of `conditions.KINDS`.

    A condition says by its first key which kind it is.
    """

    # The section of the loss that the condition's term belongs to.
    section: ClassVar[str] = "condition"
    # What stands for a key that lists nothing, which would impose nothing.
    empty: ClassVar[dict[str, str]] = {}
    # Whether its points are drawn, so that it shares `sampling.conditions` with others.
    drawn: ClassVar[bool] = False

    @model_validator(mode="after")
    def _lists_something(self) -> ConditionSpec:
        for name, right in self.empty.items():
            if getattr(self, name) in ([], {}, ""):
                raise ConfigError(f"'{name}' is empty", (name,), right)
        return self

    @property
    def shares(self) -> bool:
        """Whether its points are a share of `sampling.conditions`, not a number of the file."""
        return self.drawn and self.count is None

    @property
    def count(self) -> int | None:
        """The number of points that the file gives."""
        return None

    @property
    def regions(self) -> list[str]:
        """The texts of its regions."""
        return []

    @property
    def joined(self) -> str | None:
        """The coordinate whose two faces it joins."""
        return None

    @property
    def pair(self) -> tuple[str, ...]:
        """The two subdomains that it joins."""
        return ()

    @property
    def averaged(self) -> bool:
        """Whether it holds for integrals, and not at each point."""
        return False

    def compared(self, fields: Sequence[str]) -> list[str]:
        """Return what it makes equal on the faces that it joins."""
        return []

    @abstractmethod
    def impose(self, site: Site) -> Imposed:
        """Return where it holds and its residuals. Raises `ConfigError` with the path."""

    def build(self, name: str, site: Site) -> tuple[Source, Term]:
        """Return where the condition holds and its term of the loss.

        Raises `ConfigError` with its path, also where nothing in a residual is trained.
        """
        imposed = self.impose(site)
        for place, residual in zip(imposed.places, imposed.residuals, strict=True):
            _check_trained(residual, place, site)
            _check_finite(residual, imposed.source, place, site)
        return imposed.source, Term(f"{self.section}/{name}", tuple(imposed.residuals))


def _check_trained(residual: sympy.Expr, place: Path, site: Site) -> None:
    """Raise `ConfigError` at a residual that holds no field and no unknown."""
    language = site.language
    unknown = any(free.name in language.unknowns for free in residual.free_symbols)
    if unknown or language.partials(residual):
        return
    fields = "one of " + ", ".join(language.outputs)
    raise ConfigError(
        "both sides are the same" if residual == 0 else "the condition contains no field",
        (*site.path, *place),
        "two sides that differ" if residual == 0 else fields,
    )


def _check_finite(residual: sympy.Expr, source: Source, place: Path, site: Site) -> None:
    """Raise `ConfigError` at a residual without a finite value on a part of its region."""
    found = finite_nowhere(site.language, residual, source)
    if found is not None:
        raise ConfigError(
            f"it has no finite value on its region, or on a part of it: {found.part} is "
            f"{found.value:g} at {found.place}",
            (*site.path, *place),
            "finite values, or another region",
        )


def sides(
    equal: Mapping[str, Text] | Text,
    site: Site,
    normal: bool,
    languages: tuple[Language, Language] | None = None,
) -> tuple[list[sympy.Expr], list[Path]]:
    """Return left minus right side of each entry of `equal`, with the places of the entries.

    `languages` are those of the left and of the right sides, where they differ from the site's.
    """
    first, second = languages or (site.language, site.language)
    if not isinstance(equal, Mapping):
        raise ConfigError(
            "'equal' is a single value", (*site.path, "equal"), "a mapping such as {u: 0}"
        )
    residuals: list[sympy.Expr] = []
    places: list[Path] = []
    for left, right in equal.items():
        place = ("equal", left)
        residuals.append(
            first.residual(left, (*site.path, *place), normal)
            - second.residual(right, (*site.path, *place), normal)
        )
        places.append(place)
    return residuals, places


def points_at(at: Row | list[Row], site: Setting, names: Sequence[str]) -> np.ndarray:
    """Return the points [N, len(names)] that `at` gives."""
    rows = at if isinstance(at, list) else [at]
    result = np.zeros((len(rows), len(names)))
    for i, row in enumerate(rows):
        where = (*site.path, "at", i) if isinstance(at, list) else (*site.path, "at")
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
