"""How vectors such as theta lie over ranks: whole on each, or in pieces; and sums over them.

What goes entry by entry is the same on a piece as on a whole vector and needs nothing of this. Only
what joins entries does: inner products, norms, maxima, and decisions that all ranks take alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

from pdehvd.comm.group import Group
from pdehvd.launch.tensorflow_import import import_tensorflow
from pdehvd.numerics.divided import Span

if TYPE_CHECKING:
    import tensorflow as tf


class Vectors(ABC):
    """The space of vectors [P] of which a rank holds p entries: all, or a piece.

    For arrays between steps: `dot`, `products`, `norm`, `maximum`, `equal`, `finite`. For tensors
    inside programs, several at once: `dots`, `norms`. Each call is one collective at most, which
    every rank makes, and returns the same on all ranks.

    >>> vectors = Replicated()  # a run on pieces has another
    >>> a = np.array([3.0, -4.0])
    >>> vectors.dot(a, a), vectors.norm(a), vectors.maximum(a)
    (25.0, 5.0, 4.0)
    >>> [norm] = vectors.norms([tf.constant(a)], name="example")
    >>> float(norm)
    5.0
    """

    divided = False
    """Whether ranks hold different entries."""

    @property
    def compiles(self) -> bool:
        """Whether `dots` and `norms` can be part of a program that XLA compiles."""
        return True

    def dot(self, a: np.ndarray, b: np.ndarray) -> float:
        """Return sum_i a_i b_i.

        Arguments:
            a: entries of this rank [p]
            b: entries of this rank [p]
        """
        return float(self._sum(a @ b))

    def products(self, a: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the inner products [k] of a vector with several others.

        Arguments:
            a: entries of this rank [p]
            columns: those of k vectors [p, k]
        """
        return self._sum(a @ columns)

    def norm(self, a: np.ndarray) -> float:
        """Return sqrt(sum_i a_i^2).

        Arguments:
            a: entries of this rank [p]
        """
        return float(np.sqrt(self._sum(a @ a)))

    def maximum(self, a: np.ndarray) -> float:
        """Return max_i |a_i|, NaN where an entry is, and 0 without entries.

        Arguments:
            a: entries of this rank [p]
        """
        return float(self._largest(np.max(np.abs(a), initial=0.0)))

    def equal(self, a: np.ndarray, b: np.ndarray) -> bool:
        """Return whether a_i = b_i for all i.

        Arguments:
            a: entries of this rank [p]
            b: entries of this rank [p]
        """
        return self._everywhere(np.array_equal(a, b))

    def finite(self, a: np.ndarray | tf.Tensor) -> bool:
        """Return whether all a_i are finite.

        Arguments:
            a: entries of this rank [p]
        """
        return self._everywhere(bool(np.all(np.isfinite(a))))

    def dots(self, pairs: Sequence[tuple[tf.Tensor, tf.Tensor]], name: str) -> list[tf.Tensor]:
        """Return sum_i a_i b_i [] for each pair of vectors, or of the same layer of two vectors.

        Arguments:
            pairs: entries of this rank [n] of both; n may be 0, and may differ over ranks
            name: of the collective, the same on all ranks
        """
        tf = import_tensorflow()
        return self._sums([tf.reduce_sum(a * b) for a, b in pairs], name)

    def norms(self, vectors: Sequence[tf.Tensor], name: str) -> list[tf.Tensor]:
        """Return sqrt(sum_i a_i^2) [] for each vector, or layer of a vector.

        Arguments:
            vectors: entries of this rank [n] of each; n may be 0, and may differ over ranks
            name: of the collective, the same on all ranks
        """
        tf = import_tensorflow()
        return [tf.sqrt(square) for square in self.dots([(a, a) for a in vectors], name)]

    @abstractmethod
    def own_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return how many entries this rank has of parts that follow each other in a vector.

        Arguments:
            sizes: numbers of entries of all ranks, for example of layers
        """

    @abstractmethod
    def whole(self, rows: np.ndarray) -> np.ndarray:
        """Return [P, ...] from this rank's [p, ...]: for methods with dense matrices."""

    @abstractmethod
    def own(self, rows: np.ndarray) -> np.ndarray:
        """Return this rank's [p, ...] of [P, ...]: a view."""

    @abstractmethod
    def _sum(self, values: np.ndarray) -> np.ndarray:
        """Return the sum of what each rank has found for its entries."""

    @abstractmethod
    def _largest(self, value: np.ndarray) -> np.ndarray:
        """Return the largest of what each rank has found, NaN where one has."""

    @abstractmethod
    def _everywhere(self, here: bool) -> bool:
        """Return whether something holds on every rank."""

    @abstractmethod
    def _sums(self, values: list[tf.Tensor], name: str) -> list[tf.Tensor]:
        """Return the sums of several numbers [] over ranks."""


