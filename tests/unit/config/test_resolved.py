"""Every spec, with every key, written as YAML and read back: found by walking the specs."""

from __future__ import annotations

import inspect
import itertools
import math
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from pdehvd.config.root import Config, dump, load_config, prepare
from pdehvd.config.yaml_source import parse_source, to_yaml
from pdehvd.errors import ConfigError
from pdehvd.spec import Section, Spec, register, registered, registry
from pdehvd.training.callback import Callback, CallbackSpec
from tests.support.launcher import nightly

prepare()

CONFIGS = sorted((Path(__file__).parents[3] / "configs").glob("*.yaml"))
SQUARE = {"rectangle": {"from": [0, 0], "to": [1, 1]}}
PDE = {
    "coordinates": {"x": [-1, 1], "t": [0, "2*pi"]},
    "fields": ["u"],
    "equations": {"heat": "u_t - u_xx"},
}
POINTS = {"problem": {"name": "pde", **PDE}, "sampling": {"name": "sobol", "equations": 16}}
# Where values that fit one by one do not fit together.
TOGETHER: dict[str, list[dict[str, Any]]] = {
    "Config": [POINTS],
    "PDESpec": [PDE, {**PDE, "coordinates": {"x": None, "y": None}, "geometry": SQUARE}],
    "Corners": [SQUARE["rectangle"]],
    "CuboidCorners": [{"from": [0, 0, 0], "to": [1, 1, 1]}],
    "Rod": [{"from": [0, 0, 0], "to": [0, 0, 1], "radius": 0.5}],
    "ParametricSpec": [
        {
            "coordinates": {"x": [0, 1], "y": [0, 1]},
            "inputs": {"a": {"name": "constant"}},
            "resolution": 16,
            **law,
        }
        for law in ({"energy": "a*u_x^2"}, {"residual": "u_x"})
    ],
    "SubdomainSpec": [{"where": "x < 0.5"}, {"shape": SQUARE}],
    "UnknownSpec": [
        {"initial": 1},
        {"initial": 1, "within": 0.5},
        {"eigenvalue": True, "modes": 2, "initial": [1, 2], "within": [0.1, 0.2]},
        {"eigenvalue": True, "above": 1.0},
    ],
    "Exact": [{}, {"u": "sin(x)", "w": 1.5}],
    "StopAtSpec": [{"loss": 0.1}, {"relative_l2": 1e-2}],
    "Piecewise": [{"boundaries": [10], "values": [0.1, 0.01]}],
}
# Inherited keys that a spec refuses in words of its own.
REFUSED = {("RadSpec", "resample_every")}
TEXTS = ("x", "u", "1e-3", "0.01/pi", "1", "on", "null", "x = 0 # no comment", "a: b")
NUMBERS = (1, 2, 3, 64, 0.5, 0.25, 1.5, 1e-7, 0, -1)


class Bell(CallbackSpec):
    """A callback of a plug-in, for the program has none of its own."""

    name: Literal["bell"] = "bell"

    def build(self) -> Callback:
        return Callback()


@pytest.fixture(autouse=True, scope="module")
def built() -> Iterator[None]:
    """Build the specs again from what is registered: other tests have stand-ins for it."""
    with pytest.MonkeyPatch.context() as patch:
        sections = {n: dict(own) for n, own in registry._sections.items()}
        patch.setattr(registry, "_sections", sections)
        register("callback")(Bell)
        yield


# Of the values that a key may have, so many are tried by day.
FEW = 12


def below(spec: type[Spec]) -> list[type[Spec]]:
    """Return all specs of the program that inherit from this one and can be built."""
    deeper = [found for inner in spec.__subclasses__() for found in below(inner)]
    own = spec.__module__.startswith("pdehvd.") and not inspect.isabstract(spec)
    return [*([spec] if own and spec is not Spec else []), *deeper]


SPECS = sorted(set(below(Spec)), key=lambda spec: f"{spec.__module__}.{spec.__qualname__}")


def candidates(kind: Any, depth: int = 0) -> list[Any]:
    """Return YAML values that may fit a type; the validation itself decides which do."""
    origin, inside = get_origin(kind), get_args(kind)
    if origin is Annotated:
        names = [mark.name for mark in inside[1:] if isinstance(mark, Section)]
        if names:
            specs = [spec for name in names for spec in registered(name).values()]
            return [whole for spec in specs for whole in minimal(spec, depth + 1)[:2]]
        return candidates(inside[0], depth)
    if origin is Literal:
        return list(inside)
    if origin in (Union, types.UnionType):
        return [value for one in inside for value in candidates(one, depth)]
    if origin in (list, tuple):
        items = candidates(inside[0], depth)
        fixed = [len(inside)] if origin is tuple and inside[-1] is not Ellipsis else [1, 2]
        return [list(row) for n in fixed for row in itertools.islice(rows(items, n), 40)]
    if origin is dict:
        return [{"name": value, "u": value} for value in candidates(inside[1], depth)] + [
            {key: value} for key in "ux" for value in candidates(inside[1], depth)
        ]
    if isinstance(kind, type) and issubclass(kind, Spec):
        return minimal(kind, depth + 1)[:3] if depth < 4 else []
    if kind in (type(None), bool, int, float, str, Any):
        return {
            type(None): [None],
            bool: [True, False],
            str: list(TEXTS),
            Any: [],
        }.get(kind, [n for n in NUMBERS if kind is float or isinstance(n, int)])
    raise AssertionError(f"a spec holds a type that this test does not know: {kind}")


def rows(items: list[Any], length: int) -> Iterator[tuple[Any, ...]]:
    """Return tuples of the items, those that repeat nothing first."""
    yield from itertools.combinations(items, length)
    yield from ((item,) * length for item in items)


