"""All pictures of a run, as figures or as files in its `plots/`."""

from __future__ import annotations

import io
import os
from pathlib import Path

from matplotlib.figure import Figure

from pdehvd.results.plot_style import DPI, styled
from pdehvd.results.plots_curves import curves
from pdehvd.results.plots_fields import heat_maps, sections, sheet
from pdehvd.results.plots_lines import lines, slices
from pdehvd.results.plots_samples import sample_pictures
from pdehvd.results.solution import RunLike, Trained, opened, true_unknowns
from pdehvd.results.trained_grid import TrainedOnGrid
from pdehvd.training import history

FOLDER = "plots"


def figures(run: RunLike) -> dict[str, Figure]:
    """Return the pictures of a run by name: first the solution, then what the training did."""
    trained = opened(run)
    past = curves(history.read(trained.directory), true_unknowns(trained))
    return {**_solution(trained), **past}


def plot(run: RunLike) -> list[Path]:
    """Write the pictures of a run to `plots/NAME.png` and return their paths.

    The solution beside its reference: 1-D with time as a heat map and slices, 2-D as heat maps,
    3-D as middle planes, one coordinate as lines; then losses, errors, learning rate, unknowns.
    """
    trained = opened(run)
    folder = Path(trained.directory) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in figures(trained).items():
        path = folder / f"{name}.png"
        temporary = path.with_name(path.name + ".new")
        temporary.write_bytes(png(picture))
        os.replace(temporary, path)
        paths.append(path)
    return paths


def png(picture: Figure) -> bytes:
    """Return a figure as the bytes of a PNG file."""
    buffer = io.BytesIO()
    with styled():
        picture.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight", pad_inches=0.08)
    return buffer.getvalue()


def _solution(trained: Trained) -> dict[str, Figure]:
    if isinstance(trained, TrainedOnGrid):
        return sample_pictures(trained)
    domain = trained.problem.domain
    if len(domain.names) == 1:
        return {"solution": lines(trained)}
    sheets = [shown for shown in (sheet(trained, part) for part in sections(domain)) if shown]
    pictures: dict[str, Figure] = {}
    for name in trained.problem.fields:
        if sheets:
            pictures[f"solution_{name}"] = heat_maps(trained, sheets, name)
        if len(domain.names) == 2 and domain.time is not None:
            pictures[f"slices_{name}"] = slices(trained, name)
    return pictures
