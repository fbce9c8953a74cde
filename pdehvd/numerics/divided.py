"""Arrays whose rows lie on different ranks, for what is too large to be whole on each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pdehvd.comm.group import Group

Span = tuple[int, int]
"""A half-open range of rows."""


@dataclass(frozen=True)
class Divided:
    """An array [n, ...], of which each rank holds the rows of its spans, one after another.

    `spans[r]` are those of rank r, in ascending order; all together they are the n rows, once each.
    `own` are the rows of this rank. A vector of parameters, a triangle in strips and the matrices
    of layers lie in this way.
    """

    rows: int
    spans: tuple[tuple[Span, ...], ...]
    own: np.ndarray
    group: Group

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the whole array."""
        return (self.rows, *self.own.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """The type of the entries."""
        return self.own.dtype

    def parts(self) -> Iterator[np.ndarray]:
        """Yield the rows of each rank in turn, on every rank; one collective each."""
        for rank, spans in enumerate(self.spans):
            own = self.own
            if rank != self.group.rank:
                own = np.empty((span_length(spans), *self.shape[1:]), self.dtype)
            yield self.group.broadcast_numpy(own, rank, f"divided.{rank}")


Arrays = Mapping[str, np.ndarray | Divided]


class Stored(Protocol):
    """Arrays of a checkpoint by name. Every rank reads the same names in the same order."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the arrays."""

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a whole array."""

    def whole(self, name: str) -> np.ndarray:
        """Return all of an array."""

    def rows(self, name: str, spans: Sequence[Span]) -> np.ndarray:
        """Return the rows of spans of an array [n, ...], one after another; ranks' spans differ."""

    def below(self, prefix: str) -> Stored:
        """Return the arrays whose names begin with a prefix, without it."""


def span_length(spans: Sequence[Span]) -> int:
    """Return the number of rows of spans."""
    return sum(stop - start for start, stop in spans)


def merge_spans(spans: Sequence[Span]) -> tuple[Span, ...]:
    """Return ascending spans as few as possible: empty ones go, neighbours become one."""
    found: list[Span] = []
    for start, stop in spans:
        if start == stop:
            continue
        if found and found[-1][1] == start:
            found[-1] = found[-1][0], stop
        else:
            found.append((start, stop))
    return tuple(found)


def overlaps(spans: Sequence[Span], span: Span) -> Iterator[tuple[slice, slice]]:
    """Yield where rows of one span lie among the rows of spans, and where in the span itself."""
    place = 0
    for start, stop in spans:
        low, high = max(start, span[0]), min(stop, span[1])
        if low < high:
            yield (
                slice(place + low - start, place + high - start),
                slice(low - span[0], high - span[0]),
            )
        place += stop - start
