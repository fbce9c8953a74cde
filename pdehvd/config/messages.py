"""What validation found in a file, in lines that a person can act on."""

from __future__ import annotations

from pydantic import BaseModel, ValidationError

from pdehvd.config.files import LocatedError
from pdehvd.config.yaml_source import YamlSource
from pdehvd.spec.findings import first_lines, found


def explain_validation_error(
    error: ValidationError, source: YamlSource, model: type[BaseModel]
) -> LocatedError:
    """Return one error with a line per finding, at most five."""
    return LocatedError(first_lines(source.line(one) for one in found(error, source.data, model)))