def keys(spec: type[Spec]) -> dict[str, Any]:
    """Return the types of a spec's fields under YAML's keys."""
    spec.model_rebuild()
    return {
        field.alias or name: Annotated[(field.annotation, *field.metadata)]
        if field.metadata
        else field.annotation
        for name, field in spec.model_fields.items()
    }


def valid(spec: type[Spec], data: dict[str, Any]) -> Spec | None:
    try:
        return spec.model_validate(data)
    except (ValidationError, ConfigError):
        return None


_minimal: dict[type[Spec], list[dict[str, Any]]] = {}


def minimal(spec: type[Spec], depth: int = 0) -> list[dict[str, Any]]:
    """Return a few valid data of a spec with as few keys as it can have."""
    if spec not in _minimal:
        kinds = keys(spec)
        required = [
            field.alias or name
            for name, field in spec.model_fields.items()
            if field.is_required() or (name == "name" and isinstance(field.default, str))
        ]
        starts = TOGETHER.get(spec.__name__)
        if starts is None:
            choices = [candidates(kinds[key], depth) for key in required]
            product = itertools.product(*choices)
            starts = [dict(zip(required, row, strict=True)) for row in product]
        name = spec.model_fields.get("name")
        if name is not None and isinstance(name.default, str):
            starts = [{"name": name.default, **start} for start in starts]
        fitting = (start for start in starts if valid(spec, start) is not None)
        found = list(itertools.islice(fitting, 8))
        if depth > 1:
            return found
        _minimal[spec] = found
    return _minimal[spec]


@cache
def single(spec: type[Spec], most: int | None = None) -> dict[str, list[dict[str, Any]]]:
    """Return, for every key of a spec, valid data that set it, at most so many."""
    found: dict[str, list[dict[str, Any]]] = {}
    for key, kind in keys(spec).items():
        if (spec.__name__, key) in REFUSED:
            continue
        fitting = (
            {**start, key: value}
            for start in minimal(spec)
            for value in [*candidates(kind), start.get(key)]
            if (key in start or value is not None or kind is type(None))
            and valid(spec, {**start, key: value})
        )
        found[key] = list(itertools.islice(fitting, most))
    return found


def read_back(spec: type[Spec], data: dict[str, Any]) -> None:
    built = spec.model_validate(data)
    text = to_yaml(built.plain())
    again = spec.model_validate(parse_source(text, "again").data)
    assert again == built, text
    assert to_yaml(again.plain()) == text


@pytest.mark.parametrize("most", [FEW, nightly(None)])
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.__name__)
def test_every_key_of_every_spec_reads_back(spec: type[Spec], most: int | None) -> None:
    """A new spec needs an entry in TOGETHER only if its values do not fit one by one."""
    for key, several in single(spec, most).items():
        assert several, f"no value was found for the key '{key}' of {spec.__name__}"
        for data in several:
            read_back(spec, data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_keys_together_read_back(data: st.DataObject) -> None:
    spec = data.draw(st.sampled_from(SPECS))
    whole: dict[str, Any] = data.draw(st.sampled_from(minimal(spec)))
    for several in single(spec, FEW).values():
        if several and data.draw(st.booleans()):
            more = {**whole, **data.draw(st.sampled_from(several))}
            whole = more if valid(spec, more) is not None else whole
    read_back(spec, whole)


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
ATOMS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(TEXTS)
TREES = st.recursive(
    ATOMS, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=12
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and math.isnan(one):
        return isinstance(other, float) and math.isnan(other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@settings(deadline=None)
@given(st.dictionaries(TEXT, TREES))
def test_plain_data_read_back(data: dict[str, Any]) -> None:
    assert same(data, parse_source(to_yaml(data), "again").data)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_every_config_reads_back(file: Path) -> None:
    config, source = load_config(file)
    again = parse_source(dump(config), "again")
    assert Config.model_validate(again.data) == config
    missing = [path for path in source.marks if path not in again.marks and kept(path)]
    assert not missing


def kept(path: tuple[str | int, ...]) -> bool:
    """Whether a key of a file must appear in the resolved config under the same path."""
    shortened = {"learning_rate", "optimizer", "fourier", "warmup"}
    return not shortened & set(path[:-1]) and not any(isinstance(part, int) for part in path)


def test_texts_that_look_like_other_types_read_back() -> None:
    data = {text: text for text in ("1e-3", "1e3", "on", "12:30", "null", "0x1F", ".5", "<<", "")}
    assert parse_source(to_yaml(data), "again").data == data


def test_a_run_named_like_a_number_reads_back(tmp_path: Path) -> None:
    file = tmp_path / "1e3.yaml"
    file.write_text(to_yaml(POINTS))
    config, _ = load_config(file)
    assert config.name == "1e3"
    assert Config.model_validate(parse_source(dump(config), "again").data) == config


@pytest.mark.parametrize(
    "shape",
    [
        SQUARE,
        {"cuboid": {"from": [0, 0, 0], "to": [1, 1, 1]}},
        {"cylinder": {"from": [0, 0, 0], "to": [0, 0, 1], "radius": 1}},
        {"union": [SQUARE, {"disk": {"radius": 1}}]},
        {"difference": [{"union": [SQUARE, SQUARE], "name": "plate"}, {"disk": {"radius": 1}}]},
    ],
    ids=lambda shape: next(iter(shape)),
)
def test_coordinates_without_bounds_are_kept(shape: dict[str, Any]) -> None:
    """Their null is no default: a shape says how far they reach."""
    problem = {**PDE, "name": "pde", "geometry": shape, "coordinates": {"x": None, "y": None}}
    config = Config.model_validate({**POINTS, "problem": problem})
    data = parse_source(dump(config), "again").data
    assert data["problem"]["coordinates"] == {"x": None, "y": None}
    assert Config.model_validate(data) == config
