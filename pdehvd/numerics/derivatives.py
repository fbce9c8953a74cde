"""Names of derivatives such as `u_xt`, and of those along normals."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Sequence
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

    def along(self, coordinates: Sequence[str]) -> list[str]:
        """Return the coordinates by which it is taken, each once."""
        return [name for name, order in zip(coordinates, self.orders, strict=True) if order]


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
    if head == "n" and tail in coordinates:
        return "the components of the normal are known only in conditions on a boundary"
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
        found |= {name: symbol(name) for name in _along_normals(texts, fields, coordinates)}
    return found


def normal_components(space: Sequence[str]) -> dict[str, sympy.Symbol]:
    """Return the components `n_x`, ... of the outward unit normal, by name."""
    return {f"n_{name}": symbol(internal(f"normal_{name}")) for name in space}


def normal_names(
    texts: Texts, fields: Sequence[str], coordinates: Sequence[str], others: Collection[str]
) -> list[str]:
    """Return the normal derivatives and components, such as `u_n` and `n_x`, that texts name.

    `others` are names that mean something else.
    """
    components = {*normal_components(coordinates)} - {*others}
    found = (n for n in _names(texts) if n in components and not partial_of(n, fields, coordinates))
    return [*_along_normals(texts, fields, coordinates), *found]


def _along_normals(texts: Texts, fields: Sequence[str], coordinates: Sequence[str]) -> list[str]:
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
