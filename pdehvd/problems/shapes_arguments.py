"""The numbers under a shape's key: corners, centres, radii."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from pdehvd.errors import ConfigError
from pdehvd.numerics.expressions import parse_number
from pdehvd.spec import Spec


def _positive(value: object) -> float:
    number = parse_number(value)
    if number <= 0:
        raise ConfigError(f"{value} is not positive", expected="a number above 0")
    return number


def _number(value: object) -> float:
    return parse_number(value)


_SCHEMA = WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string"}]})
Number = Annotated[float, BeforeValidator(_number), _SCHEMA]
Positive = Annotated[float, BeforeValidator(_positive), _SCHEMA]
Pair = tuple[Number, Number]
Triple = tuple[Number, Number, Number]


def _ordered(low: tuple[float, ...], high: tuple[float, ...]) -> None:
    for first, last in zip(low, high, strict=True):
        if not first < last:
            raise ConfigError(
                f"'from' {list(low)} is not below 'to' {list(high)}",
                expected="the lower corner, then the upper",
            )


class Corners(Spec):
    """Two opposite corners in the plane."""

    from_: Pair = Field(alias="from")
    to: Pair

    @model_validator(mode="after")
    def _order(self) -> Corners:
        _ordered(self.from_, self.to)
        return self


class CuboidCorners(Spec):
    """Two opposite corners in space."""

    from_: Triple = Field(alias="from")
    to: Triple

    @model_validator(mode="after")
    def _order(self) -> CuboidCorners:
        _ordered(self.from_, self.to)
        return self


class Round(Spec):
    """A disk."""

    center: Pair = (0.0, 0.0)
    radius: Positive


class Oval(Spec):
    """An ellipse, turned counter-clockwise by `angle` in radians."""

    center: Pair = (0.0, 0.0)
    radii: tuple[Positive, Positive]
    angle: Number = 0.0


class RoundSolid(Spec):
    """A ball."""

    center: Triple = (0.0, 0.0, 0.0)
    radius: Positive


class Rod(Spec):
    """A cylinder between the centres of its end disks."""

    from_: Triple = Field(alias="from")
    to: Triple
    radius: Positive

    @model_validator(mode="after")
    def _length(self) -> Rod:
        if self.from_ == self.to:
            raise ConfigError("the cylinder has no length", expected="'to' other than 'from'")
        return self
