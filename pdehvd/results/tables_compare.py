"""The tables of a comparison of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pdehvd.config.yaml_source import to_yaml
from pdehvd.results.comparison import (
    ComparedRun,
    least,
    names_of,
    same_errors,
    same_losses,
)
from pdehvd.results.config_differences import differences
from pdehvd.results.tables import print_table
from pdehvd.spec.plain import Json

BEST = "*"
_ENDED = ("completed", "stalled")
_LONGEST = 60


def show_comparison(runs: Sequence[ComparedRun]) -> None:
    """Print a row for each run, the best of each column marked, and where their configs differ."""
    columns = _columns(runs)
    print_table(list(columns), list(zip(*columns.values(), strict=True)))
    if any(BEST in cell for cells in columns.values() for cell in cells):
        print(f"{BEST} the least; of an unknown or a monitor, the closest to its known value")
    if not same_errors(runs):
        print("the runs have different problems: their losses and errors are not compared")
    elif not same_losses(runs):
        print("the runs have different conditions or weights: their losses are not compared")
    print()
    _show_differences(runs)


def _columns(runs: Sequence[ComparedRun]) -> dict[str, list[str]]:
    """Return the cells of the table by the heads of its columns."""
    ended = [run.seconds if run.status in _ENDED else math.nan for run in runs]
    columns = {
        "run": [run.label for run in runs],
        "status": [run.status for run in runs],
        "processes": [_text(run.processes, "{:,.0f}") for run in runs],
        "optimizer": [run.optimizer for run in runs],
        "steps": [_text(run.steps, "{:,.0f}") for run in runs],
        "seconds": _marked([run.seconds for run in runs], "{:,.1f}", ended),
        "loss": _marked([run.loss for run in runs], "{:.3e}", None, same_losses(runs)),
    }
    comparable = same_errors(runs)
    for field in names_of(run.errors for run in runs):
        values = [run.errors.get(field, math.nan) for run in runs]
        columns[f"relative L2 of {field}"] = _marked(values, "{:.3e}", None, comparable)
    for name in names_of(run.unknowns for run in runs):
        values = [run.unknowns.get(name, math.nan) for run in runs]
        errors = [run.unknown_errors.get(name, math.nan) for run in runs]
        columns[name] = _marked(values, "{:.6g}", errors, comparable)
    for name in names_of(run.monitors for run in runs):
        values = [run.monitors.get(name, math.nan) for run in runs]
        errors = [run.monitor_errors.get(name, math.nan) for run in runs]
        columns[f"monitor {name}"] = _marked(values, "{:.6g}", errors, comparable)
    return columns


def _marked(
    values: Sequence[float],
    form: str,
    measures: Sequence[float] | None = None,
    compared: bool = True,
) -> list[str]:
    """Return values as text; a mark follows where the measure, by default the value, is least."""
    best = least(values if measures is None else measures)
    return [
        _text(value, form) + (f" {BEST}" if one and compared else "  ")
        for value, one in zip(values, best, strict=True)
    ]


def _text(value: float, form: str) -> str:
    return form.format(value) if math.isfinite(value) else "-"


def _show_differences(runs: Sequence[ComparedRun]) -> None:
    """Print each key that differs: a line for each of its values, with the runs that have it."""
    rows = []
    for path, values in differences([run.config for run in runs]):
        shown = [_short(value) for value in values]
        key = ".".join(map(str, path))
        for value in dict.fromkeys(shown):
            owners = [run.label for run, own in zip(runs, shown, strict=True) if own == value]
            rows.append([key, value, ", ".join(owners)])
            key = ""
    if rows:
        print_table(["key that differs", "value", "runs"], rows, numbers=False)
    else:
        print("the configs are equal")


def _short(value: Json) -> str:
    """Return a value in one line of YAML, cut to a readable length."""
    text = "-" if value is None else _flow(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _flow(value: Json) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_flow, value))}]"
    return " ".join(to_yaml({"x": value}).split()).removeprefix("x: ")
