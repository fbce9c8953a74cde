"""What a PDE problem is: blocks of residuals over a domain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import sympy

from pdehvd.numerics.derivatives import Partial
from pdehvd.problems.block import Block, Formulas, make_formulas
from pdehvd.problems.geometry import Domain
from pdehvd.problems.language import Language
from pdehvd.problems.measured import Measured
from pdehvd.problems.monitor import Monitor
from pdehvd.problems.sampling import Rad
from pdehvd.problems.sources import RegionSource
from pdehvd.problems.subdomains import Subdomains
from pdehvd.problems.unknowns import Unknown


@dataclass(frozen=True)
class PDEProblem:
    """What must hold: blocks of residuals over a domain; the first holds the equations.

    `notes` are sentences about it that a user must read before the training, `measured` the tables
    of its conditions on data by their names, `labels` what pictures call coordinates and outputs,
    `monitors` what a run follows besides its loss, `up_to_sign` the outputs that are as right with
    the opposite sign.
    """

    subdomains: Subdomains
    domain: Domain
    blocks: tuple[Block, ...]
    unknowns: tuple[Unknown, ...]
    hard: Mapping[str, sympy.Expr]
    interior: RegionSource
    period: int | None
    notes: tuple[str, ...] = ()
    measured: Mapping[str, Measured] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    monitors: tuple[Monitor, ...] = ()
    up_to_sign: tuple[str, ...] = ()

    @property
    def language(self) -> Language:
        """What names mean all over the domain."""
        return self.subdomains.language

    @property
    def adaptive(self) -> Rad | None:
        """The rule that chooses points by their residuals, if there is one."""
        return self.interior.sampler if isinstance(self.interior.sampler, Rad) else None

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the coordinates, in the order of the columns of points [N, D]."""
        return self.language.coordinates

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields, in the order of the network's outputs."""
        return self.language.fields

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the fields, then of the definitions that hold some: what a run predicts."""
        return self.language.outputs

    @cached_property
    def defined(self) -> Formulas:
        """The definitions as functions of the raw fields."""
        return make_formulas([*self.language.defined.values()], self.language, self.hard)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the loss terms."""
        return tuple(term.name for block in self.blocks for term in block.terms)

    @property
    def items(self) -> int:
        """Global number of items that ranks share; each rank needs one."""
        return self.blocks[0].count

    @property
    def points(self) -> int:
        """Global number of points at which the network is evaluated in a step."""
        return sum(block.count * block.source.points_per_item for block in self.blocks)

    def arguments(self, output: str) -> tuple[str, ...]:
        """Return the coordinates that a field or a definition depends on."""
        return self.language.depends(output)

    def partials(self, expression: sympy.Expr) -> dict[sympy.Symbol, Partial]:
        """Return the symbols in an expression that are fields or derivatives, and of what."""
        return self.language.partials(expression)
