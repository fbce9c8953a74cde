"""Monitors of a network of coordinates: expressions at fixed points, divided over the ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import tensorflow as tf

from pdehvd.objectives.batches import ItemPoints, PointBatch, to_points
from pdehvd.objectives.objective import PDEObjective
from pdehvd.objectives.point_law import PointLaw
from pdehvd.problems.block import Items
from pdehvd.problems.monitor import Monitor
from pdehvd.training.monitors import Monitors
from pdehvd.training.state import TrainState


class PointMonitors(Monitors):
    """The monitors of a problem at points.

    Points lie in pieces that an objective evaluates one by one, and what pieces give is joined in
    global order.
    """

    def __init__(self, objective: PDEObjective) -> None:
        problem = objective.problem
        self._monitors = problem.monitors
        known = {monitor.name: monitor.expected for monitor in self._monitors}
        self.expected = {name: value for name, value in known.items() if value is not None}
        blocks = tuple(monitor.block for monitor in self._monitors)
        law = PointLaw(replace(problem, blocks=blocks), objective.network)
        self._values = tf.function(law.residuals, jit_compile=True, autograph=False)
        self._group = objective.group
        places = [objective.pieces(block.count) for block in blocks]
        # By piece, then by monitor: which points it has, and which of these count.
        pieces = zip(*(zip(*place, strict=True) for place in places), strict=True)
        self._pieces = [_Piece(self._monitors, shares, objective.dtype) for shares in pieces]

    def __call__(self, state: TrainState) -> dict[str, float]:
        own = [piece.parts(self._values(state.theta, piece.batch)) for piece in self._pieces]
        parts = self._group.gather_numpy(np.array(own), "monitors")
        pairs = zip(self._monitors, parts.T, strict=True)
        return {monitor.name: monitor.join(part) for monitor, part in pairs}


class _Piece:
    """The points of every monitor that are evaluated at once."""

    def __init__(
        self,
        monitors: tuple[Monitor, ...],
        shares: tuple[tuple[np.ndarray, np.ndarray], ...],
        dtype: tf.DType,
    ) -> None:
        self._monitors = monitors
        self._shares = shares
        self.batch: PointBatch = [
            _points(monitor, index, dtype)
            for monitor, (index, _) in zip(monitors, shares, strict=True)
        ]

    def parts(self, values: list[tf.Tensor | None]) -> list[float]:
        """Return what this piece contributes to each monitor, from values [n, 1] at its points."""
        return [
            monitor.part(_counted(value, real), index[real])
            for monitor, value, (index, real) in zip(
                self._monitors, values, self._shares, strict=True
            )
        ]


def _points(monitor: Monitor, index: np.ndarray, dtype: tf.DType) -> ItemPoints:
    every = monitor.block.source.items(0, 0, monitor.block.count)
    columns: Mapping[str, np.ndarray] = every.extras
    own = {name: column[index] for name, column in columns.items()}
    return to_points(Items(every.x[index], own), dtype)


def _counted(value: tf.Tensor | None, real: np.ndarray) -> np.ndarray:
    """Return the values [n] at the points that count."""
    if value is None:
        return np.zeros(0)
    column: np.ndarray = value.numpy()[:, 0].astype(np.float64)
    counted: np.ndarray = column[real]
    return counted
