"""How many points, from which sequence, how often resampled: the `sampling:` section."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from pdehvd.errors import ConfigError, counted, nearest, within
from pdehvd.problems.sequences import (
    Halton,
    Key,
    LatinHypercube,
    Lattice,
    Rad,
    Sampler,
    Sobol,
    Uniform,
    rad_select,
)
from pdehvd.spec import Spec, register

__all__ = [
    "GridSpec",
    "Halton",
    "HaltonSpec",
    "Key",
    "LatinHypercube",
    "LatinHypercubeSpec",
    "Lattice",
    "Rad",
    "RadSpec",
    "Sampler",
    "SamplingSpec",
    "Sobol",
    "SobolSpec",
    "Uniform",
    "UniformSpec",
    "rad_select",
]


# Points of a batch; their numbers are those of 32 bits in the sequences.
MAXIMUM_COUNT = 2**31 - 1


def _whole(value: object) -> object:
    """Refuse counts that are not whole numbers of at least one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value % 1 != 0:
        raise ConfigError(f"{value!r} is not a number of points", expected="a whole number")
    if value < 1:
        raise ConfigError(f"{value} is not positive", expected="a whole number of at least 1")
    if value > MAXIMUM_COUNT:
        raise ConfigError(f"{str(value)[:20]} is too many", expected=f"at most {MAXIMUM_COUNT}")
    return int(value)


def _counts(value: object) -> object:
    """Refuse anything but a count or a mapping of names to counts."""
    if not isinstance(value, dict):
        return _whole(value)
    counts = {}
    for name, count in value.items():
        with within(name):
            counts[name] = _whole(count)
    return counts


Count = Annotated[int, BeforeValidator(_whole)]


class SamplingSpec(Spec):
    """How many points are drawn, from which sequence, and how often again (`resample_every`)."""

    equations: Count
    conditions: Annotated[int | dict[str, int], BeforeValidator(_counts)] | None = None
    resample_every: Count | None = None

    def condition_counts(self, names: Sequence[str]) -> dict[str, int]:
        """Return the points of each sampled condition: a total is split evenly, to the last one."""
        given = self.conditions
        if isinstance(given, dict):
            for name in given:
                if name not in names:
                    raise ConfigError(
                        f"there is no sampled condition '{name}'",
                        ("conditions", name),
                        "one of " + ", ".join(names) if names else "no such entry",
                        nearest(name, names),
                    )
            missing = [name for name in names if name not in given]
            if missing:
                raise ConfigError(f"no number of points for {', '.join(missing)}", ("conditions",))
            return dict(given)
        if not names:
            return {}
        if given is None or given < len(names):
            raise ConfigError(
                f"{counted(given, 'point') if given else 'no points'} for "
                f"{counted(len(names), 'sampled condition')}",
                ("conditions",),
                f"at least {len(names)}",
            )
        share, rest = divmod(given, len(names))
        return {name: share + (index < rest) for index, name in enumerate(names)}

    @abstractmethod
    def build(self, seed: int) -> Sampler:
        """Return the sampler for a seed."""


@register("sampling")
class UniformSpec(SamplingSpec):
    """Independent uniform points."""

    name: Literal["uniform"] = "uniform"

    def build(self, seed: int) -> Sampler:
        """Return the sampler for a seed."""
        return Uniform(seed)


@register("sampling")
class GridSpec(SamplingSpec):
    """Midpoints of equal cells; the largest near-cubic grid with at most the given number."""

    name: Literal["grid"] = "grid"

    def build(self, seed: int) -> Sampler:
        """Return the sampler for a seed."""
        return Lattice(seed)


@register("sampling")
class LatinHypercubeSpec(SamplingSpec):
    """One point in each slice of every axis."""

    name: Literal["latin_hypercube"] = "latin_hypercube"

    def build(self, seed: int) -> Sampler:
        """Return the sampler for a seed."""
        return LatinHypercube(seed)


@register("sampling")
class SobolSpec(SamplingSpec):
    """Scrambled Sobol sequence."""

    name: Literal["sobol"] = "sobol"

    def build(self, seed: int) -> Sampler:
        """Return the sampler for a seed."""
        return Sobol(seed)


@register("sampling")
class HaltonSpec(SamplingSpec):
    """Scrambled Halton sequence."""

    name: Literal["halton"] = "halton"

    def build(self, seed: int) -> Sampler:
        """Return the sampler for a seed."""
        return Halton(seed)


_BASES: dict[str, type[Uniform | LatinHypercube | Sobol | Halton]] = {
    "uniform": Uniform,
    "latin_hypercube": LatinHypercube,
    "sobol": Sobol,
    "halton": Halton,
}


@register("sampling")
class RadSpec(SamplingSpec):
    """Interior points redrawn every `every` steps with density |r|^power / mean + offset.

    Wu et al. 2023, doi 10.1016/j.cma.2022.115671. `candidates` (default: four times `equations`)
    come from `base`, which also gives the first points and all points of the conditions.
    """

    name: Literal["rad"] = "rad"
    base: Literal["uniform", "latin_hypercube", "sobol", "halton"] = "sobol"
    power: Annotated[float, Field(gt=0)] = 1.0
    offset: Annotated[float, Field(ge=0)] = 1.0
    candidates: Count | None = None
    every: Count = 1000

    @model_validator(mode="after")
    def _enough(self) -> RadSpec:
        if self.resample_every is not None:
            raise ConfigError("'rad' draws points by its own rule", ("resample_every",), "every")
        if self.candidates is not None and self.candidates < self.equations:
            raise ConfigError(
                f"{counted(self.candidates, 'candidate')} for {counted(self.equations, 'point')}",
                ("candidates",),
                f"at least {self.equations}",
            )
        return self

    def build(self, seed: int) -> Sampler:
        """Return the sampler for a seed."""
        candidates = self.candidates or 4 * self.equations
        base = _BASES[self.base](seed)
        return Rad(seed, base, self.power, self.offset, candidates, self.every)
