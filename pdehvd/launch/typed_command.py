"""The command that was typed: processes that another one starts are given other arguments."""

from __future__ import annotations

import json
import os
import sys

_VARIABLE = "PDEHVD_COMMAND"


def handed_on() -> dict[str, str]:
    """Return the variable by which started processes know what was typed here."""
    return {_VARIABLE: json.dumps(sys.argv[1:])}


def typed() -> list[str]:
    """Return the words of the command that was typed, here or where this process was started."""
    told = os.environ.get(_VARIABLE)
    return ["pdehvd", *(json.loads(told) if told else sys.argv[1:])]
