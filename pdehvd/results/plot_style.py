"""One look for all pictures: colour-blind-safe, quiet, readable at report size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from textwrap import fill
from typing import ParamSpec, TypedDict, TypeVar

import matplotlib as mpl
import matplotlib.style
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatterSciNotation, LogLocator

from pdehvd.spec.plain import Facts

# Okabe and Ito's colours that are dark enough for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A5195", "#8C6D31")
DASHES = ("-", "--", "-.", ":")
INK, OUTSIDE = "#222222", "#E9E9E9"
VALUES, ERRORS = "viridis", "RdBu_r"
DPI = 150
# Letters in a line of a label.
_LINE = 32

_SETTINGS: Facts = {
    "figure.facecolor": "white",
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": "#666666",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "axes.titlesize": 10,
    "axes.titleweight": "normal",
    "axes.titlepad": 6.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.prop_cycle": cycler(color=COLOURS),
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.6,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.5,
    "mathtext.fontset": "dejavusans",
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-3, 4),
}

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def styled() -> Iterator[None]:
    """Draw in this style; settings of the caller's matplotlib come back afterwards."""
    with mpl.style.context(["default", _SETTINGS]):
        yield


def in_style(draw: Callable[P, T]) -> Callable[P, T]:
    """Make a drawing function use the style."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> T:
        with styled():
            return draw(*args, **kwargs)

    return wrapper


def figure(width: float, height: float, to_scale: bool = False) -> Figure:
    """Return a figure (inches) that lays itself out and belongs to no global state.

    `to_scale` keeps panels whose coordinates have one scale close to each other.
    """
    return Figure(figsize=(width, height), layout="compressed" if to_scale else "constrained")


def labelled(labels: Mapping[str, str], name: str) -> str:
    """Return what a picture calls a name: its label in lines of a panel's width.

    A dollar is a dollar, not the start of a formula.
    """
    return fill(labels.get(name, name), _LINE).replace("$", r"\$")


class LineStyle(TypedDict):
    """What sets one line apart from its neighbours."""

    color: str
    linestyle: str


def line_style(index: int) -> LineStyle:
    """Return colour and dashes of the line with this number; both differ between neighbours."""
    dashes = DASHES[(index // len(COLOURS)) % len(DASHES)]
    return {"color": COLOURS[index % len(COLOURS)], "linestyle": dashes}


class _BetweenDecades(LogFormatterSciNotation):
    """Labels of 2 and 5 where the axis shows less than two decades, and of all where few fit."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        low, high = np.log10(np.sort(self.axis.get_view_interval()))  # type: ignore[union-attr]
        if np.floor(high) - np.ceil(low) >= 1:
            return ""
        leading = round(x / 10 ** np.floor(np.log10(x) + 1e-9))
        return str(super().__call__(x, pos)) if leading in (2, 5) or high - low < 0.7 else ""


def log_axis(axes: Axes) -> None:
    """Make the vertical axis logarithmic with a grid at every decade."""
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(base=10, numticks=8))
    axes.yaxis.set_minor_formatter(_BetweenDecades(minor_thresholds=(np.inf, np.inf)))
    axes.grid(True, axis="both", which="major")
