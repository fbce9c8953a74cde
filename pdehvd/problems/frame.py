"""What a text about regions may refer to: coordinates, and what each of them is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from pdehvd.problems.parameters import Spread
from pdehvd.problems.shapes_csg import Shape

CLOSE = 1e-9  # relative to the extent of a coordinate


@dataclass(frozen=True, eq=False)
class Frame:
    """Coordinates with bounds [D, 2]: time, parameters, the others space; a shape over some.

    `spread` holds the distributions of parameters, if some have one.
    """

    names: tuple[str, ...]
    bounds: np.ndarray
    time: str | None = None
    shape: Shape | None = None
    columns: tuple[int, ...] = ()
    constants: Mapping[str, float] = field(default_factory=dict)
    parameters: tuple[str, ...] = ()
    spread: Spread = field(default_factory=Spread)

    @property
    def space(self) -> tuple[str, ...]:
        """Return the names of the coordinates in which the domain has a boundary."""
        return tuple(n for n in self.names if n != self.time and n not in self.parameters)

    @property
    def boundaries(self) -> tuple[str, ...]:
        """Return the names of boundaries that the geometry gives."""
        leaves = self.shape.leaves() if self.shape else ()
        return tuple(dict.fromkeys(name for leaf in leaves for name in leaf.names))

    def reach(self, axis: int) -> float:
        """Return the distance along a coordinate that is taken for rounding."""
        return CLOSE * float(np.ptp(self.bounds[axis]))

    def show(self, axis: int) -> str:
        """Return a coordinate with its bounds, for messages."""
        low, high = self.bounds[axis]
        return f"{self.names[axis]} in [{low:g}, {high:g}]"

    def show_all(self) -> str:
        """Return all coordinates with their bounds, for messages."""
        return ", ".join(self.show(axis) for axis in range(len(self.names)))
