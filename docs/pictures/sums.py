"""Draws sums.png, the one rule of the project: `python docs/pictures/sums.py`."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, Rectangle

from pdehvd.comm.grid import shard

SQUARES = (4, 6, 11, 1, 1, 2, 4)
COLORS = ("#2a6f97", "#c8553d")
DARK, GREY = "#22282e", "#6b7680"
RIGHT, WRONG = "#2d7d46", "#a4161a"


def main() -> None:
    """Write the picture beside this file."""
    figure, axes = plt.subplots(figsize=(9.6, 4.9))
    axes.set(xlim=(0, 96), ylim=(0, 49))
    axes.axis("off")
    parts = [shard(len(SQUARES), rank, 2) for rank in range(2)]
    for rank, (start, stop) in enumerate(parts):
        _rank(axes, rank, SQUARES[start:stop])
    sums = [sum(SQUARES[start:stop]) for start, stop in parts]
    means = [total / (stop - start) for total, (start, stop) in zip(sums, parts, strict=True)]
    total, count = sum(sums), len(SQUARES)
    _box(axes, 50, 29, 20, 10, "one collective", f"{sums[0]} + {sums[1]} = {total}", DARK)
    _box(axes, 77, 29, 18, 10, "divide by N", f"{total} / {count} = {total / count:.3f}", RIGHT)
    _box(axes, 50, 7, 20, 10, "average of averages", f"({means[0]:g} + {means[1]:g}) / 2", GREY)
    _box(axes, 77, 7, 18, 10, "another number", f"{sum(means) / 2:.3f}", WRONG)
    for y, rank in ((36.5, 0), (31.5, 1)):
        _arrow(axes, 40, 36 if rank == 0 else 14, 49.5, y, COLORS[rank])
    for y, rank in ((14.5, 0), (9.5, 1)):
        _arrow(axes, 40, 31 if rank == 0 else 9, 49.5, y, GREY, ":")
    _arrow(axes, 70.5, 34, 76.5, 34, DARK)
    _arrow(axes, 70.5, 12, 76.5, 12, GREY, ":")
    axes.text(
        77, 41, "the same on any number\nof processes", color=RIGHT, fontsize=9.5, va="bottom"
    )
    axes.text(
        77, 5.5, "depends on how the points\nare divided", color=WRONG, fontsize=9.5, va="top"
    )
    figure.subplots_adjust(0.01, 0.01, 0.99, 0.99)
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=160, facecolor="white")


def _rank(axes: Axes, rank: int, squares: tuple[int, ...]) -> None:
    """Draw a rank's shard: one cell a point, then its sum and its mean."""
    bottom, color = (28, 6)[rank], COLORS[rank]
    axes.add_patch(
        FancyBboxPatch((1.5, bottom), 38, 15, boxstyle="round,pad=0.6", fc=color + "14", ec=color)
    )
    axes.text(
        2, bottom + 13.2, f"rank {rank}: {len(squares)} of 7 points", color=color, fontsize=11
    )
    for index, square in enumerate(squares):
        x = 2 + 5.2 * index
        axes.add_patch(Rectangle((x, bottom + 5), 4.6, 5.4, fc=color, ec="white"))
        axes.text(x + 2.3, bottom + 7.7, str(square), color="white", ha="center", va="center")
    axes.text(2, bottom + 1.2, "squared residuals", color=GREY, fontsize=9.5)
    mean = sum(squares) / len(squares)
    axes.text(
        39, bottom + 8, f"sum {sum(squares)}", color=color, ha="right", va="center", weight="bold"
    )
    axes.text(39, bottom + 3, f"mean {mean:g}", color=GREY, ha="right", va="center")


def _box(
    axes: Axes, x: float, y: float, w: float, h: float, top: str, text: str, color: str
) -> None:
    axes.add_patch(
        FancyBboxPatch((x, y), w, h, boxstyle="round,pad=0.3", fc="white", ec=color, lw=1.5)
    )
    axes.text(x + w / 2, y + h * 0.72, top, ha="center", va="center", color=color, fontsize=9.5)
    axes.text(x + w / 2, y + h * 0.3, text, ha="center", va="center", color=color, fontsize=12)


def _arrow(
    axes: Axes, x: float, y: float, to_x: float, to_y: float, color: str, line: str = "-"
) -> None:
    style = {"arrowstyle": "-|>", "color": color, "lw": 1.4, "linestyle": line}
    axes.annotate("", (to_x, to_y), (x, y), arrowprops=style)


if __name__ == "__main__":
    main()
