"""Pictures of the history: losses, errors, quantities of the optimizer, unknowns, weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pdehvd.results.plot_style import INK, figure, in_style, labelled, line_style, log_axis

WIDTH, HEIGHT = 7.2, 3.6
MANY, FEW, FEW_PANELS = 9, 40, 3
OTHER_ERRORS = ("worst_relative_l2/", "relative_h1/")
ERROR_LABELS = {
    "relative_l2": "mean $L^2$",
    "worst_relative_l2": "worst $L^2$",
    "relative_h1": "mean $H^1$",
}
METHOD = ("damping", "step_length", "condition", "cg_iterations", "evaluations")


def plot_curves(
    history: pd.DataFrame,
    unknowns: Mapping[str, float],
    monitors: Mapping[str, float],
    labels: Mapping[str, str] | None = None,
) -> dict[str, Figure]:
    """Return the pictures of a history by name; those without numbers are left out.

    `unknowns` holds true values, `monitors` expected ones, as far as they are known, and `labels`
    what names are called.
    """
    drawers: dict[str, Callable[[pd.DataFrame], Figure | None]] = {
        "loss": _losses,
        "error": partial(_errors, labels=labels or {}),
        "learning_rate": _learning_rate,
        "method": _method,
        "unknowns": partial(_unknowns, truths=unknowns, labels=labels or {}),
        "monitors": partial(_monitors, expected=monitors, labels=labels or {}),
        "weights": _weights,
    }
    drawn = {name: draw(history) for name, draw in drawers.items()}
    return {name: picture for name, picture in drawn.items() if picture is not None}


@in_style
def _losses(history: pd.DataFrame) -> Figure | None:
    terms = [name for name in columns_with(history, "loss/") if name != "loss/total"]
    total = "loss/total" in history and history["loss/total"].notna().any()
    if not terms and not total:
        return None
    picture = figure(WIDTH, HEIGHT + 0.16 * max(len(terms) - MANY, 0))
    axes = picture.subplots()
    several, weighted = len(terms) > 1, _weighted(history, terms)
    if several or not total:
        _lines(axes, history, terms, _terms(terms), linewidth=1.1)
    if total:
        label = "total, weighted" if weighted else "total"
        _line(axes, history, "loss/total", color=INK, linewidth=1.8, label=label, zorder=1.9)
    title = "Loss and its terms" + (" without their weights" if weighted else "")
    _finish(axes, "loss", title if several else "Loss", legend=several)
    return picture


def _weighted(history: pd.DataFrame, terms: Sequence[str]) -> bool:
    """Return whether the total is another sum than that of the terms, which have no weights."""
    if "loss/total" not in history or not terms:
        return False
    total = _values(history, "loss/total")
    plain = sum(_values(history, term) for term in terms)
    with np.errstate(invalid="ignore"):
        return bool(np.any(np.abs(plain - total) > 1e-3 * np.abs(total)))


@in_style
def _errors(history: pd.DataFrame, labels: Mapping[str, str]) -> Figure | None:
    names = columns_with(history, "relative_l2/")
    if not names:
        return None
    others = [name for prefix in OTHER_ERRORS for name in columns_with(history, prefix)]
    picture = figure(WIDTH, HEIGHT)
    axes = picture.subplots()
    if others:
        for index, name in enumerate([*names, *others]):
            measure, field = name.split("/")
            label = f"{labelled(labels, field)}: {ERROR_LABELS[measure]}"
            _line(axes, history, name, label=label, **line_style(index))
    else:
        fields = [labelled(labels, name.removeprefix("relative_l2/")) for name in names]
        _lines(axes, history, names, fields)
    label = "relative error" if others else "relative $L^2$ error"
    _finish(axes, label, "Error against the reference")
    return picture


@in_style
def _learning_rate(history: pd.DataFrame) -> Figure | None:
    if not columns_with(history, "learning_rate"):
        return None
    picture = figure(WIDTH, 2.6)
    axes = picture.subplots()
    values = _line(axes, history, "learning_rate", **line_style(0))
    _finish(axes, "learning rate", "Learning rate", logarithmic=_wide(values), legend=False)
    return picture


@in_style
def _method(history: pd.DataFrame) -> Figure | None:
    names = [name for name in METHOD if columns_with(history, name)]
    if not names:
        return None
    picture = figure(WIDTH, 0.4 + 1.5 * len(names))
    panels = picture.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for index, (axes, name) in enumerate(zip(panels, names, strict=True)):
        values = _line(axes, history, name, **line_style(index))
        title = "Quantities of the optimizer" if index == 0 else ""
        wide = _wide(values[np.isfinite(values)])
        _finish(axes, name.replace("_", " "), title, logarithmic=wide, legend=False)
        axes.set_xlabel("step" if index == len(names) - 1 else "")
    return picture


@in_style
def _unknowns(
    history: pd.DataFrame, truths: Mapping[str, float], labels: Mapping[str, str]
) -> Figure | None:
    shown = "Unknowns, their last and (dashed) true values"
    title = shown if truths else "Unknowns and their last values"
    return _numbers(history, "unknown/", truths, labels, "true", title)


@in_style
def _monitors(
    history: pd.DataFrame, expected: Mapping[str, float], labels: Mapping[str, str]
) -> Figure | None:
    shown = "Monitors, their last and (dashed) expected values"
    title = shown if expected else "Monitors and their last values"
    return _numbers(history, "monitor/", expected, labels, "expected", title)


def _numbers(
    history: pd.DataFrame,
    prefix: str,
    known: Mapping[str, float],
    labels: Mapping[str, str],
    word: str,
    title: str,
) -> Figure | None:
    """Draw a panel for each column with a prefix, with its last value and the known one."""
    names = columns_with(history, prefix)
    if not names:
        return None
    picture = figure(WIDTH, 0.5 + (2.2 if len(names) <= FEW_PANELS else 1.6) * len(names))
    panels = picture.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for index, (axes, name) in enumerate(zip(panels, names, strict=True)):
        values = _line(axes, history, name, **line_style(index))
        short = name.removeprefix(prefix)
        note = f"{values[-1]:.6g}"
        if short in known:
            axes.axhline(known[short], color=INK, linewidth=0.9, linestyle="--", zorder=1.9)
            note += f"\n{word} {known[short]:.6g}"
        axes.annotate(
            note,
            (1, values[-1]),
            xycoords=axes.get_yaxis_transform(),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            annotation_clip=False,
        )
        axes.ticklabel_format(axis="y", useOffset=False)
        axes.set_ylabel(labelled(labels, short))
        axes.grid(True)
        axes.margins(x=0.01)
    panels[0].set_title(title, loc="left")
    panels[-1].set_xlabel("step")
    return picture


@in_style
def _weights(history: pd.DataFrame) -> Figure | None:
    names = [name for name in columns_with(history, "weight/") if history[name].nunique() > 1]
    if not names:
        return None
    picture = figure(WIDTH, HEIGHT)
    axes = picture.subplots()
    _lines(axes, history, names, _terms(names))
    _finish(axes, "weight", "Weights of the terms of the loss")
    return picture


def columns_with(history: pd.DataFrame, prefix: str) -> list[str]:
    """Return the columns with this prefix that hold at least one finite number."""
    names = [str(name) for name in history.columns if str(name).startswith(prefix)]
    return [name for name in names if np.isfinite(_values(history, name)).any()]


def _values(history: pd.DataFrame, name: str) -> np.ndarray:
    values: np.ndarray = history[name].to_numpy(dtype=float, na_value=np.nan)
    return values


def series(
    history: pd.DataFrame, name: str, against: str = "step"
) -> tuple[np.ndarray, np.ndarray]:
    """Return another column and the values of one, where both are finite."""
    values, across = _values(history, name), _values(history, against)
    finite = np.isfinite(values) & np.isfinite(across)
    return across[finite], values[finite]


def _terms(names: Sequence[str]) -> list[str]:
    """Return the names of terms, without what is logged of them, as a legend shows them."""
    return [name.partition("/")[2].replace("/", ": ") for name in names]


def _lines(
    axes: Axes,
    history: pd.DataFrame,
    names: Sequence[str],
    labels: Sequence[str],
    linewidth: float = 1.5,
) -> None:
    for index, (name, label) in enumerate(zip(names, labels, strict=True)):
        _line(axes, history, name, label=label, linewidth=linewidth, **line_style(index))


def _line(
    axes: Axes,
    history: pd.DataFrame,
    name: str,
    *,
    color: str,
    linestyle: str = "-",
    linewidth: float | None = None,
    label: str | None = None,
    zorder: float = 2.0,
) -> np.ndarray:
    """Draw a column against the step and return its values; few of them are marked one by one."""
    steps, values = series(history, name)
    marker = "o" if len(steps) <= FEW else None
    axes.plot(
        steps,
        values,
        marker=marker,
        markersize=2.8,
        color=color,
        linestyle=linestyle,
        linewidth=linewidth,
        label=label,
        zorder=zorder,
    )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    return values


def _wide(values: np.ndarray) -> bool:
    """Say whether positive values are better seen on a logarithmic axis."""
    return bool(values.min() > 0 and values.max() / values.min() > 20)


def _finish(
    axes: Axes, label: str, title: str, logarithmic: bool = True, legend: bool = True
) -> None:
    """Label a curve picture; what is not positive cannot be shown on a logarithmic axis."""
    drawn = [line.get_ydata() for line in axes.get_lines()]
    if logarithmic and any(np.any(np.asarray(values) > 0) for values in drawn):
        log_axis(axes)
    else:
        axes.grid(True)
        _scale(axes, np.concatenate([np.asarray(values, dtype=float) for values in drawn]))
    axes.set_xlabel("step")
    axes.set_ylabel(label)
    axes.set_title(title, loc="left")
    axes.margins(x=0.01)
    if legend:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), handlelength=1.8)


def _scale(axes: Axes, values: np.ndarray) -> None:
    """Show a constant on an axis from 0, and counts with whole numbers."""
    finite = values[np.isfinite(values)]
    if finite.size and (finite == np.round(finite)).all():
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True, min_n_ticks=1))
    if finite.size and finite.min() == finite.max():
        limits = (0.0, 2 * float(finite[0])) if finite[0] else (-1.0, 1.0)
        axes.set_ylim(min(limits), max(limits))
