"""Where several configs differ: only those keys, each with the value of every config."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pdehvd.errors import Path
from pdehvd.spec.plain import Json, as_table, item


def differences(configs: Sequence[Json]) -> list[tuple[Path, list[Json]]]:
    """Return the paths of values that differ, and the value of each config, None where missing.

    A section that not all have is one value. Lists are compared place by place where they are of
    one length and hold sections, else whole.

    >>> differences([{"model": {"width": 20, "depth": 4}}, {"model": {"width": 40, "depth": 4}}])
    [(('model', 'width'), [20, 40])]
    """
    return list(_differences(configs, ()))


def _differences(values: Sequence[Json], path: Path) -> Iterator[tuple[Path, list[Json]]]:
    if all(value == values[0] for value in values[1:]):
        return
    keys = _shared_keys(values)
    for key in keys:
        yield from _differences([_inside(value, key) for value in values], (*path, key))
    if not keys:
        yield path, list(values)


def _shared_keys(values: Sequence[Json]) -> list[str | int]:
    """Return the keys of mappings, or the places of lists of one length that hold mappings."""
    if all(isinstance(value, dict) for value in values):
        return list(dict.fromkeys(key for value in values for key in as_table(value)))
    lists = [value for value in values if isinstance(value, list)]
    even = len(lists) == len(values) and len({len(one) for one in lists}) == 1
    if even and any(isinstance(one, dict) for some in lists for one in some):
        return list(range(len(lists[0])))
    return []


def _inside(value: Json, key: str | int) -> Json:
    return as_table(value).get(str(key)) if isinstance(value, dict) else item(value, key)
