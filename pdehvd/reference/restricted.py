"""A reference that knows each field only where it lives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from pdehvd.reference.base import Reference


class Restricted(Reference):
    """The values of another reference, NaN where a field does not live.

    Arguments:
        reference: the other
        lives: a field's name and points [N, D] to whether it lives there, [N]
    """

    def __init__(
        self, reference: Reference, lives: Callable[[str, np.ndarray], np.ndarray]
    ) -> None:
        super().__init__(reference.fields, reference.unknowns, reference.up_to_constant)
        self._reference = reference
        self._lives = lives

    def evaluate(self, points: np.ndarray) -> Mapping[str, np.ndarray]:
        """Return the fields at float64 points [N, D], each [N]."""
        values = self._reference.evaluate(points)
        return {
            name: np.where(self._lives(name, points), values[name], np.nan) for name in self.fields
        }
