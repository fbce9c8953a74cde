"""Nothing but the owner of a kind of problem asks what kind it is."""

import ast
from pathlib import Path

import pytest

import pdehvd

ROOT = Path(pdehvd.__file__).parent
# Classes that belong to one kind, by the ends of their names.
OWNED = ("Problem", "Objective", "Evaluator", "Reference", "Run", "AtPoints", "OnGrid", "Kind")
SECTIONS = ("problem", "spec", "section", "sampling", "model", "reference")
KINDS = {path.stem for path in (ROOT / "kinds").glob("*.py")}


def names_in(node):
    """Yield the names of classes in an expression such as `(A, b.C)` or `A | B`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def is_kind(node):
    if not (isinstance(node, ast.Attribute) and node.attr == "kind"):
        return False
    # Motions and layers have kinds too.
    return next(iter(names_in(node.value))) in SECTIONS


def asks(node):
    """Say whether a piece of code makes a difference between kinds of problems."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        tested = node.func.id in ("isinstance", "issubclass") and len(node.args) == 2
        return tested and any(name.endswith(OWNED) for name in names_in(node.args[1]))
    if isinstance(node, ast.Compare):
        parts = [node.left, *node.comparators]
        texts = {c.value for part in parts for c in ast.walk(part) if isinstance(c, ast.Constant)}
        return any(map(is_kind, parts)) and bool(texts & KINDS)
    if isinstance(node, ast.Subscript):
        return is_kind(node.slice)
    return isinstance(node, ast.Match) and is_kind(node.subject)


@pytest.mark.parametrize(
    "code",
    [
        "isinstance(problem, family.ParametricProblem)",
        "isinstance(run, (str, TrainedOnGrid))",
        "config.problem.kind == 'grid'",
        "spec.kind in ('points', 'table')",
        "_WORDS[spec.kind]",
        "match spec.kind:\n    case 'grid': pass",
    ],
)
def test_what_asks_is_found(code):
    assert any(map(asks, ast.walk(ast.parse(code))))


def test_no_one_asks_outside_the_owners():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.parent != ROOT / "kinds"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if asks(node)
    ]
    assert found == []
