"""Networks of many processes: flat, nodes with processes, a fat tree of nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pdehvd.scaling.network_model import Link

KINDS = ("flat", "two-level", "fat-tree")


class AllreduceCost(NamedTuple):
    """Seconds of an allreduce: latency, and moving and adding bytes."""

    latency: float
    moving: float

    @property
    def total(self) -> float:
        return self.latency + self.moving


class Crowd(NamedTuple):
    """Oversubscription: how much slower processes that share cores compute, and their links."""

    slowdown: float
    links: tuple[Link, ...]


@dataclass(frozen=True)
class Topology:
    """Which links the processes have. Each link list holds one `Link` an algorithm.

    `per_node` processes are joined by `inside`, nodes by `between`; sums are made inside nodes,
    then between them, then handed on, which is an allreduce inside and one between. With one
    process on a node, `between` joins any two processes. Where the nodes are more than the `leaf`
    nodes of a switch, a byte between switches costs `oversubscription` times as much: all nodes
    send at once, and the switch has so many times fewer links upwards. Numbers of processes in
    `crowds` share the cores of one machine.
    """

    between: tuple[Link, ...]
    inside: tuple[Link, ...] = ()
    per_node: int = 1
    leaf: int | None = None
    oversubscription: float = 1.0
    crowds: Mapping[int, Crowd] = field(default_factory=dict)

    def slowdown(self, processes: int) -> float:
        """Return how much longer computing takes than with a core for each process."""
        return self.crowds[processes].slowdown if processes in self.crowds else 1.0

    def allreduce(self, processes: int, size: float) -> AllreduceCost:
        """Return the seconds of an allreduce of `size` bytes over all processes."""
        if processes in self.crowds:
            return _best(self.crowds[processes].links, processes, size)
        local = min(self.per_node, processes)
        nodes = math.ceil(processes / local)
        inside = _best(self.inside, local, size)
        between = _best(self._upwards(nodes), nodes, size)
        return AllreduceCost(inside.latency + between.latency, inside.moving + between.moving)

    def _upwards(self, nodes: int) -> Sequence[Link]:
        if self.leaf is None or nodes <= self.leaf:
            return self.between
        worse = self.oversubscription
        return [replace(link, per_byte=link.per_byte * worse) for link in self.between]


def _best(links: Sequence[Link], processes: int, size: float) -> AllreduceCost:
    """Return the cost by the faster algorithm, as libraries choose by size."""
    if processes == 1:
        return AllreduceCost(0.0, 0.0)
    return min(
        (AllreduceCost(*link.parts(processes, size)) for link in links), key=lambda cost: cost.total
    )
