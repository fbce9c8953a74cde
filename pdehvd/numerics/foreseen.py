"""Cholesky factors of one matrix at several dampings, a whole one on each rank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pdehvd.numerics.cholesky import BlockColumns, Factor, NotPositiveError

# With more ranks a divided factor is done sooner than a whole one.
_MOST = 3


class Foreseen:
    """Factors of A + lambda_k I for the dampings that are likely to be tried, one after another.

    Rank k has the k-th. On few ranks two whole factors beside each other take less time than two
    divided ones after each other, for whole ones wait for nobody.
    """

    def __init__(self, matrix: BlockColumns, dampings: Sequence[float]) -> None:
        self._group = matrix.group
        self._dampings = list(dampings[: self._group.size])
        self._factor: Factor | None = None
        condition = np.nan
        if self._group.rank < len(self._dampings):
            try:
                whole = BlockColumns.whole(matrix.complete())
                self._factor = Factor(whole, self._dampings[self._group.rank])
                condition = self._factor.condition
            except NotPositiveError:
                pass
        else:
            matrix.complete()
        self._conditions = self._group.gather_numpy(np.array([condition]), "foreseen")

    @staticmethod
    def pays(matrix: BlockColumns, dampings: Sequence[float]) -> bool:
        """Return whether several factors are better had at once."""
        return len(dampings) > 1 and 1 < matrix.group.size <= _MOST

    def at(self, damping: float) -> Sent | None:
        """Return the factor at a damping; None where nobody has it.

        Raises `NotPositiveError` on all ranks where its owner found that.
        """
        if damping not in self._dampings:
            return None
        owner = self._dampings.index(damping)
        if np.isnan(self._conditions[owner]):
            raise NotPositiveError(f"a pivot is not positive at damping {damping:.3g}")
        return Sent(self, owner)

    def solve(self, right: np.ndarray, owner: int) -> np.ndarray:
        """Return x [M] for b [M] from the owner of a factor; one collective."""
        own = self._factor if owner == self._group.rank else None
        solution = np.empty_like(right) if own is None else own.solve(right)
        return self._group.broadcast_numpy(solution, owner, "foreseen")

    def condition(self, owner: int) -> float:
        """Return what the owner's factor says of the condition number."""
        return float(self._conditions[owner])


class Sent:
    """One of the factors, as every rank sees it: its solutions are sent by the owner."""

    def __init__(self, factors: Foreseen, owner: int) -> None:
        self._factors, self._owner = factors, owner

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Return x [M] for b [M]; one collective."""
        return self._factors.solve(right, self._owner)

    @property
    def condition(self) -> float:
        """The ratio of the largest to the smallest pivot."""
        return self._factors.condition(self._owner)
