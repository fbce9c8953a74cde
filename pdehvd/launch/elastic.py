"""Elastic jobs: how many processes on which machines a file, or a program, grants at the moment."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

from pdehvd.errors import ConfigError
from pdehvd.launch.processes_spec import ElasticSpec

LOCAL = "localhost"
"""The name of this machine in a grant, whatever it was called."""
_SECONDS = 30.0
# What begins with a dash would be an option to mpirun, or to ssh.
_ENTRY = re.compile(r"(?P<host>[A-Za-z0-9][A-Za-z0-9._-]*)(?::(?P<count>[0-9]{1,7}))?")


class Discovery:
    """Asks again and again; an answer that cannot be had leaves the last one standing."""

    def __init__(self, spec: ElasticSpec) -> None:
        self.spec = spec
        self.problem = ""
        self._last: dict[str, int] = {}

    def hosts(self) -> dict[str, int]:
        """Return how many processes are granted now on each machine, never more than `max` in all.

        Raises `ConfigError` for an answer that cannot be read.
        """
        try:
            text = self._answer()
        except (OSError, UnicodeDecodeError, subprocess.SubprocessError) as error:
            self.problem = f"{self.spec.source} cannot be read: {error}"
            return self._last
        self.problem = ""
        self._last = _first(slots(text, self.spec.source), self.spec.max)
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


def slots(text: str, source: str) -> dict[str, int]:
    """Return the slots of each host in lines `host:slots`; a line without a number is one slot.

    Raises `ConfigError` for lines that are none.
    """
    found: dict[str, int] = {}
    for line in text.splitlines():
        entry = line.split("#")[0].strip()
        if not entry:
            continue
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise ConfigError(f"{source}: '{entry}' is not a host with slots", (), "host:slots")
        host = match["host"]
        if host in (LOCAL, "127.0.0.1", socket.gethostname()):
            host = LOCAL
        found[host] = found.get(host, 0) + int(match["count"] or "1")
    return found


def _first(hosts: dict[str, int], most: int) -> dict[str, int]:
    """Return the first `most` slots of all."""
    kept, left = {}, most
    for host, count in hosts.items():
        if min(count, left):
            kept[host] = min(count, left)
            left -= kept[host]
    return kept
