"""How often waves and currents cross a domain, from the coefficients of its equations."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import sympy

from pdehvd.assembly.trust.plausible_values import Plausible, evaluated
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import partial_of, symbol
from pdehvd.problems.pde_problem import PDEProblem

Kind = Literal["transport", "wave", "oscillation"]
# Global Peclet number, speed times length over diffusivity, below which diffusion smooths a field
# before it has crossed the domain.
_PECLET = 50.0


@dataclass(frozen=True)
class Motion:
    """A solution that crosses `along` `crossings` times, or has so many wavelengths there.

    `speed` is the coefficient that says so: a speed, or a wave number. `kept` says whether the
    equation moves the field and does nothing else to it.
    """

    kind: Kind
    equation: str
    field: str
    along: str
    crossings: float
    speed: float
    kept: bool = False


def motions(problem: PDEProblem, names: Plausible, known: Collection[str]) -> tuple[Motion, ...]:
    """Return the fastest motion of each kind and coordinate.

    A coefficient that holds a field whose size is not `known` says nothing.
    """
    found: dict[tuple[str, str], Motion] = {}
    block = problem.blocks[0]
    for term in block.terms:
        for expression in term.expressions:
            try:
                effects = names.effects(block, expression)
            except ConfigError:
                continue
            equation = _Equation(problem, term.short, expression, effects, names)
            for motion in equation.motions(known):
                key = motion.kind, motion.along
                if key not in found or found[key].crossings < motion.crossings:
                    found[key] = motion
    return tuple(found.values())


@dataclass(frozen=True)
class _Equation:
    """An equation and what each field and derivative adds to it."""

    problem: PDEProblem
    name: str
    expression: sympy.Expr
    effects: Mapping[str, float]
    names: Plausible

    def motions(self, known: Collection[str]) -> Iterator[Motion]:
        """Yield the motions of every field along every coordinate."""
        time = self.problem.domain.time
        for field in self.problem.fields:
            if not self._linear(field, known):
                continue
            second = {c: self._coefficient(f"{field}_{c}{c}") for c in self.problem.coordinates}
            if time is not None:
                yield from self._moving(field, time, second)
            if len(self.problem.coordinates) == 1 or not self._evolves(time):
                yield from self._standing(field, second)

    def _evolves(self, time: str | None) -> bool:
        return any(f"{field}_{time}" in self.effects for field in self.problem.fields)

    def _linear(self, field: str, known: Collection[str]) -> bool:
        """Return whether the coefficients of a field's derivatives hold known fields only."""
        fields, coordinates = self.problem.fields, self.problem.coordinates
        for name in self.effects:
            own = partial_of(name, fields, coordinates)
            if own is None or own.field != field:
                continue
            factor = self.expression.diff(symbol(name)).free_symbols
            held = {p.field for s in factor if (p := partial_of(str(s), fields, coordinates))}
            if not held <= set(known):
                return False
        return True

    def _coefficient(self, name: str) -> float:
        effect = self.effects.get(name, 0.0)
        return effect / self.names.size(name) if effect else 0.0

    def _moving(self, field: str, time: str, second: Mapping[str, float]) -> Iterator[Motion]:
        """Yield currents of a u_t + b u_x and waves of a u_tt - b u_xx with a b > 0."""
        rate, spans = self._coefficient(f"{field}_{time}"), self.names.spans
        for along in self.problem.coordinates:
            flow = self._coefficient(f"{field}_{along}")
            crossed = spans[time] / spans[along]
            if along == time:
                continue
            if rate and flow and not second[time] and not self._smoothed(field, time, along):
                speed = abs(flow / rate)
                kept = set(self.effects) <= {f"{field}_{c}" for c in self.problem.coordinates}
                yield Motion("transport", self.name, field, along, speed * crossed, speed, kept)
            if second[time] * second[along] < 0:
                speed = math.sqrt(-second[along] / second[time])
                yield Motion("wave", self.name, field, along, speed * crossed, speed)

    def _smoothed(self, field: str, time: str, along: str) -> bool:
        """Return whether diffusion smooths a u_t + b u_x + c u_xx: a c < 0, and |b/c| L is small.

        These are medians over the domain, as coefficients may be singular: u_rr + 2/r u_r.
        """
        block = self.problem.blocks[0]
        rate, flow, spread = (
            self.expression.diff(symbol(f"{field}_{suffix}")) for suffix in (time, along, 2 * along)
        )
        if not spread:
            return False
        columns = self.names.columns(block, [self.expression])
        sign, steepness = evaluated([rate * spread, flow / spread], columns)
        peclet = float(np.median(np.abs(steepness))) * self.names.spans[along]
        return float(np.median(sign)) < 0 and peclet < _PECLET

    def _standing(self, field: str, second: Mapping[str, float]) -> Iterator[Motion]:
        """Yield the waves of a f'' + b f' + c f = 0 with a c > b^2/4; b only in one coordinate."""
        value, spans = self._coefficient(field), self.names.spans
        bent = {along: a for along, a in second.items() if a}
        slopes = {along: self._coefficient(f"{field}_{along}") for along in second}
        flows = any(slopes.values()) and len(slopes) > 1
        if flows or any(a * value <= 0 for a in bent.values()):
            return
        for along, a in bent.items():
            square = value / a - (slopes[along] / (2 * a)) ** 2
            if square > 0:
                wave_number = math.sqrt(square)
                crossings = wave_number * spans[along] / (2 * math.pi)
                yield Motion("oscillation", self.name, field, along, crossings, wave_number)
