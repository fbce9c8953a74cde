"""Monitors: numbers of interest that a run follows, and that never enter its loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np
import sympy
from pydantic import Field, model_validator

from pdehvd.errors import ConfigError, Path, within
from pdehvd.numerics.derivatives import internal
from pdehvd.numerics.expressions import parse_number
from pdehvd.problems.block import Block, Items, Term, make_block
from pdehvd.problems.condition import Setting
from pdehvd.problems.finite_values import not_finite
from pdehvd.problems.sources import GivenSource
from pdehvd.problems.text import Text
from pdehvd.spec import Spec


class MeasuredAt(NamedTuple):
    """Points [N, D] with weights [N], and outward normals [N, D] where they are on a boundary.

    `note` is a sentence for the user about how good they are, or empty.
    """

    x: np.ndarray
    weights: np.ndarray
    normals: np.ndarray | None = None
    note: str = ""


@dataclass(frozen=True)
class Join:
    """How numbers become one: `ufunc` joins two, and `neutral` changes nothing."""

    ufunc: np.ufunc
    neutral: float

    def __call__(self, values: np.ndarray) -> float:
        return float(self.ufunc.reduce(values, initial=self.neutral))


SUM, LARGEST, SMALLEST = Join(np.add, 0.0), Join(np.maximum, -np.inf), Join(np.minimum, np.inf)


@dataclass(frozen=True)
class Monitor:
    """A number: weighted values of an expression at fixed points, joined.

    `block` has the points and the expression, `weights` [N] are 1 but for integrals. `join` also
    joins what parts of the points give.
    """

    name: str
    block: Block
    weights: np.ndarray
    join: Join
    expected: float | None = None

    def part(self, values: np.ndarray, which: np.ndarray) -> float:
        """Return what the values [n] at points `which` [n] contribute; n may be 0."""
        return self.join(values * self.weights[which])


@dataclass(frozen=True)
class MonitorSetting(Setting):
    """What a monitor needs to know of its problem; `notes` is where it says what surprises."""

    hard: Mapping[str, sympy.Expr] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class MonitorSpec(Spec):
    """Base of the monitors: each is one entry of `monitors.KINDS`."""

    # The key that holds the expression, and how weighted values become one number.
    key: ClassVar[str]
    join: ClassVar[Join]

    expected: Text | None = Field(
        None, description="the known value, an expression of constants, to compare with"
    )

    @model_validator(mode="after")
    def _one_place(self) -> MonitorSpec:
        """Refuse a region and coordinates that both say where, and keys that say nothing."""
        given = {key: getattr(self, key, None) for key in ("on", "at", "over")}
        for key in ("at", "over"):
            if given["on"] is not None and given[key] is not None:
                right = "one of both, such as 'on: boundary and t = 1'"
                raise ConfigError(f"'{key}' and 'on' together", (key,), right)
            if given[key] in ([], {}, ""):
                raise ConfigError(f"'{key}' is empty", (key,), f"a coordinate, or no '{key}'")
        return self

    @property
    def text(self) -> Text:
        """The expression."""
        expression: Text = getattr(self, self.key)
        return expression

    @abstractmethod
    def measured_at(self, setting: Setting) -> MeasuredAt:
        """Return where it is measured. Raises `ConfigError` with the path."""

    def build(self, name: str, setting: MonitorSetting) -> Monitor:
        """Return the monitor. Raises `ConfigError` with the path."""
        at = self.measured_at(setting)
        setting = setting.at(at.x)
        if at.note:
            setting.notes.append(f"monitor {name}: {at.note}")
        expression = self._expression(setting, at)
        extras = {} if at.normals is None else _columns(setting, at.normals)
        source = GivenSource(at.x, extras)
        _check_finite(expression, source.items(0, 0, source.count), self._path(setting), setting)
        term = Term(f"monitor/{name}", (expression,))
        block = make_block(name, source, [term], setting.language, setting.hard)
        return Monitor(name, block, at.weights, self.join, self._known(setting))

    def _path(self, setting: Setting) -> Path:
        return (*setting.path, self.key)

    def _expression(self, setting: Setting, at: MeasuredAt) -> sympy.Expr:
        language, path = setting.language, self._path(setting)
        normals = language.normals_in(self.text)
        if normals and at.normals is None:
            raise ConfigError(
                f"'{normals[0]}' where there is no outward normal in space",
                path,
                "'on' with a part of the boundary in space",
            )
        expression = language.residual(self.text, path, normal=at.normals is not None)
        names = {free.name for free in expression.free_symbols}
        if not language.partials(expression) and not names & set(language.unknowns):
            raise ConfigError(
                "the monitor contains no field", path, "one of " + ", ".join(language.outputs)
            )
        return expression

    def _known(self, setting: Setting) -> float | None:
        if self.expected is None:
            return None
        with within(*setting.path, "expected"):
            return parse_number(self.expected, setting.language.constants)


def _columns(setting: Setting, normals: np.ndarray) -> dict[str, np.ndarray]:
    pairs = zip(setting.domain.names, normals.T, strict=True)
    return {internal(f"normal_{name}"): column for name, column in pairs}


def _check_finite(expression: sympy.Expr, items: Items, path: Path, setting: Setting) -> None:
    """Raise `ConfigError` at an expression that is not finite somewhere, whatever the fields."""
    found = not_finite(setting.language, expression, items)
    if found is not None:
        raise ConfigError(
            f"it is not finite everywhere: {found.part} is {found.value:g} at {found.place}",
            path,
            "an expression with finite values, or another place",
        )
