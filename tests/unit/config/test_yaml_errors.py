"""Texts that YAML cannot read, or reads otherwise than meant: what is said about them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pdehvd.config.yaml_source import parse_source, parse_value
from pdehvd.errors import ConfigError

BASE = """\
name: heat
problem:
  fields: [u]
  equations:
    heat: u_t - u_xx
  conditions:
    walls: {on: x = 0, equal: {u: 0}}
    start:
      on: t = 0
      equal: {u: 1}
seed: 1
"""


def message(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_source(text, "a.yaml")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("  fields", "\tfields", "a.yaml:3: the indentation of this line holds a tab; use spaces"),
        ("    heat", "  \theat", "a.yaml:5: the indentation of this line holds a tab; use spaces"),
        (
            "    walls",
            "\t\twalls",
            "a.yaml:7: the indentation of this line holds a tab; use spaces",
        ),
        (
            "  fields",
            "   fields",
            "a.yaml:4: wrong indentation: 2 spaces in front of 'equations:'; "
            "expected 0 or 3, as above",
        ),
        (
            "  equations",
            " equations",
            "a.yaml:4: wrong indentation: 1 space in front of 'equations:'; "
            "expected 0 or 2, as above",
        ),
        (
            "    start",
            "   start",
            "a.yaml:8: wrong indentation: 3 spaces in front of 'start:'; "
            "expected 0 or 2 or 4, as above",
        ),
        (
            "    start",
            "      start",
            "a.yaml:8: wrong indentation: 6 spaces in front of 'start:'; "
            "expected 0 or 2 or 4, as above",
        ),
        (
            "seed",
            " seed",
            "a.yaml:11: wrong indentation: 1 space in front of 'seed:'; "
            "expected 0 or 2 or 4 or 6, as above",
        ),
        (
            "u_t - u_xx",
            "u_t\n    - u_xx",
            "a.yaml:6: '- u_xx' does not fit the lines above it; "
            "indent it further to continue the value above",
        ),
        (
            "on: x = 0",
            "on: x: 0",
            "a.yaml:7: a second ':' in one value; a region is written",
        ),
        (
            "on: t = 0",
            "on: t: 0",
            "a.yaml:9: a second ':' in one value; a region is written",
        ),
        (
            "seed: 1",
            "seed:1",
            "a.yaml:11: the line 'seed:1' is not a key with a value; expected 'key",
        ),
        (
            "name: heat",
            "name",
            "a.yaml:1: the line 'name' is not a key with a value; expected 'key",
        ),
        ("[u]", "[u", "a.yaml:3: the '[' of line 3 is not closed, or a comma is missing above"),
        ("{u: 0}}", "{u: 0}", "a.yaml:7: the '{' of line 7 is not closed, or a comma is missing"),
        ("{u: 0}}", "{u: 0}}}", "a.yaml:7: '}' closes nothing"),
        ("{u: 0}}", "{u: 0]}", "a.yaml:7: ']' stands where '}' must close the '{' of line 7"),
        ("= 0, equal", "= 0 equal: 1, equal", "a.yaml:7: a second ':' in one value"),
        ("[u]", "[[u] w]", "a.yaml:3: a comma or a ']' is missing in front of 'w]'"),
        ("[u]", "['u]", "a.yaml:3: the quotation mark ' is not closed"),
        ("[u]", '["u]', 'a.yaml:3: the quotation mark " is not closed'),
        ("[u]", '"\\m"', "a.yaml:3: a backslash inside double quotes begins a special character"),
        ("heat: u_t", "heat: *u_t", "a.yaml:5: a value that begins with * must be quoted"),
        ("heat: u_t", "heat: %u_t", "a.yaml:5: a value that begins with % must be quoted"),
        ("heat: u_t", "heat: @u_t", "a.yaml:5: a value that begins with @ must be quoted"),
        ("heat: u_t", "heat: - u_t", "a.yaml:5: '- ' begins a list, whose items stand on lines"),
        ("heat: u_t", "heat: > u_t", "a.yaml:5: a value that begins with > must be quoted"),
        ("  fields", "\u00a0 fields", "a.yaml:3: this line holds a no-break space; expected plain"),
        ("seed: 1", "---\nseed: 1", "a.yaml:11: '---' begins a second document; expected one"),
        ("seed: 1", "...\nseed: 1", "a.yaml:12: '...' ends the config; expected nothing after it"),
        ("name: heat", "%include a\nname: heat", "a.yaml:1: the line '%include a' is a directive"),
        ("seed: 1", "seed: [\n", "a.yaml:11: the '[' of line 11 is not closed"),
        (
            "seed: 1",
            "seed: {a: '}'}\nb: {c: [1], d: ",
            "a.yaml:12: the '{' of line 12 is not closed",
        ),
        ("[u]", "[u,, v]", "a.yaml:3: ',' stands where a value is expected"),
        ("{u: 0}", "{u: 0,, v: 1}", "a.yaml:7: ',' stands where a value is expected"),
        ("u_t - u_xx", "'it's'", "a.yaml:5: text follows the closing quotation mark '; write ''"),
        (
            "x = 0, equal",
            "'it's', equal",
            "a.yaml:7: text follows the closing quotation mark '; write",
        ),
        ("u_t - u_xx", '"u" + v', 'a.yaml:5: text follows the closing quotation mark "; quote the'),
        (
            "  fields: [u]",
            "  fields:[u]",
            "a.yaml:3: the line 'fields:[u]' is not a key with a value",
        ),
        (
            "{u: 0}",
            "{u:0}",
            "a.yaml:7: problem.conditions.walls.equal: a space is missing after the colon of "
            "'u:0'; expected 'u: 0'",
        ),
        (
            "{u: 0}",
            "{u: 0,5}",
            "a.yaml:7: problem.conditions.walls.equal.u: a comma ends the value '0'; expected a "
            "decimal point: 0.5",
        ),
        ("seed: 1", "seed: 1\nname: b", "a.yaml:12: duplicate key 'name', first on line 1"),
    ],
)
def test_syntax(old: str, new: str, expected: str) -> None:
    assert old in BASE
    assert message(BASE.replace(old, new, 1)).startswith(expected)


@pytest.mark.parametrize(
    ("text", "place", "cut", "whole"),
    [
        ("{heat: where(x < 0.5, u_t, u_x)}", "a.heat", "where(x < 0.5", "where(x < 0.5, u_t, u_x)"),
        ("{heat: 1 + min(u, 1)*u, b: 2}", "a.heat", "1 + min(u", "1 + min(u, 1)*u"),
        ("{on: x = 0, equal: {u: where(t > 0, 1, 0)}}", "a.equal.u", "where(t > 0", ""),
        ("[min(1,2), 3]", "a.0", "min(1", "min(1,2)"),
        ("[0, max(1, sin(min(2, 3)))]", "a.1", "max(1", "max(1, sin(min(2, 3)))"),
        ("{phi: atan2(1, 2)}", "a.phi", "atan2(1", "atan2(1, 2)"),
        ("{u: where(t > 0, u, 0)}", "a.u", "where(t > 0", "where(t > 0, u, 0)"),
        ("{max(u, u_x): 0}", "a", "max(u", "max(u, u_x)"),
        ("{on: [x = min(1, 2), x = 1]}", "a.on.0", "x = min(1", "x = min(1, 2)"),
        ("[{x: min(0, 1)}]", "a.0.x", "min(0", "min(0, 1)"),
        ("{u: min(1,\n  2)}", "a.u", "min(1", ""),
    ],
)
def test_commas_inside_expressions(text: str, place: str, cut: str, whole: str) -> None:
    start = f"a.yaml:1: {place}: a comma ends the value '{cut}'; "
    told = message(f"a: {text}")
    assert told.startswith(start + "quote an expression that holds a comma: '")
    assert not whole or told.endswith(f": '{whole}'")
    with pytest.raises(ConfigError, match="quote an expression that holds a comma"):
        parse_value(text, "--set a")


def test_quoted_expressions_and_whole_ones_are_read() -> None:
    text = "a: {u: 'where(t > 0, 1, 0)', v: f(x), w: \"min(1, 2)\", 'max(u, v)': [(1), '(', 2]}\n"
    block = "b:\n  u: where(t > 0, 1, 0)\n  max(u, v): 1\n  c:\n  - min(1, 2)\n"
    data = parse_source(text + block, "a.yaml").data
    assert data["a"]["u"] == data["b"]["u"] == "where(t > 0, 1, 0)"
    assert data["a"]["max(u, v)"] == [1, "(", 2] or data["a"]["max(u, v)"] == ["(1)", "(", 2]
    assert data["b"]["c"] == ["min(1, 2)"]


def test_a_bracket_that_stays_open_is_left_to_the_expression() -> None:
    assert parse_source("a: {u: (1 + 2}", "a.yaml").data == {"a": {"u": "(1 + 2"}}


@given(st.text(st.sampled_from("a:-{}[]()'\"\n\t ,#*&!%@`|>?\\u=0\u00a0"), max_size=60))
def test_any_text_is_read_or_explained_in_one_line(text: str) -> None:
    try:
        parse_source(text, "a.yaml")
    except ConfigError as error:
        assert "\n" not in str(error)
