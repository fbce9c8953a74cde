"""A PDE problem from YAML: coordinates, fields, equations, conditions, unknowns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Annotated, Literal

import sympy
from pydantic import Field

from pdehvd.errors import ConfigError, within
from pdehvd.numerics.derivatives import Partial, check_names
from pdehvd.numerics.expressions import parse_number
from pdehvd.problems.block import (
    Block,
    Formulas,
    Language,
    Source,
    Term,
    make_block,
    make_formulas,
)
from pdehvd.problems.condition import Site
from pdehvd.problems.conditions import Condition
from pdehvd.problems.coordinates import (
    differentiated_by,
    field_arguments,
    find_time,
    parameter_notes,
    partials_in,
)
from pdehvd.problems.draw import Draw
from pdehvd.problems.geometry import Domain, build_domain
from pdehvd.problems.hard import HardOn, build_hard
from pdehvd.problems.labels import Label, check_labels
from pdehvd.problems.measured import Measured
from pdehvd.problems.monitor import Monitor
from pdehvd.problems.monitors import AnyMonitor, build_monitors
from pdehvd.problems.parameters import Parameter, build_parameters
from pdehvd.problems.sampling import Rad, SamplingSpec
from pdehvd.problems.scale import Scale, spec_of
from pdehvd.problems.shapes import GeometrySpec
from pdehvd.problems.sources import RegionSource
from pdehvd.problems.text import Text
from pdehvd.problems.time_doubts import TimeDoubts
from pdehvd.problems.unknowns import Unknown, UnknownSpec, build_unknowns, check_used
from pdehvd.spec import Section, Spec, register


@dataclass(frozen=True)
class PDEProblem:
    """What must hold: blocks of residuals over a domain; the first holds the equations.

    `notes` are sentences about it that a user must read before the training, `measured` the tables
    of its conditions on data by their names, `labels` what pictures call coordinates and outputs,
    `monitors` what a run follows besides its loss.
    """

    language: Language
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


@register("problem")
class PDESpec(Spec):
    """A partial or ordinary differential equation, forward or inverse, on a box or a shape."""

    name: Literal["pde"] = "pde"
    coordinates: dict[str, list[Text] | None] = Field(min_length=1, description="name: [low, high]")
    time: str | None = Field(
        None, description="the coordinate that is time; null: `t` or `time`, if there is one"
    )
    geometry: GeometrySpec | None = Field(None, description="a shape over some of the coordinates")
    parameters: dict[str, Parameter] = Field(
        {}, description="name: [low, high], or a distribution, of a further input of the network"
    )
    fields: list[str] | dict[str, list[str]] = Field(
        min_length=1, description="the unknown functions; as a mapping, with their coordinates"
    )
    constants: dict[str, Text] = Field(
        {}, description="numbers in the equations; may use earlier ones"
    )
    unknowns: dict[str, float | UnknownSpec | str] = Field(
        {}, description="name: initial guess of a number to identify"
    )
    definitions: dict[str, Text] = Field(
        {}, description="name: expression of fields, for other texts and as a further output"
    )
    equations: dict[str, Text] = Field(
        min_length=1, description="name: expression that must vanish"
    )
    conditions: dict[str, Condition] = Field({}, description="name: what must hold where")
    hard: dict[str, HardOn | Text] = Field(
        {}, description="field: expression of `network`, its raw output, or values on regions"
    )
    monitors: dict[str, AnyMonitor] = Field(
        {}, description="name: a number of interest, logged where errors are evaluated"
    )
    scale: Scale = Field(
        "auto", description="sizes of fields, terms and unknowns; none: as the file has them"
    )
    reference: Annotated[Spec, Section("reference")] | None = None
    labels: dict[str, Label] = Field({}, description="name: what pictures and the report call it")

    def build(self, sampling: SamplingSpec, seed: int, factor: int = 1) -> PDEProblem:
        """Return the problem; `factor` multiplies the numbers of points (weak scaling).

        Raises `ConfigError` whose path starts with `problem` or `sampling`.
        """
        shared = [name for name, spec in self.conditions.items() if spec.shares]
        with within("sampling"):
            wanted = sampling.condition_counts(shared)
        with within("problem"):
            return self._built(sampling, wanted, seed, factor)

    def _built(
        self, sampling: SamplingSpec, wanted: Mapping[str, int], seed: int, factor: int
    ) -> PDEProblem:
        constants = self.numbers()
        self._check_names()
        parameters = build_parameters(self.parameters, constants)
        partials = self._partials(self._language(constants, self._may_be_space()))
        differentiated = differentiated_by(partials, self._names)
        domain = build_domain(
            *(self.coordinates, self.geometry, constants, self.time, differentiated, parameters)
        )
        language = self._language(constants, domain.space)
        scale = spec_of(self.scale)
        hard = scale.hard(build_hard(self.hard, language, domain), language.fields)
        sampler = sampling.build(seed)
        draw = Draw(domain, sampler, factor)
        interior = draw.source(domain.region("interior"), sampling.equations, 0)
        terms = self._equations(language)
        parts = [("equations", interior, terms), *self._conditions(language, draw, wanted)]
        scale.check_terms([term for _, _, own in parts for term in own])
        blocks = [
            make_block(name, source, [scale.divided(term) for term in own], language, hard)
            for name, source, own in parts
        ]
        period = sampler.every if isinstance(sampler, Rad) else sampling.resample_every
        unknowns = build_unknowns(self.unknowns, constants, scale.unknowns or {})
        residuals = [e for block in blocks for term in block.terms for e in term.expressions]
        check_used(unknowns, [*residuals, *hard.values()])
        monitors = build_monitors(self.monitors, language, domain, hard, draw.notes)
        notes = (*self._notes(domain, partials, terms, unknowns), *draw.notes, *scale.notes())
        return PDEProblem(
            *(language, domain, tuple(blocks), unknowns, hard, interior, period, notes),
            measured=draw.measured,
            labels=self.labels,
            monitors=monitors,
        )

    def numbers(self) -> dict[str, float]:
        """Return the constants' values; each may use those above it."""
        values: dict[str, float] = {}
        for name, text in self.constants.items():
            with within("constants", name):
                values[name] = parse_number(text, values)
        return values

    def _check_names(self) -> None:
        groups: dict[str, Collection[str]] = {
            "definitions": self.definitions,
            "parameters": self.parameters,
            "coordinates": self.coordinates,
            "fields": self.fields,
            "constants": self.constants,
            "unknowns": self.unknowns,
        }
        named = [*self.fields, *self.definitions]
        try:
            check_names(named, self._names, [*self.constants, *self.unknowns])
        except ConfigError as error:
            group = next(group for group, names in groups.items() if error.path[0] in names)
            raise error.within(group) from error
        check_labels(self.labels, [*self._names, *named, *self.unknowns, *self.monitors])

    @property
    def _names(self) -> tuple[str, ...]:
        """The coordinates, then the parameters: the inputs of the network."""
        return (*self.coordinates, *self.parameters)

    def _may_be_space(self) -> tuple[str, ...]:
        """Return all coordinates but time: which of them are parameters, the equations tell."""
        time = find_time(list(self.coordinates), self.time)
        return tuple(name for name in self.coordinates if name != time)

    def _language(self, constants: Mapping[str, float], space: tuple[str, ...]) -> Language:
        """Return the language of the texts, with definitions."""
        with within("fields"):
            arguments = field_arguments(self.fields, self._names)
        held = tuple(name for name, spec in self.parameters.items() if not spec.derivatives)
        language = Language(
            *(self._names, tuple(self.fields), constants, tuple(self.unknowns), space, held),
            arguments=arguments,
        )
        return language.defining(self.definitions, ("definitions",))

    def _partials(self, language: Language) -> list[Partial]:
        """Return the derivatives that the equations hold, or name with a factor that is zero."""
        found = []
        for name, text in self.equations.items():
            with within("equations", name):
                found += partials_in([text], tuple(self.fields), self._names)
            found += language.partials(language.residual(text, ("equations", name))).values()
        return found

    def _notes(
        self,
        domain: Domain,
        partials: Sequence[Partial],
        terms: Sequence[Term],
        unknowns: Sequence[Unknown],
    ) -> tuple[str, ...]:
        """Return what the program takes coordinates for, where that may surprise."""
        texts = {name: spec.regions for name, spec in self.conditions.items() if spec.regions}
        equations = dict(zip(self.equations, (term.expressions[0] for term in terms), strict=True))
        guesses = {unknown.name: unknown.initial for unknown in unknowns}
        doubts = TimeDoubts(domain, tuple(self.fields), partials, equations, texts, guesses)
        found = [name for name in domain.parameters if name not in self.parameters]
        return (*parameter_notes(found), *doubts.notes())

    def _equations(self, language: Language) -> list[Term]:
        terms = []
        for name, text in self.equations.items():
            residual = language.residual(text, ("equations", name))
            if not language.partials(residual):
                raise ConfigError(
                    "the equation contains no field",
                    ("equations", name),
                    "one of " + ", ".join(self.fields),
                )
            terms.append(Term(f"equation/{name}", (residual,)))
        return terms

    def _conditions(
        self,
        language: Language,
        draw: Draw,
        wanted: Mapping[str, int],
    ) -> list[tuple[str, Source, list[Term]]]:
        """Return the name, the points and the term of each condition."""
        parts: list[tuple[str, Source, list[Term]]] = []
        for index, (name, spec) in enumerate(self.conditions.items()):
            count = spec.count or wanted.get(name, 0)
            site = Site(
                language,
                draw.domain,
                ("conditions", name),
                partial(draw.source, count=count, stream=index + 1),
                draw.notes,
                draw.measured,
            )
            source, term = spec.build(name, site)
            parts.append((name, source, [term]))
        return parts
