"""Regular grids over a domain, with the fields on them, for other programs to read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pdehvd.errors import ConfigError, counted
from pdehvd.results.solution import solution_at, span, truth
from pdehvd.results.trained_points import TrainedAtPoints

_SIDES = {1: 1001, 2: 257, 3: 65, 4: 33}
MOST = 1_000_000


@dataclass(frozen=True)
class RegularGrid:
    """Fields on the product of axes; values have the shape of the grid, NaN outside the domain."""

    axes: dict[str, np.ndarray]
    inside: np.ndarray
    values: dict[str, np.ndarray]


def sample(trained: TrainedAtPoints, resolution: int | None = None) -> RegularGrid:
    """Return the fields on a grid of `resolution` points a coordinate, those that are fixed apart.

    With each field u come u_reference and u_error = u - u_reference where they are known.
    """
    domain, fixed = trained.problem.domain, trained.fixed
    bounds = dict(zip(domain.names, np.asarray(domain.bounds, dtype=float), strict=True))
    running = [name for name in domain.names if name not in fixed]
    side = _side(resolution, len(running))
    axes = {name: span(bounds[name], side) for name in running}
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    shape = mesh[0].shape
    columns = {name: column.ravel() for name, column in zip(running, mesh, strict=True)}
    columns |= {name: np.full(mesh[0].size, at) for name, at in fixed.items()}
    points = np.stack([columns[name] for name in domain.names], axis=1)
    inside = np.asarray(domain.contains(points), dtype=bool)
    values = {}
    for name, value in _fields(trained, points[inside]).items():
        values[name] = np.full(len(points), np.nan)
        values[name][inside] = value
        values[name] = values[name].reshape(shape)
    return RegularGrid(axes, inside.reshape(shape), values)


def _fields(trained: TrainedAtPoints, points: np.ndarray) -> dict[str, np.ndarray]:
    values = solution_at(trained, points)
    for name, exact in truth(trained, points).items():
        values[f"{name}_reference"] = exact
        values[f"{name}_error"] = values[name] - exact
    return values


def side_in_series(dimension: int, files: int) -> int:
    """Return the points a coordinate of each of several grids, which together hold about `MOST`."""
    return min(_SIDES[dimension], int((MOST / files) ** (1 / dimension)))


def _side(resolution: int | None, dimension: int) -> int:
    if resolution is None:
        return _SIDES.get(dimension) or max(int(MOST ** (1 / dimension)), 2)
    if resolution < 2:
        raise ConfigError(
            f"a grid with {counted(resolution, 'point')} per side has no cells", (), "2 or more"
        )
    return resolution


def grid_cells(inside: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """Return kind, corners [M, 2^D] and used points of the cells whose corners are all inside.

    Corners number the used points and go round as VTK wants them: lines, quads, hexahedra.
    Raises ConfigError where no cell is left.
    """
    numbers = np.arange(inside.size).reshape(inside.shape)
    around: dict[int, tuple[str, list[tuple[int, ...]]]] = {
        1: ("line", [(0,), (1,)]),
        2: ("quad", [(0, 0), (1, 0), (1, 1), (0, 1)]),
        3: (
            "hexahedron",
            [
                *[(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0)],
                *[(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)],
            ],
        ),
    }
    kind, steps = around[inside.ndim]
    corners = np.stack([numbers[_corner(step)].ravel() for step in steps], axis=1)
    corners = corners[inside.ravel()[corners].all(axis=1)]
    if not len(corners):
        raise ConfigError(
            "the grid is too coarse: no cell lies in the domain", (), "more points per side"
        )
    used, renumbered = np.unique(corners, return_inverse=True)
    return kind, renumbered.reshape(corners.shape), used


def _corner(step: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(1, None) if one else slice(None, -1) for one in step)
