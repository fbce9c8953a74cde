"""The messages of commands that fail."""

from __future__ import annotations

import errno
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from pydantic import ValidationError

from pdehvd.errors import ConfigError, EnvironmentFault, PdehvdError, essence
from pdehvd.spec.findings import expected_of

_LONGEST = 500
# Names that a file holds may be of any length.
_LONGEST_LINE = 1500
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


@runtime_checkable
class _UsageError(Protocol):
    """Errors of usage have this method, whichever Click the command line stands on."""

    __cause__: BaseException | None

    def format_message(self) -> str:
        """Return what is wrong with the command line."""


def message_and_code(error: Exception | SystemExit) -> tuple[str, int]:
    """Return a message without a traceback or control characters, and the exit code."""
    text, code = _message_and_code(error)
    text = "".join(letter if _is_shown(letter) else _escaped(letter) for letter in text)
    return "\n".join(_cut(line, _LONGEST_LINE) for line in text.splitlines()), code


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def _is_shown(letter: str) -> bool:
    return letter.isprintable() or letter == "\n"


def _escaped(letter: str) -> str:
    # Text from a file may hold sequences that a terminal obeys.
    return letter.encode("unicode_escape").decode("ascii")


def _message_and_code(error: Exception | SystemExit) -> tuple[str, int]:
    if isinstance(error, PdehvdError):
        return str(error), error.exit_code
    if isinstance(error, _UsageError):
        return _usage(error), ConfigError.exit_code
    if isinstance(error, OSError) and error.errno in _FULL:
        return _full(error), EnvironmentFault.exit_code
    if isinstance(error, MemoryError):
        return _too_large(error), EnvironmentFault.exit_code
    return _unexpected(error), 1


def _usage(error: _UsageError) -> str:
    """Return what is wrong with the command line, and where to read about it."""
    program = getattr(getattr(error, "ctx", None), "command_path", "pdehvd")
    text = " ".join(error.format_message().split())
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        details = cause.errors(include_url=False)[0]
        options: Sequence[str] = getattr(getattr(error, "param", None), "opts", ("",))
        option = max(options, key=len)
        text = f"{option}: got '{details['input']}'; expected {expected_of(details)}"
    return f"{text} (see {program} --help)"


def _full(error: OSError) -> str:
    """Return what to do about a disk that takes no more."""
    what = error.filename or "a file"
    return (
        f"{what} cannot be written: {error.strerror}. Nothing written before is lost: "
        "free some space, then continue with --resume"
    )


def _too_large(error: MemoryError) -> str:
    """Return what to do where the memory of this machine does not hold a run."""
    reason = " ".join(str(error).split())[:_LONGEST] or "out of memory"
    return f"this machine has too little memory: {reason}; fewer points, or a smaller network"


def _unexpected(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({Path(last[0].filename).name}:{last[0].lineno})" if last else ""
    text = _cut(essence(str(error)), _LONGEST)
    return f"pdehvd failed: {type(error).__name__}: {text}{where}; --debug shows the traceback"
