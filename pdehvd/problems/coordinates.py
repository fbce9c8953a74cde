"""What each coordinate is: space, time or a parameter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from pdehvd.errors import ConfigError, unknown
from pdehvd.numerics.expressions import Partial, field_symbols, partial_of

TIME_NAMES = ("t", "time")


def find_time(names: Sequence[str], given: str | None = None) -> str | None:
    """Return the coordinate that is time: the given one, or the one called `t` or `time`.

    Raises ConfigError where the given one is not a coordinate, or both names are in use.
    """
    if given is not None:
        if given not in names:
            raise unknown(given, "a coordinate", names, ("time",))
        return given
    found = [name for name in names if name in TIME_NAMES]
    if len(found) > 1:
        raise ConfigError(
            "both t and time are coordinates", ("coordinates",), "one of them, or 'time: t'"
        )
    return found[0] if found else None


def find_parameters(
    names: Sequence[str],
    time: str | None,
    of_shape: Collection[str],
    differentiated: Collection[str],
) -> tuple[str, ...]:
    """Return the coordinates by which no equation differentiates: the solution's parameters.

    Neither time nor those of a shape are among them, and none where no equation differentiates.
    """
    if not differentiated:
        return ()
    known = {time, *of_shape, *differentiated}
    return tuple(name for name in names if name not in known)


def partials_in(
    texts: Iterable[str | int | float], fields: Sequence[str], names: Sequence[str]
) -> list[Partial]:
    """Return the derivatives that texts name, whatever factors stand before them."""
    found = field_symbols(list(texts), fields, names).values()
    partials = [partial_of(symbol.name, fields, names) for symbol in found]
    return [partial for partial in partials if partial is not None]


def differentiated_by(partials: Iterable[Partial], names: Sequence[str]) -> frozenset[str]:
    """Return the coordinates by which derivatives are taken."""
    return frozenset(name for partial in partials for name in partial.along(names))


def field_arguments(
    fields: Sequence[str] | Mapping[str, Sequence[str]], names: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the coordinates of the fields that do not depend on all `names`, in their order.

    Fields of which only the names are given depend on all.
    Raises ConfigError at a field that lists others, or none.
    """
    given = fields if isinstance(fields, Mapping) else {}
    for field, listed in given.items():
        for index, name in enumerate(listed):
            if name not in names:
                raise unknown(name, "a coordinate", names, (field, index))
        if not listed:
            raise ConfigError(
                f"{field} depends on nothing", (field,), f"a coordinate, or {field} under unknowns"
            )
    return {
        field: tuple(name for name in names if name in listed)
        for field, listed in given.items()
        if set(listed) != set(names)
    }


def parameter_notes(parameters: Sequence[str]) -> tuple[str, ...]:
    """Return the sentences that say which coordinates are taken as parameters."""
    return tuple(
        f"{name} is a parameter: no equation differentiates with respect to it; "
        "'boundary' excludes its end faces"
        for name in parameters
    )
