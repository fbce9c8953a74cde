"""Names of derivatives such as `u_xt`, and hard conditions in terms of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import sympy

from pdehvd.errors import nearest
from pdehvd.numerics.functions import CONSTANTS, FUNCTIONS, symbol
from pdehvd.numerics.syntax import ExpressionError, identifier, is_reserved, names_in
from pdehvd.synonyms import fold_name

MAX_ORDER = 4
Texts = str | float | Iterable[str | float]
NETWORK = "network"
_INTERNAL = "__"


class Partial(NamedTuple):
    """A derivative of a field: its order in every coordinate; all zero is the field itself."""

    field: str
    orders: tuple[int, ...]


def _split(suffix: str, coordinates: Sequence[str]) -> list[str] | None:
    """Split `xxt` into coordinate names, longest first; None where that is impossible."""
    if not suffix:
        return []
    for name in sorted(coordinates, key=len, reverse=True):
        if suffix.startswith(name):
            rest = _split(suffix[len(name) :], coordinates)
            if rest is not None:
                return [name, *rest]
    return None


def read_twice(coordinates: Sequence[str]) -> tuple[list[str], list[str]] | None:
    """Return two lists of at most 4 coordinates, other ones, that join to one text; None without.

    `t` and `theta` make no such text; `x` and `xx`, or `t`, `theta` and `heta`, do.
    """
    pairs = itertools.permutations(coordinates, 2)
    begun = [([long], [short]) for long, short in pairs if long.startswith(short)]
    while begun:
        long, short = begun.pop(0)
        rest = "".join(long)[len("".join(short)) :]
        if not rest and sorted(long) != sorted(short):
            return long, short
        if rest and len(short) < MAX_ORDER:
            begun += [(long, [*short, name]) for name in coordinates if rest.startswith(name)]
            begun += [([*short, n], long) for n in coordinates if n != rest and n.startswith(rest)]
    return None


def internal(name: str) -> str:
    """Return the name of a quantity that the program adds, such as a normal: no user's name."""
    return _INTERNAL + name


def partial_of(
    symbol_name: str, fields: Sequence[str], coordinates: Sequence[str]
) -> Partial | None:
    """Return what a name such as `u`, `u_x` or `u_tx` stands for, or None for other names.

    The longest field name is tried first, so that `u_1_x` belongs to the field `u_1`.
    Raises ExpressionError for derivatives above order 4.
    """
    for field in sorted(fields, key=len, reverse=True):
        if symbol_name == field:
            return Partial(field, (0,) * len(coordinates))
        if not symbol_name.startswith(field + "_"):
            continue
        letters = _split(symbol_name[len(field) + 1 :], coordinates)
        if letters:
            if len(letters) > MAX_ORDER:
                message = f"'{symbol_name}' is a derivative of order {len(letters)}"
                raise ExpressionError(message, (), f"orders 1 to {MAX_ORDER}")
            return Partial(field, tuple(letters.count(name) for name in coordinates))
    return None


def partial_name(partial: Partial, coordinates: Sequence[str]) -> str:
    """Return the canonical name: the field, then the coordinates in their order (`u_xxt`)."""
    pairs = zip(coordinates, partial.orders, strict=True)
    suffix = "".join(name * order for name, order in pairs)
    return f"{partial.field}_{suffix}" if suffix else partial.field


def likely_partial(name: str, fields: Sequence[str], coordinates: Sequence[str]) -> str:
    """Return the derivative that `uxx`, `U_x`, `u_x_x` or `u_2x` stands for, or an empty string."""
    axes = {fold_name(axis): axis for axis in coordinates}
    letters = fold_name(name)
    counted = re.sub(r"([2-4])([^\W\d])", lambda m: m[2] * int(m[1]), letters)
    counted = re.sub(r"([^\W\d])([2-4])", lambda m: m[1] * int(m[2]), counted)
    for text, field in itertools.product((letters, counted), sorted(fields, key=len, reverse=True)):
        if text.startswith(fold_name(field)):
            found = _split(text[len(fold_name(field)) :], list(axes))
            if found and len(found) <= MAX_ORDER:
                return f"{field}_{''.join(axes[axis] for axis in found)}"
    head, _, tail = name.rpartition("_")
    field, found = nearest(head, fields), _split(fold_name(tail), list(axes))
    return f"{field}_{''.join(axes[axis] for axis in found)}" if field and found else ""


