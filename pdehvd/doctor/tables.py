"""The table that `pdehvd doctor` prints."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

from pdehvd.doctor.findings import Finding
from pdehvd.results.tables import print_table


def show_findings(findings: Sequence[Finding], as_json: bool) -> None:
    """Print what `doctor` found: a table and what to do, or JSON."""
    worst = [f for f in findings if f.advice]
    if as_json:
        ok = not any(f.status == "failed" for f in findings)
        print(json.dumps({"ok": ok, "checks": [asdict(f) for f in findings]}, indent=2))
        return
    print_table(
        ["check", "", "what was found"],
        [[f.name, f.status, f.found] for f in findings],
        numbers=False,
    )
    for finding in worst:
        print(f"\n{finding.status}: {finding.name}: {finding.advice}.")
