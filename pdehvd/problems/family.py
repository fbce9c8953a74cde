"""A family of PDEs on a grid, ready to be sampled and discretised."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import sympy
from numpy.typing import DTypeLike

from pdehvd.problems.coefficients import Family
from pdehvd.problems.levels import ResolutionSchedule, constant
from pdehvd.problems.samples import SampleSet

Loss = Literal["ritz", "galerkin", "residual"]
Difference = Literal["central", "backward", "forward"]
TRAINING, HELD_OUT = 0, 1
# Samples are drawn in groups of about this many numbers.
_GROUP = 1 << 20


@dataclass(frozen=True)
class Flux:
    """F(u) and its speed dF/du, for the difference of F along an axis (Rusanov 1961)."""

    axis: int
    value: sympy.Expr
    speed: sympy.Expr


@dataclass(frozen=True)
class Face:
    """A side of the box on which the field is given: its axis, which end, and the value."""

    axis: int
    end: int
    value: sympy.Expr


@dataclass(frozen=True)
class Sample:
    """Inputs of samples: fields [B, *n] by name (size 1 where constant), and latent numbers."""

    fields: dict[str, np.ndarray]
    latent: np.ndarray | None


@dataclass(frozen=True)
class ParametricProblem:
    """What must hold for every sample, and the samples."""

    coordinates: tuple[str, ...]
    bounds: np.ndarray
    field: str
    constants: Mapping[str, float]
    inputs: tuple[str, ...]
    families: tuple[Mapping[str, Family], Mapping[str, Family]]
    loss: Loss
    expression: sympy.Expr
    fluxes: Mapping[str, Flux]
    kinds: tuple[Difference, ...]
    scale: sympy.Expr | None
    features: tuple[sympy.Expr, ...]
    centre: bool
    hard: sympy.Expr | None
    faces: tuple[Face, ...]
    resolution: int
    samples: SampleSet
    held_out: int
    labels: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields that the network gives."""
        return (self.field,)

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the loss terms."""
        return (("energy" if self.loss == "ritz" else "equation") + f"/{self.loss}",)

    @property
    def items(self) -> int:
        """Global number of samples in a batch, which ranks share; each rank needs one."""
        return self.samples.batch

    def shape(self, resolution: int) -> tuple[int, ...]:
        """Return the nodes along each coordinate."""
        return (resolution,) * len(self.coordinates)

    def axes(self, resolution: int) -> tuple[np.ndarray, ...]:
        """Return the nodes' coordinates along each axis."""
        return tuple(np.linspace(low, high, resolution) for low, high in self.bounds)

    def draw(
        self,
        indices: np.ndarray,
        resolution: int,
        stream: int = TRAINING,
        dtype: DTypeLike = np.float64,
    ) -> Sample:
        """Return samples by their numbers; `stream` HELD_OUT are those of the evaluation."""
        axes, families = self.axes(resolution), self.families[stream]
        fields = {name: _drawn(family, indices, axes, dtype) for name, family in families.items()}
        # One field at least has its full size: it tells the resolution.
        first = next(iter(fields))
        full = (len(indices), *self.shape(resolution))
        if all(field.shape != full for field in fields.values()):
            fields[first] = np.broadcast_to(fields[first], full)
        latent = [family.latent(indices) for family in families.values()]
        known = [numbers for numbers in latent if numbers is not None]
        return Sample(fields, np.concatenate(known, 1) if known else None)

    @property
    def latent(self) -> int:
        """How many latent numbers make a sample."""
        numbers = self.draw(np.zeros(1, np.int64), 2).latent
        return 0 if numbers is None else numbers.shape[1]

    def schedule(self) -> ResolutionSchedule:
        """Return the schedule that stays at the problem's resolution."""
        return constant(self.resolution)


def _drawn(
    family: Family, indices: np.ndarray, axes: Sequence[np.ndarray], dtype: DTypeLike
) -> np.ndarray:
    """Return samples [B, *n]; a few at a time, as in double precision they need more memory."""
    few = max(1, _GROUP // math.prod(len(axis) for axis in axes))
    first = family.sample(indices[:few], axes)
    if len(indices) <= few:
        return first.astype(dtype, copy=False)
    fields = np.empty((len(indices), *first.shape[1:]), dtype)
    fields[:few] = first
    for start in range(few, len(indices), few):
        fields[start : start + few] = family.sample(indices[start : start + few], axes)
    return fields
