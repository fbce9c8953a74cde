"""Cases of a campaign in processes of their own: one that kills its process is a finding."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from scripts.shared.machine import ROOT


def announce(text: str) -> None:
    """Write a line to the true standard output at once."""
    print(text, file=sys.__stdout__, flush=True)


def rows(
    module: str, options: Sequence[str], numbers: range, patience: float
) -> Iterator[dict[str, Any]]:
    """Return the JSON row that `python -m MODULE --worker` prints for each case, in order.

    The process gets `--first` and `--cases`, and `patience` seconds. Where it ends before its last
    case, the next one has a row with the reason under `problems`, and another process continues.
    """
    rest = numbers
    while rest:
        span = ["--first", str(rest.start), "--cases", str(len(rest))]
        command = [sys.executable, "-m", module, *options, *span, "--worker"]
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=patience
            )
            output, end = done.stdout, f"ended with {done.returncode}: {done.stderr[-500:]}"
        except subprocess.TimeoutExpired as late:
            output, end = str(late.stdout or b"", "utf-8"), "hangs"
        found = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        yield from found
        rest = rest[len(found) :]
        if rest:
            yield {"number": rest.start, "what": "?", "problems": [f"the process {end}"]}
            rest = rest[1:]
