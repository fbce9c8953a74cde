"""Pictures of a generative model: held-out samples with their references, and all errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from pdehvd.assembly.run_directory import EVALUATION
from pdehvd.results.evaluate_samples import truths
from pdehvd.results.plot_style import COLOURS, ERRORS, VALUES, figure, in_style, labelled
from pdehvd.results.trained_grid import TrainedOnGrid
from pdehvd.training.durable import read_json

SAMPLES = 4
INPUTS = "cividis"


def sample_pictures(trained: TrainedOnGrid) -> dict[str, Figure]:
    """Return the pictures of held-out samples by name; none where there are none."""
    count = min(SAMPLES, trained.problem.held_out)
    if not count:
        return {}
    numbers = np.arange(count)
    sample = trained.held_out(numbers)
    solutions = trained.predict(sample)
    reference = trained.reference
    known = None if reference is None else truths(trained, reference, numbers)
    shape = trained.problem.shape(trained.problem.resolution)
    inputs = {
        name: np.broadcast_to(field, (count, *shape)) for name, field in sample.fields.items()
    }
    pictures = {"samples": samples(trained, inputs, solutions, known)}
    errors = read_json(Path(trained.directory) / EVALUATION).get("relative_l2_by_sample")
    if errors:
        pictures["sample_errors"] = error_distribution(
            errors, labelled(trained.problem.labels, trained.problem.field)
        )
    return pictures


@in_style
def samples(
    trained: TrainedOnGrid,
    inputs: dict[str, np.ndarray],
    solutions: np.ndarray,
    known: np.ndarray | None,
    numbered: bool = True,
) -> Figure:
    """Draw samples in rows: inputs, solution, and reference and difference where known."""
    labels, names = trained.problem.labels, trained.problem.coordinates
    field = labelled(labels, trained.problem.field)
    count, varied = len(solutions), list(inputs)
    columns = len(varied) + (1 if known is None else 3)
    picture = figure(2.75 * columns, 2.3 * count + 0.4, to_scale=len(names) > 1)
    panels = picture.subplots(count, columns, squeeze=False)
    for row in range(count):
        u = solutions[row]
        panes: list[tuple[str, np.ndarray, str]] = [
            (labelled(labels, name), inputs[name][row], INPUTS) for name in varied
        ]
        panes.append((f"{field}: network", u, VALUES))
        if known is not None:
            panes.append((f"{field}: reference", known[row], VALUES))
            panes.append((f"{field}: network \N{MINUS SIGN} reference", u - known[row], ERRORS))
        for axes, (title, values, colours) in zip(panels[row], panes, strict=True):
            scale = _scale(values if known is None or colours != VALUES else known[row], colours)
            if len(names) == 1:
                _curve(axes, trained, values)
            else:
                image = _map(axes, trained, values, colours, scale)
                picture.colorbar(image, ax=axes, shrink=0.85, pad=0.02)
            if row == 0:
                axes.set_title(title)
        number = f"sample {row}\n" if numbered else ""
        panels[row][0].set_ylabel(number + _vertical(trained))
    for axes in panels[-1]:
        axes.set_xlabel(labelled(labels, names[0]))
    return picture


@in_style
def error_distribution(errors: list[float], field: str) -> Figure:
    """Draw the relative L2 errors of all held-out samples, from the least to the worst."""
    picture = figure(7.2, 3.2)
    axes = picture.subplots()
    ordered = np.sort(errors)
    axes.plot(np.arange(1, len(ordered) + 1), ordered, "o-", ms=3, color=COLOURS[0])
    mean = float(np.mean(ordered))
    axes.axhline(mean, color=COLOURS[1], linestyle="--", label=f"mean {mean:.2e}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlabel("held-out samples, in order of their error")
    axes.set_ylabel(f"relative L2 error of {field}")
    axes.set_yscale("log")
    axes.grid(True, axis="both", which="major")
    axes.legend()
    return picture


def _vertical(trained: TrainedOnGrid) -> str:
    names = trained.problem.coordinates
    up = labelled(trained.problem.labels, names[1]) if len(names) > 1 else ""
    if len(names) < 3:
        return up
    low, high = trained.problem.bounds[2]
    return f"{up}  ({names[2]} = {(low + high) / 2:.3g})"


def _scale(values: np.ndarray, colours: str) -> Normalize:
    low, high = float(values.min()), float(values.max())
    if colours == ERRORS:
        size = max(abs(low), abs(high)) or 1.0
        return Normalize(-size, size)
    if colours == INPUTS and low > 0 and high > 20 * low:
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1.0)


def _map(
    axes: Axes, trained: TrainedOnGrid, values: np.ndarray, colours: str, scale: Normalize
) -> AxesImage:
    """Draw a field of two coordinates, or the middle plane of one of three."""
    if values.ndim == 3:
        values = values[:, :, values.shape[2] // 2]
    (left, right), (low, high) = trained.problem.bounds[:2]
    image = axes.imshow(
        values.T,
        origin="lower",
        extent=(left, right, low, high),
        aspect="auto" if high - low != right - left else "equal",
        cmap=colours,
        norm=scale,
        interpolation="nearest",
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks([left, right])
    axes.set_yticks([low, high])
    return image


def _curve(axes: Axes, trained: TrainedOnGrid, values: np.ndarray) -> None:
    axes.plot(trained.problem.axes(len(values))[0], values, color=COLOURS[0])
