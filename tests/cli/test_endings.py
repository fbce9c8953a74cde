"""How commands end where there is little to do, nothing to compare with, or no number."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.conftest import CONFIG, Type


def without_reference(here: Path) -> None:
    lines = [line for line in CONFIG.splitlines() if "reference:" not in line]
    (here / "small.yaml").write_text("\n".join(lines))


def test_evaluate_without_a_reference(type_: Type, here: Path) -> None:
    without_reference(here)
    assert type_("train", "small.yaml", "--quiet").code == 0
    done = type_("evaluate", "latest")
    assert done.code == 0 and done.err == ""
    assert "no reference" in done.out
    for term in ("equation/heat", "condition/walls", "condition/initial"):
        assert re.search(rf"{term} +[\d.e+-]+ +[\d.e+-]+\n", done.out), done.out
    stored = json.loads((here / "runs/latest/evaluation.json").read_text())
    found = stored["residuals"]["equation/heat"]
    losses = json.loads((here / "runs/latest/metrics.jsonl").read_text().splitlines()[-1])
    # Losses of the history are those before the last of four small updates.
    assert abs(found["trained"] / losses["loss/equation/heat"] ** 0.5 - 1) < 0.05
    assert 0 < found["fresh"] != found["trained"]
