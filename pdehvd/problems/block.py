"""Blocks: what is evaluated where. Points, the derivatives needed there, and the residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import sympy

from pdehvd.errors import Path, within
from pdehvd.numerics.absorb import absorb_first_order
from pdehvd.numerics.collapse import MultiIndex, Operator, collapse_operators
from pdehvd.numerics.derivatives import expand_normals, field_symbols, partial_of, substitute_hard
from pdehvd.numerics.expressions import parse, symbol
from pdehvd.numerics.functions import exact


@dataclass(frozen=True)
class Language:
    """The names that a problem's texts may use, and what they mean."""

    coordinates: tuple[str, ...]
    fields: tuple[str, ...]
    constants: Mapping[str, float]
    unknowns: tuple[str, ...]
    space: tuple[str, ...]

    def residual(self, text: str | float, path: Path, normal: bool = False) -> sympy.Expr:
        """Parse an expression of coordinates, fields, their derivatives, constants and unknowns.

        With `normal`, u_n = sum_d n_d u_d is written out with the symbols `__normal_x`, ...
        Raises `ConfigError` at `path`.
        """
        names = {name: symbol(name) for name in (*self.coordinates, *self.fields, *self.unknowns)}
        names |= {name: exact(value) for name, value in self.constants.items()}
        with within(*path):
            names |= field_symbols(text, self.fields, self.coordinates, normal=normal)
            expression = parse(text, names, fields=self.fields, coordinates=self.coordinates)
        return expand_normals([expression], self.fields, self.space)[0] if normal else expression

    def function(self, text: str | float, path: Path, names: Sequence[str]) -> sympy.Expr:
        """Parse an expression of `names`, constants and unknowns. Raises `ConfigError`."""
        known: dict[str, sympy.Basic] = {name: symbol(name) for name in (*names, *self.unknowns)}
        known |= {name: exact(value) for name, value in self.constants.items()}
        with within(*path):
            return parse(text, known)


@dataclass(frozen=True)
class Items:
    """Part of a block's items: points [n * k, D] and named columns [n * k], k points per item."""

    x: np.ndarray
    extras: dict[str, np.ndarray]


class Source(Protocol):
    """Where a block's items come from; a function of (round, global index) only."""

    @property
    def count(self) -> int:
        """Global number of items."""

    @property
    def points_per_item(self) -> int:
        """Number of points k at which an item is evaluated."""

    def items(self, round_: int, start: int, stop: int) -> Items:
        """Return the global items start..stop of a resampling round."""

    def fresh(self) -> Source:
        """Return a source that has other items in the round `FRESH`; itself where all are given."""


@dataclass(frozen=True)
class Term:
    """A named part of the loss: the mean over items of these squared residuals."""

    name: str
    expressions: tuple[sympy.Expr, ...]


@dataclass(frozen=True)
class Block:
    """Terms that share their points. Residual of an item = sum over its k points of the expression.

    `derivatives` says what each symbol is: a field's index and a partial or an operator's number.
    """

    name: str
    source: Source
    terms: tuple[Term, ...]
    expressions: tuple[sympy.Expr, ...]
    requested: frozenset[MultiIndex]
    operators: tuple[Operator, ...]
    derivatives: Mapping[str, tuple[int, MultiIndex | int]]

    @property
    def count(self) -> int:
        """Global number of items."""
        return self.source.count


def make_block(
    name: str,
    source: Source,
    terms: Sequence[Term],
    language: Language,
    hard: Mapping[str, sympy.Expr],
) -> Block:
    """Join terms on one set of points and find the derivatives that they need."""
    fields, coordinates = language.fields, language.coordinates
    flat = [expression for term in terms for expression in term.expressions]
    raw = substitute_hard(flat, hard, fields, coordinates)
    collapsed = absorb_first_order(
        collapse_operators(raw, fields, coordinates), fields, coordinates
    )
    derivatives: dict[str, tuple[int, MultiIndex | int]] = {}
    for free in set().union(*(expression.free_symbols for expression in collapsed.expressions)):
        if free.name in collapsed.names:
            field, index = collapsed.names[free.name]
            derivatives[free.name] = (fields.index(field), index)
            continue
        partial = partial_of(free.name, fields, coordinates)
        if partial is not None:
            derivatives[free.name] = (fields.index(partial.field), partial.orders)
    return Block(
        name,
        source,
        tuple(terms),
        tuple(collapsed.expressions),
        frozenset(collapsed.partials),
        collapsed.operators,
        derivatives,
    )
