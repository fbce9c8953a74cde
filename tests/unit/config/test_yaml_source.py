"""YAML with places: types, marks, bounds and overrides."""

import math

import pytest

from pdehvd.config.files import MAXIMUM_BYTES, LocatedError
from pdehvd.config.overrides import override
from pdehvd.config.yaml_source import Mark, parse_source, read_source
from pdehvd.errors import ConfigError

TEXT = """\
# a comment
name: burgers
problem:
  fields: [u, v]
  conditions:
    walls: {on: [x = -1, x = 1], equal: {u: 0}}
optimizer: adam
"""


def message(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_source(text, "x.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1.0e-3", 1e-3),
        ("1E+5", 1e5),
        ("-.5", -0.5),
        ("3.", 3.0),
        ("7", 7),
        ("+7", 7),
        ("010", 10),
        ("10_000", 10_000),
        ("0x10", 16),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("False", False),
        ("on", "on"),
        ("no", "no"),
        ("12:30:00", "12:30:00"),
        ("2020-01-01", "2020-01-01"),
        ("0.01/pi", "0.01/pi"),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("null", None),
        ("~", None),
        ("", None),
        ("e3", "e3"),
        ("1e", "1e"),
    ],
)
def test_plain_values_follow_yaml_1_2(text: str, value: object) -> None:
    read = parse_source(f"key: {text}", "x.yaml").data["key"]
    assert read == value and type(read) is type(value)


def test_not_a_number_is_read_as_such() -> None:
    assert math.isnan(parse_source("key: .nan", "x.yaml").data["key"])


def test_keys_are_text() -> None:
    assert parse_source("on: 1\n1: 2\nnull: 3\ntrue: 4", "x").data == {
        "on": 1,
        "1": 2,
        "null": 3,
        "true": 4,
    }


def test_every_key_and_item_has_its_place() -> None:
    source = parse_source(TEXT, "x.yaml")
    assert source.marks[("name",)] == Mark("x.yaml", 2, 1)
    assert source.marks[("problem", "fields", 1)] == Mark("x.yaml", 4, 15)
    assert source.marks[("problem", "conditions", "walls", "on", 0)] == Mark("x.yaml", 6, 18)
    assert (
        str(source.where(("problem", "conditions", "walls", "equal", "u", "deeper"))) == "x.yaml:6"
    )
    assert str(source.where(("nothing",))) == "x.yaml"


def test_an_error_is_located_once() -> None:
    source = parse_source(TEXT, "x.yaml")
    error = ConfigError("unknown name 'w'", ("problem", "fields", 1), "u or v", "v")
    located = source.located(error)
    expected = "x.yaml:4: problem.fields.1: unknown name 'w'; expected u or v; did you mean 'v'?"
    assert str(located) == expected
    assert source.located(located) is located


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3", "x.yaml:3: duplicate key 'a', first on line 1"),
        ("a: [1, 2", "x.yaml:1: the '[' of line 1 is not closed"),
        ("a: 1\n\tb: 2", "x.yaml:2: the indentation of this line holds a tab; use spaces"),
        ("- a\n- b", "x.yaml:1: the file is not a mapping"),
        ("", "x.yaml: the file is empty"),
        ("a: 1\n---\nb: 2", "x.yaml:2: '---' begins a second document"),
        ("a: !!python/object/apply:os.system [ls]", "x.yaml:1: the tag"),
        ("a: !!int seven", "x.yaml:1: 'seven' is not a valid int"),
        ("a: !!int ''", "x.yaml:1: '' is not a valid int"),
        ("a: !!binary aGk=", "x.yaml:1: the tag"),
        ("? [1, 2]\n: 3", "x.yaml:1: a key must be text"),
        ("a: *missing", "x.yaml:1: a value that begins with * must be quoted"),
        ('a: 1\nb: "x\\ud800"', "x.yaml:2: '\\ud800' is half of a letter"),
        ('"\\udfff": 1', "x.yaml:1: '\\udfff' is half of a letter"),
        ("a: \x00", "x.yaml: not text that YAML allows"),
        ("a: &a [*a]", "x.yaml:1: nested too deeply"),
        ("a: " + "[" * 5000, "x.yaml: nested too deeply"),
        ("a: " + "[" * 60 + "]" * 60, "x.yaml:1: nested too deeply"),
        ("a: " + "9" * 10_000, "x.yaml:1:"),
    ],
)
def test_faults_name_their_line(text: str, expected: str) -> None:
    assert message(text).startswith(expected)
    assert "\n" not in message(text)


