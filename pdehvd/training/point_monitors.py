"""Monitors of a network of coordinates: expressions at fixed points, divided over the ranks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pdehvd.objectives.batches import ItemPoints, PointBatch, to_points
from pdehvd.objectives.objective import PDEObjective
from pdehvd.objectives.point_law import PointLaw
from pdehvd.problems.block import Items
from pdehvd.problems.monitor import Monitor
from pdehvd.training.monitors import Monitors
from pdehvd.training.state import TrainState

_AT_ONCE = 2**14  # points, of all monitors together


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
        # By piece, then by monitor.
        pieces = zip(*(map(_Share, *place) for place in places), strict=True)
        parts = [part for shares in pieces for part in _cut(shares)]
        self._pieces = [_Piece(self._monitors, shares, objective.dtype) for shares in parts]

    def __call__(self, state: TrainState) -> dict[str, float]:
        own = [piece.parts(self._values(state.theta, piece.batch)) for piece in self._pieces]
        parts = self._group.gather_numpy(np.array(own), "monitors")
        pairs = zip(self._monitors, parts.T, strict=True)
        return {monitor.name: monitor.join(part) for monitor, part in pairs}


class _Share(NamedTuple):
    """Which of a monitor's points a piece has [c], and which of these count [c]."""

    which: np.ndarray
    real: np.ndarray

    def cut(self, parts: int) -> list[_Share]:
        """Return parts of one length, the last ones filled up with points that do not count."""
        missing = -len(self.which) % parts
        which = np.concatenate([self.which, np.repeat(self.which[-1:], missing)])
        real = np.concatenate([self.real, np.zeros(len(which) - len(self.real), bool)])
        return list(map(_Share, np.split(which, parts), np.split(real, parts)))


def _cut(shares: Sequence[_Share]) -> Iterator[tuple[_Share, ...]]:
    """Yield parts of a piece that fit into the memory of a step, all of the same shapes."""
    count = max(-(-sum(len(share.which) for share in shares) // _AT_ONCE), 1)
    yield from zip(*(share.cut(count) for share in shares), strict=True)


class _Piece:
    """The points of every monitor that are evaluated at once."""

    def __init__(
        self, monitors: tuple[Monitor, ...], shares: tuple[_Share, ...], dtype: tf.DType
    ) -> None:
        self._monitors = monitors
        self._shares = shares
        self.batch: PointBatch = [
            _points(monitor, share.which, dtype)
            for monitor, share in zip(monitors, shares, strict=True)
        ]

    def parts(self, values: list[tf.Tensor | None]) -> list[float]:
        """Return what this piece contributes to each monitor, from values [n, 1] at its points."""
        each = zip(self._monitors, values, self._shares, strict=True)
        return [
            monitor.part(_counted(value, share.real), share.which[share.real])
            for monitor, value, share in each
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
