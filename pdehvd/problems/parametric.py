"""A family of PDEs on a grid: inputs drawn from distributions, an energy or a residual, no data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, ClassVar, Literal, TypeVar

import numpy as np
import sympy
from pydantic import Field, PositiveInt, model_validator

from pdehvd.errors import ConfigError, unknown, within
from pdehvd.numerics.derivatives import NETWORK, check_names, field_symbols, partial_of
from pdehvd.numerics.expressions import parse, parse_number, parse_relation, symbol
from pdehvd.numerics.functions import exact
from pdehvd.problems.coefficients import CoefficientSpec, Family
from pdehvd.problems.family import (
    HELD_OUT,
    TRAINING,
    Difference,
    Face,
    Flux,
    ParametricProblem,
)
from pdehvd.problems.labels import Label, check_labels
from pdehvd.problems.samples import SampleSet, SamplesSpec
from pdehvd.problems.text import Text
from pdehvd.spec import Section, Spec, register

Result = TypeVar("Result")


class FluxSpec(Spec):
    """A flux whose derivative is taken conservatively, upwinded by its largest speed."""

    value: Text = Field(description="the flux, an expression of the field")
    along: str = Field(description="the coordinate of its derivative")


@register("problem")
class ParametricSpec(Spec):
    """A family of PDEs on a box, for a network that maps input fields to solutions."""

    kind: ClassVar[str] = "grid"

    name: Literal["parametric"] = "parametric"
    coordinates: dict[str, list[Text]] = Field(
        min_length=2, max_length=3, description="name: [low, high]"
    )
    field: str = Field("u", description="the unknown function")
    constants: dict[str, Text] = Field({}, description="numbers; may use earlier ones")
    inputs: dict[str, Annotated[CoefficientSpec, Section("coefficient")]] = Field(
        min_length=1, description="name: the distribution of a field that differs by sample"
    )
    energy: Text | None = Field(None, description="density whose integral is minimal")
    residual: Text | None = Field(None, description="expression that must vanish at the nodes")
    loss: Literal["ritz", "galerkin"] = Field(
        "ritz", description="for an energy: the energy itself, or the norm of its weak residual"
    )
    fluxes: dict[str, FluxSpec] = Field(
        {}, description="name F: its derivative F_x is conservative and upwind"
    )
    differences: dict[str, Difference] = Field(
        {}, description="coordinate: difference scheme of a residual's first derivatives"
    )
    scale: Text | None = Field(
        None, description="each sample's loss is divided by the mean of this expression"
    )
    boundary: dict[str, Text] = Field(
        {}, description="face such as x = 0: value; elsewhere natural"
    )
    hard: Text | None = Field(
        None, description="the field as an expression of `network`, its raw output, and the inputs"
    )
    resolution: PositiveInt = Field(description="nodes along each coordinate")
    features: tuple[Text, ...] | None = Field(
        None,
        description="input channels of the network; null: log of positive inputs, others unchanged",
    )
    centre: bool = Field(True, description="subtract from each feature its mean over the grid")
    reference: Annotated[Spec, Section("reference")] | None = None
    labels: dict[str, Label] = Field({}, description="name: what pictures and the report call it")

    @model_validator(mode="after")
    def _one_loss(self) -> ParametricSpec:
        if (self.energy is None) == (self.residual is None):
            raise ConfigError(
                "'energy' and 'residual' are both given"
                if self.energy is not None
                else "neither 'energy' nor 'residual' is given",
                (),
                "exactly one of them",
            )
        if self.residual is not None and self.loss == "galerkin":
            raise ConfigError(
                "galerkin needs an energy, but this problem has a residual", ("loss",), "energy"
            )
        return self

    def build(self, sampling: SamplesSpec, seed: int, factor: int = 1) -> ParametricProblem:
        """Return the problem; `factor` multiplies the batch (weak scaling).

        Raises `ConfigError` whose path starts with `problem` or `sampling`.
        """
        with within("sampling"):
            samples = sampling.build(seed, factor)
        with within("problem"):
            return _ExpressionBuilder(self).build(seed, samples, sampling.held_out)


class _ExpressionBuilder:
    """Turns the texts of one spec into checked expressions."""

    def __init__(self, spec: ParametricSpec) -> None:
        self.spec = spec
        self.coordinates = tuple(spec.coordinates)
        self.inputs = tuple(spec.inputs)
        self.constants: dict[str, float] = {}
        for name, text in spec.constants.items():
            self.constants[name] = _at(("constants", name), parse_number, text, self.constants)
        try:
            names = [spec.field, *self.inputs, *spec.fluxes]
            check_names(names, list(self.coordinates), list(self.constants))
        except ConfigError as error:
            raise error.within("inputs" if error.path[0] in self.inputs else "field") from error
        check_labels(spec.labels, [*self.coordinates, spec.field, *self.inputs])

    def build(self, seed: int, samples: SampleSet, held_out: int) -> ParametricProblem:
        spec = self.spec
        families = tuple(self._families(seed, stream) for stream in (TRAINING, HELD_OUT))
        fluxes = self._fluxes()
        return ParametricProblem(
            coordinates=self.coordinates,
            bounds=np.array([self._interval(name) for name in self.coordinates]),
            field=spec.field,
            constants=self.constants,
            inputs=self.inputs,
            families=(families[0], families[1]),
            loss="residual" if spec.energy is None else spec.loss,
            expression=self._law(fluxes),
            fluxes=fluxes,
            kinds=self._differences(),
            scale=None if spec.scale is None else self._of_inputs(spec.scale, "scale"),
            features=self._features(families[0]),
            centre=spec.centre,
            hard=self._hard(),
            faces=tuple(self._face(text, value) for text, value in spec.boundary.items()),
            resolution=self._resolution(),
            samples=samples,
            held_out=held_out,
            labels=spec.labels,
        )

    def _interval(self, name: str) -> tuple[float, float]:
        path, ends = ("coordinates", name), self.spec.coordinates[name]
        values = [_at(path, parse_number, end, self.constants) for end in ends]
        if len(values) != 2 or not values[0] < values[1]:
            raise ConfigError(f"the interval {ends}", path, "[low, high] with low < high")
        return values[0], values[1]

    def _families(self, seed: int, stream: int) -> dict[str, Family]:
        result = {}
        for number, (name, one) in enumerate(self.spec.inputs.items()):
            own = 2 * number + stream
            result[name] = _at(("inputs", name), one.build, self.coordinates, seed, own)
        return result

    def _parsed(
        self, text: Text, path: Sequence[str], fields: Sequence[str] = (), plain: Sequence[str] = ()
    ) -> sympy.Expr:
        """Parse an expression of coordinates, constants, `plain` names, and fields' derivatives."""
        names: dict[str, sympy.Basic] = {
            name: symbol(name) for name in (*self.coordinates, *fields, *plain)
        }
        names |= {name: exact(value) for name, value in self.constants.items()}
        with within(*path):
            names |= field_symbols(text, fields, self.coordinates)
            return parse(text, names, fields=fields, coordinates=self.coordinates)

    def _of_inputs(self, text: Text, *path: str) -> sympy.Expr:
        return self._parsed(text, path, plain=self.inputs)

    def _law(self, fluxes: Mapping[str, Flux]) -> sympy.Expr:
        spec = self.spec
        key = "residual" if spec.energy is None else "energy"
        text = spec.residual if spec.energy is None else spec.energy
        assert text is not None
        fields = [spec.field, *(self.inputs if key == "energy" else ())]
        flux_names = [f"{n}_{self.coordinates[flux.axis]}" for n, flux in fluxes.items()]
        plain = [*self.inputs, *flux_names] if key == "residual" else []
        law = self._parsed(text, (key,), fields, plain)
        free = {s.name for s in law.free_symbols}
        partials = [partial_of(name, [spec.field], self.coordinates) for name in free]
        if not any(partials) and not free & set(flux_names):
            raise ConfigError(f"it does not contain '{spec.field}'", (key,), f"{spec.field}_x ...")
        limit = 1 if key == "energy" else 2
        for partial in partials:
            if partial is not None and max(sum(partial.orders), 0) > limit:
                raise ConfigError(
                    "the order of a derivative is too high", (key,), f"orders up to {limit}"
                )
        return law

    def _fluxes(self) -> dict[str, Flux]:
        result = {}
        for name, one in self.spec.fluxes.items():
            path = ("fluxes", name)
            if self.spec.residual is None:
                raise ConfigError("an energy has no fluxes", ("fluxes",), "the key 'residual'")
            axis = self._axis(one.along, (*path, "along"))
            value = self._parsed(one.value, (*path, "value"), plain=(self.spec.field, *self.inputs))
            speed = sympy.diff(value, symbol(self.spec.field))
            result[name] = Flux(axis, value, speed)
        return result

    def _differences(self) -> tuple[Difference, ...]:
        for name in self.spec.differences:
            self._axis(name, ("differences", name))
        return tuple(self.spec.differences.get(name, "central") for name in self.coordinates)

    def _axis(self, name: str, path: Sequence[str]) -> int:
        if name not in self.coordinates:
            raise unknown(name, "a coordinate", self.coordinates, tuple(path))
        return self.coordinates.index(name)

    def _features(self, families: Mapping[str, Family]) -> tuple[sympy.Expr, ...]:
        if self.spec.features is None:
            return tuple(
                sympy.log(symbol(name)) if family.positive else symbol(name)
                for name, family in families.items()
            )
        return tuple(self._of_inputs(text, "features") for text in self.spec.features)

    def _hard(self) -> sympy.Expr | None:
        if self.spec.hard is None:
            return None
        hard = self._parsed(self.spec.hard, ("hard",), plain=(*self.inputs, NETWORK))
        if symbol(NETWORK) not in hard.free_symbols:
            raise ConfigError(
                "it does not contain the network", ("hard",), f"an expression of {NETWORK}"
            )
        return hard

    def _face(self, text: str, value: Text) -> Face:
        path = ("boundary", text)
        names = {name: symbol(name) for name in self.coordinates}
        names |= {name: exact(number) for name, number in self.constants.items()}
        relation = _at(path, parse_relation, text, names)
        for axis, name in enumerate(self.coordinates):
            ends = [exact(end) for end in self._interval(name)]
            for end, at in enumerate(ends):
                if relation in (sympy.Eq(symbol(name), at), sympy.Eq(at, symbol(name))):
                    return Face(axis, end, self._of_inputs(value, *path))
        faces = [f"{n} = {end:g}" for n in self.coordinates for end in self._interval(n)]
        raise ConfigError(f"'{text}' is not a face of the box", path, "one of " + ", ".join(faces))

    def _resolution(self) -> int:
        if self.spec.resolution < 4:
            raise ConfigError(f"a resolution of {self.spec.resolution}", ("resolution",), "4 nodes")
        return self.spec.resolution


def _at(path: Sequence[str], function: Callable[..., Result], *arguments: object) -> Result:
    """Call a function; an error of the config names the path."""
    with within(*path):
        return function(*arguments)
