"""Points at which residuals are not finite whatever the fields are, as those with 1/x at x = 0."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import sympy

from pdehvd.numerics.expressions import compile_numpy, partial_of
from pdehvd.problems.block import Items, Source
from pdehvd.problems.language import Language
from pdehvd.problems.sequences import Sobol
from pdehvd.problems.sources import RegionSource

_PIECE_POINTS, _ITEMS = 64, 4096


@dataclass(frozen=True)
class NotFinite:
    """A part of a residual that is `value` at a place, and at which share of the points."""

    part: str
    value: float
    place: str
    share: float


def not_finite(language: Language, residual: sympy.Expr, items: Items) -> NotFinite | None:
    """Return where the first part of a residual that holds no field is not finite, None if nowhere.

    Parts are summands and factors; what lies within other functions may be finite nevertheless.
    """
    parts = [part for part in _known(language, residual) if not _polynomial(part)]
    if not parts or not len(items.x):
        return None
    columns = dict(zip(language.coordinates, items.x.T, strict=True)) | items.extras
    values = np.stack(compile_numpy(parts, sorted(columns))(columns))
    wrong = ~np.isfinite(values)
    if not wrong.any():
        return None
    at = int(np.argmax(wrong.any(axis=0)))
    which = int(np.argmax(wrong[:, at]))
    point = zip(language.coordinates, items.x[at], strict=True)
    place = ", ".join(f"{name} = {value:.3g}" for name, value in point)
    part = str(parts[which]).replace("**", "^")
    return NotFinite(part, float(values[which, at]), place, float(wrong.any(axis=0).mean()))


def finite_nowhere(language: Language, residual: sympy.Expr, source: Source) -> NotFinite | None:
    """Return where a residual is finite at no point of its source, or of a piece of its region."""
    if all(_polynomial(part) for part in _known(language, residual)):
        return None
    for items in _pieces(source):
        found = not_finite(language, residual, items)
        if found is not None and found.share == 1:
            return found
    return None


def first_items(source: Source) -> Items:
    """Return the items of a source in the first round, at most a few thousand."""
    return source.items(0, 0, min(source.count, _ITEMS))


def _pieces(source: Source) -> Iterator[Items]:
    if not isinstance(source, RegionSource):
        yield first_items(source)
        return
    sampler, domain = Sobol(0), source.domain
    for piece in source.region.pieces:
        region = replace(source.region, pieces=(piece,))
        count = domain.count(region, _PIECE_POINTS, sampler)
        own = replace(source, region=region, sampler=sampler, count=count, candidates=0)
        yield own.items(0, 0, count)


def _known(language: Language, expression: sympy.Expr) -> Iterator[sympy.Expr]:
    """Yield the largest parts, summands or factors, that hold no field and no unknown."""
    if not any(_trained(language, free.name) for free in expression.free_symbols):
        yield expression.as_coeff_Mul()[1]
    elif expression.is_Add or expression.is_Mul:
        for part in expression.args:
            yield from _known(language, part)


def _trained(language: Language, name: str) -> bool:
    partial = partial_of(name, language.fields, language.coordinates)
    return partial is not None or name in language.unknowns


def _polynomial(expression: sympy.Expr) -> bool:
    return bool(expression.is_polynomial(*expression.free_symbols))
