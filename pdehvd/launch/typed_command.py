"""The command that was typed: processes that another one starts are given other arguments."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

_VARIABLE = "PDEHVD_COMMAND"


def handed_on() -> dict[str, str]:
    """Return the variable by which started processes know what was typed here."""
    return {_VARIABLE: json.dumps(sys.argv[1:])}


def typed() -> list[str]:
    """Return the words of the command that was typed, here or where this process was started."""
    stored = os.environ.get(_VARIABLE)
    return ["pdehvd", *(json.loads(stored) if stored else sys.argv[1:])]


def program() -> list[str]:
    """Return the words that start this program where no environment is activated."""
    installed = Path(sys.executable).with_name("pdehvd")
    return [str(installed)] if installed.exists() else [sys.executable, "-m", "pdehvd"]
