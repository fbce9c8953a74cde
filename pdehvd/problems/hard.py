"""Conditions by construction: `hard` as an expression, or as values on a part of the boundary."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

import numpy as np
import sympy
from pydantic import Field

from pdehvd.errors import ConfigError, unknown, within
from pdehvd.numerics.compiling import compile_numpy
from pdehvd.numerics.derivatives import NETWORK
from pdehvd.numerics.expressions import parse_number, symbol
from pdehvd.problems.evaluation import evaluation_points
from pdehvd.problems.geometry import Domain
from pdehvd.problems.language import Language
from pdehvd.problems.r_functions import strip
from pdehvd.problems.subdomains import Subdomains
from pdehvd.problems.text import Text
from pdehvd.spec import Spec

_EQUATION = re.compile(r"\s*([^\W\d]\w*)\s*={1,2}\s*([^=].*)")
_POINTS = 2000


class HardOn(Spec):
    """`{on: boundary, equal: g}`: the field is g + phi*network, where phi vanishes on regions.

    phi is a product of functions that are zero on faces, curves and surfaces; its maximum is 1.
    """

    on: str | list[str] = Field(
        description="regions: `boundary`, a named boundary, or an equation such as `t = 0`"
    )
    equal: Text = Field(0, description="an expression with the values on all of them")
    network: Text = Field(NETWORK, description="what multiplies phi, an expression of `network`")


def build_hard(
    given: Mapping[str, Text | HardOn], subdomains: Subdomains, domain: Domain
) -> dict[str, sympy.Expr]:
    """Return the expressions of the network's fields that hold conditions by construction.

    A form of a field of several subdomains holds in each.
    Raises `ConfigError` whose path starts with `hard`.
    """
    result = {}
    for name, one in given.items():
        own = subdomains.raw(name)
        if not own:
            raise unknown(name, "a field", subdomains.names, ("hard", name))
        for part, raw in own:
            if isinstance(one, HardOn):
                result[raw] = _on_regions(one, part.language, domain, name)
            else:
                arguments = part.language.depends(raw)
                result[raw] = part.language.function(one, ("hard", name), (*arguments, NETWORK))
    return result


def _on_regions(one: HardOn, language: Language, domain: Domain, name: str) -> sympy.Expr:
    own = language.depends(name)
    values = language.function(one.equal, ("hard", name, "equal"), own)
    output = language.function(one.network, ("hard", name, "network"), (*own, NETWORK))
    texts = [one.on] if isinstance(one.on, str) else one.on
    factors: list[sympy.Expr] = []
    for number, text in enumerate(texts):
        with within("hard", name, "on", *([] if isinstance(one.on, str) else [number])):
            factors += _vanishing(text, domain)
    phi = sympy.Mul(*dict.fromkeys(factors))
    foreign = {str(free) for free in phi.free_symbols} - set(own)
    if foreign:
        raise ConfigError(
            f"{name} does not depend on {', '.join(sorted(foreign))}",
            ("hard", name, "on"),
            "regions in " + ", ".join(own),
        )
    return values + phi / _largest(phi, domain) * output


def _vanishing(text: str, domain: Domain) -> list[sympy.Expr]:
    """Return functions whose product is zero on a region, and nowhere else inside the domain."""
    domain.region(text)  # Its message is better where the text names nothing.
    frame, word = domain.frame, text.strip()
    shape = None
    if frame.shape is not None:
        shape = frame.shape, [symbol(frame.names[axis]) for axis in frame.columns]
    if word == "boundary":
        parts = [] if shape is None else shape[0].factors(shape[1])
        for axis, name in enumerate(frame.names):
            if name in frame.space and axis not in frame.columns:
                parts.append(strip(symbol(name), *frame.bounds[axis].tolist()))
        return parts
    if word in frame.boundaries and shape is not None:
        leaves = [leaf for leaf in shape[0].leaves() if word in leaf.names]
        return [leaf.level(shape[1]) for leaf in leaves]
    equation = _EQUATION.fullmatch(word)
    if equation is None or equation[1] not in frame.names:
        raise ConfigError(
            f"'{word}' is a part of a region, which no smooth function marks out",
            (),
            "'boundary', a named boundary, or an equation such as "
            f"{frame.names[0]} = {frame.bounds[0, 0]:g}",
        )
    axis = frame.names.index(equation[1])
    value = parse_number(equation[2], frame.constants)
    return [(symbol(equation[1]) - value) / float(np.ptp(frame.bounds[axis]))]


def _largest(phi: sympy.Expr, domain: Domain) -> float:
    """Return the largest size of a function in the domain."""
    x = evaluation_points(domain, _POINTS)
    (values,) = compile_numpy([phi], domain.names)(dict(zip(domain.names, x.T, strict=True)))
    largest = float(np.abs(values).max())
    return largest if math.isfinite(largest) and largest > 0 else 1.0
