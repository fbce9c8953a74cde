"""What the pages state as numbers or lists is what the code does."""

import re

import pytest

from pdehvd.comm.grid import shard
from pdehvd.config.root import SECTIONS, Config, prepare
from pdehvd.numerics.functions import FUNCTIONS
from pdehvd.problems.shapes import ShapeSpec
from pdehvd.spec import registered
from tests.support.documentation import DOCS, extension


@pytest.fixture(scope="module")
def reference():
    return extension("config_reference").render()


def test_the_reference_holds_every_name_and_key(reference):
    prepare()
    for key in Config.model_fields:
        assert f"| `{key}` |" in reference
    for section in SECTIONS:
        part = reference.split(f"\n## `{section}`\n")[1].split("\n## ")[0]
        for name, spec in registered(section).items():
            told = part.split(f"### `name: {name}`\n")[1].split("\n### ")[0]
            for key, field in spec.model_fields.items():
                if key != "name" and field.annotation is not type(None):
                    assert f"| `{key}` |" in told, (section, name, key)
    for shape in ShapeSpec.__subclasses__():
        assert f"(spec-{shape.__name__.lower()})=" in reference


def test_the_reference_tells_limits_defaults_and_links(reference):
    part = reference.split("### `name: ntk`")[1]
    assert "| `probes` | whole number ≥ 1 | `4` |" in part
    assert "| `memory` | number ≥ 0, < 1 | `0.9` | share of the old weights" in part
    links = set(re.findall(r"\]\(#([\w-]+)\)", reference))
    assert links and links <= set(re.findall(r"^\(([\w-]+)\)=$", reference, re.MULTILINE))


def test_docstrings_hold_no_markup_but_code():
    escaped = extension("plain_docstrings").escaped
    assert escaped("|r|^k of `a|b*` and u_x*v_") == "\\|r\\|^k of ``a|b*`` and u\\_x\\*v\\_"
    assert escaped("an odd ` quote") == "an odd ' quote"


def test_arguments_become_a_list_and_examples_stay():
    rendered = extension("plain_docstrings").rendered
    given = """Does a_b.

    Indented.

    Arguments:
        x: points [N, D]
        plan: which
            derivatives
    >>> f(*x)
    1
    After."""
    assert rendered(given.splitlines()) == [
        *("Does a\\_b.", "", "Indented.", "", "**Arguments**", ""),
        *("* ``x``: points [N, D]", "* ``plan``: which", "  derivatives"),
        *("    >>> f(*x)", "    1", "    After."),
    ]


def test_the_worked_example_is_right():
    squares = [4, 6, 11, 1, 1, 2, 4]
    text = (DOCS / "concepts.md").read_text(encoding="utf-8")
    for size in (1, 2, 3, 4):
        shards = [squares[slice(*shard(len(squares), rank, size))] for rank in range(size)]
        mean = sum(sum(part) / len(part) for part in shards) / size
        (row,) = re.findall(rf"^\| {size} \|.*$", text, re.MULTILINE)
        assert ", ".join(f"({', '.join(map(str, part))})" for part in shards) in row
        first, second = re.findall(r"([\d.]+) \|", row)[-2:]
        assert first == f"{mean:.3f}" and second == f"{sum(squares) / len(squares):.3f}"


def test_all_functions_are_listed():
    text = (DOCS / "writing_a_problem.md").read_text(encoding="utf-8")
    listed = text.split("### Expressions")[1].split("`where(condition")[0]
    assert set(FUNCTIONS) == set(re.findall(r"`([a-z]\w+)`", listed)) - {"pi", "e"}
