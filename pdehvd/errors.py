"""Errors that end a run with one clear message and a documented exit code."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

Path = tuple[str | int, ...]


class PdehvdError(Exception):
    """A failure that a person can act on; `exit_code` is what the shell sees."""

    exit_code = 1


class ConfigError(PdehvdError, ValueError):
    """Bad input: names the YAML path, what was expected and the nearest valid name."""

    exit_code = 2

    def __init__(
        self, message: str, path: Path = (), expected: str = "", nearest: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.expected = expected
        self.nearest = nearest

    def within(self, *prefix: str | int) -> ConfigError:
        """Return the same error with `prefix` in front of its path."""
        return ConfigError(self.message, (*prefix, *self.path), self.expected, self.nearest)

    def __str__(self) -> str:
        text = self.message
        if self.path:
            text = f"{'.'.join(str(part) for part in self.path)}: {text}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.nearest:
            text += f"; did you mean '{self.nearest}'?"
        return text


class EnvironmentFault(PdehvdError):  # noqa: N818 - OSError has the other name
    """Something that the machine lacks: MPI, a compiler, disk space, cores."""

    exit_code = 3


class DisagreementError(PdehvdError):
    """The ranks of a run differ in what must be the same; every rank raises the same message."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the valid name most like `name`, or an empty string."""
    matches = difflib.get_close_matches(name, list(valid), n=1, cutoff=0.5)
    return matches[0] if matches else ""
