"""Layers as matrices, each of which belongs to one rank with all that a method keeps of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from pdehvd.comm.group import Group
from pdehvd.models.parametrized import Layout
from pdehvd.numerics.divided import Arrays, Divided, Stored
from pdehvd.numerics.kronecker import assign_work

SIDES = ("left", "right")
Bases = Mapping[str, np.ndarray]


class Matrix:
    """Parameters that move together as a matrix [m, n], and the sides of it that are rotated.

    All axes of a weight but the last one are its rows. A side of more than `largest` rows is not
    rotated, nor is one of a single row or column, such as a bias.
    """

    def __init__(self, number: int, start: int, shape: tuple[int, int], largest: int) -> None:
        self.number = number
        self.place = slice(start, start + shape[0] * shape[1])
        self._shape = shape
        matrix = min(shape) > 1
        pairs = zip(SIDES, shape, strict=True)
        self._sizes = {side: n for side, n in pairs if matrix and n <= largest}
        self.cost = float(sum(n**3 for n in self._sizes.values()) + shape[0] * shape[1])

    @property
    def sides(self) -> tuple[str, ...]:
        """The sides that are rotated."""
        return tuple(self._sizes)

    def key(self, kind: str, side: str) -> str:
        """Return the name in the state of what a method keeps of a side, such as a `factor`."""
        return f"{kind}_{self.number}_{side}"

    def squares(self, kinds: Sequence[str]) -> dict[str, int]:
        """Return the names of the square matrices of all sides, and how many rows they have."""
        sizes = self._sizes.items()
        return {self.key(kind, side): n for kind in kinds for side, n in sizes}

    def of(self, flat: np.ndarray) -> np.ndarray:
        """Return a view of this layer's part of flat numbers [P], [m, n]."""
        return flat[self.place].reshape(self._shape)

    def product(self, side: str, value: np.ndarray) -> np.ndarray:
        """Return G G^T [m, m] or G^T G [n, n] for G [m, n]."""
        values: np.ndarray = value @ value.T if side == "left" else value.T @ value
        return values

    def rotated(self, value: np.ndarray, bases: Bases, back: bool = False) -> np.ndarray:
        """Return a matrix [m, n] in the eigenbases, or from there back."""
        left, right = (bases.get(self.key("basis", side)) for side in SIDES)
        if left is not None:
            value = (left if back else left.T) @ value
        if right is not None:
            value = value @ (right.T if back else right)
        return value


class DividedMatrices:
    """The matrices of all layers, dealt out to ranks: the costly ones first, as KAISA does.

    `own` are those of this rank. A method's state has arrays [P] that are zero but in the own
    layers, square matrices of `kinds` for the sides of these, and numbers that all ranks know.
    """

    def __init__(self, group: Group, largest: int, kinds: Sequence[str]) -> None:
        self._group = group
        self._largest = largest
        self._kinds = kinds
        self._all: list[Matrix] = []
        self._owners: list[int] = []
        self.own: list[Matrix] = []

    def divide(self, layout: Layout, size: int) -> None:
        """Give every layer of `size` parameters to a rank, once."""
        if self._all:
            return
        self._all = list(_matrices(layout, size, self._largest))
        self._owners = assign_work([layer.cost for layer in self._all], self._group.size)
        pairs = zip(self._all, self._owners, strict=True)
        self.own = [layer for layer, owner in pairs if owner == self._group.rank]

    @property
    def count(self) -> int:
        """Number of layers of all ranks."""
        return len(self._all)

    def sum(self, values: np.ndarray, name: str) -> np.ndarray:
        """Return what the ranks' layers give together; one collective."""
        return values if self._group.size == 1 else self._group.sum_numpy(values, name)

    def kept(self, state: Mapping[str, np.ndarray], name: str) -> Arrays:
        """Return what a checkpoint keeps of the state: square matrices stay with their ranks.

        Every rank calls it.
        """
        whole = {key: np.asarray(value) for key, value in state.items()}
        if self._group.size == 1 or not self._all:
            return whole
        vectors = {key: value for key, value in whole.items() if value.ndim == 1}
        flat = self.sum(np.concatenate(list(vectors.values())), name)
        ends = np.cumsum([len(vector) for vector in vectors.values()])
        whole |= dict(zip(vectors, np.split(flat, ends[:-1]), strict=True))
        squares = self._squares(whole, flat.dtype)
        # In one order on all ranks, which hold different layers.
        return {**{k: array for k, array in whole.items() if k not in squares}, **squares}

    def restored(self, stored: Stored, layout: Layout, size: int) -> dict[str, np.ndarray]:
        """Return this rank's state of `size` parameters from what `kept` has returned."""
        self.divide(layout, size)
        own = {key for layer in self.own for key in layer.squares(self._kinds)}
        others = {key for layer in self._all for key in layer.squares(self._kinds)} - own
        state: dict[str, np.ndarray] = {}
        for key in stored.names:
            if key in others:
                stored.rows(key, [])
            else:
                value = stored.whole(key)
                state[key] = self._only_own(value) if value.ndim == 1 else value
        return state

    def _squares(self, state: Mapping[str, np.ndarray], dtype: np.dtype) -> dict[str, Divided]:
        """Return the square matrices of all layers, each whole on one rank."""
        found = {}
        for layer, owner in zip(self._all, self._owners, strict=True):
            for key, size in layer.squares(self._kinds).items():
                spans = tuple(((0, size),) if r == owner else () for r in range(self._group.size))
                none = np.zeros((size if owner == self._group.rank else 0, size), dtype)
                found[key] = Divided(size, spans, state.get(key, none), self._group)
        return found

    def _only_own(self, vector: np.ndarray) -> np.ndarray:
        """Return a vector [P], or [number of layers], with zeros for the layers of other ranks."""
        kept = np.zeros_like(vector)
        for layer in self.own:
            place = layer.number if len(vector) == self.count else layer.place
            kept[place] = vector[place]
        return kept


def _matrices(layout: Layout, size: int, largest: int) -> Iterator[Matrix]:
    """Yield the layers of all `size` parameters; those after the layout are one of their own."""
    start = 0
    for number, (_, shape) in enumerate(layout):
        columns = shape[-1] if shape else 1
        rows = math.prod(shape) // columns
        yield Matrix(number, start, (rows, columns), largest)
        start += rows * columns
    if start < size:
        yield Matrix(len(layout), start, (1, size - start), largest)
