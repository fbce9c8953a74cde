"""A run directory as an object, for a notebook or a script."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pdehvd.errors import ConfigError, OutsideDomainWarning
from pdehvd.spec.plain import Facts

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure

    from pdehvd.assembly.kind import AnyRun


class Run:
    """A run directory as an object: what it wrote, and its network as a function.

    Raises `ConfigError` where the directory is not a run; `latest` is the newest in `runs`.

    Arguments:
        directory: `runs/NAME/TIME`, or `latest`
        plugins: the plug-in files that it was trained with
    """

    def __init__(self, directory: Path | str, plugins: Sequence[Path | str] = ()) -> None:
        from pdehvd.assembly.run_directory import find

        if not isinstance(directory, str | os.PathLike):
            raise ConfigError(
                f"{directory!r:.60} is not a run",
                (),
                "the path of its folder, such as runs/NAME/TIME, or latest",
            )
        self.directory = find(Path(directory))
        self.plugins = tuple(Path(plugin) for plugin in plugins)

    @property
    def summary(self) -> Facts:
        """What the run says about itself; empty while it has not ended."""
        from pdehvd.assembly.run_directory import SUMMARY
        from pdehvd.training.durable import read_json

        return read_json(self.directory / SUMMARY)

    @property
    def history(self) -> pd.DataFrame:
        """The metrics as a pandas frame, a row for each logged step."""
        from pdehvd.training.history import read

        return read(self.directory)

    @property
    def errors(self) -> dict[str, float]:
        """The relative L2 error of each field at the end; empty without a reference."""
        return dict(self.summary.get("relative_l2", {}))

    @cached_property
    def trained(self) -> AnyRun:
        """The network with its problem and its reference, read from the newest checkpoint."""
        from pdehvd.launch.tensorflow_import import import_tensorflow

        import_tensorflow()
        from pdehvd.results.open_run import open_run

        return open_run(self.directory, self.plugins)

    def predict(
        self, points: object, outside: Literal["warn", "nan", "error"] = "warn"
    ) -> dict[str, np.ndarray]:
        """Return every field at points, by name.

        `points` is an array [N, D] with the coordinates as columns in their order, or a mapping of
        coordinate names to arrays and numbers, which are broadcast, or a data frame. Fields are
        [N], or have the shape of the broadcast arrays, in the precision of the run. A generative
        model takes a mapping of its inputs [B, *n] instead, and gives the field [B, *n].

        `outside` says what to do at points outside the domain, where nothing was trained: "warn"
        gives the network's values with an `OutsideDomainWarning`, "nan" gives NaN there and where
        a coordinate is NaN, "error" raises. Raises `ConfigError` for anything else.

        Arguments:
            points: where: [N, D], or by name
            outside: "warn", "nan" or "error"
        """
        values, said = self.trained.fields_at(points, outside)
        if said:
            warnings.warn(said, OutsideDomainWarning, stacklevel=2)
        return values

    def evaluate(self, at: Mapping[str, float] | None = None) -> Facts:
        """Measure the run as `pdehvd evaluate` does: errors by field, and residuals by term.

        The numbers are also written to `evaluation.json` in its directory. With `at`, such as
        `{"nu": 0.01}`, errors are measured where coordinates or parameters have these values.

        Arguments:
            at: values by the names of coordinates and parameters
        """
        from pdehvd.results.evaluate import evaluate

        return evaluate(self.trained, at=at)

    def plot(self, at: Mapping[str, float] | None = None) -> dict[str, Figure]:
        """Show the pictures in a notebook and return them as matplotlib figures by name.

        Arguments:
            at: values by the names of coordinates and parameters, where the solution is drawn
        """
        from pdehvd.results.picture_file import png
        from pdehvd.results.plots import figures

        pictures = figures(self.trained, at)
        if _in_notebook():
            from IPython.display import Image, display

            for picture in pictures.values():
                display(Image(png(picture)))  # type: ignore[no-untyped-call]
        return pictures

    def __repr__(self) -> str:
        errors = ", ".join(f"{name} {error:.3g}" for name, error in self.errors.items())
        status = self.summary.get("status", "unfinished")
        return f"Run({str(self.directory)!r}, {status}{', relative L2 ' if errors else ''}{errors})"

    def _repr_html_(self) -> str:
        return f"<code>{escape(repr(self))}</code>"


def _in_notebook() -> bool:
    """Say whether pictures can be shown where this runs."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    shell = get_ipython()
    return shell is not None and hasattr(shell, "kernel")
