"""AutoGraph rewrites the source of all that a traced function calls: seconds for each program."""

import ast
from pathlib import Path

import pytest

import pdehvd

PACKAGE = Path(pdehvd.__file__).parent
TRACED = [path for path in PACKAGE.rglob("*.py") if "tf.function" in path.read_text()]


def traced_with_autograph(tree: ast.AST) -> list[int]:
    """Return the lines of `tf.function` where AutoGraph is not switched off."""
    switched_off = {
        node.func
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and any(ast.unparse(keyword) == "autograph=False" for keyword in node.keywords)
    }
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node) == "tf.function"
        and node not in switched_off
    ]


def test_a_function_with_autograph_is_seen():
    assert traced_with_autograph(ast.parse("@tf.function\ndef f(): ...\ng = tf.function(h)"))
    assert not traced_with_autograph(ast.parse("g = tf.function(h, autograph=False)"))


@pytest.mark.parametrize("path", TRACED, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_programs_are_traced_as_they_are_written(path):
    assert traced_with_autograph(ast.parse(path.read_text())) == []
