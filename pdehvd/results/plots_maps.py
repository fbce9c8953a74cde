"""Maps of values on plane sections of a domain, with smooth edges."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Normalize, to_rgba
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from pdehvd.results.plot_style import OUTSIDE
from pdehvd.results.sections import SectionGrid


def draw_map(
    axes: Axes, grid: SectionGrid, values: np.ndarray, colours: str, scale: Normalize
) -> AxesImage:
    """Draw values on the grid of a section; what is outside of the domain is grey."""
    axes.set_facecolor(OUTSIDE)
    for spine in axes.spines.values():
        spine.set_visible(False)
    image = axes.imshow(
        _extended(grid, values),
        origin="lower",
        extent=tuple(grid.extent.flat),
        aspect="equal" if grid.to_scale else "auto",
        cmap=colours,
        norm=scale,
        interpolation="nearest",
    )
    if not grid.inside.all():
        paint(axes, grid, ~grid.fine_inside)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(4))
    return image


def paint(axes: Axes, grid: SectionGrid, parts: np.ndarray, colour: str = OUTSIDE) -> None:
    """Paint parts of pixels [4 side, 4 side] over a picture: their edges look smooth."""
    cover = np.empty((*parts.shape, 4))
    cover[:] = to_rgba(colour)
    cover[..., 3] = parts
    axes.imshow(
        cover,
        origin="lower",
        extent=tuple(grid.extent.flat),
        aspect=axes.get_aspect(),
        interpolation="antialiased",
    )


def _extended(grid: SectionGrid, values: np.ndarray) -> np.ndarray:
    """Return values on the grid, outside of the domain those at the nearest node inside."""
    if grid.inside.all():
        return values
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(
        ~grid.inside, return_distances=False, return_indices=True
    )
    extended: np.ndarray = values[tuple(nearest)]
    return extended


def finite_range(arrays: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the least and the greatest finite value, (0, 0) where there is none."""
    joined = np.concatenate([array[np.isfinite(array)] for array in arrays])
    return (float(joined.min()), float(joined.max())) if joined.size else (0.0, 0.0)


def colour_scale(arrays: Sequence[np.ndarray]) -> Normalize:
    """Return the colour scale from the least finite value of some arrays to the greatest."""
    low, high = finite_range(arrays)
    return Normalize(low - 0.5, high + 0.5) if low == high else Normalize(low, high)


def row_height(grid: SectionGrid, width: float) -> float:
    """Return the height of a row of panels of this width, in inches."""
    if not grid.to_scale:
        return 2.4
    (left, right), (low, high) = grid.extent
    return float(np.clip(width * (high - low) / (right - left), 0.8, 4.0)) + 0.35
