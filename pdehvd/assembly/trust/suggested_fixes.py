"""Suggested fixes: whole sections of a config with something changed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import ValidationError

from pdehvd.assembly.build import build_objective, build_phases, check_weights
from pdehvd.assembly.problem import build_problem
from pdehvd.assembly.trust.caution import laid_over
from pdehvd.comm.group import Solo
from pdehvd.config.root import Config
from pdehvd.errors import ConfigError
from pdehvd.objectives.weighting import Fixed
from pdehvd.spec.plain import Facts

Lines = Facts


def _section(config: Config, name: str) -> Facts:
    """Return a section without what it has by default."""
    spec = getattr(config, name)
    given = spec.model_dump(mode="json", exclude_defaults=True, by_alias=True)
    result: Facts = {"name": spec.name} | given
    return result


def model(config: Config, **keys: object) -> Lines:
    """Return the section `model` with other keys."""
    return {"model": _section(config, "model") | keys}


def sampling(config: Config, **keys: object) -> Lines:
    """Return the section `sampling` with other keys; None takes one away."""
    changed = _section(config, "sampling") | keys
    return {"sampling": {key: value for key, value in changed.items() if value is not None}}


def weights(config: Config, terms: Mapping[str, float]) -> Lines:
    """Return the section `weighting` with fixed weights of these terms."""
    own = config.weighting.terms if isinstance(config.weighting, Fixed) else {}
    kept = {name: weight for name, weight in own.items() if not _named(name, terms)}
    short = {name.split("/")[-1]: weight for name, weight in terms.items()}
    named = short if len(short) == len(terms) else dict(terms)
    return {"weighting": {"name": "fixed", "terms": kept | named}}


def _named(name: str, terms: Mapping[str, float]) -> bool:
    return any(name in (term, term.split("/")[-1]) for term in terms)


def hard(config: Config, fields: Mapping[str, str]) -> Lines:
    """Return the entry `problem.hard` with these texts for the network's raw output by field."""
    given = dict(config.problem.plain()["hard"])
    for field, output in fields.items():
        own = given.get(field, "network")
        on_regions = isinstance(own, dict)
        text = str(own["network"] if on_regions else own)
        inner = output if text.strip() == "network" else f"({output})"
        text = re.sub(r"\bnetwork\b", inner, text)
        given[field] = {**own, "network": text} if on_regions else text
    return {"problem": {"hard": given}}


def condition(name: str, **keys: object) -> Lines:
    """Return one more condition."""
    return {"problem": {"conditions": {name: keys}}}


def mended(config: Config, lines: Facts) -> Config:
    """Return a config with lines in place of its sections; entries of the problem join its own.

    Raises `ConfigError` or pydantic's `ValidationError` where they are none of a config.
    """
    data = config.plain()
    problem = laid_over(data["problem"], lines.get("problem", {}))
    return type(config).model_validate({**data, **lines, "problem": problem})


def accepted(config: Config, lines: Facts) -> bool:
    """Return whether `check` accepts a config with these lines."""
    try:
        changed = mended(config, lines)
        objective = build_objective(changed, build_problem(changed, 1), Solo())
        check_weights(changed, objective)
        build_phases(changed, objective)
    except (ConfigError, ValidationError):
        return False
    return True
