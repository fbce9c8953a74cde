"""From the section `subdomains:` to parts of the domain, each with what names mean there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pdehvd.errors import ConfigError, unknown, within
from pdehvd.numerics.expressions import check_names, symbol
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.problems.geometry import Domain
from pdehvd.problems.language import Language
from pdehvd.problems.subdomain import REST, Place, Rest, SubdomainSpec
from pdehvd.problems.subdomains import Part, Subdomains, part_field
from pdehvd.problems.text import Entries

_TAKEN = (REST, "interior", "boundary")


def check_part_name(
    part: str,
    fields: Sequence[str],
    named: Sequence[str],
    coordinates: Sequence[str],
    others: Sequence[str],
) -> None:
    """Raise `ConfigError` where a subdomain, or a version of a field in it, has no fit name."""
    if part in _TAKEN:
        raise ConfigError(f"'{part}' already has a meaning", (), "another name")
    versions = [part_field(name, part) for name in fields]
    try:
        check_names([], [], [part])
        check_names([*named, *versions], coordinates, others)
    except ConfigError as error:
        raise ConfigError(error.message, (), "another name of the subdomain") from error


def build_places(specs: Mapping[str, SubdomainSpec], domain: Domain) -> dict[str, Place]:
    """Return where subdomains lie. Raises `ConfigError` with the path below `subdomains`."""
    places: dict[str, Place] = {}
    rests = [name for name, spec in specs.items() if spec.rest]
    for name, spec in specs.items():
        if not spec.rest:
            with within(name):
                places[name] = spec.place(domain.frame)
    if len(rests) > 1:
        raise ConfigError(f"'rest' stands twice: {', '.join(rests)}", (rests[1],), "one of them")
    others = tuple(places.values())
    return places | {name: Rest(domain.frame, others) for name in rests}


def build_parts(
    base: Language,
    fields: Sequence[str],
    specs: Mapping[str, SubdomainSpec],
    constants: Mapping[str, Mapping[str, float]],
    places: Mapping[str, Place],
) -> list[Part]:
    """Return the parts of a problem, in which names of fields stand for those that live there.

    Arguments:
        base: the language without fields and constants, with the arguments of fields
        fields: all fields
        specs: the subdomains; none for a problem of one part
        constants: the values of constants, by subdomain
        places: where they lie, once the domain is known

    Raises `ConfigError` with the path below `subdomains`.
    """
    if not specs:
        language = replace(base, fields=tuple(fields), constants=constants[""])
        return [Part("", language, {name: name for name in fields})]
    # What others leave over comes last: the first part that holds a point gives its fields.
    specs = dict(sorted(specs.items(), key=lambda item: item[1].rest))
    lives = {name: _living(name, spec, fields) for name, spec in specs.items()}
    # What does not depend on space is one number or function of time in all subdomains.
    one = [f for f in fields if f in base.arguments and not {*base.arguments[f]} & {*base.space}]
    own = {name: {f: f if f in one else part_field(f, name) for f in lives[name]} for name in specs}
    versions = {raw: n for n in specs for f, raw in own[n].items() if f not in one}
    homeless = [f for f in fields if not any(f in found for found in lives.values())]
    if homeless:
        raise ConfigError(f"{homeless[0]} lives in no subdomain", (), f"{homeless[0]} in one")
    arguments = {
        raw: base.arguments[f]
        for pairs in own.values()
        for f, raw in pairs.items()
        if f in base.arguments
    }
    raws = dict.fromkeys(raw for pairs in own.values() for raw in pairs.values())
    every = replace(base, fields=tuple(raws), arguments=arguments, hidden=frozenset(versions))
    parts = []
    for name in specs:
        absent = {
            f: "it lives in " + " and ".join(n for n in specs if f in lives[n]) + " only"
            for f in fields
            if f not in lives[name]
        }
        elsewhere = {raw: f"it lives in {n} only" for raw, n in versions.items() if n != name}
        language = replace(
            every,
            constants=constants[name],
            definitions={f: symbol(raw) for f, raw in own[name].items() if f != raw},
            absent={**absent, **elsewhere},
        )
        parts.append(Part(name, language, own[name], places.get(name)))
    return parts


def _living(name: str, spec: SubdomainSpec, fields: Sequence[str]) -> list[str]:
    """Return the fields that live in a subdomain. Raises `ConfigError`."""
    for index, one in enumerate(spec.fields or ()):
        if one not in fields:
            raise unknown(one, "a field", fields, (name, "fields", index))
    return [f for f in fields if spec.fields is None or f in spec.fields]


def defined_parts(
    parts: Sequence[Part], fields: Sequence[str], definitions: Mapping[str, Entries]
) -> Subdomains:
    """Return the subdomains with definitions: a text, or a text for each of some subdomains.

    Raises `ConfigError` whose path starts with `definitions`.
    """
    plain = Subdomains(tuple(parts), tuple(fields))
    for name, entry in definitions.items():
        if isinstance(entry, Mapping):
            plain.check_named(entry, ("definitions", name))
    defined = [replace(part, language=_defining(part, definitions)) for part in parts]
    return Subdomains(tuple(defined), (*fields, *definitions))


def _defining(part: Part, definitions: Mapping[str, Entries]) -> Language:
    """Return the language of a part with definitions, of which some are made elsewhere only."""
    language = part.language
    for name, entry in definitions.items():
        if not isinstance(entry, Mapping):
            language = language.defining(name, entry, ("definitions", name))
        elif part.name in entry:
            path = ("definitions", name, part.name)
            language = language.defining(name, entry[part.name], path)
        else:
            reason = f"it is defined in {' and '.join(entry)} only"
            language = replace(language, absent={**language.absent, name: reason})
    return language


def check_cover(parts: Sequence[Part], domain: Domain) -> None:
    """Raise `ConfigError` where subdomains overlap, leave a gap, or hold nothing."""
    if parts[0].place is None:
        return
    x = evaluation_points(domain)
    interior = np.stack([part.place.interior(x) for part in parts if part.place])
    closed = np.stack([part.contains(x) for part in parts])

    def show(which: np.ndarray) -> str:
        place = x[int(np.flatnonzero(which)[0])]
        return ", ".join(f"{n} = {v:.4g}" for n, v in zip(domain.names, place, strict=True))

    for part, own in zip(parts, interior, strict=True):
        if not own.any():
            message = "nothing of the domain lies in it, or too little"
            raise ConfigError(message, (part.name,), "a larger part of the domain")
    twice = np.sum(interior, axis=0, dtype=int) > 1
    if twice.any():
        both = [part.name for part, own in zip(parts, interior, strict=True) if (own & twice).any()]
        raise ConfigError(
            f"{' and '.join(both[:2])} overlap, for instance at {show(twice)}",
            (both[1],),
            "subdomains that share boundaries only, or 'rest' for what others leave over",
        )
    gap = np.sum(closed, axis=0, dtype=int) == 0
    if gap.any():
        share = 100 * float(gap.mean())
        raise ConfigError(
            f"{share:.2g} % of the domain lies in no subdomain, for instance {show(gap)}",
            (),
            "subdomains that fill the domain, such as one that is 'rest'",
        )
