"""Where an integral condition is evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pdehvd.errors import ConfigError
from pdehvd.numerics.derivatives import internal
from pdehvd.problems.block import Items
from pdehvd.problems.geometry import Domain
from pdehvd.problems.quadrature import Rule, box_order, box_rule, product, shape_rule


@dataclass(frozen=True)
class IntegralSource:
    """Quadrature points [I, Q, D] of integrals over some coordinates, an item for each integral.

    The column `__quadrature` holds the weights [I, Q]; short rules are filled up with zeros.
    """

    x: np.ndarray
    weights: np.ndarray

    @property
    def count(self) -> int:
        return len(self.x)

    @property
    def points_per_item(self) -> int:
        return int(self.x.shape[1])

    def fresh(self) -> IntegralSource:
        return self

    def items(self, round_: int, start: int, stop: int) -> Items:
        x = self.x[start:stop]
        return Items(
            x.reshape(-1, x.shape[2]), {internal("quadrature"): self.weights[start:stop].ravel()}
        )


def integral_source(
    domain: Domain, axes: Sequence[int], others: np.ndarray, strict: bool = False
) -> IntegralSource:
    """Return the source of integrals over `axes`, one for each row of `others` [I, D].

    Raises ConfigError where a row lies outside, or none leaves anything of the domain; if
    `strict`, where one leaves nothing.
    """
    shape, columns = domain.frame.shape, domain.frame.columns
    _within(domain, axes, others)
    if not set(axes) & set(columns):
        _contained(domain, axes, others)
    inner = [axis for axis in axes if axis in columns]
    beside = [axis for axis in axes if axis not in columns]
    box = box_rule(domain.bounds[beside], box_order(len(axes)))
    if shape is None or not inner:
        rules = [box] * len(others)
    else:
        outer = [axis for axis in columns if axis not in inner]
        rules = [
            product(rule, box)
            for rule in _rules(domain, [columns.index(axis) for axis in outer], others[:, outer])
        ]
    _check_rules(rules, axes, others, domain, strict)
    return _filled(rules, [*inner, *beside], others)


def _within(domain: Domain, axes: Sequence[int], others: np.ndarray) -> None:
    """Raise `ConfigError` where a coordinate that is not integrated over leaves its bounds."""
    for axis in set(range(len(domain.names))) - set(axes):
        low, high = domain.bounds[axis]
        close = 1e-9 * (high - low)
        for value in others[:, axis]:
            if not low - close <= value <= high + close:
                raise ConfigError(
                    f"{domain.names[axis]} = {value:g} lies outside the domain",
                    expected=domain.frame.show(axis),
                )


def _contained(domain: Domain, axes: Sequence[int], others: np.ndarray) -> None:
    """Raise `ConfigError` at a place outside the shape, over no coordinate of which is integrated.

    The coordinates that are integrated over are in their bounds anywhere.
    """
    x = others.copy()
    x[:, list(axes)] = domain.bounds[list(axes), 0]
    outside = np.flatnonzero(~domain.contains(x))
    if outside.size:
        raise ConfigError(f"{_place(domain, axes, others[outside[0]])} lies outside the domain")


def _place(domain: Domain, axes: Sequence[int], row: np.ndarray) -> str:
    rest = [axis for axis in range(len(domain.names)) if axis not in axes]
    return ", ".join(f"{domain.names[axis]} = {row[axis]:g}" for axis in rest)


def _rules(domain: Domain, fixed: list[int], places: np.ndarray) -> list[Rule]:
    shape = domain.frame.shape
    if shape is None:
        return []
    if not fixed:
        return [shape_rule(shape, {})] * len(places)
    return [shape_rule(shape, dict(zip(fixed, place, strict=True))) for place in places]


def _check_rules(
    rules: list[Rule], axes: Sequence[int], others: np.ndarray, domain: Domain, strict: bool
) -> None:
    empty = [row for row, rule in enumerate(rules) if not len(rule.weights)]
    if empty and (strict or len(empty) == len(rules)):
        place = _place(domain, axes, others[empty[0]])
        raise ConfigError(f"nothing of the domain lies at {place}")


def _filled(rules: list[Rule], axes: list[int], others: np.ndarray) -> IntegralSource:
    size = max(len(rule.weights) for rule in rules)
    spare = next(rule.nodes[:1] for rule in rules if len(rule.weights))
    x = np.repeat(others[:, None], size, axis=1)
    weights = np.zeros((len(others), size))
    for row, rule in enumerate(rules):
        count = len(rule.weights)
        weights[row, :count] = rule.weights
        x[row][:, axes] = rule.nodes[:1] if count else spare
        x[row, :count][:, axes] = rule.nodes
    return IntegralSource(x, weights)
