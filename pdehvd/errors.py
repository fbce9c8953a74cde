"""Errors that end a run with one clear message and a documented exit code."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from pdehvd.synonyms import SYNONYMS, fold_name

Path = tuple[str | int, ...]
# The share of letters in common that makes a name worth proposing.
_ALIKE = 0.63


class PdehvdError(Exception):
    """A failure that a person can act on; `exit_code` is what the shell sees.

    >>> PdehvdError("the disk is full").exit_code
    1
    """

    exit_code = 1


class ConfigError(PdehvdError, ValueError):
    """Bad input: names the YAML path, what was expected and the nearest valid name.

    Arguments:
        message: what is wrong
        path: the keys that lead to it, from the root or from the section
        expected: what would be right
        nearest: the name that was most likely meant

    >>> print(ConfigError("got 3", ("width",), "an even number").within("model"))
    model.width: got 3; expected an even number
    """

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
        """Return the same error with `prefix` in front of its path.

        Arguments:
            prefix: keys
        """
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


@contextmanager
def within(*prefix: str | int) -> Iterator[None]:
    """Put `prefix` in front of the path of a `ConfigError` that the block raises."""
    try:
        yield
    except ConfigError as error:
        raise error.within(*prefix) from error


class EnvironmentFault(PdehvdError):  # noqa: N818 - OSError has the other name
    """Something that the machine lacks: MPI, a compiler, disk space, cores.

    >>> raise EnvironmentFault("there is no compiler")
    Traceback (most recent call last):
        ...
    pdehvd.errors.EnvironmentFault: there is no compiler
    """

    exit_code = 3


class DisagreementError(PdehvdError):
    """The ranks of a run differ in what must be the same; every rank raises the same message."""


class OutsideDomainWarning(UserWarning):
    """Values were requested at points where the network has not been trained.

    >>> import warnings
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", OutsideDomainWarning)  # now an exception
    """


def unknown(name: str, kind: str, valid: Sequence[str], path: Path = ()) -> ConfigError:
    """Return the error for a name that is not a coordinate, a field, ... among the valid ones.

    >>> print(unknown("tua", "a coordinate", ["x", "tau"], ("time",)))
    time: 'tua' is not a coordinate; expected one of x, tau; did you mean 'tau'?
    """
    text = f"'{name}' is not {kind}"
    return ConfigError(text, path, "one of " + ", ".join(valid), nearest(name, valid))


def list_in_words(names: Sequence[str]) -> str:
    """Return names as a list in words: `a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def nearest(name: str, valid: Iterable[str]) -> str:
    """Return the valid name that was most likely meant, or an empty string.

    That is a `same` name, or else the one that is spelt most alike.
    """
    known = list(valid)
    # torch.optim.Adam is Adam.
    found = same(name, known) or same(name.rpartition(".")[2], known)
    if found:
        return found
    letters = {fold_name(one): one for one in reversed(known)}
    alike = difflib.get_close_matches(fold_name(name), list(letters), n=5, cutoff=_ALIKE)
    # Two letters that changed places are the most common slip.
    swapped = (one for one in alike if sorted(one) == sorted(fold_name(name)))
    return letters[next(swapped, alike[0])] if alike else ""


def same(name: str, valid: Iterable[str]) -> str:
    """Return the valid name that says the same: in other letters, or in another program's words."""
    letters = {fold_name(one): one for one in reversed(list(valid))}
    meant = (fold_name(name), *(fold_name(one) for one in SYNONYMS.get(fold_name(name), ())))
    return next((letters[one] for one in meant if one in letters), "")


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: `1 process`, `2 processes`, `1,024 points`."""
    return f"{number:,} {inflected(number, noun)}"


def inflected(number: int, noun: str) -> str:
    """Return a noun as it stands after a number: `process` after 1, else `processes`."""
    plural = "es" if noun.endswith(("s", "x", "ch", "sh")) else "s"
    return noun if number == 1 else noun + plural


def essence(text: str) -> str:
    """Return a message in one line; of TensorFlow's stacks only the error that began them."""
    began = re.search(r"^\w*(?:Error|Exception): .+", text, re.MULTILINE)
    if began and ("Traceback" in text or "Detected at node" in text):
        text = began.group()
    return " ".join(text.split())
