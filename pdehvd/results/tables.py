"""Tables that the commands print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pdehvd.errors import counted
from pdehvd.spec.plain import Facts

if TYPE_CHECKING:
    from pdehvd.assembly.combinations import Combination
    from pdehvd.assembly.cost import Cost

WIDE = 200
# What `evaluate` may measure of each field, in the order of columns.
MEASURES = (
    "relative_l2",
    "worst_relative_l2",
    "relative_h1",
    "energy_gap",
    "maximum_error",
    "rmse",
)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool = True
) -> None:
    """Print a table; all columns but the first hold numbers, or text that may be folded."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, column in enumerate(columns):
        table.add_column(
            column,
            justify="right" if numbers and index else "left",
            no_wrap=numbers or index < len(columns) - 1,
        )
    for row in rows:
        # As `Text`, because names and expressions may hold brackets, which rich takes for markup.
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    # A file has no width that a table would have to fit.
    (console if console.is_terminal else Console(width=WIDE)).print(table)


def show_errors(errors: Facts) -> None:
    """Print what `evaluate` returned: errors by field and of unknowns, monitors, residuals."""
    measures = [name for name in MEASURES if name in errors]
    fields = list(dict.fromkeys(field for name in measures for field in errors[name]))
    rows = [[field, *(_number(errors[name].get(field)) for name in measures)] for field in fields]
    if rows:
        print_table(["field", *(name.replace("_", " ") for name in measures)], rows)
    show_places(errors.get("at_values", []))
    seconds = errors.get("seconds")
    if seconds:
        print(
            f"one sample: network {seconds['network']:.3g} s, reference {seconds['reference']:.3g}"
            f" s ({seconds['reference'] / seconds['network']:.3g} times as long)"
        )
    unknowns = errors.get("unknowns", {})
    if unknowns:
        print_table(
            ["unknown", "value", "true", "relative error"],
            [
                [name, *(_number(facts.get(key), 8) for key in ("value", "true", "error"))]
                for name, facts in unknowns.items()
            ],
        )
    monitors = errors.get("monitors", {})
    if monitors:
        print_table(
            ["monitor", "value", "expected", "relative error"],
            [
                [
                    name,
                    *(_number(facts.get(key), 8) for key in ("value", "expected")),
                    _number(facts.get("error")),
                ]
                for name, facts in monitors.items()
            ],
        )
    if not rows:
        print("there is no reference to compare with")
    if "residuals" in errors:
        show_residuals(errors["residuals"])


def show_places(places: Sequence[Facts]) -> None:
    """Print the relative errors at single values of parameters."""
    if places:
        names, fields = list(places[0]["at"]), list(places[0]["relative_l2"])
        rows = [
            [*(f"{one['at'][name]:.4g}" for name in names)]
            + [_number(one["relative_l2"][field]) for field in fields]
            for one in places
        ]
        print_table([*names, *(f"relative l2 of {field}" for field in fields)], rows)


def show_residuals(residuals: Mapping[str, Mapping[str, float]]) -> None:
    """Print what each term leaves on the points of its training and on fresh ones."""
    print("root-mean-square residuals (for an energy, its mean)")
    rows = [[name, _number(at["trained"]), _number(at["fresh"])] for name, at in residuals.items()]
    print_table(["term", "trained points", "fresh points"], rows)


def show_cost(cost: Cost) -> None:
    """Print points and derivative channels by block, then the estimates."""
    rows = [
        [", ".join(block.terms), f"{block.points:,}", str(block.channels)] for block in cost.blocks
    ]
    print_table(["terms", "points", "derivatives"], rows)
    size = counted(cost.parameters, "parameter"), counted(cost.points, "point")
    print(", ".join([*size, counted(cost.processes, "process")]))
    print(
        f"estimated: {cost.memory:,.1f} MiB on each process for the values of one step "
        f"(TensorFlow itself needs more), {cost.work:.3g} GFLOP per step"
    )
    for note in cost.notes:
        print(note)
    for text in cost.warnings:
        print(f"warning: {text}")


def show_names(names: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Print the registered names of each section with a line about each."""
    rows = [[section, name, line] for section, pairs in names.items() for name, line in pairs]
    print_table(["section", "name", "meaning"], rows, numbers=False)


def show_trials(trials: Sequence[Combination]) -> None:
    """Print which names fit a config, and why others do not."""
    rows = [[one.name, "no" if one.reason else "yes", one.reason] for one in trials]
    print_table(["name", "fits", "reason"], rows, numbers=False)


def _number(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}g}"
