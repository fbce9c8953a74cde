"""A PDE problem from YAML: coordinates, fields, equations, conditions, unknowns."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from pdehvd.errors import ConfigError, within
from pdehvd.numerics.derivatives import Partial, check_names
from pdehvd.problems.block import Source, Term, make_block
from pdehvd.problems.condition import Site
from pdehvd.problems.conditions import Condition
from pdehvd.problems.constants import constant_values
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
from pdehvd.problems.language import Language
from pdehvd.problems.modes import Modes, modes_of
from pdehvd.problems.monitors import AnyMonitor, build_monitors
from pdehvd.problems.parameters import Parameter, build_parameters
from pdehvd.problems.pde_problem import PDEProblem
from pdehvd.problems.sampling import Rad, SamplingSpec
from pdehvd.problems.scale import Scale, spec_of
from pdehvd.problems.shapes import GeometrySpec
from pdehvd.problems.subdomains import (
    Subdomain,
    Subdomains,
)
from pdehvd.problems.subdomains_build import (
    build_parts,
    build_places,
    check_cover,
    check_part_name,
    defined_parts,
)
from pdehvd.problems.text import Entries, Text
from pdehvd.problems.time_doubts import TimeDoubts
from pdehvd.problems.unknowns import UnknownSpec, build_unknowns, check_used
from pdehvd.spec import Section, Spec, register


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
    subdomains: dict[str, Subdomain] = Field(
        {}, description="name: limits of coordinates, a shape, or 'rest'; each has its own fields"
    )
    fields: list[str] | dict[str, list[str]] = Field(
        min_length=1, description="the unknown functions; as a mapping, with their coordinates"
    )
    constants: dict[str, Entries] = Field(
        {}, description="numbers, or subdomain: number; may use earlier ones"
    )
    unknowns: dict[str, float | UnknownSpec | str] = Field(
        {}, description="name: initial guess of a number to identify"
    )
    definitions: dict[str, Entries] = Field(
        {}, description="name: expression of fields, for other texts and as a further output"
    )
    equations: dict[str, Entries] = Field(
        min_length=1, description="name: expression that must vanish, or subdomain: expression"
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
        constants = constant_values(self.constants, list(self.subdomains))
        self._check_names()
        parameters = build_parameters(self.parameters, constants[""])
        partials = self._partials(self._subdomains(constants, self._may_be_space()))
        differentiated = differentiated_by(partials, self._names)
        domain = build_domain(
            *(self.coordinates, self.geometry, constants[""], self.time, differentiated, parameters)
        )
        written = self._subdomains(constants, domain.space, domain)
        modes = modes_of(self.unknowns, domain, list(self.subdomains))
        self._check_modes(modes)
        subdomains = modes.subdomains(written)
        language = subdomains.language
        scale = spec_of(self.scale)
        forms = modes.hard(build_hard(self.hard, written, domain), written.language)
        hard = scale.hard(forms, subdomains)
        sampler = sampling.build(seed)
        draw = Draw(domain, sampler, factor)
        interior = draw.source(domain.region("interior"), sampling.equations, 0)
        terms = self._equations(written)
        given = [("equations", interior, terms), *self._conditions(written, draw, wanted)]
        parts = modes.parts(given, written.language, domain)
        scale.check_terms([term for _, _, own in parts for term in own])
        blocks = [
            make_block(name, source, [scale.divided(term) for term in own], language, hard)
            for name, source, own in parts
        ]
        period = sampler.every if isinstance(sampler, Rad) else sampling.resample_every
        specs = modes.unknowns(self.unknowns)
        unknowns = build_unknowns(specs, constants[""], scale.unknowns or {})
        residuals = [e for block in blocks for term in block.terms for e in term.expressions]
        check_used(unknowns, [*residuals, *hard.values()])
        monitors = build_monitors(self.monitors, subdomains, domain, hard, draw.notes)
        notes = (
            *self._notes(
                domain, written.language.fields, partials, terms, modes.of_texts(unknowns)
            ),
            *draw.notes,
            *scale.notes(),
        )
        return PDEProblem(
            *(subdomains, domain, tuple(blocks), unknowns, hard, interior, period, notes),
            measured=draw.measured,
            labels=self.labels,
            monitors=monitors,
            up_to_sign=tuple(subdomains.names) if modes.eigenvalue else (),
        )

    def numbers(self) -> dict[str, float]:
        """Return the values of the constants that are the same all over the domain."""
        return constant_values(self.constants, list(self.subdomains))[""]

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
            found = (group for group, names in groups.items() if error.path[0] in names)
            raise error.within(next(found)) from error
        for part in self.subdomains:
            with within("subdomains", part):
                others = [*self.constants, *self.unknowns]
                check_part_name(part, list(self.fields), named, self._names, others)

    def _check_modes(self, modes: Modes) -> None:
        """Raise `ConfigError` where names of modes mean something else, or labels nothing."""
        named = modes.names([*self.fields, *self.definitions])
        unknowns = modes.unknowns(self.unknowns)
        if modes.eigenvalue is not None:
            with within("unknowns", modes.eigenvalue):
                check_names(named, self._names, [*self.constants, *unknowns])
        check_labels(self.labels, [*self._names, *named, *unknowns, *self.monitors])

    @property
    def _names(self) -> tuple[str, ...]:
        """The coordinates, then the parameters: the inputs of the network."""
        return (*self.coordinates, *self.parameters)

    def _may_be_space(self) -> tuple[str, ...]:
        """Return all coordinates but time: which of them are parameters, the equations tell."""
        time = find_time(list(self.coordinates), self.time)
        return tuple(name for name in self.coordinates if name != time)

    def _subdomains(
        self,
        constants: Mapping[str, Mapping[str, float]],
        space: tuple[str, ...],
        domain: Domain | None = None,
    ) -> Subdomains:
        """Return what the names of texts mean; without a domain, not yet where subdomains lie."""
        with within("fields"):
            arguments = field_arguments(self.fields, self._names)
        held = tuple(name for name, spec in self.parameters.items() if not spec.derivatives)
        base = Language(self._names, (), {}, tuple(self.unknowns), space, held, arguments)
        with within("subdomains"):
            places = {} if domain is None else build_places(self.subdomains, domain)
            parts = build_parts(base, list(self.fields), self.subdomains, constants, places)
            if domain is not None:
                check_cover(parts, domain)
        return defined_parts(parts, list(self.fields), self.definitions)

    def _partials(self, subdomains: Subdomains) -> list[Partial]:
        """Return the derivatives that the equations hold, or name with a factor that is zero."""
        found = []
        for name, text in self.equations.items():
            given = list(text.values()) if isinstance(text, Mapping) else [text]
            with within("equations", name):
                found += partials_in(given, tuple(self.fields), self._names)
            for residual in subdomains.equation(text, ("equations", name)):
                found += subdomains.language.partials(residual).values()
        return found

    def _notes(
        self,
        domain: Domain,
        fields: tuple[str, ...],
        partials: Sequence[Partial],
        terms: Sequence[Term],
        guesses: Mapping[str, float],
    ) -> tuple[str, ...]:
        """Return what the program takes coordinates for, where that may surprise."""
        texts = {name: spec.regions for name, spec in self.conditions.items() if spec.regions}
        equations = dict(zip(self.equations, (term.expressions[0] for term in terms), strict=True))
        doubts = TimeDoubts(domain, fields, partials, equations, texts, guesses)
        found = [name for name in domain.parameters if name not in self.parameters]
        return (*parameter_notes(found), *doubts.notes())

    def _equations(self, subdomains: Subdomains) -> list[Term]:
        terms = []
        for name, text in self.equations.items():
            residuals = subdomains.equation(text, ("equations", name))
            if not all(map(subdomains.language.partials, residuals)):
                raise ConfigError(
                    "the equation contains no field",
                    ("equations", name),
                    "one of " + ", ".join(self.fields),
                )
            terms.append(Term(f"equation/{name}", residuals))
        subdomains.check_equations(terms)
        return terms

    def _conditions(
        self,
        subdomains: Subdomains,
        draw: Draw,
        wanted: Mapping[str, int],
    ) -> list[tuple[str, Source, list[Term]]]:
        """Return the name, the points and the term of each condition."""
        parts: list[tuple[str, Source, list[Term]]] = []
        for index, (name, spec) in enumerate(self.conditions.items()):
            count = spec.count or wanted.get(name, 0)
            site = Site(
                subdomains.common,
                draw.domain,
                ("conditions", name),
                subdomains,
                partial(draw.source, count=count, stream=index + 1),
                draw.notes,
                draw.measured,
            )
            source, term = spec.build(name, site)
            parts.append((name, source, [term]))
        return parts
