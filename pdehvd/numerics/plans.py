"""Which derivatives to carry through a network, and the combinatorics of the chain rule."""

from __future__ import annotations

import functools
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

MultiIndex = tuple[int, ...]
Operator = tuple[tuple[MultiIndex, float], ...]
MAXIMUM_ORDER = 4


@dataclass(frozen=True)
class Plan:
    """The channels of a jet: `partials` (value first, closed downwards), then `operators`.

    A multi-index m of length D stands for d^|m| / (dx_1^m_1 ... dx_D^m_D). An operator is a sum
    L = sum_k c_k d^(m_k) of partials of order 1 and 2, carried as one channel. Make plans with
    `plan`, which adds the channels that the chain rule needs.
    """

    dimension: int
    partials: tuple[MultiIndex, ...]
    operators: tuple[Operator, ...] = ()

    @property
    def channels(self) -> int:
        """The number of channels."""
        return len(self.partials) + len(self.operators)

    @property
    def order(self) -> int:
        """The highest derivative of an activation that the chain rule needs."""
        second = any(sum(index) == 2 for operator in self.operators for index, _ in operator)
        first = 1 if self.operators else 0
        return max(max(map(sum, self.partials)), 2 if second else first)

    def channel(
        self,
        wanted: MultiIndex | int,
        operators: Sequence[Iterable[tuple[MultiIndex, float]]] | None = None,
    ) -> int:
        """Return where a jet of this plan holds a partial, or the operator of a number.

        The number counts through `operators`, by default those of the plan. Raises KeyError when
        the plan carries no such channel.
        """
        if not isinstance(wanted, int):
            if wanted not in self.partials:
                raise KeyError(f"the plan carries no channel for {wanted}")
            return self.partials.index(wanted)
        given = self.operators if operators is None else operators
        operator = canonical_operator(given[wanted])
        if operator not in self.operators:
            raise KeyError(f"the plan carries no channel for {operator}")
        return len(self.partials) + self.operators.index(operator)


def plan(
    dimension: int,
    requested: Iterable[MultiIndex],
    operators: Iterable[Sequence[tuple[MultiIndex, float]]] = (),
) -> Plan:
    """Return the smallest plan with the requested partials (order <= 4) and operators.

    An operator sum_k c_k d^(m_k) has partials of order 1 and 2 only; of them the first derivatives
    that its second-order part multiplies become channels, nothing else does. First-order terms cost
    nothing, so that u_t - nu*u_xx is one channel and needs no channel for u_t. Terms are merged
    and sorted, equal operators share a channel: find channels with `Plan.channel`. Raises
    ValueError for a bad index.
    """
    canonical = tuple(dict.fromkeys(canonical_operator(operator) for operator in operators))
    needed: set[MultiIndex] = {(0,) * dimension}
    for index in requested:
        _check(index, dimension, MAXIMUM_ORDER)
        needed.update(itertools.product(*(range(order + 1) for order in index)))
    for operator in canonical:
        for index, _ in operator:
            _check(index, dimension, 2)
            if sum(index) == 0:
                raise ValueError("an operator holds derivatives of order 1 and 2 only")
            if sum(index) == 2:
                needed.update(unit(axis, dimension) for axis in axes(index))
    ordered = sorted(needed, key=lambda index: (sum(index), tuple(-order for order in index)))
    return Plan(dimension, tuple(ordered), canonical)


def canonical_operator(operator: Iterable[tuple[MultiIndex, float]]) -> Operator:
    """Return an operator with equal partials merged, zero terms dropped and terms sorted."""
    terms: dict[MultiIndex, float] = {}
    for index, factor in operator:
        terms[tuple(index)] = terms.get(tuple(index), 0.0) + float(factor)
    kept = sorted((index, factor) for index, factor in terms.items() if factor != 0.0)
    if not kept:
        raise ValueError("an operator needs at least one term with a factor that is not zero")
    return tuple(kept)


def unit(axis: int, dimension: int) -> MultiIndex:
    """Return the multi-index of the first derivative along `axis`."""
    return tuple(int(axis == other) for other in range(dimension))


def axes(index: MultiIndex) -> tuple[int, ...]:
    """Return the axes of a partial, each as often as it is differentiated: (2, 1) -> (0, 0, 1)."""
    return tuple(axis for axis, order in enumerate(index) for _ in range(order))


def _check(index: MultiIndex, dimension: int, maximum: int) -> None:
    if len(index) != dimension or min(index, default=0) < 0:
        raise ValueError(f"{index} is not a multi-index of {dimension} coordinates")
    if sum(index) > maximum:
        raise ValueError(f"{index} is of order {sum(index)}; the highest here is {maximum}")


def _set_partitions(items: Sequence[int]) -> Iterator[list[list[int]]]:
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for partition in _set_partitions(rest):
        yield [[first], *partition]
        for place, block in enumerate(partition):
            yield [*partition[:place], [first, *block], *partition[place + 1 :]]


@functools.cache
def chain_rule(index: MultiIndex) -> dict[int, tuple[tuple[int, tuple[MultiIndex, ...]], ...]]:
    """Return the multivariate chain rule of one partial, by the order of the outer derivative.

    d^m sigma(z) = sum_k sigma^(k)(z) sum_P count_P prod_(B in P) d^B z, with P over the partitions
    of the |m| differentiations into k blocks; equal products are merged into `count`. The result
    is {k: ((count, blocks), ...)}. Source: Faa di Bruno's formula, M. Hardy, Electronic Journal of
    Combinatorics 13 (2006) R1.
    """
    directions = axes(index)
    counts: Counter[tuple[MultiIndex, ...]] = Counter()
    for partition in _set_partitions(range(len(directions))):
        blocks = [
            tuple(sum(directions[item] == axis for item in block) for axis in range(len(index)))
            for block in partition
        ]
        counts[tuple(sorted(blocks))] += 1
    rule: dict[int, list[tuple[int, tuple[MultiIndex, ...]]]] = {}
    for product, count in counts.items():
        rule.setdefault(len(product), []).append((count, product))
    return {order: tuple(terms) for order, terms in sorted(rule.items())}
