"""What the program imposes for a case, compared with what the case must mean."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
import sympy
from meaning_exact import Case, Expected

from pdehvd.experiment.build import build_problem
from pdehvd.experiment.config import load_config
from pdehvd.numerics.expressions import compile_numpy
from pdehvd.problems.block import Block

RIGHT = 1e-6  # of the residual of a wrong solution
_PROBE = 1e-4  # of a shape's diagonal
_ACUTE = 0.05  # share of points so near to a corner that the probe leaves by the other side


@dataclass
class Finding:
    """The checks that were made of a case, those that failed with their reason, and the config."""

    number: int
    text: str
    made: dict[str, int] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)

    def check(self, name: str, holds: bool, reason: str) -> None:
        """Count a check, and keep the reason where it failed."""
        self.made[name] = self.made.get(name, 0) + 1
        if not holds:
            self.problems.append((name, reason))

    def show(self) -> str:
        """Return the failures and the config."""
        lines = [f"case {self.number}: {name}: {reason}" for name, reason in self.problems]
        return "\n".join([*lines, self.text])


def judge(case: Case, number: int) -> Finding:
    """Build the case as `train` does and compare; whatever the program raises is a finding."""
    finding = Finding(number, case.text)
    try:
        problem = _built(case)
    except Exception as error:
        finding.check("it is accepted", False, f"{type(error).__name__}: {error}")
        return finding
    finding.check("it is accepted", True, "")
    hard = bool(problem.hard)
    for block in problem.blocks:
        items = block.source.items(0, 0, block.count)
        x = dict(zip(case.names, items.x.T, strict=True))
        expected = case.conditions.get(block.name, Expected("equation"))
        _residuals(finding, case, block, expected, hard)
        _places(finding, case, block.name, expected, x)
        if expected.oriented:
            _normals(finding, case, block.name, x, items.extras)
    return finding


def _built(case: Case) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**case.tables, "case.yaml": case.text}.items():
            (Path(folder) / name).write_text(text)
        path = Path(folder) / "case.yaml"
        return build_problem(load_config(path)[0], 1)


def _residuals(finding: Finding, case: Case, block: Block, expected: Expected, hard: bool) -> None:
    """The solution has no residual, another function has one."""
    exact = sympy.Integer(1) if hard else case.solution
    ramp = sum(
        (sympy.Symbol(name) - low) / (high - low) for name, (low, high) in case.bounds.items()
    )
    right, wrong = (_values(case, block, f) for f in (exact, exact + sympy.exp(ramp)))
    if expected.value is not None:
        items = block.source.items(0, 0, block.count)
        size = float(np.abs(items.extras["quadrature"]).sum()) * 9.0 ** len(case.names) / 3
        close = 1e-10 if case.outline is None else 1e-6
        error = abs(float(right[0][0]) - expected.value)
        reason = f"{block.name}: {right[0][0]} instead of {expected.value}"
        finding.check("integral", error <= close * size, reason)
        return
    for index, (zero, other) in enumerate(zip(right, wrong, strict=True)):
        size = float(np.abs(other).max())
        ratio = float(np.abs(zero).max()) / size if size else np.inf
        reason = f"{block.name}, residual {index}: {ratio:.2e} of a wrong function's"
        finding.check(f"residual on a {expected.kind}", ratio <= RIGHT, reason)


def _values(case: Case, block: Block, function: sympy.Expr) -> list[np.ndarray]:
    """Return each residual of all items where the network is a function."""
    items = block.source.items(0, 0, block.count)
    symbols = [sympy.Symbol(name) for name in case.names]

    def derivative(orders: Sequence[int]) -> np.ndarray:
        of = function
        for symbol, order in zip(symbols, orders, strict=True):
            of = sympy.diff(of, symbol, order) if order else of
        values = sympy.lambdify(symbols, of, "numpy")(*items.x.T)
        return np.broadcast_to(np.asarray(values, dtype=float), len(items.x))

    columns = dict(zip(case.names, items.x.T, strict=True)) | items.extras
    for name, (_, what) in block.derivatives.items():
        parts = ((what, 1.0),) if isinstance(what, tuple) else block.operators[what]
        columns[name] = np.sum([size * derivative(orders) for orders, size in parts], axis=0)
    evaluate = compile_numpy(list(block.expressions), list(columns))
    rows = block.source.points_per_item
    return [
        np.broadcast_to(value, len(items.x)).reshape(-1, rows).sum(axis=1)
        for value in evaluate(columns)
    ]


def _places(
    finding: Finding, case: Case, name: str, expected: Expected, x: dict[str, np.ndarray]
) -> None:
    for coordinate, (low, high) in case.bounds.items():
        column, close = x[coordinate], 1e-9 * (high - low)
        inside = bool(((column >= low - close) & (column <= high + close)).all())
        finding.check("inside the bounds", inside, f"{name}: {coordinate} leaves {low}, {high}")
    if case.outline is not None:
        near = 1e-5 * np.hypot(*np.ptp(np.reshape(case.outline.bounds, (2, 2)), axis=0))
        away = shapely.distance(case.outline, shapely.points(x["x"], x["y"]))
        finding.check("inside the shape", bool((away <= near).all()), f"{name}: {away.max()} away")
    if expected.member is not None:
        share = float(np.mean(expected.member(x)))
        finding.check(f"points of a {expected.kind}", share == 1.0, f"{name}: {1 - share:.1%} off")
    for coordinate, value in expected.faces:
        low, high = case.bounds[coordinate]
        found = bool((abs(x[coordinate] - value) <= 1e-9 * (high - low)).any())
        finding.check("no face is missing", found, f"{name}: no point on {coordinate} = {value}")
    if expected.kind in ("equation", "rim", "boundary"):
        _covered(finding, case, name, expected, x)
    if expected.partner:
        _pairs(finding, case, name, expected.partner, x)


def _covered(
    finding: Finding, case: Case, name: str, expected: Expected, x: dict[str, np.ndarray]
) -> None:
    for coordinate, (low, high) in case.bounds.items():
        reach = float(np.ptp(x[coordinate])) / (high - low)
        finding.check("extent", reach > 0.8, f"{name}: {reach:.2f} of {coordinate}")
    if expected.kind == "rim":
        curve = case.outline.boundary
        every = [curve.interpolate(part, normalized=True) for part in np.linspace(0, 1, 200)]
        cloud = shapely.multipoints(np.stack([x["x"], x["y"]], axis=1))
        gap = float(np.max(shapely.distance(every, cloud))) / curve.length
        finding.check("the whole rim", gap < 0.05, f"{name}: a gap of {gap:.2f} of the length")


def _pairs(finding: Finding, case: Case, name: str, axis: str, x: dict[str, np.ndarray]) -> None:
    low, high = case.bounds[axis]
    for coordinate, column in x.items():
        apart = column[1::2] - column[::2]
        wanted = high - low if coordinate == axis else 0.0
        true = bool((abs(apart - wanted) <= 1e-12 * (abs(low) + abs(high))).all())
        finding.check("periodic pairs", true, f"{name}: {coordinate} is apart by {apart}")


def _normals(
    finding: Finding, case: Case, name: str, x: dict[str, np.ndarray], extras: dict[str, Any]
) -> None:
    space = [coordinate for coordinate in case.names if coordinate not in ("t", "time")]
    normal = np.stack([extras[f"normal__{coordinate}"] for coordinate in space])
    unit = bool((abs(np.linalg.norm(normal, axis=0) - 1.0) <= 1e-12).all())
    finding.check("unit normals", unit, f"{name}: {np.linalg.norm(normal, axis=0)}")
    sizes = [case.bounds[coordinate][1] - case.bounds[coordinate][0] for coordinate in space]
    step = _PROBE * float(np.linalg.norm(sizes)) * normal
    place = np.stack([x[coordinate] for coordinate in space])
    outside, inside = _inside(case, space, place + step), _inside(case, space, place - step)
    wrong = float(np.mean(outside | ~inside))
    finding.check("outward normals", wrong <= _ACUTE, f"{name}: {wrong:.1%} point elsewhere")


def _inside(case: Case, space: list[str], place: np.ndarray) -> np.ndarray:
    if case.outline is not None:
        return np.asarray(shapely.contains_xy(case.outline, *place))
    bounds = np.array([case.bounds[coordinate] for coordinate in space])
    return np.asarray(((place >= bounds[:, :1]) & (place <= bounds[:, 1:])).all(axis=0))