@dataclass(frozen=True)
class Replicated(Vectors):
    """Every rank holds all P entries, the same bits: there is nothing to communicate."""

    def own_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return the sizes."""
        return tuple(sizes)

    def whole(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows."""
        return rows

    def own(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows."""
        return rows

    def _sum(self, values: np.ndarray) -> np.ndarray:
        return values

    def _largest(self, value: np.ndarray) -> np.ndarray:
        return value

    def _everywhere(self, here: bool) -> bool:
        return here

    def _sums(self, values: list[tf.Tensor], name: str) -> list[tf.Tensor]:
        return values


@dataclass(frozen=True)
class Pieces(Vectors):
    """Rank r of a group, or of a line of a grid, holds `counts[r]` entries, in rank order.

    A layer may be cut anywhere, and a rank may have no entry. Raises `ValueError` where there is
    not one count for each rank.
    """

    group: Group
    counts: tuple[int, ...]

    divided = True

    def __post_init__(self) -> None:
        if len(self.counts) != self.group.size:
            raise ValueError(f"{len(self.counts)} pieces for {self.group.size} ranks")

    @property
    def compiles(self) -> bool:
        """Whether the group's sums can be part of a program that XLA compiles."""
        return self.group.compiles

    @property
    def span(self) -> Span:
        """The half-open range of this rank's entries."""
        stop = sum(self.counts[: self.group.rank + 1])
        return stop - self.counts[self.group.rank], stop

    def own_sizes(self, sizes: Sequence[int]) -> tuple[int, ...]:
        """Return how many entries of each part are in this rank's span."""
        start, stop = self.span
        ends = accumulate(sizes)
        pairs = zip(sizes, ends, strict=True)
        return tuple(max(0, min(stop, end) - max(start, end - size)) for size, end in pairs)

    def whole(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows of all ranks; one collective."""
        return self.group.gather_numpy(rows, "vectors.whole")

    def own(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows in this rank's span."""
        return rows[slice(*self.span)]

    def _sum(self, values: np.ndarray) -> np.ndarray:
        total = self.group.sum_numpy(np.atleast_1d(values), "vectors.sum")
        return total.reshape(np.shape(values))

    def _largest(self, value: np.ndarray) -> np.ndarray:
        # What a maximum makes of NaN depends on the order of ranks.
        found = [np.nan_to_num(value, nan=0.0, posinf=np.inf), np.isnan(value)]
        largest, unknown = self.group.maximum_numpy(np.array(found, value.dtype), "vectors.maximum")
        nan: np.ndarray = value.dtype.type(np.nan)
        return nan if unknown else largest

    def _everywhere(self, here: bool) -> bool:
        failed = self.group.maximum_numpy(np.array([not here], np.float64), "vectors.everywhere")
        return not failed[0]

    def _sums(self, values: list[tf.Tensor], name: str) -> list[tf.Tensor]:
        return self.group.sum(values, f"vectors.{name}")
