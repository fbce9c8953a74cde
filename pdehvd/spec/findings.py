"""Messages about what validation found."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pdehvd.errors import ConfigError, Path, counted, nearest
from pdehvd.spec.keys import valid_keys
from pdehvd.spec.plain import has, item
from pdehvd.spec.unknown_keys import unknown_key

MAXIMUM_LINES = 5
_EXPECTED = {
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "none_required": "null",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number less than {lt}",
    "less_than_equal": "a number of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_short": "text of at least {min_length} characters",
    "string_too_long": "text of at most {max_length} characters",
}
_SHORT = 40
_MAPPINGS = ("dict_type", "mapping_type", "model_type", "model_attributes_type")


@dataclass
class _Finding:
    """An error of pydantic: its place in the data, and the branches of unions on the way."""

    path: Path
    branches: tuple[tuple[Path, str], ...]
    details: ErrorDetails


def found(error: ValidationError, data: object, model: type[BaseModel]) -> list[ConfigError]:
    """Return an error with its path in the data for each mistake, those of missing keys last."""
    details = error.errors(include_url=False)
    findings = _unechoed(_chosen([_finding(one, data) for one in details]))
    spelling: set[Path] = set()
    errors = (
        _error_of(finding, model, data, spelling)
        for finding in sorted(findings, key=lambda f: f.details["type"] == "missing")
    )
    return [one for one in errors if one is not None]


def first_lines(mistakes: Iterable[str]) -> str:
    """Return the first few of the lines, each once, and how many there are more."""
    known = list(dict.fromkeys(mistakes))
    more = len(known) - MAXIMUM_LINES
    return "\n".join(known[:MAXIMUM_LINES] + ([f"and {more} more"] if more > 0 else []))


def join_errors(mistakes: Sequence[ConfigError]) -> ConfigError:
    """Return one error for all; a single one stays as it is."""
    return mistakes[0] if len(mistakes) == 1 else ConfigError(first_lines(map(str, mistakes)))


def _finding(details: ErrorDetails, data: object) -> _Finding:
    """Split pydantic's location into the path in the data and the union branches in between."""
    path: list[str | int] = []
    branches: list[tuple[Path, str]] = []
    location = details["loc"]
    holder = data
    for position, part in enumerate(location):
        last = position == len(location) - 1
        if has(holder, part):
            holder = item(holder, part)
            path.append(part)
        elif last and details["type"] == "missing":
            path.append(part)
        elif part != "[key]":
            branches.append((tuple(path), str(part)))
    path += _below(details)
    return _Finding(tuple(path), tuple(branches), details)


def _below(details: ErrorDetails) -> Path:
    """Return the path inside the value that a validator of ours has found at fault."""
    cause = details.get("ctx", {}).get("error")
    return cause.path if isinstance(cause, ConfigError) else ()


def _chosen(findings: Sequence[_Finding]) -> list[_Finding]:
    """Keep, of every union of unnamed types, the branch that the value came nearest to.

    Nearest: the errors lie inside the value and not at it; then, the fewest errors.
    """
    result = list(findings)
    for place in dict.fromkeys(at for finding in findings for at, _ in finding.branches):
        groups: dict[str, list[_Finding]] = {}
        for finding in result:
            tag = dict(finding.branches).get(place)
            if tag is not None:
                groups.setdefault(tag, []).append(finding)
        inside = {t: g for t, g in groups.items() if all(f.path != place for f in g)}
        if not inside:
            continue
        best = min(inside, key=lambda tag: len(inside[tag]))
        dropped = [f for tag, group in groups.items() if tag != best for f in group]
        result = [finding for finding in result if not any(finding is d for d in dropped)]
    return _merged(result)


def _merged(findings: Sequence[_Finding]) -> list[_Finding]:
    """Join the errors of one value that fits none of several plain types into one finding."""
    result: dict[tuple[Path, bool], _Finding] = {}
    for finding in findings:
        expected = _EXPECTED.get(finding.details["type"]) if finding.branches else None
        key = (finding.path, expected is not None)
        if expected is None:
            result[(*finding.path, id(finding)), False] = finding
        elif key in result:
            context = result[key].details.setdefault("ctx", {})
            context.setdefault("also", []).append(finding.details)
        else:
            result[key] = finding
    return list(result.values())


