"""All pictures of a run, as figures or as files in its `plots/`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from pdehvd.results.open_run import RunLike, opened
from pdehvd.results.picture_file import png
from pdehvd.results.plots_curves import plot_curves
from pdehvd.training import history

FOLDER = "plots"


def figures(run: RunLike, at: Mapping[str, float] | None = None) -> dict[str, Figure]:
    """Return the pictures of a run by name: first the solution, then what the training did.

    Where `at` has values of some coordinates, there are those of the solution.
    """
    trained = opened(run).at(at or {})
    if trained.place:
        return trained.figures()
    rows = history.read(trained.directory)
    known = trained.true_unknowns, trained.expected_monitors
    past = plot_curves(rows, *known, trained.labels)
    return {**trained.figures(), **past}


def plot(run: RunLike, at: Mapping[str, float] | None = None) -> list[Path]:
    """Write the pictures of a run to `plots/NAME.png` and return their paths.

    The solution and its reference, as the kind of the problem draws it; then losses, errors,
    learning rate, unknowns, monitors. Where `at` has values of some coordinates, pictures of the
    solution there go to a folder of their own in `plots/`.
    """
    trained = opened(run).at(at or {})
    folder = Path(trained.directory) / FOLDER / trained.place
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in figures(trained).items():
        path = folder / f"{name}.png"
        temporary = path.with_name(path.name + ".new")
        temporary.write_bytes(png(picture))
        os.replace(temporary, path)
        paths.append(path)
    return paths