def no_partial(name: str, fields: Sequence[str], coordinates: Sequence[str]) -> str:
    """Return why a name such as `u_z` is not a derivative of a field, or an empty string."""
    for field in sorted(fields, key=len, reverse=True):
        rest = name[len(field) + 1 :]
        if not name.startswith(field + "_") or not rest.isalpha():
            continue
        if rest == "n":
            return "the derivative along the normal is known only in conditions on a boundary"
        longest = sorted(coordinates, key=len, reverse=True)
        while found := next((axis for axis in longest if rest.startswith(axis)), ""):
            rest = rest[len(found) :]
        axis = rest[0] if len(set(rest)) == 1 else rest
        return f"'{axis}' is not a coordinate" if axis else ""
    head, _, tail = name.rpartition("_")
    return f"'{head}' is not a field" if fields and head and _split(tail, coordinates) else ""


def field_symbols(
    texts: Texts, fields: Sequence[str], coordinates: Sequence[str], normal: bool = False
) -> dict[str, sympy.Symbol]:
    """Return the derivatives (orders 1 to 4) that texts name, as `parse` needs them.

    `u_tx` and `u_xt` map to one symbol. With `normal`, `u_n` is the normal derivative of `u`.
    Texts that are numbers name nothing.

    Raises ExpressionError for derivatives above order 4.
    """
    found: dict[str, sympy.Symbol] = {}
    for name in _names(texts):
        partial = partial_of(name, fields, coordinates)
        if partial is not None and any(partial.orders):
            found[name] = symbol(partial_name(partial, coordinates))
    if normal:
        found |= {name: symbol(name) for name in normal_names(texts, fields, coordinates)}
    return found


def normal_names(texts: Texts, fields: Sequence[str], coordinates: Sequence[str]) -> list[str]:
    """Return the normal derivatives, such as `u_n`, that texts name."""
    normals = {f"{field}_n" for field in fields}
    return [
        name
        for name in _names(texts)
        if name in normals and partial_of(name, fields, coordinates) is None
    ]


def _names(texts: Texts) -> list[str]:
    given = [texts] if isinstance(texts, (str, int, float)) else list(texts)
    names = (name for text in given if isinstance(text, str) for name, _ in names_in(text))
    return list(dict.fromkeys(names))


def check_names(
    fields: Sequence[str], coordinates: Sequence[str], others: Iterable[str] = ()
) -> None:
    """Refuse names that no expression can use or that would mean two things.

    Raises ExpressionError whose `path` is the offending name.
    """
    every = [*coordinates, *fields, *others]
    seen: set[str] = set()
    for name in every:
        if name.isidentifier() and (_INTERNAL in name or name == "_"):
            message = f"'{name}' is not a valid name"
            raise ExpressionError(message, (name,), "a letter, then letters, digits, single _")
        if not name.isidentifier():
            raise ExpressionError(
                f"'{name}' is not a valid name", (name,), "a letter, then letters, digits"
            )
        if is_reserved(name) or name == NETWORK:
            message = f"'{name}' is a reserved word and cannot be a name"
            raise ExpressionError(message, (name,), f"another name, such as '{name}_'")
        if name in FUNCTIONS or name in CONSTANTS:
            raise ExpressionError(f"'{name}' already has a meaning", (name,), "another name")
        if identifier(name) in seen:
            raise ExpressionError(f"the name '{name}' is used twice", (name,), "another name")
        seen.add(identifier(name))
    readings = read_twice(coordinates)
    if readings is not None:
        name = f"{(*fields, 'u')[0]}_{''.join(readings[0])}"
        first, second = (" ".join(one) for one in readings)
        message = f"'{name}' could be the derivative along {first} or along {second}"
        longest = max([*readings[0], *readings[1]], key=len)
        raise ExpressionError(message, (longest,), "another name")
    if fields and "n" in coordinates:
        message = f"with a coordinate 'n', '{fields[0]}_n' is also the derivative along the normal"
        raise ExpressionError(message, ("n",), "another name")
    for name in every:
        rest = [field for field in fields if field != name]
        partial = partial_of(name, rest, coordinates)
        if partial is not None:
            message = f"'{name}' is also the name of a derivative of '{partial.field}'"
            raise ExpressionError(message, (name,), "another name")
        normal = next((field for field in rest if name == f"{field}_n"), "")
        if normal:
            message = f"'{name}' is also the derivative of '{normal}' along the normal"
            raise ExpressionError(message, (name,), "another name")