def _unechoed(findings: Sequence[_Finding]) -> list[_Finding]:
    """Leave out that a list is too short where only its faulty items were not counted."""
    places = [finding.path for finding in findings]
    return [
        finding
        for finding in findings
        if finding.details["type"] != "too_short"
        or not any(p[:-1] and p[: len(finding.path)] == finding.path != p for p in places)
    ]


def _error_of(
    finding: _Finding, model: type[BaseModel], data: object, spelling: set[Path]
) -> ConfigError | None:
    """Return the error of a finding; None for a missing key that was only misspelt."""
    details, path = finding.details, finding.path
    kind, context = details["type"], details.get("ctx", {})
    cause = context.get("error")
    if isinstance(cause, ConfigError):
        return cause.within(*path[: len(path) - len(cause.path)])
    if kind == "extra_forbidden":
        tags = [tag for _, tag in finding.branches]
        error = unknown_key(path, model, data, valid_keys(model, data, path[:-1], tags))
        spelling.add((*path[:-1], error.nearest))
        return error
    if kind == "missing":
        return None if path in spelling else _missing(path)
    if kind in ("value_error", "assertion_error"):
        return ConfigError(" ".join(str(cause).split()), path)
    if details["input"] is None and kind in _MAPPINGS:
        # What was meant to lie under the key most likely stands on its own level.
        expected = f"{expected_of(details)}, indented further than the key"
        return ConfigError("this key has no value", path, expected)
    if kind in _MAPPINGS and re.match(r"[^\W\d]\w*:\S", str(details["input"])):
        expected = f"{expected_of(details)}, with a space after the colon"
        return ConfigError(f"got {_shown(details['input'])}", path, expected)
    if kind in ("too_long", "too_short"):
        return _length(details, path)
    return ConfigError(
        f"got {_shown(details['input'])}", path, expected_of(details), _near(details)
    )


def _missing(path: Path) -> ConfigError:
    if isinstance(path[-1], int):
        return ConfigError(f"got {counted(path[-1], 'value')}", path[:-1], "more values")
    return ConfigError(f"the key '{path[-1]}' is missing", path[:-1])


def _length(details: ErrorDetails, path: Path) -> ConfigError:
    """Return the error of a list with too many or too few values."""
    context = details["ctx"]
    most, least = context.get("max_length"), context.get("min_length")
    expected = f"at most {most}" if least is None else f"at least {least}"
    return ConfigError(f"got {counted(context['actual_length'], 'value')}", path, expected)


def expected_of(details: ErrorDetails) -> str:
    """Return what would have been right, in words such as `a whole number`."""
    context = details.get("ctx", {})
    if details["type"] in ("literal_error", "enum"):
        return str(context["expected"])
    text = _EXPECTED.get(details["type"])
    if text is None:
        message = details["msg"].removeprefix("Input should be ")
        return message[:1].lower() + message[1:]
    several = [text.format(**context), *(expected_of(other) for other in context.get("also", []))]
    if "a number" in several or "a finite number" in several:
        several = [one for one in several if one != "a whole number"]
    return " or ".join(dict.fromkeys(several))


def _near(details: ErrorDetails) -> str:
    """Return the allowed text most like the one given, where a choice was expected."""
    value = str(details["input"])
    if details["type"] not in ("literal_error", "enum"):
        return ""
    choices = [part for part in str(details["ctx"]["expected"]).split("'") if part.strip(" ,or")]
    return nearest(value, choices)


def _shown(value: object) -> str:
    """Return a value as it would be written in YAML, cut to a readable length."""
    words = {None: "null", True: "true", False: "false"}
    if value is None or isinstance(value, bool):
        return words[value]
    text = f"'{value}'" if isinstance(value, str) else repr(value)
    if isinstance(value, dict):
        whole = ", ".join(f"{key}: {item}" for key, item in value.items())
        flat = value and not any(isinstance(item, dict | list) for item in value.values())
        text = f"the mapping {{{whole}}}" if flat and len(whole) <= _SHORT else "a mapping"
    elif isinstance(value, list | tuple):
        text = "a list"
    return text if len(text) <= 60 else text[:57] + "..."
