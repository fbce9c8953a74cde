"""References of parametric problems: the solution of one sample at the nodes of its grid."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

import numpy as np
import sympy
from pydantic import Field

from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import compile_numpy
from pdehvd.problems.family import ParametricProblem
from pdehvd.reference.burgers_grid import solve_burgers
from pdehvd.reference.cache import cached
from pdehvd.reference.finite_elements import FiniteElements
from pdehvd.spec import Spec, register

Inputs = Mapping[str, np.ndarray]


class GridReference(ABC):
    """Solves single samples; what has been solved once is kept in the user's cache folder."""

    name: str

    def __init__(self, problem: ParametricProblem) -> None:
        self.problem = problem

    @abstractmethod
    def solve(self, inputs: Inputs, resolution: int) -> np.ndarray:
        """Return the field [*n] of a sample whose inputs are [*n] (size 1 where constant)."""

    def stored(self, inputs: Inputs, resolution: int) -> np.ndarray:
        """Return `solve`, from the cache where that is possible."""
        problem = self.problem
        digest = hashlib.sha256()
        for name in problem.inputs:
            digest.update(name.encode() + np.ascontiguousarray(inputs[name]).tobytes())
        faces = [(face.axis, face.end, str(face.value)) for face in problem.faces]
        definition = {
            "law": sympy.srepr(problem.expression),
            "bounds": problem.bounds.tolist(),
            "faces": faces,
            "resolution": resolution,
            "inputs": digest.hexdigest(),
        }
        solved = cached(self.name, definition, lambda: {"u": self.solve(inputs, resolution)})
        return solved["u"]


class _FiniteElementReference(GridReference):
    """Minimises the energy over bilinear or trilinear elements on the same nodes."""

    name = "finite_elements"

    def __init__(self, problem: ParametricProblem) -> None:
        super().__init__(problem)
        self._elements: dict[int, FiniteElements] = {}

    def solve(self, inputs: Inputs, resolution: int) -> np.ndarray:
        problem = self.problem
        shape = problem.shape(resolution)
        if resolution not in self._elements:
            self._elements[resolution] = FiniteElements(
                problem.expression, problem.field, problem.coordinates, problem.bounds, shape
            )
        full = {name: np.broadcast_to(field, shape) for name, field in inputs.items()}
        values, free = conditions(problem, inputs, resolution)
        return self._elements[resolution].solve(full, values, free)


class _BurgersReference(GridReference):
    """Finite volumes on a finer grid."""

    name = "burgers"

    def __init__(self, problem: ParametricProblem, initial: str, viscosity: float) -> None:
        super().__init__(problem)
        self._initial, self._viscosity = initial, viscosity

    def solve(self, inputs: Inputs, resolution: int) -> np.ndarray:
        x, t = self.problem.axes(resolution)
        start = np.broadcast_to(inputs[self._initial], self.problem.shape(resolution))[:, 0]
        return solve_burgers(start, x, t - t[0], self._viscosity)


@register("reference")
class FiniteElementsSpec(Spec):
    """The minimum of an energy over bilinear or trilinear elements, by scikit-fem and Newton."""

    kind: ClassVar[str] = "grid"
    name: Literal["finite_elements"] = "finite_elements"

    def build(self, problem: ParametricProblem) -> GridReference:
        """Return the reference. Raises `ConfigError` for a problem that has no energy."""
        if problem.loss == "residual":
            raise ConfigError("finite elements solve an energy", ("name",), "problem.energy")
        return _FiniteElementReference(problem)


@register("reference")
class BurgersGridSpec(Spec):
    """u_t + (u^2/2)_x = nu u_xx in (x, t), u kept at both ends, by finite volumes."""

    kind: ClassVar[str] = "grid"
    name: Literal["burgers_grid"] = "burgers_grid"
    initial: str = Field("u0", description="the input that is the initial value of u")
    viscosity: str = Field("nu", description="the constant that is the viscosity")

    def build(self, problem: ParametricProblem) -> GridReference:
        """Return the reference. Raises `ConfigError` for names that the problem lacks."""
        if len(problem.coordinates) != 2:
            raise ConfigError(
                "the reference of Burgers' equation needs (x, t)", ("name",), "two coordinates"
            )
        if self.initial not in problem.inputs:
            expected = "one of " + ", ".join(problem.inputs)
            raise ConfigError(f"'{self.initial}' is not an input", ("initial",), expected)
        if self.viscosity not in problem.constants:
            expected = "one of " + ", ".join(problem.constants)
            raise ConfigError(f"'{self.viscosity}' is not a constant", ("viscosity",), expected)
        viscosity = problem.constants[self.viscosity]
        return _BurgersReference(problem, self.initial, viscosity)


def conditions(
    problem: ParametricProblem, inputs: Inputs, resolution: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the given values [*n], 0 where none is given, and which nodes are free [*n]."""
    shape = problem.shape(resolution)
    mesh = np.meshgrid(*problem.axes(resolution), indexing="ij")
    names = dict(zip(problem.coordinates, mesh, strict=True))
    names |= {name: np.broadcast_to(field, shape) for name, field in inputs.items()}
    values, free = np.zeros(shape), np.ones(shape, bool)
    for face in problem.faces:
        side: list[slice | int] = [slice(None)] * len(shape)
        side[face.axis] = -1 if face.end else 0
        given = compile_numpy([face.value], list(names))(names)[0]
        values[tuple(side)] = given[tuple(side)]
        free[tuple(side)] = False
    return values, free