def test_aliases_are_expanded() -> None:
    assert parse_source("a: &a {b: 1}\nc: *a", "x").data == {"a": {"b": 1}, "c": {"b": 1}}


def test_merged_mappings_give_way_to_own_keys() -> None:
    text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {x: 3, <<: [*a, *b]}\nd:\n  <<: *a\n  y: 4"
    source = parse_source(text, "x.yaml")
    assert source.data["c"] == {"x": 3, "y": 1, "z": 2}
    assert source.data["d"] == {"x": 1, "y": 4}
    lines = {key: source.marks[("d", key)].line for key in ("x", "y")}
    assert lines == {"x": 1, "y": 6}, "a merged key was written where the other mapping stands"
    assert message("a: {<<: 5}").startswith("x.yaml:1: '<<' takes a mapping")
    assert message("a: &a {<<: *a}").startswith("x.yaml:1:")


def test_an_alias_bomb_is_refused() -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    assert "aliases" in message("\n".join(lines))


def test_files_that_are_no_yaml(tmp_path) -> None:
    (tmp_path / "burgers.yaml").write_text("a: 1")
    (tmp_path / "binary.yaml").write_bytes(b"a: 1\nb: \xff\xfe")
    (tmp_path / "huge.yaml").write_bytes(b"#" * (MAXIMUM_BYTES + 1))
    for name, expected in {
        "burgrs.yaml": f"did you mean '{tmp_path / 'burgers.yaml'}'?",
        "binary.yaml": "binary.yaml:2: not UTF-8",
        "huge.yaml": "is larger than",
        "": "is a folder",
        "nothing/x.yaml": "there is no file",
        "burgers.yaml/x.yaml": "there is no file",
    }.items():
        with pytest.raises(LocatedError) as caught:
            read_source(tmp_path / name)
        assert expected in str(caught.value)


def test_a_byte_order_mark_and_windows_lines_are_fine(tmp_path) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(b"\xef\xbb\xbfa: 1\r\nb: [2]\r\n")
    source = read_source(file)
    assert source.data == {"a": 1, "b": [2]}
    assert source.folder == tmp_path.resolve()
    assert source.marks[("b",)].line == 2


def test_overrides_go_over_the_file_and_are_named_instead_of_its_lines() -> None:
    source = parse_source(TEXT, "x.yaml")
    changed = override(
        source,
        [
            "optimizer.learning_rate=1e-3",
            "training.early_stopping.patience=5",
            "problem.fields.1=w",
            "problem.conditions.walls={on: boundary}",
        ],
    )
    assert changed.data["optimizer"] == {"name": "adam", "learning_rate": 1e-3}
    assert changed.data["training"] == {"early_stopping": {"patience": 5}}
    assert changed.data["problem"]["fields"] == ["u", "w"]
    walls = ("problem", "conditions", "walls")
    assert str(changed.where((*walls, "on", 0))) == "--set problem.conditions.walls"
    assert str(changed.where(("optimizer", "name"))) == "x.yaml:7"
    assert source.data["problem"]["fields"] == ["u", "v"], "the source must stay as it was"


def test_a_setting_names_itself_once() -> None:
    source = override(parse_source(TEXT, "x.yaml"), ["name=7"])
    assert str(source.located(ConfigError("got 7", ("name",), "text"))) == (
        "--set name: got 7; expected text"
    )


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("name", "--set name: not a setting"),
        ("=3", "--set =3: not a setting"),
        ("a..b=3", "--set a..b=3: not a setting"),
        ("problem.fields.2=w", "--set problem.fields.2: problem.fields is a list of 2 items"),
        ("problem.fields.u=w", "--set problem.fields.u: problem.fields is a list of 2 items"),
        ("a=[1", "--set a: the '[' of line 1 is not closed"),
        ("a={b: 1, b: 2}", "--set a: duplicate key 'b'"),
    ],
)
def test_settings_that_are_none(setting: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        override(parse_source(TEXT, "x.yaml"), [setting])
    assert str(caught.value).startswith(expected)


def test_a_setting_below_a_number_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"--set a\.b: a has no keys; expected --set a=value"):
        override(parse_source("a: 5", "x.yaml"), ["a.b=3"])
