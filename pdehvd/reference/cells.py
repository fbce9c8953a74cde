"""Sums over the equal cells of a regular grid, with scikit-fem's element on one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import skfem
from scipy.sparse import csr_array

_ELEMENTS = {
    1: (skfem.MeshLine, skfem.ElementLineP1),
    2: (skfem.MeshQuad, skfem.ElementQuad1),
    3: (skfem.MeshHex, skfem.ElementHex1),
}


class Cells:
    """E cells with V corners and Q Gauss points, of a grid with N nodes numbered as in [*n].

    A function has 1 + D parts: its value (0) and its derivative along each axis (1 + axis). All
    cells are equal, so that scikit-fem's basis on the first of them serves for all.
    """

    def __init__(self, bounds: np.ndarray, shape: Sequence[int]) -> None:
        self.shape = tuple(shape)
        self.spacing = [
            (high - low) / (n - 1) for (low, high), n in zip(bounds, shape, strict=True)
        ]
        lows = np.array([low for low, _ in bounds], float)
        mesh_type, element = _ELEMENTS[len(self.shape)]
        ends = [np.array([low, low + h]) for low, h in zip(lows, self.spacing, strict=True)]
        mesh = mesh_type.init_tensor(*ends)
        basis = skfem.Basis(mesh, element(), intorder=3)  # two Gauss points along each axis
        self._cell = np.indices([n - 1 for n in shape]).reshape(len(shape), -1)
        self._offsets = np.rint((mesh.p[:, mesh.t[:, 0]].T - lows) / self.spacing).astype(int)
        self.corners = np.stack(
            [
                np.ravel_multi_index(self._cell + offset[:, None], self.shape)
                for offset in self._offsets
            ]
        )
        self.weights = basis.dx[0]
        self._first = np.asarray(basis.global_coordinates())[:, 0]
        functions = [function[0] for function in basis.basis]
        self.shapes = np.array(
            [[np.asarray(f)[0] for f in functions]]
            + [[f.grad[axis, 0] for f in functions] for axis in range(len(shape))]
        )  # [1 + D, V, Q]
        self._pattern: tuple[np.ndarray, ...] | None = None

    @property
    def size(self) -> int:
        """The number of nodes, N."""
        return int(np.prod(self.shape))

    @property
    def points(self) -> tuple[int, int]:
        """The numbers of Gauss points in a cell and of cells, (Q, E)."""
        return len(self.weights), self.corners.shape[1]

    def coordinate(self, axis: int) -> np.ndarray:
        """Return a coordinate at the Gauss points, [Q, E]."""
        values: np.ndarray = self._first[axis][:, None] + self.spacing[axis] * self._cell[axis]
        return values

    def part(self, values: np.ndarray, number: int) -> np.ndarray:
        """Return a part at the Gauss points [Q, E] of what has `values` [*n] at the nodes."""
        result: np.ndarray = self.shapes[number].T @ values.reshape(-1)[self.corners]
        return result

    def total(self, density: np.ndarray) -> float:
        """Return the integral of what has values [Q, E] at the Gauss points."""
        return float(self.weights @ density.sum(axis=1))

    def vector(self, parts: Mapping[int, np.ndarray]) -> np.ndarray:
        """Return sum_a int f_a v_a [N] for every node's function v, from f_a [Q, E]."""
        local = sum((self.shapes[a] * self.weights) @ values for a, values in parts.items())
        return np.bincount(self.corners.ravel(), np.ravel(local), self.size)

    def matrix(self, pairs: Mapping[tuple[int, int], np.ndarray]) -> csr_array:
        """Return sum_ab int c_ab u_a v_b [N, N] from c_ab [Q, E], each pair a <= b named once."""
        tables = []
        for a, b in pairs:
            table = np.einsum("iq,jq,q->ijq", self.shapes[a], self.shapes[b], self.weights)
            tables.append(table if a == b else table + table.transpose(1, 0, 2))
        table = np.concatenate(tables, axis=2).reshape(len(self.corners) ** 2, -1)
        local = table @ np.concatenate(list(pairs.values()))
        columns, ends, slots, found = self._sparsity()
        data = np.bincount(slots, local.ravel(), self.size * 3 ** len(self.shape))[found]
        return csr_array((data, columns, ends), (self.size, self.size))

    def _sparsity(self) -> tuple[np.ndarray, ...]:
        """Return columns, row ends, and how the entries of cells become those of the matrix.

        A node has 3^D slots, for itself and its neighbours; those beyond the box are left out.
        """
        if self._pattern is None:
            steps = np.moveaxis(self._offsets[None] - self._offsets[:, None] + 1, -1, 0)
            box = (3,) * len(self.shape)
            codes = np.ravel_multi_index(tuple(steps), box)
            slots = (self.corners[:, None] * 3 ** len(box) + codes[..., None]).ravel()
            present = np.zeros(self.size * 3 ** len(box), bool)
            present[slots] = True
            found = np.flatnonzero(present)
            rows, codes = np.divmod(found, 3 ** len(box))
            strides = np.cumprod((1, *self.shape[:0:-1]))[::-1]
            columns = rows + ((np.array(np.unravel_index(codes, box)).T - 1) @ strides)
            ends = np.searchsorted(rows, np.arange(self.size + 1))
            self._pattern = (columns.astype(np.int32), ends.astype(np.int32), slots, found)
        return self._pattern
