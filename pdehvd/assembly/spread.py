"""How sure discovered numbers are: standard deviations, correlations, and what cannot be known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pdehvd.errors import list_in_words
from pdehvd.spec.plain import Facts

# Correlation beyond which two numbers cannot be distinguished by the data.
_ALIKE = 0.99


@dataclass(frozen=True)
class Spread:
    """Standard deviations [U] of unknowns, their correlations [U, U], and the noise of each table.

    `steps` [U] are those that the linearised problem asks for still: large ones mean that training
    has not converged, and then the deviations are too small.
    `free` are unknowns that can move together without a change of any residual.
    Noise is in units of the field, divided by its size where several fields are in one table.
    """

    names: tuple[str, ...]
    deviations: np.ndarray
    correlations: np.ndarray
    noise: Mapping[str, float]
    steps: np.ndarray
    free: tuple[str, ...] = ()

    @property
    def by_name(self) -> dict[str, float]:
        """The standard deviations by name; none of what is free, or has not converged."""
        return {name: own for name, own, step in self._determined() if abs(step) <= own}

    @property
    def moving(self) -> dict[str, float]:
        """The steps of unknowns that have not converged, larger than their deviations."""
        return {name: step for name, own, step in self._determined() if abs(step) > own}

    def _determined(self) -> Iterator[tuple[str, float, float]]:
        """Yield name, standard deviation and step of what is not free."""
        rows = zip(self.names, self.deviations.tolist(), self.steps.tolist(), strict=True)
        return (row for row in rows if row[0] not in self.free)

    def remark(self, name: str) -> str:
        """Return what stands behind the value of an unknown, empty where nothing is known."""
        if name in self.moving:
            return (
                f" (not converged: the linearised problem is solved {self.moving[name]:+.2g} away)"
            )
        own = self.by_name.get(name)
        return "" if own is None else f" +- {own:.2g} (standard deviation)"

    @property
    def facts(self) -> Facts:
        """What `summary.json` holds of it."""
        return {
            "deviations": self.by_name,
            "correlations": {f"{one}, {other}": own for one, other, own in self._pairs()},
            "noise": dict(self.noise),
            "undetermined": list(self.free),
            "not_converged": self.moving,
        }

    def _pairs(self) -> Iterator[tuple[str, str, float]]:
        """Yield the correlation of each pair of numbers that are determined."""
        for i, j in combinations(range(len(self.names)), 2):
            if not {self.names[i], self.names[j]} & set(self.free):
                yield self.names[i], self.names[j], float(self.correlations[i, j])

    def doubts(self, values: Mapping[str, float]) -> list[str]:
        """Return in sentences which numbers the data do not determine."""
        found = [
            f"{name} is not determined by the data: its standard deviation {own:.2g} is larger "
            "than its value"
            for name, own in self.by_name.items()
            if own > abs(values[name])
        ]
        for one, other, own in self._pairs():
            if abs(own) > _ALIKE:
                found.append(
                    f"{one} and {other} can hardly be distinguished by the data: their "
                    f"correlation is {own:.4f}"
                )
        if self.free:
            found.append(
                f"the data do not determine {list_in_words(self.free)}: they can change"
                f"{' together' if len(self.free) > 1 else ''} without a change of any residual"
            )
        return found
