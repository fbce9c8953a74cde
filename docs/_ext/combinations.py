"""Writes the tables of what goes with what, by trying all names on shipped configs.

The comment `<!-- combinations -->` in a page is replaced by them whenever the pages are built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MARK = "<!-- combinations -->"
PAGE = "reference"
CONFIGS = Path(__file__).parents[2] / "configs"
# Small, for nothing is trained here.
POINTS = ("sampling={name: sobol, equations: 32, conditions: 30, resample_every: null}",)
POINTS = (*POINTS, "model.width=4", "precision=float64", "training.steps=2")
GRID = ("problem.resolution=8", "sampling.batch=4", "sampling.held_out=1", "training.levels=null")
GRID = (*GRID, "model.depth=2", "precision=float64", "training.steps=2")
PROBLEMS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "points": ("heat_1d", POINTS),
    "inverse": ("burgers_inverse", POINTS),
    "points redrawn": ("heat_1d", (*POINTS, "sampling.resample_every=5")),
    "float32": ("heat_1d", (*POINTS, "precision=float32")),
    "energy": ("poisson_kl_64", GRID),
    "residual": ("burgers_spacetime_128", GRID),
}
NOT_COMPILED = """\
What is not compiled into the loop is reduced by Horovod between compiled programs; `adasum` needs
MPI and a number of processes that is a power of two."""
MEANING = """\
A forward problem (`points`), with unknowns (`inverse`), with points that are resampled every 5
steps (`points redrawn`), in single precision (`float32`); a family of problems on a grid, by an
`energy` or by a `residual`. Any other config: `pdehvd list optimizer --for CONFIG`."""


def render() -> str:
    """Return the tables as Markdown; a number refers to the reason below the table."""
    from pdehvd.assembly.combinations import TRIED

    tables = [line for section in TRIED for line in _section(section)]
    return "\n".join([MEANING, "", *tables, *_aggregations()])


def _aggregations() -> list[str]:
    """Return what the sums of each aggregation can do, as it says itself."""
    from pdehvd.spec import registered

    columns = ("compiled into the training loop", "gradient in buckets", "same bits on any ranks")
    rows = [
        [f"`{name}`", *map(_word, (hook.compiles, hook.bucketed, hook().exact is not None))]
        for name, hook in sorted(registered("aggregation").items())
    ]
    return [*_table(["`aggregation`", *columns], rows), "", NOT_COMPILED]


def _word(flag: bool) -> str:
    return "yes" if flag else "no"


def _section(section: str) -> list[str]:
    columns = {title: reasons(section, *given) for title, given in PROBLEMS.items()}
    numbers: dict[str, int] = {}
    rows = []
    for name in next(iter(columns.values())):
        cells = []
        for column in columns.values():
            reason = column[name]
            number = numbers.setdefault(_general(reason, name), len(numbers) + 1) if reason else 0
            cells.append(f"no ({number})" if number else "yes")
        rows.append([f"`{name}`", *cells])
    notes = [f"{number}. {text}" for text, number in numbers.items()]
    return [*_table([f"`{section}`", *columns], rows), "", *notes, ""]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    return [lines[0], "|---" * len(head) + "|", *lines[1:]]


def reasons(section: str, config: str, settings: tuple[str, ...]) -> dict[str, str]:
    """Return why each name of a section does not fit a shipped config; an empty text if it does."""
    from pdehvd.assembly.combinations import try_names

    found = try_names(section, CONFIGS / f"{config}.yaml", settings)
    return {one.name: one.reason for one in found}


def _general(reason: str, name: str) -> str:
    """Return the reason for all names that have it."""
    text = reason.replace(f"'{name}'", "it").replace(name, "it")
    return text[:1].upper() + text[1:] + "."


def _write(app: Any, page: str, source: list[str]) -> None:
    if page == PAGE:
        source[0] = source[0].replace(MARK, render())


def setup(app: Any) -> dict[str, Any]:
    """Register the extension."""
    app.connect("source-read", _write)
    return {"parallel_read_safe": True}