def expand_normals(
    expressions: Iterable[sympy.Basic], fields: Sequence[str], spatial: Sequence[str]
) -> list[sympy.Basic]:
    """Replace `u_n` by the sum of `__normal_x` * `u_x` over the spatial coordinates."""
    values = {
        symbol(f"{field}_n"): sympy.Add(
            *(symbol(internal(f"normal_{name}")) * symbol(f"{field}_{name}") for name in spatial)
        )
        for field in fields
    }
    return [expression.xreplace(values) for expression in expressions]


class _Transform:
    """The partial derivatives of u = T(coordinates, network) in terms of those of the network."""

    def __init__(self, field: str, transform: sympy.Basic, coordinates: Sequence[str]) -> None:
        self.field = field
        self.coordinates = tuple(coordinates)
        value = sympy.sympify(transform).xreplace({symbol(NETWORK): symbol(field)})
        self._known = {(0,) * len(self.coordinates): value}

    def partial(self, orders: tuple[int, ...]) -> sympy.Basic:
        """Return the derivative by the chain rule, one coordinate after another."""
        if orders not in self._known:
            axis = next(i for i, order in enumerate(orders) if order)
            lower = self.partial(_shifted(orders, axis, -1))
            self._known[orders] = self._along(lower, axis)
        return self._known[orders]

    def _along(self, expr: sympy.Basic, axis: int) -> sympy.Basic:
        terms = [sympy.diff(expr, symbol(self.coordinates[axis]))]
        for inner in sorted(expr.free_symbols, key=str):
            partial = partial_of(inner.name, [self.field], self.coordinates)
            if partial is not None:
                raised = Partial(self.field, _shifted(partial.orders, axis, 1))
                name = partial_name(raised, self.coordinates)
                terms.append(sympy.diff(expr, inner) * symbol(name))
        return sympy.Add(*terms)


def _shifted(orders: tuple[int, ...], axis: int, by: int) -> tuple[int, ...]:
    return tuple(order + by * (i == axis) for i, order in enumerate(orders))


def substitute_hard(
    expressions: Iterable[sympy.Basic],
    transforms: Mapping[str, sympy.Basic],
    fields: Sequence[str],
    coordinates: Sequence[str],
) -> list[sympy.Basic]:
    """Replace every field by its transform of the raw output `network`, and derivatives alike.

    With u = a(x) + b(x)*network, `u_x` becomes a' + b' u + b u_x, where `u` and `u_x` now mean the
    raw output and its derivative. Normal derivatives must be expanded before (`expand_normals`).

    Raises ExpressionError for a transform of an unknown field, or one that uses other fields.
    """
    known = {field: _Transform(field, value, coordinates) for field, value in transforms.items()}
    for field, value in transforms.items():
        if field not in fields:
            near = nearest(field, fields)
            raise ExpressionError(f"no field '{field}'", (field,), ", ".join(fields), near)
        for name in sorted(s.name for s in sympy.sympify(value).free_symbols):
            if partial_of(name, fields, coordinates) is not None:
                message = f"a hard condition may not use the field '{name}'"
                raise ExpressionError(message, (field,), f"coordinates, constants and '{NETWORK}'")
    results = []
    for expression in expressions:
        values = {}
        for inner in expression.free_symbols:
            partial = partial_of(inner.name, fields, coordinates)
            if partial is not None and partial.field in known:
                values[inner] = known[partial.field].partial(partial.orders)
        results.append(expression.xreplace(values))
    return results
