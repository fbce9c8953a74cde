"""What each coordinate is: space, time or a parameter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from pdehvd.errors import ConfigError, nearest
from pdehvd.numerics.expressions import Partial, field_symbols, partial_of

TIME_NAMES = ("t", "time")


def find_time(names: Sequence[str], given: str | None = None) -> str | None:
    """Return the coordinate that is time: the given one, or the one called `t` or `time`.

    Raises ConfigError where the given one is not a coordinate, or both names are in use.
    """
    if given is not None:
        if given not in names:
            raise ConfigError(
                f"'{given}' is not a coordinate",
                ("time",),
                "one of " + ", ".join(names),
                nearest(given, names),
            )
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
    return frozenset(
        name
        for partial in partials
        for name, order in zip(names, partial.orders, strict=True)
        if order
    )


def parameter_notes(parameters: Sequence[str]) -> tuple[str, ...]:
    """Return the sentences that say which coordinates are taken as parameters."""
    return tuple(
        f"{name} is a parameter: no equation differentiates with respect to it; "
        "'boundary' excludes its end faces"
        for name in parameters
    )
