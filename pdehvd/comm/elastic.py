"""Elastic jobs: how many processes a file, or a program, grants at the moment."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from pdehvd.comm.spec import ElasticSpec
from pdehvd.errors import ConfigError

_SECONDS = 30.0
_LOCAL = ("localhost", "127.0.0.1")


class Discovery:
    """Asks again and again; an answer that cannot be had leaves the last one standing."""

    def __init__(self, spec: ElasticSpec) -> None:
        self.spec = spec
        self.problem = ""
        self._last = 0

    def processes(self) -> int:
        """Return how many processes are granted now, never more than `max`.

        Raises `ConfigError` for an answer that names another machine.
        """
        try:
            text = self._answer()
        except (OSError, UnicodeDecodeError, subprocess.SubprocessError) as error:
            self.problem = f"{self.spec.source} gives no answer: {error}"
            return self._last
        self.problem = ""
        self._last = min(slots(text, self.spec.source), self.spec.max)
        return self._last

    def _answer(self) -> str:
        if self.spec.program is None:
            return Path(self.spec.discovery or "").read_text(encoding="utf-8")
        done = subprocess.run(
            [self.spec.program],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
        return done.stdout


def slots(text: str, source: str) -> int:
    """Return the sum over lines `host:slots`; a line without a number is one slot.

    Raises `ConfigError` for lines that are none, and for hosts that are not this machine.
    """
    total = 0
    for line in text.splitlines():
        entry = line.split("#")[0].strip()
        if not entry:
            continue
        host, _, count = entry.partition(":")
        if not (count or "1").isdigit():
            raise ConfigError(f"{source}: '{entry}' is no grant", (), "host:slots")
        if host not in (*_LOCAL, socket.gethostname()):
            raise ConfigError(
                f"{source}: {host} is another machine; elastic jobs stay on one", (), "localhost"
            )
        total += int(count or "1")
    return total
