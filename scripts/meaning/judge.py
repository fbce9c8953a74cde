"""Compares what the program imposes with what a problem means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path

import numpy as np
import sympy

from pdehvd.config.root import load_config
from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import compile_numpy
from pdehvd.problems.block import Block, Items
from pdehvd.problems.pde_problem import PDEProblem
from scripts.meaning.conditions import Condition
from scripts.meaning.coverage import Points
from scripts.meaning.domain import Meaning, Place
from scripts.meaning.finding import Finding
from scripts.meaning.functions import Quantity, differentiated, normal, size_of
from scripts.meaning.integrals import exactness, integral, values
from scripts.meaning.problems import CONDITION_POINTS, EQUATION_POINTS, Problem

ROUNDING = 1e-9  # of residuals, relative to the sizes of their terms
_SEEN = 1e-4  # what a changed solution must change of a residual, relative


def judge(problem: Problem, folder: Path) -> Finding:
    """Load a problem in an empty folder and look at all that the program makes of it."""
    found = Finding(problem.number, _title(problem))
    path = problem.write(folder)
    try:
        config = load_config(path)[0]
        built = config.problem.build(config.sampling, config.seed)
    except ConfigError as error:
        found.refused = True
        if not problem.refused:
            found.problems.append(f"refused: {error}")
        return found
    found.accepted = True
    if problem.refused:
        found.problems.append(f"accepted: {problem.refused}")
        return found
    _Judge(problem, built, found).all()
    return found


def _title(problem: Problem) -> str:
    shape = problem.place.body
    shown = f" on {next(iter(shape.given))}" if shape else ""
    kinds = " ".join(next(iter(one.given)) for one in problem.conditions)
    return f"{', '.join(problem.place.names)}{shown}; {kinds or 'unconditional'}"


class _Judge:
    """Looks at the blocks of a problem that was built."""

    def __init__(self, problem: Problem, built: PDEProblem, found: Finding) -> None:
        self.problem, self.built, self.found = problem, built, found
        self.place: Place = problem.place
        self.points = Points(self.place, self._say)
        self.changed = {
            # A field that is zero has no size that a change would be compared with.
            name: value + self._bump(index) * (size_of(value) if value != 0 else 1)
            for index, (name, value) in enumerate(problem.raw.items())
        }

    def _bump(self, index: int) -> sympy.Expr:
        """Return a smooth function that fulfils nothing in particular."""
        inner = [
            sympy.Rational(7 + 2 * k, 2) * axis.unit for k, axis in enumerate(self.problem.axes)
        ]
        return sympy.sin(sympy.Add(*inner) + sympy.Rational(index + 1, 3)) / 4

    def whole(self, raw: Mapping[str, sympy.Expr]) -> dict[str, sympy.Expr]:
        """Return the fields that outputs of the network make."""
        result = dict(raw)
        for name, (start, slope) in self.problem.hard.items():
            result[name] = start + slope * raw[name]
        return result

    def all(self) -> None:
        """Look at every block."""
        names = ["equations", *(one.name for one in self.problem.conditions)]
        if [block.name for block in self.built.blocks] != names:
            self._say("blocks", f"{[block.name for block in self.built.blocks]}, not {names}")
            return
        first, *others = self.built.blocks
        self._inside(first)
        for condition, block in zip(self.problem.conditions, others, strict=True):
            self._condition(condition, block)

    def _say(self, name: str, what: str) -> None:
        self.found.problems.append(f"{name}: {what}")

    def _inside(self, block: Block) -> None:
        items = block.source.items(0, 0, block.count)
        if block.count != EQUATION_POINTS:
            self._say(block.name, f"{block.count} points for {EQUATION_POINTS}")
        self.points.region(block.name, Meaning("interior", [self.place.part()]), items)
        self._residuals(block, items, self.problem.equations, [np.zeros_like(items.x)], True)

    def _condition(self, condition: Condition, block: Block) -> None:
        items = block.source.items(0, 0, block.count)
        if condition.region is not None:
            self._on_region(condition, block, items)
        elif condition.periodic is not None:
            self._pairs(condition, block, items)
        elif condition.over:
            self._integrals(condition, block, items)
        else:
            self._given(condition, block, items)

    def _on_region(self, condition: Condition, block: Block, items: Items) -> None:
        region = condition.region
        assert region is not None
        wanted = CONDITION_POINTS
        if all(not part.free and part.rim is None for part in region.parts):
            wanted = len(region.parts)
        if block.count != wanted:
            self._say(condition.name, f"{block.count} points for {wanted}")
        on = self.points.region(condition.name, region, items)
        normals = self.points.normals(condition.name, region, items, on)
        self._residuals(block, items, condition.quantities, normals, condition.zero)

    def _pairs(self, condition: Condition, block: Block, items: Items) -> None:
        axis = condition.periodic
        assert axis is not None
        below, above = items.x[::2], items.x[1::2]
        ends = self.place.bounds[axis]
        apart = np.abs(above - below)
        apart[:, axis] = np.abs(apart[:, axis] - (ends[1] - ends[0]))
        if (apart > 1e-9 * self.place.extent).any():
            self._say(condition.name, "pairs are not opposite each other")
        if (self.place.depth(items.x) < -1e-8).any():
            self._say(condition.name, "pairs outside the domain")
        wanted = CONDITION_POINTS if len(self.place.names) > 1 else 1
        if block.count != wanted:
            self._say(condition.name, f"{block.count} pairs for {wanted}")
        part = self.place.part({axis: float(ends[0])})
        if self.place.body is None or axis not in self.place.columns:
            self.points.region(condition.name, Meaning("lower face", [part]), Items(below, {}))
        self._residuals(block, items, condition.quantities, [], True)

    def _given(self, condition: Condition, block: Block, items: Items) -> None:
        wanted = condition.points
        assert wanted is not None
        if wanted.shape != items.x.shape:
            self._say(condition.name, f"{len(items.x)} points for {len(wanted)}")
            return
        if (np.abs(wanted - items.x) > 1e-12 * np.abs(wanted).max(axis=0)).any():
            self._say(condition.name, "the points are others than those given")
        self._residuals(block, items, condition.quantities, [np.zeros_like(items.x)], True)

    def _integrals(self, condition: Condition, block: Block, items: Items) -> None:
        """Compare an integral of the exact and of a changed solution."""
        (one,), points = condition.quantities, condition.points
        assert points is not None
        allowed = exactness(self.place, condition.over)
        for raw in (self.problem.raw, self.changed):
            theirs, _ = self._imposed(block, items, raw)
            integrand = one.of(self.whole(raw))
            whole = integral(self.place, condition.over, integrand, points)
            size = integral(self.place, condition.over, sympy.Abs(integrand), points)
            size = np.maximum(size, abs(float(condition.target)))
            wrong = np.abs(theirs[0] - (whole - float(condition.target))) / size
            if wrong.max() > allowed:
                self._say(condition.name, f"the integral is wrong by {wrong.max():.2g}")

    def _imposed(
        self, block: Block, items: Items, raw: Mapping[str, sympy.Expr]
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the residuals [items] that the program makes of outputs, and sizes of terms."""
        inputs = dict(zip(self.place.names, items.x.T, strict=True)) | dict(items.extras)
        symbols = [axis.symbol for axis in self.problem.axes]
        wanted: dict[str, sympy.Expr] = {}
        for name, (index, meaning) in block.formulas.derivatives.items():
            function = raw[self.built.fields[index]]
            terms: Sequence[tuple[tuple[int, ...], float]]
            terms = (
                block.formulas.operators[meaning] if isinstance(meaning, int) else ((meaning, 1.0),)
            )
            wanted[name] = sympy.Add(
                *(
                    sympy.Float(number, 17)
                    * differentiated(
                        function,
                        [s for s, n in zip(symbols, orders, strict=True) for _ in range(n)],
                    )
                    for orders, number in terms
                )
            )
        computed = values(list(wanted.values()), self.place.names, items.x) if wanted else []
        inputs |= dict(zip(wanted, computed, strict=True))
        parts = [sympy.Add.make_args(expression) for expression in block.formulas.expressions]
        flat = compile_numpy([part for group in parts for part in group], list(inputs))(inputs)
        k = block.source.points_per_item
        numbers = count()
        sums, sizes = [], []
        for group in parts:
            terms_of = [flat[next(numbers)].reshape(-1, k) for _ in group]
            sums.append(np.sum(terms_of, axis=0).sum(axis=1))
            sizes.append(np.abs(terms_of).sum(axis=(0, 2)))
        return sums, sizes

    def _residuals(
        self,
        block: Block,
        items: Items,
        quantities: Sequence[Quantity],
        normals: Sequence[np.ndarray],
        zero: bool,
    ) -> None:
        """Look whether residuals vanish for the exact solution, and are right for a changed one."""
        exact, sizes = self._imposed(block, items, self.problem.raw)
        theirs, rough = self._imposed(block, items, self.changed)
        if len(exact) != len(quantities):
            self._say(block.name, f"{len(exact)} residuals for {len(quantities)}")
            return
        mine = self._meant(quantities, items, normals)
        for i, quantity in enumerate(quantities):
            scale = sizes[i].max() or 1.0
            if zero:
                largest = float(np.abs(exact[i]).max() / scale)
                self.found.residual = max(self.found.residual, largest)
                if not largest < ROUNDING:
                    self._say(block.name, f"the exact solution leaves {largest:.2g} of a residual")
            scale = max(scale, rough[i].max())
            away = np.min([np.abs(theirs[i] - one[i]) for one in mine], axis=0) / scale
            if not (away < 10 * ROUNDING).mean() > 0.995:
                self._say(
                    block.name, f"the residual is wrong by {away.max():.2g} ({quantity.text[:80]})"
                )
            # Where a hard condition holds, what the network gives need not matter.
            seen = np.abs(theirs[i] - exact[i]).max() / scale > _SEEN
            if not seen and not self.problem.hard:
                self._say(block.name, "the residual does not see a changed solution")

    def _meant(
        self, quantities: Sequence[Quantity], items: Items, normals: Sequence[np.ndarray]
    ) -> list[list[np.ndarray]]:
        """Return the residuals of the changed solution, for each part that points may be on."""
        fields = self.whole(self.changed)
        names = self.place.names
        expressions = [quantity.of(fields) for quantity in quantities]
        symbols = [axis.symbol for axis in self.problem.axes]
        symbols += [normal(name) for name in names]
        function = sympy.lambdify(symbols, expressions, "numpy")
        if not normals:
            flat = function(*items.x.T, *np.zeros_like(items.x).T)
            return [[value[::2] - value[1::2] for value in flat]]
        found = [function(*items.x.T, *one.T) for one in normals]
        return [[np.broadcast_to(value, len(items.x)) for value in one] for one in found]
