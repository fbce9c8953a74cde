"""Blocks: what is evaluated where. Points, the derivatives needed there, and the residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import sympy

from pdehvd.numerics.absorb import absorb_first_order
from pdehvd.numerics.chain_rule import substitute_hard
from pdehvd.numerics.collapse import MultiIndex, Operator, collapse_operators
from pdehvd.numerics.derivatives import (
    partial_of,
)
from pdehvd.numerics.plans import Plan, plan
from pdehvd.problems.language import Language


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

    @property
    def short(self) -> str:
        """Its name without the section of the loss that it belongs to."""
        return self.name.split("/")[-1]


@dataclass(frozen=True)
class Formulas:
    """Expressions at points, and the derivatives of raw fields that they need there.

    `derivatives` says what each symbol is: a field's index and a partial or an operator's number.
    """

    expressions: tuple[sympy.Expr, ...]
    requested: frozenset[MultiIndex]
    operators: tuple[Operator, ...]
    derivatives: Mapping[str, tuple[int, MultiIndex | int]]

    @property
    def names(self) -> set[str]:
        """The names of all symbols in the expressions."""
        return {str(free) for expression in self.expressions for free in expression.free_symbols}

    def plan(self, dimension: int) -> Plan:
        """Return the plan of the derivatives, of D coordinates."""
        return plan(dimension, self.requested, self.operators)


def make_formulas(
    expressions: Sequence[sympy.Expr], language: Language, hard: Mapping[str, sympy.Expr]
) -> Formulas:
    """Return expressions of fields in terms of raw fields, and the derivatives they need."""
    fields, coordinates = language.fields, language.coordinates
    raw = substitute_hard(expressions, hard, fields, coordinates)
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
    return Formulas(
        tuple(collapsed.expressions),
        frozenset(collapsed.partials),
        collapsed.operators,
        derivatives,
    )


@dataclass(frozen=True)
class Block:
    """Terms that share their points. Residual of an item = sum over its k points of the formula."""

    name: str
    source: Source
    terms: tuple[Term, ...]
    formulas: Formulas

    @property
    def count(self) -> int:
        """Global number of items."""
        return self.source.count

    @property
    def residuals(self) -> int:
        """Number of residuals of an item."""
        return len(self.formulas.expressions)


def make_block(
    name: str,
    source: Source,
    terms: Sequence[Term],
    language: Language,
    hard: Mapping[str, sympy.Expr],
) -> Block:
    """Join terms on one set of points and find the derivatives that they need."""
    flat = [expression for term in terms for expression in term.expressions]
    return Block(name, source, tuple(terms), make_formulas(flat, language, hard))
